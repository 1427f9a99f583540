"""For managers: how much, since when, at what loss, what was done, and how often it was wrong."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
from starlette.responses import Response

from stillwatch.campaigns import Assumptions, check_range, value_at_risk
from stillwatch.cases import (
    ErrorRates,
    Line,
    estimate_rates,
    read_appeals,
    read_design,
    read_labels,
    read_rulings,
    read_sightings,
    tally_labels,
)
from stillwatch.console.charts import parts_chart, prevalence_chart
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.ocsf import incident_of
from stillwatch.console.paper import csv_of, policy_of, read_style, show, write
from stillwatch.errors import ConfigError
from stillwatch.report.appendix import ASSUMPTIONS
from stillwatch.report.facts import Facts, at, listed, read_facts, records
from stillwatch.report.numbers import number, parse
from stillwatch.report.palette import pattern_defs
from stillwatch.report.pictures import (
    assumptions_drawing,
    entered,
    methods_figure,
    models_figure,
    prevalence_figure,
    ranges_drawing,
    segments_figure,
)
from stillwatch.report.pictures.glance import swatch
from stillwatch.report.sentence import answer, strip
from stillwatch.report.svg import Figure
from stillwatch.schema import ADVERSE, OWNERSHIP
from stillwatch.store.index import Part

__all__ = ["as_csv", "as_ocsf", "as_page", "make_ready", "reckon", "show_overview"]

_SEED: Final = 20261125  # the scan's default: the same assumptions give nearly the same figures
_LISTED: Final = 25


@dataclass(frozen=True)
class Stopped:
    """A case with when its campaign began, was found, and was first acted upon."""

    line: Line
    head: dict[str, Any]
    found_after: timedelta | None
    stopped_after: timedelta | None
    by_rule: bool


def show_overview(desk: Desk, visit: Visit) -> Response:
    """Show the overview."""
    return show(desk, visit, "overview.html.jinja", **_shown(desk))


def make_ready(desk: Desk) -> None:
    """Reckon what the overview keeps, before the first who asks waits for it."""
    _shown(desk)


def as_page(desk: Desk, visit: Visit) -> Response:
    """Return the overview as one file: no script, no request, set for paper."""
    style = read_style()
    text = write(desk, visit, "overview.html.jinja", paper=True, style=style,
                 policy=policy_of(style), **_shown(desk))  # fmt: skip
    return Response(text, media_type="text/html; charset=utf-8", headers={
        "Content-Disposition": 'attachment; filename="overview.html"'
    })  # fmt: skip


def as_ocsf(desk: Desk, visit: Visit) -> Response:
    """Return every case of a campaign as an OCSF Incident Finding, one a line."""
    labels, now = tally_labels(desk.book), desk.now()
    lines = [
        json.dumps(incident_of(line, desk.campaign_of(line) or {},
                               labels.get(line.case_id, Counter()), now=now))
        for line in sorted(_of_campaigns(desk), key=lambda line: line.case_id)
    ]  # fmt: skip
    return Response("".join(f"{line}\n" for line in lines), media_type="application/x-ndjson",
                    headers={"Content-Disposition": 'attachment; filename="cases.ocsf.jsonl"'},
                    )  # fmt: skip


def _shown(desk: Desk) -> dict[str, Any]:
    facts = desk.once("overview", lambda: _facts(desk))
    cases = _cases(desk)
    found = [c.found_after for c in cases if c.found_after is not None]
    stopped = [c.stopped_after for c in cases if c.stopped_after is not None]
    rulings = [r for r in read_rulings(desk.book) if r.reason != OWNERSHIP]
    mine = {r.id for r in rulings}
    appeals = [a for a in read_appeals(desk.book) if a.decision in mine]
    indicators, sightings = read_sightings(desk.book)
    return {
        "facts": facts, "answer": answer(facts), "strip": strip(facts),
        "prevalence": desk.once("prevalence", lambda: _prevalence(facts)),
        "parts": desk.once("parts", lambda: _parts(facts)),
        "methods": desk.once("methods", lambda: _methods(desk)),
        "cases": cases[:_LISTED], "hidden": max(0, len(cases) - _LISTED), "every": len(cases),
        "found": _middle(found), "stopped": _middle(stopped),
        "acted": len(stopped), "appeals": appeals,
        "heard": [a for a in appeals if a.state in ("upheld", "rejected")],
        "under": sum(r.accounts for r in rulings
                     if r.verdict in ADVERSE and r.stands(desk.now())),
        "rates": _rates(desk), "indicators": indicators, "sightings": sightings,
        "shared_in": _shared_in(desk), "standings": desk.once("standings", desk.index.standings),
        **_value(desk.run.summary.get("value_at_risk")),
        "editable": desk.index.harvest is not None, "summary": desk.run.summary,
        "patterns": pattern_defs(len(facts.shown)),
        "shown": {c.campaign_id: c for c in facts.shown},
        "swatch": swatch,
    }  # fmt: skip


def reckon(desk: Desk, visit: Visit) -> Response:
    """Reckon the value at risk anew under other assumptions; nothing is kept.

    Raises ConfigError: a range does not ascend, or the run kept no exchanges.
    """
    tokens = desk.index.harvest
    if tokens is None:
        raise ConfigError("the run kept no exchanges to reckon with", where="value at risk")
    ranges = {}
    for name in ASSUMPTIONS:
        try:
            given = [float(visit.form.get(f"{name}-{end}", "")) for end in ("low", "mid", "high")]
        except ValueError:
            raise ConfigError("expected three numbers", where=ASSUMPTIONS[name]) from None
        ranges[name] = check_range(given, where=ASSUMPTIONS[name])
    value = value_at_risk(tokens, Assumptions(ranges), np.random.default_rng(_SEED))
    return show(desk, visit, "value.html.jinja" if visit.partial else "value-page.html.jinja",
                editable=True, anew=True, **_value(value))  # fmt: skip


def _value(value: dict[str, Any] | None) -> dict[str, Any]:
    """Return what the value at risk is shown with: its figures, names of assumptions, pictures."""
    return {
        "value": value, "names": ASSUMPTIONS,
        "entered": entered(value) if value else False,
        "ranges": ranges_drawing(value) if value else None,
        "moves": assumptions_drawing(value, ASSUMPTIONS) if value else None,
    }  # fmt: skip


def as_csv(desk: Desk, visit: Visit) -> Response:
    """Return a line a case of a campaign as CSV."""
    header = (
        "case", "state", "campaign", "standing", "accounts", "accused", "exchanges",
        "output_tokens", "first_seen", "last_seen", "opened_utc", "verdict", "until_utc",
        "found_after_h", "stopped_after_h", "open_appeals", "methods",
    )  # fmt: skip
    rows = []
    for c in _cases(desk):
        line, head = c.line, c.head
        rows.append((
            line.case_id, line.state, line.campaign_id, head.get("standing"), line.accounts,
            line.accused, head.get("exchanges"), head.get("output_tokens"), head.get("first_seen"),
            head.get("last_seen"), line.opened.isoformat(), line.verdict,
            line.until.isoformat() if line.until else None, _hours(c.found_after),
            _hours(c.stopped_after), line.appeals, " ".join(map(str, listed(head.get("methods")))),
        ))  # fmt: skip
    return csv_of("cases.csv", header, rows)


def _hours(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds() / 3600, 1)


def _facts(desk: Desk) -> Facts:
    volume = desk.index.volume()
    return read_facts(
        Part(desk.run, list(desk.index.heads.values()),
             {} if volume is None else {"volume": lambda: volume})
    )  # fmt: skip


def _prevalence(facts: Facts) -> tuple[Figure | None, dict[str, Any] | None]:
    figure = prevalence_figure(facts)
    return figure, prevalence_chart(facts, figure)


def _parts(facts: Facts) -> list[tuple[Figure, dict[str, Any] | None]]:
    """Return the figures by model, segment and method that the run has numbers for, with charts."""
    figures = (make(facts) for make in (models_figure, segments_figure, methods_figure))
    return [(figure, parts_chart(facts, figure)) for figure in figures if figure is not None]


def _methods(desk: Desk) -> list[tuple[str, int, int, float | None]]:
    """Return (method, campaigns, output tokens, share of all) of accused campaigns.

    A campaign with two methods counts for both: the rows do not add up.
    """
    total = number(at(desk.run.summary, "prevalence", "output_tokens", "total"))
    tally: dict[str, tuple[int, int]] = {}
    for head in desk.index.heads.values():
        if head.get("standing") != "accused":
            continue
        for method in listed(head.get("methods")) or ["none marked"]:
            campaigns, tokens = tally.get(str(method), (0, 0))
            tally[str(method)] = campaigns + 1, tokens + int(number(head.get("output_tokens")) or 0)
    rows = [(m, n, tokens, tokens / total if total else None) for m, (n, tokens) in tally.items()]
    return sorted(rows, key=lambda r: (-r[2], r[0]))


def _middle(times: list[timedelta]) -> timedelta | None:
    return sorted(times)[len(times) // 2] if times else None


def _of_campaigns(desk: Desk) -> list[Line]:
    """Return the cases of campaigns: a refusal by ownership is no finding, and no incident."""
    return [line for line in desk.lines() if line.kind != OWNERSHIP]


def _cases(desk: Desk) -> list[Stopped]:
    first: dict[str, Any] = {}
    for ruling in read_rulings(desk.book):  # the newest first: the last one kept is the first taken
        if ruling.verdict in ADVERSE and not ruling.undoes and not ruling.pending:
            first[ruling.case_id] = ruling
    out = []
    for line in _of_campaigns(desk):
        head = desk.campaign_of(line) or {}
        began, taken = parse(head.get("first_seen")), first.get(line.case_id)
        out.append(Stopped(
            line, head, max(line.opened - began, timedelta(0)) if began else None,
            taken.at - line.opened if taken else None,
            bool(taken and taken.by.startswith("rule:")),
        ))  # fmt: skip
    return sorted(out, key=lambda c: (-(number(c.head.get("output_tokens")) or 0), c.line.case_id))


def _shared_in(desk: Desk) -> tuple[int, int]:
    """Return how many accounts of the run carry what how many contributors shared."""
    rows = records(desk.run.shared)
    return len({r.get("account_id") for r in rows}), len({r.get("contributor") for r in rows})


def _rates(desk: Desk) -> ErrorRates | None:
    """Return what the labels of an audited random sample say; None where there is none."""
    if desk.audit is None:
        return None
    labels = read_labels(desk.audit / "sample.csv")
    return estimate_rates(read_design(desk.audit), labels, level=0.95)
