"""Pictures that are asked for one at a time: the raster with its zoom, the traffic of a week."""

from __future__ import annotations

import pyarrow.compute as pc
from starlette.responses import Response

from stillwatch.cases import preview
from stillwatch.console.case import facts_of, missing
from stillwatch.console.desk import Desk, Visit
from stillwatch.console.paper import show
from stillwatch.errors import ConfigError
from stillwatch.report.facts import Facts, read_facts
from stillwatch.report.pictures import clock_figure, raster_figure
from stillwatch.schema import from_micros, parse_time, to_micros
from stillwatch.store import STAGE_TABLES
from stillwatch.store.index import Part

__all__ = ["show_raster", "show_traffic"]


def show_raster(desk: Desk, visit: Visit) -> Response:
    """Show requests by account and time, between ``since`` and ``until`` where they are given."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    since, until = _moment(visit, "since"), _moment(visit, "until")
    facts = desk.once(
        ("raster", line.case_id, line.campaign_id, line.seen, since, until),
        lambda: _facts(desk, line.campaign_id, since, until)
        if line.campaign_id in desk.index.heads else facts_of(desk, line),
    )  # fmt: skip
    campaign = facts.shown[0]
    ticks = facts.raster.get(campaign.campaign_id, [])
    low = min((int(t.ts[0]) for t in ticks), default=None)
    high = max((int(t.ts[-1]) for t in ticks), default=None)
    if low is not None and high is not None:
        high = max(high, low + 3_600_000_000)
    return show(
        desk, visit, "raster.html.jinja", line=line, figure=raster_figure(facts, campaign),
        clock=None if since or until else clock_figure(facts, campaign),
        zoomed=bool(since or until),
        low=low, high=high, at=lambda us: "" if us is None else f"{from_micros(us):%Y-%m-%dT%H:%M}",
    )  # fmt: skip


def _facts(desk: Desk, campaign_id: str, since: int | None, until: int | None) -> Facts:
    part = desk.index.about_campaign(campaign_id, tables=("raster", "clock"))
    if (since is None and until is None) or not part.has("raster"):
        return read_facts(part)
    table = part.table("raster")
    ts = table.column("ts").cast("int64")
    if since is not None:
        table = table.filter(pc.greater_equal(ts, since))
        ts = table.column("ts").cast("int64")
    if until is not None:
        table = table.filter(pc.less_equal(ts, until))
    return read_facts(Part(desk.run, part.campaigns, {"raster": lambda: table}))


def _moment(visit: Visit, name: str) -> int | None:
    text = visit.query.get(name, "").strip()
    if not text:
        return None
    try:
        return to_micros(parse_time(text if text.endswith("Z") else f"{text}Z"))
    except ConfigError:
        raise ConfigError("expected a time such as 2026-11-26T12:00", where=name) from None


def show_traffic(desk: Desk, visit: Visit) -> Response:
    """Count what the accused of a case sent in the run's last seven days."""
    line = desk.line(visit.path["case"])
    if line is None:
        return missing(desk, visit)
    kept = all((desk.run.path / STAGE_TABLES[n]).is_file() for n in ("exchanges", "people"))
    found = None
    if kept and line.campaign_id in desk.index.heads:
        found = desk.once(("traffic", line.campaign_id), lambda: _week(desk, line.campaign_id))
    return show(desk, visit, "traffic.html.jinja", found=found)


def _week(desk: Desk, campaign_id: str) -> object:
    part = desk.index.about_campaign(campaign_id)
    part.campaigns[0]["members"] = desk.index.members(campaign_id)[0]
    return preview(part, campaign_id)
