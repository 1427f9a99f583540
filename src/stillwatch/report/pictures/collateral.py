"""Picture 11: whom each rung of the ladder would touch beside the accused."""

from __future__ import annotations

from typing import Any, Final

from stillwatch.report.facts import Campaign, at, records, said
from stillwatch.report.numbers import count, counted, number, usd
from stillwatch.report.svg import El, Figure, Table, drawing, el, text

__all__ = ["collateral_figure"]

_COLUMNS: Final = (
    ("accounts", "accounts"),
    ("end_users", "end users"),
    ("revenue_usd", "revenue"),
    ("permitted_exchanges", "permitted"),
)
_WIDTH, _LINE, _TOP, _FIRST, _STEP, _BAR = 440, 32, 24, 88, 92, 44


def collateral_figure(campaign: Campaign) -> Figure | None:
    """Return a line a rung, or None when the run did not count what acting touches."""
    permitted = campaign.standing == "permitted"
    chosen = "" if permitted else said(at(campaign.data, "recommended", "verdict"), "")
    rungs = records(at(campaign.data, "recommended", "rungs"))
    if not rungs:
        touched = at(campaign.data, "recommended", "collateral")
        if not isinstance(touched, dict):
            return None
        rungs = [{"verdict": chosen or "none", **touched}]
    title = _title(rungs, chosen)
    desc = (
        "One line a rung, a bar for each of: accounts, end users, revenue, permitted exchanges "
        "that are touched and not accused. Bars of one column share their scale."
    )
    height = _TOP + _LINE * len(rungs)
    return Figure(
        name="Collateral",
        title=title,
        drawings=(
            drawing(
                f"{campaign.ident}-collateral", _WIDTH, height, title, desc, _draw(rungs, chosen)
            ),
        ),
        table=_table(rungs, chosen),
        caption=_caption(campaign),
    )


def _name(rung: dict[str, Any]) -> str:
    return said(rung.get("verdict"), "none").replace("_", " ")


def _title(rungs: list[dict[str, Any]], chosen: str) -> str:
    own = next((r for r in rungs if r.get("verdict") == chosen), rungs[0])
    what = f"“{_name(own)}”"
    most = max(rungs, key=lambda r: number(r.get("accounts")) or 0)
    touched = number(own.get("accounts"))
    if touched is None:
        return f"Whom {what} would touch beside the accused is not known"
    whom = "no other account" if not touched else counted(touched, "other account")
    title = f"{what}, recommended, touches {whom}" if chosen else f"{what} would touch {whom}"
    beyond = number(most.get("accounts")) or 0
    if beyond > touched:
        title += f"; “{_name(most)}” would touch {count(beyond)}"
    return title


def _caption(campaign: Campaign) -> str:
    words = (
        "Touched are members that are not accused: those not proven, linked accounts, a proxy’s "
        "other customers. "
        "Counts are of this window; "
        f"{'the accused themselves' if campaign.standing == 'accused' else 'its core'} not counted."
    )
    revenue = number(campaign.data.get("revenue_usd"))
    if revenue is not None and campaign.standing == "accused":
        words += f" The accused paid {usd(revenue)} in it."
    return words


def _draw(rungs: list[dict[str, Any]], chosen: str) -> list[El]:
    body = [
        text(_FIRST + i * _STEP, 12, title, "t strong") for i, (_, title) in enumerate(_COLUMNS)
    ]
    peaks = [max([number(r.get(key)) or 0.0 for r in rungs]) for key, _ in _COLUMNS]
    for line, rung in enumerate(rungs):
        y = _TOP + _LINE * line
        own = rung.get("verdict") == chosen
        body.append(el("line", x1=0, x2=_WIDTH, y1=y, y2=y, cls="grid"))
        body.append(text(0, y + 21, f"{'▸ ' if own else ''}{_name(rung)}", _weight(own)))
        for i, (key, _) in enumerate(_COLUMNS):
            value, x = number(rung.get(key)), _FIRST + i * _STEP
            wide = _BAR * (value or 0.0) / peaks[i] if peaks[i] else 0.0
            if wide:
                body.append(el("rect", x=x, y=y + 11, width=max(wide, 1), height=12, cls="sure"))
            shown = usd(value) if key == "revenue_usd" else count(value)
            body.append(text(x + (wide + 5 if wide else 0), y + 21, shown, _weight(own)))
    return body


def _weight(own: bool) -> str:
    return "t strong" if own else "t ink"


def _table(rungs: list[dict[str, Any]], chosen: str) -> Table:
    rows = []
    for rung in rungs:
        own = rung.get("verdict") == chosen
        rows.append(
            (
                _name(rung) + (" (recommended)" if own else ""),
                said(rung.get("text")),
                count(rung.get("accounts")),
                count(rung.get("end_users")),
                count(rung.get("organizations")),
                count(rung.get("exchanges")),
                count(rung.get("output_tokens")),
                usd(rung.get("revenue_usd")),
                count(rung.get("permitted_exchanges")),
            )
        )
    headers = (
        *("Rung", "What happens", "Accounts", "End users", "Organizations", "Exchanges"),
        *("Output tokens", "Revenue", "Permitted exchanges"),
    )
    return Table(headers, rows, frozenset(range(2, 9)))
