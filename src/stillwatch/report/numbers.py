"""Numbers as a reader wants them: units, thousands separators, intervals as a–b."""

from __future__ import annotations

import math
import re
from datetime import datetime
from typing import Any, Final

from stillwatch.errors import ConfigError
from stillwatch.schema import from_micros, parse_time, to_micros

__all__ = [
    "DAY_US",
    "NB",
    "UNKNOWN",
    "compact",
    "count",
    "counted",
    "day",
    "day_range",
    "duration",
    "micros",
    "number",
    "parse",
    "plain",
    "plain_range",
    "share",
    "share_range",
    "sure",
    "usd",
    "usd_range",
    "word",
    "worded",
]

NB: Final = "\u00a0"
UNKNOWN: Final = "not known"
DAY_US: Final = 86_400_000_000
_WORDS: Final = (
    "no one two three four five six seven eight nine ten eleven twelve".split()  # noqa: SIM905
)
_SUPERSCRIPT: Final = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def number(value: Any) -> float | None:
    """Return a finite float, or None for anything else (absent, NaN, text, a truth value)."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def count(value: Any) -> str:
    """Return a whole number with thousands separators."""
    n = number(value)
    return UNKNOWN if n is None else f"{round(n):,}"


def compact(value: Any) -> str:
    """Return a large number in three digits with k, M, B or T."""
    n = number(value)
    if n is None:
        return UNKNOWN
    for unit, name in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e4, "k")):
        if abs(n) >= unit:
            scaled = n / (1e3 if name == "k" else unit)
            return f"{scaled:.0f}{name}" if abs(scaled) >= 100 else f"{scaled:.1f}{name}"
    return f"{n:,.0f}"


def counted(value: Any, one: str, many: str | None = None) -> str:
    """Return "1 account", "2 accounts"."""
    return f"{count(value)}{NB}{one if number(value) == 1 else (many or one + 's')}"


def word(value: int) -> str:
    """Return a number up to twelve as a word, a larger one in digits."""
    return _WORDS[value] if 0 <= value < len(_WORDS) else f"{value:,}"


_ASIDE: Final = re.compile(r" \(p [<=] [0-9.e+-]+\)")
_EXPONENT: Final = re.compile(r"\b(\d(?:\.\d+)?)e([+-]?\d+)\b")
_PER_CENT: Final = re.compile(r"(?<=\d)(?:%(?=[–-]\d[\d.]*%)|(%))")


def worded(sentence: str, *, p_beside: bool = False) -> str:
    """Return a test's sentence with its numbers as this page writes them.

    ``p_beside``: the p-value stands beside it and is left out of the sentence.

    >>> worded("20% (6%–7.5%) would give 1e-06 (p < 1e-75).", p_beside=True)
    '20\\xa0% (6–7.5\\xa0%) would give 10⁻⁶.'
    """

    def power(found: re.Match[str]) -> str:
        raised = f"10{str(int(found[2])).translate(_SUPERSCRIPT)}"
        return raised if found[1] == "1" else f"{found[1]}{NB}×{NB}{raised}"

    told = _ASIDE.sub("", sentence) if p_beside else sentence
    return _PER_CENT.sub(lambda found: f"{NB}%" if found[1] else "", _EXPONENT.sub(power, told))


def _percent(value: float) -> str:
    p = value * 100
    if p == 0:
        return "0"
    if abs(p) >= 99.95 or (abs(p) >= 10 and abs(p - round(p)) < 0.05):
        return f"{p:.0f}" if p >= 99.995 or p < 99.5 else f"{p:.2f}"
    if abs(p) >= 1:
        return f"{p:.1f}"
    digits = min(6, 1 - math.floor(math.log10(abs(p))))
    return f"{p:.{digits}f}"


def share(value: Any) -> str:
    """Return a share of one as percent with two significant digits."""
    n = number(value)
    return UNKNOWN if n is None else f"{_percent(n)}{NB}%"


def sure(value: Any) -> str:
    """Return a confidence as percent; nothing is ever said to be certain."""
    n = number(value)
    if n is not None and n >= 0.9995:
        return f">{NB}99.9{NB}%"
    return share(n)


def share_range(low: Any, high: Any) -> str:
    """Return an interval of shares as "1.8–3.0 %"."""
    a, b = number(low), number(high)
    if a is None or b is None:
        return UNKNOWN
    return f"{_percent(a)}–{_percent(b)}{NB}%"


def plain(value: Any) -> str:
    """Return a statistic: separators when large, three significant digits, 1.2 × 10⁻⁵ when tiny."""
    n = number(value)
    if n is None:
        return UNKNOWN
    if n == 0:
        return "0"
    size = abs(n)
    if size >= 1e7 or size < 1e-4:
        mantissa, exponent = f"{n:.1e}".split("e")
        return f"{mantissa}{NB}×{NB}10{str(int(exponent)).translate(_SUPERSCRIPT)}"
    if size >= 100 or n == int(n):
        return f"{n:,.0f}"
    return f"{n:.{max(0, 2 - math.floor(math.log10(size)))}f}".rstrip("0").rstrip(".")


def plain_range(low: float, high: float) -> str:
    """Return an interval of statistics: "0.4–1.2", and "-3.1 to 2" where a dash would mislead."""
    return f"{plain(low)}{' to ' if low < 0 else '–'}{plain(high)}"


def _money(value: float) -> tuple[str, str]:
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit:
            scaled = value / unit
            return (f"{scaled:.0f}" if abs(scaled) >= 10 else f"{scaled:.1f}"), name
    if abs(value) < 10 and value != round(value):
        return f"{value:.2f}", ""
    return f"{value:.0f}", ""


def usd(value: Any) -> str:
    """Return US dollars as $0.14, $940, $41k, $1.2M."""
    n = number(value)
    if n is None:
        return UNKNOWN
    digits, unit = _money(n)
    return f"${digits}{unit}"


def usd_range(low: Any, high: Any) -> str:
    """Return an interval of US dollars as $41k–44k."""
    a, b = number(low), number(high)
    if a is None or b is None:
        return UNKNOWN
    (da, ua), (db, ub) = _money(a), _money(b)
    if (da, ua) == (db, ub):
        return f"${da}{ua}"
    return f"${da}–{db}{ub}" if ua == ub and ua else f"${da}{ua}–{db}{ub}"


def parse(text: Any) -> datetime | None:
    """Return an aware UTC time, or None for what is not one."""
    if not isinstance(text, str) or not text:
        return None
    try:
        return parse_time(text)
    except ConfigError:
        return None


def micros(text: Any) -> int | None:
    """Return microseconds since 1970 of a time in text, or None."""
    moment = parse(text)
    return None if moment is None else to_micros(moment)


def day(moment: datetime | int | None, *, year: bool = True) -> str:
    """Return "3 Mar 2026"; an integer is microseconds since 1970."""
    if moment is None:
        return UNKNOWN
    at = from_micros(moment) if isinstance(moment, int) else moment
    return f"{at.day}{NB}{at:%b}{NB}{at.year}" if year else f"{at.day}{NB}{at:%b}"


def day_range(since: datetime | None, until: datetime | None) -> str:
    """Return "3–24 Mar 2026", as short as it can be."""
    if since is None or until is None:
        return day(since or until)
    if since.date() == until.date():
        return day(since)
    if (since.year, since.month) == (until.year, until.month):
        return f"{since.day}–{day(until)}"
    return f"{day(since, year=since.year != until.year)} – {day(until)}"


def duration(us: float) -> str:
    """Return a length of time in its two largest units."""
    minutes = round(us / 60_000_000)
    if minutes < 120:
        return f"{minutes}{NB}min"
    hours = round(us / 3_600_000_000)
    if hours < 72:
        return f"{hours}{NB}h"
    return f"{round(us / DAY_US)}{NB}days"
