"""Times of any spelling become UTC microseconds: typed, ISO 8601, or epochs by magnitude."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.schema import to_micros

__all__ = ["EARLIEST_US", "UTC_US", "instants", "instants_of", "latencies"]

UTC_US = pa.timestamp("us", tz="UTC")
EARLIEST_US = to_micros(datetime(2015, 1, 1, tzinfo=UTC))
"""No exchange is older: the first language model behind an API came years later."""

_NUMBER = r"^\s*[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?\s*$"
_UTC = " UTC"
_ZONE = r"[Tt ].*([Zz]|[+-][0-9]{2}(:?[0-9]{2})?)$"


def instants(array: pa.Array) -> tuple[pa.Array, int]:
    """Return a timestamp[us, UTC] array, null where it is no time, and how many had no zone.

    Epoch numbers are seconds below 1e11, milliseconds below 1e14, microseconds below 1e17,
    else nanoseconds: unambiguous for every time between 1973 and 5138.
    """
    kind = array.type
    if pa.types.is_timestamp(kind):
        count = 0 if kind.tz else len(array) - array.null_count
        return _from_timestamps(array), count
    if pa.types.is_date(kind):
        return _from_timestamps(array.cast(pa.timestamp("ms"))), len(array) - array.null_count
    if pa.types.is_integer(kind):
        return _from_epochs(array.cast(pa.int64(), safe=False)), 0
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _from_epochs(array.cast(pa.float64())), 0
    if pa.types.is_string(kind):
        return _from_text(array)
    return pa.nulls(len(array), UTC_US), 0


def instants_of(values: list[Any]) -> tuple[pa.Array, int]:
    """Return the instants of Python values: numbers, ISO strings, datetimes, or a mixture."""
    try:
        return instants(pa.array(values, pa.float64()))
    except (ValueError, TypeError, OverflowError):
        pass
    texts = [
        v
        if isinstance(v, str)
        else repr(v)
        if type(v) in (int, float)
        else v.isoformat()
        if isinstance(v, datetime)
        else None
        for v in values
    ]
    try:
        return instants(pa.array(texts, pa.string()))
    except (ValueError, TypeError):
        return pa.nulls(len(values), UTC_US), 0


def latencies(starts: list[Any], ends: list[Any]) -> list[float | None]:
    """Return milliseconds between two times of any spelling, null where one is none."""
    first, last = (instants_of(v)[0].cast(pa.int64()).to_pylist() for v in (starts, ends))
    return [
        None if a is None or b is None or b < a else (b - a) / 1e3
        for a, b in zip(first, last, strict=True)
    ]


def _from_timestamps(array: pa.Array) -> pa.Array:
    per_unit = {"s": 1_000_000, "ms": 1_000, "us": 1}.get(array.type.unit)
    ticks = array.cast(pa.int64())
    if per_unit == 1:
        return ticks.cast(UTC_US)
    values = ticks.fill_null(0).to_numpy(zero_copy_only=False)
    if per_unit is None:
        micros, bad = values // 1_000, np.zeros(len(values), bool)
    else:
        bad = np.abs(values) > (1 << 62) // per_unit
        micros = np.where(bad, 0, values) * per_unit
    return _array(micros, bad | _null_mask(array))


def _from_epochs(array: pa.Array) -> pa.Array:
    values = array.fill_null(0).to_numpy(zero_copy_only=False)
    whole = values.dtype.kind == "i"
    bad = _null_mask(array)
    if not whole:
        bad |= ~np.isfinite(values)
        values = np.where(bad, 0.0, values)
    size = np.abs(values)
    bad |= (size < 0) | (size > 9.2e18)
    values = np.where(bad, 0, values)
    seconds, millis, micros = size < 1e11, size < 1e14, size < 1e17
    if whole:
        out = np.where(micros, values, values // 1_000)
        out = np.where(millis, np.where(millis, values, 0) * 1_000, out)
        out = np.where(seconds, np.where(seconds, values, 0) * 1_000_000, out)
    else:
        factor = np.select([seconds, millis, micros], [1e6, 1e3, 1.0], 1e-3)
        out = np.rint(values * factor).astype(np.int64)
    return _array(out, bad)


def _from_text(array: pa.Array) -> tuple[pa.Array, int]:
    plain = _plain_iso(array)
    if plain is not None:
        return plain
    text = pc.utf8_trim_whitespace(array)
    number = pc.match_substring_regex(text, _NUMBER).fill_null(False)
    if pc.any(number).as_py():
        whole = pc.match_substring_regex(text, r"^[+-]?[0-9]{1,18}$").fill_null(False)
        parts = [
            _from_epochs(pc.if_else(whole, text, None).cast(pa.int64())),
            _from_epochs(pc.if_else(pc.and_not(number, whole), text, None).cast(pa.float64())),
        ]
        rest, zoneless = _from_iso(pc.if_else(number, None, text))
        return pc.coalesce(*parts, rest), zoneless
    return _from_iso(text)


def _plain_iso(array: pa.Array) -> tuple[pa.Array, int] | None:
    """Return the instants of texts that Arrow reads as they are, all with a zone or all without.

    As are those that all end in " UTC", BigQuery's way. None where it does not: it takes no
    number, no blank and no digit beyond the microsecond.
    """
    if pc.all(pc.ends_with(array, _UTC)).as_py():
        array = pc.replace_substring(array, _UTC, "Z")
    try:
        return array.cast(UTC_US), 0
    except pa.ArrowInvalid:
        pass
    try:
        without = array.cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return None
    return without.cast(pa.int64()).cast(UTC_US), len(without) - without.null_count


def _from_iso(text: pa.Array) -> tuple[pa.Array, int]:
    text = pc.replace_substring_regex(text, r" ?UTC$", "Z")
    text = pc.replace_substring_regex(text, r"([.][0-9]{6})[0-9]+", r"\1")
    zoned = pc.match_substring_regex(text, _ZONE).fill_null(False)
    try:
        with_zone = pc.if_else(zoned, text, None).cast(UTC_US)
        without = pc.if_else(zoned, None, text).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return _one_by_one(text)
    found = len(without) - without.null_count
    return pc.coalesce(with_zone, without.cast(pa.int64()).cast(UTC_US)), found


def _one_by_one(text: pa.Array) -> tuple[pa.Array, int]:
    micros: list[int | None] = []
    zoneless = 0
    for value in text.to_pylist():
        moment = _parse(value)
        if moment is not None and moment.tzinfo is None:
            zoneless += 1
            moment = moment.replace(tzinfo=UTC)
        micros.append(None if moment is None else to_micros(moment))
    return pa.array(micros, pa.int64()).cast(UTC_US), zoneless


def _parse(value: str | None) -> datetime | None:
    if value is None or "W" in value:
        return None
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None


def _null_mask(array: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    mask: np.ndarray[Any, np.dtype[np.bool_]] = array.is_null().to_numpy(zero_copy_only=False)
    return mask.copy()


def _array(micros: np.ndarray[Any, Any], bad: np.ndarray[Any, Any]) -> pa.Array:
    return pa.array(micros.astype(np.int64), pa.int64(), mask=bad).cast(UTC_US)
