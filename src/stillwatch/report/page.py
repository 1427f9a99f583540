"""Put the page together: one file, no request, no script, the same bytes for the same run."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from pathlib import Path
from typing import Any, Final

from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

from stillwatch.report import appendix
from stillwatch.report.chapter import write_chapter
from stillwatch.report.facts import Campaign, Facts, at, read_facts, said, smaller
from stillwatch.report.numbers import counted
from stillwatch.report.palette import HUES, kind_place, pattern_defs
from stillwatch.report.pictures import glance_rows, models_figure, prevalence_figure
from stillwatch.report.pictures.graph import DEGREES
from stillwatch.report.sentence import (
    answer,
    apart,
    keep_intervals,
    standing_counts,
    strip,
    watched_because,
)
from stillwatch.report.visible import shorten, visible
from stillwatch.schema import LINK_KINDS, REPORT, write_whole
from stillwatch.store import Run, open_run

__all__ = ["MOST_BYTES", "render_report", "write_report"]

MOST_BYTES: Final = 1_500_000


def write_report(run_dir: Path | str) -> Path:
    """Write report.html into a run directory and return its path.

    Written aside and then renamed, so that no reader sees half a page. Raises InputError when
    the folder is not a run directory or one of its files cannot be read.
    """
    run = open_run(run_dir)
    page = render_report(run)
    target = run.path / REPORT
    write_whole(target, page.encode("utf-8"))
    return target


def render_report(run: Run) -> str:
    """Return the page of a run. Timings, host and paths never enter it.

    A page of more than 1.5 MB is made again with less of each campaign drawn and more counted,
    then with fewer chapters.
    """
    facts = read_facts(run)
    while True:
        less = smaller(facts)
        if less is None:
            return _page(facts)
        if _fit(facts):
            page = _page(facts)
            if len(page.encode("utf-8")) <= MOST_BYTES:
                return page
        facts = less


def _fit(facts: Facts) -> bool:
    """Tell whether the chapters alone are small enough; stops at the one that is too many."""
    size = 0
    for campaign in facts.shown:
        size += len(_chapter(facts, campaign).encode("utf-8"))
        if size > MOST_BYTES:
            return False
    return True


def _chapter(facts: Facts, campaign: Campaign) -> Markup:
    """Return the markup of a chapter, written once for all pages that draw as much of it."""

    def write() -> Markup:
        made = _environment().get_template("chapter.html.jinja").render(
            c=write_chapter(facts, campaign), facts=facts, degrees=DEGREES,
            counted=counted, keep_intervals=keep_intervals,
        )  # fmt: skip
        return Markup(made)  # noqa: S704 - a rendered template of ours, escaped by it

    return facts.once(f"chapter {facts.budget} {facts.few}", campaign, write)


def _page(facts: Facts) -> str:
    env = _environment()
    style = env.get_template("style.css.jinja").render(
        hues=range(HUES),
        kinds=sorted({kind_place(k) for k in LINK_KINDS} | {len(LINK_KINDS)}),
        degrees=DEGREES,
    )
    return env.get_template("page.html.jinja").render(
        # The style sheet is ours, rendered from integers alone; its hash is in the policy.
        style=_Ours(style),
        policy=_policy(style),
        **_context(facts),
    )


class _Ours:
    """Markup that this package wrote itself and that holds nothing of a run."""

    def __init__(self, markup: str) -> None:
        self._markup = markup

    def __html__(self) -> str:
        return self._markup


def _policy(style: str) -> str:
    digest = base64.b64encode(hashlib.sha256(style.encode("utf-8")).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; script-src 'none'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _shown(value: Any) -> Any:
    """Make every text that a template prints visible; Jinja escapes it after that."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value)
    return value


@cache
def _environment() -> Environment:
    env = Environment(
        loader=PackageLoader("stillwatch.report", "templates"),
        autoescape=True,
        undefined=ChainableUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    env.filters["visible"] = visible
    env.filters["shorten"] = shorten
    return env


def _context(facts: Facts) -> dict[str, Any]:
    s = facts.summary
    counts = standing_counts(facts)
    groups = [
        {
            "standing": standing,
            "rows": glance_rows(facts, facts.of(standing)),
            "chapters": [_chapter(facts, c) for c in facts.of(standing)],
        }
        for standing in ("accused", "permitted", "watch")
    ]
    parts: dict[str, Any] = {}
    for name in ("signals", "calibration", "contamination", "recall", "value", "permits", "rest"):
        parts[name], parts[f"{name}_title"] = getattr(appendix, f"{name}_table")(facts)
    return {
        "facts": facts,
        "summary": s,
        "answer": answer(facts),
        "apart": apart(facts),
        "watched": watched_because(facts),
        "strip": strip(facts),
        "counts": counts,
        "groups": groups,
        "prevalence": prevalence_figure(facts),
        "models": models_figure(facts),
        "patterns": pattern_defs(len(facts.shown)),
        "run_table": appendix.run_table(facts),
        "recall_text": said(at(s, "prevalence", "text"), ""),
        "degrees": DEGREES,
        "counted": counted,
        "keep_intervals": keep_intervals,
        "again": appendix.again(facts),
        **parts,
    }
