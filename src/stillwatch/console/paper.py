"""Templates, and the answers that are made of them."""

from __future__ import annotations

import base64
import hashlib
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from typing import Any, Final
from zoneinfo import ZoneInfo

from jinja2 import ChainableUndefined, ChoiceLoader, Environment, PackageLoader, pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape
from starlette.responses import HTMLResponse, RedirectResponse, Response

from stillwatch.console.desk import Desk, Visit
from stillwatch.console.habits import zone_of
from stillwatch.console.rights import ROLES
from stillwatch.report import csv_text, shorten, visible
from stillwatch.report.numbers import compact, count, counted, plain, share, sure, usd
from stillwatch.report.palette import HUES, kind_code, kind_hue, kind_place, kind_title
from stillwatch.report.pictures.graph import DEGREES
from stillwatch.schema import ADVERSE, LINK_KINDS, REASONS, VERDICTS, pricing

__all__ = [
    "csv_of", "go", "policy_of", "read_static", "read_style", "read_templates", "refuse", "show",
    "static_name", "write",
]  # fmt: skip

_STATIC: Final = {
    "htmx-4.0.1.min.js": "text/javascript; charset=utf-8",
    "graphology-0.26.0.umd.min.js": "text/javascript; charset=utf-8",
    "sigma-3.0.3.min.js": "text/javascript; charset=utf-8",
    "uplot-1.6.32.min.js": "text/javascript; charset=utf-8",
    "uplot-1.6.32.min.css": "text/css; charset=utf-8",
    "charts.js": "text/javascript; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "graph.js": "text/javascript; charset=utf-8",
    "graph-able.js": "text/javascript; charset=utf-8",
    "console.css": "text/css; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


def read_templates() -> None:
    """Compile every template, before the first who asks for its page waits for it."""
    for name in _environment().list_templates(extensions=["jinja"]):
        _environment().get_template(name)


@cache
def _environment() -> Environment:
    env = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("stillwatch.console", "templates"),
                PackageLoader("stillwatch.report", "templates"),
            ]
        ),
        autoescape=True, undefined=ChainableUndefined, finalize=_shown, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    env.filters |= {
        "visible": visible, "shorten": shorten, "count": count, "compact": compact,
        "plain": plain, "share": share, "sure": sure, "usd": usd, "time": _time, "moment": _moment,
        "words": _words, "pricing": pricing,
        "span": _span, "size": _size,
    }  # fmt: skip
    env.globals |= {
        "counted": counted, "asset": static_name, "VERDICTS": VERDICTS, "ADVERSE": ADVERSE,
        "REASONS": REASONS, "ROLES": ROLES, "kind_title": kind_title, "kind_code": kind_code,
        "kind_hue": kind_hue, "raw": _raw, "kind_place": kind_place, "degrees": DEGREES,
    }  # fmt: skip
    return env


def _shown(value: Any) -> Any:
    """Make every text that a template prints visible; Jinja escapes it after that."""
    if value is None or isinstance(value, dict | list):
        return ""
    if isinstance(value, str) and not isinstance(value, Markup):
        return visible(value, lines=True)
    return value


def _raw(value: str) -> Markup:
    """Return a text as a form must send it back: escaped, with nothing made visible."""
    return escape(str(value))


@pass_context
def _time(context: Context, moment: datetime | None, form: str = "%Y-%m-%d %H:%M") -> str:
    """Return a time in the reader's zone, which it names."""
    if moment is None:
        return "—"
    zone = str(context.get("zone") or "UTC")
    # UTC is known without the machine's table of zones, which small images lack
    local = moment.astimezone(UTC if zone == "UTC" else ZoneInfo(zone))
    return f"{local:{form}} {local.tzname()}"


@pass_context
def _moment(context: Context, moment: datetime | None) -> str:
    """Return a time to the second in the reader's zone."""
    return _time(context, moment, "%Y-%m-%d %H:%M:%S")


def _words(text: Any) -> str:
    return str(text).replace("_", " ")


def _size(number: int) -> str:
    """Return bytes in kB or MB of a thousand, as file managers tell them.

    >>> _size(17), _size(1_500), _size(20_000_000)
    ('17 bytes', '1.5 kB', '20 MB')
    """
    for per, unit in ((1_000_000, "MB"), (1_000, "kB")):
        if number >= per:
            return f"{number / per:.3g} {unit}"
    return f"{number} bytes"


def _span(span: timedelta) -> str:
    """Return a length of time in its largest unit, for "in 3 h" and "2 days ago"."""
    minutes = abs(span.total_seconds()) / 60
    for size, unit in ((2880, "days"), (120, "h"), (0, "min")):
        if minutes >= size:
            per = {"days": 1440, "h": 60, "min": 1}[unit]
            return f"{minutes / per:.0f} {unit}"
    return "now"


def show(
    desk: Desk, visit: Visit, template: str, *, status: int = 200, **facts: Any
) -> HTMLResponse:
    """Return a page or a piece of one, made from a template."""
    return HTMLResponse(write(desk, visit, template, **facts), status_code=status)


def write(desk: Desk, visit: Visit, template: str, **facts: Any) -> str:
    """Return the text of a template for whoever visits."""
    zone = zone_of(desk.home, visit.login) if visit.session else "UTC"
    return _environment().get_template(template).render(
        visit=visit, zone=zone, session=visit.session, now=desk.clock(), may=visit.may,
        csrf=visit.session.csrf if visit.session else "", **facts,
    )  # fmt: skip


def refuse(
    desk: Desk, visit: Visit, status: int, title: str, message: str, hint: str = ""
) -> HTMLResponse:
    """Return the page that says what was not done, why, and what to do next."""
    return show(desk, visit, "refused.html.jinja", status=status, title=title, message=message,
                hint=hint)  # fmt: skip


def go(path: str) -> Response:
    """Send the browser to another page of the console after something was done."""
    return RedirectResponse(path, status_code=303)


def csv_of(name: str, header: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Response:
    """Return a table as CSV whose cells no spreadsheet takes for a formula."""
    return Response(
        csv_text(header, rows).encode("utf-8"), media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )  # fmt: skip


@cache
def read_static(name: str) -> tuple[bytes, str] | None:
    """Return a file that every page needs, and its type; None where there is none."""
    stem, _, rest = name.partition("~")
    file = stem + rest[16:]
    kind = _STATIC.get(file)
    if kind is None or static_name(file) != f"/static/{name}":
        return None
    return _static_bytes(file), kind


class Style:
    """The style sheet, which this package wrote and which holds nothing of a run."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __html__(self) -> str:
        return self.text


def read_style() -> Style:
    """Return the style sheet, for a page that leaves the console."""
    return Style(_static_bytes("console.css").decode())


def policy_of(style: Style) -> str:
    """Return the policy of a page that leaves the console: its own style, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(style.text.encode()).digest()).decode("ascii")
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


@cache
def static_name(file: str) -> str:
    """Return the address of a file, which names its content: it may be kept for ever."""
    digest = hashlib.sha256(_static_bytes(file)).hexdigest()[:16]
    stem, dot, ending = file.rpartition(".")
    return f"/static/{stem}~{digest}{dot}{ending}"


@cache
def _static_bytes(file: str) -> bytes:
    held = resources.files("stillwatch.console").joinpath("static", file).read_bytes()
    if file != "console.css":
        return held
    report = _environment().get_template("style.css.jinja").render(
        hues=range(HUES),
        kinds=sorted({kind_place(k) for k in LINK_KINDS} | {len(LINK_KINDS)}),
        degrees=DEGREES,
    )  # fmt: skip
    return report.encode() + b"\n" + held
