"""The result of a suite for people: benchmark.html, table.md and the curves as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from stillwatch.bench.curves import rung_curve, share_curve
from stillwatch.bench.sheets import (
    Sheet,
    alpha_sheet,
    cohort_sheet,
    curve_note,
    headline,
    percent,
    sheets_of,
)
from stillwatch.report.svg import El, el
from stillwatch.schema import write_whole

__all__ = [
    "ablation_lines",
    "alone_lines",
    "alpha_lines",
    "coverage_lines",
    "mmd_lines",
    "tables_of",
    "write_pages",
]

_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;"
    "color:#111;background:#fff}table{border-collapse:collapse;margin:1rem 0;display:block;"
    "overflow-x:auto}th,td{border-bottom:1px solid #ccc;padding:.25rem .6rem;text-align:left;"
    "vertical-align:top}svg{max-width:100%;height:auto}svg text{font-size:12px;fill:#111}"
)
_SVG_STYLE: Final = "text{font:12px sans-serif;fill:#111}"


def write_pages(result: dict[str, Any], out: Path) -> None:
    """Write result.json, table.md, benchmark.html, recall-by-rung.svg and recall-by-share.svg."""
    sheets = sheets_of(result)
    curves = [("recall-by-rung", rung_curve(result)), ("recall-by-share", share_curve(result))]
    _write(out / "result.json", json.dumps(result, indent=1, sort_keys=True) + "\n")
    _write(out / "table.md", tables_of(result))
    for name, curve in curves:
        markup = str(curve).replace("<svg", '<svg xmlns="http://www.w3.org/2000/svg"', 1)
        end = markup.index(">") + 1
        _write(out / f"{name}.svg", f"{markup[:end]}<style>{_SVG_STYLE}</style>{markup[end:]}\n")
    page = el(
        "html",
        el(
            "head", el("meta", charset="utf-8"), el("title", "stillwatch benchmark"),
            el("meta", name="viewport", content="width=device-width"), el("style", _STYLE),
        ),
        el(
            "body", el("h1", "How well campaigns are found"), el("p", headline(result)),
            [curve for _, curve in curves], el("p", curve_note() + " At most six are drawn."),
            [part for sheet in sheets for part in _html(sheet)],
        ),
        lang="en",
    )  # fmt: skip
    _write(out / "benchmark.html", f"<!doctype html>\n{page}\n")


def tables_of(result: dict[str, Any]) -> str:
    """Return all tables as Markdown."""
    return headline(result) + "\n\n" + "\n".join(map(_markdown, sheets_of(result)))


def alone_lines(result: dict[str, Any]) -> str:
    """Return what stillwatch alone did, and where it loses campaigns, as Markdown."""
    chosen = (
        "At each method's own threshold",
        "Recall by rung of hiding",
        "Recall by a campaign's share of traffic",
        "Where stillwatch loses campaigns",
    )
    sheets = [sheet for sheet in sheets_of(result) if sheet[0] in chosen]
    return headline(result) + "\n\n" + "\n".join(map(_markdown, sheets))


def alpha_lines(bound: dict[str, Any]) -> str:
    """Return the bound on false accusations as Markdown."""
    result = {"calibration": bound}
    return "\n".join(map(_markdown, (alpha_sheet(result), cohort_sheet(result))))


def coverage_lines(told: dict[str, Any]) -> str:
    """Return the coverage of prevalence as Markdown."""
    rows: list[tuple[str, ...]] = [
        (
            unit, f"{one['worlds']:,}", f"{one['floor_holds']:,}", f"{one['bound_holds']:,}",
            f"{one['both_hold']:,} [{percent(one['low'])}, {percent(one['high'])}]",
            percent(one["largest_truth"]), percent(one["mean_width"]),
        )
        for unit, one in told.items()
    ]  # fmt: skip
    headers = ("unit", "worlds", "detected ≤ truth", "truth ≤ not excluded", "both",
               "largest truth", "mean width")  # fmt: skip
    note = (
        "Small worlds, each campaign family there with chance one half, of 0.4 to 2 times its size."
    )
    return _markdown(("Prevalence: does the interval hold the truth", note, headers, rows))


def ablation_lines(told: dict[str, Any]) -> str:
    """Return the ablation as Markdown, the signal that loses most first."""
    families = sorted(next(iter(told["rows"].values()))["by_family"])
    rows: list[tuple[str, ...]] = [
        (
            name, percent(one["recall"]), f"{100 * one['loses']:+.1f}",
            *(percent(one["by_family"][f]) for f in families), f"{one['honest_accused']}",
        )
        for name, one in sorted(
            told["rows"].items(), key=lambda item: (item[0] != "everything", -item[1]["loses"])
        )
    ]  # fmt: skip
    note = (
        f"{told['worlds']} worlds of the preset `small`. Loses: points of recall that go when the "
        "signal is off; below nought the rest do better alone, since a claim's e-values are "
        "averaged over the tests that were made."
    )
    headers = ("switched off", "recall", "loses", *families, "honest accused")
    return _markdown(("What each signal is worth", note, headers, rows))


def mmd_lines(told: dict[str, Any]) -> str:
    """Return window MMD beside its published figures as Markdown."""
    rows: list[tuple[str, ...]] = [
        (f"{float(share):.0%}", percent(value), percent(told["published"][share]))
        for share, value in told["flagged"].items()
    ]
    note = (
        f"{told['campaigns']} campaigns of {told['worlds']} worlds, windows of "
        f"{', '.join(map(str, told['window']))} prompts. Differs: {told['differs']}."
    )
    headers = ("campaign's share of the window", "flagged here", "published")
    return _markdown(("Window MMD under its own protocol", note, headers, rows))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode())


def _html(sheet: Sheet) -> list[El]:
    title, note, headers, rows = sheet
    table = el(
        "table",
        el("thead", el("tr", [el("th", h, scope="col") for h in headers])),
        el("tbody", [el("tr", [el("td", cell) for cell in row]) for row in rows]),
    )
    return [el("h2", title), el("p", note), table]


def _markdown(sheet: Sheet) -> str:
    title, note, headers, rows = sheet

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(c.replace("|", "\\|") for c in cells) + " |"

    body = [line(headers), line(["---"] * len(headers)), *map(line, rows)]
    return f"### {title}\n\n{note}\n\n" + "\n".join(body) + "\n"
