"""One column of any Arrow type, or of Python values, becomes a column of EXCHANGE.

Vectorised where the types agree or cast safely; a column that holds a value which does not is
looked at value by value, for that batch alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.sources.instants import instants, instants_of
from stillwatch.sources.json_text import BadJson, canonical, clean, loads
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.messages import content_text, messages_array

__all__ = ["Mask", "coerce", "coerce_values", "decoded"]

Mask: TypeAlias = np.ndarray[Any, np.dtype[np.bool_]]
_JSON_TEXT = frozenset({"tool_schema", "tool_choice", "response_format"})
_SYSTEM = re.compile(r"\s*AS\s?([0-9]{1,10})(?:\s|$)", re.ASCII | re.IGNORECASE)
_UUID_DIGITS = [i for i in range(36) if i not in (8, 13, 18, 23)]
_TRUE = frozenset({"true", "1", "yes", "t"})
_FALSE = frozenset({"false", "0", "no", "f"})


class _Unfit(ValueError):
    """The value has no place in the column."""


_UNREADABLE: Any = object()
"""Stands for a value that Arrow has and Python cannot hold."""


def coerce(array: pa.Array, field: pa.Field, ledger: Ledger) -> tuple[pa.Array, Mask | None]:
    """Return the column in ``field``'s type, and where a value that was there did not fit.

    NaN and infinities become null. Whole floats become integers, numbers and bytes become text,
    JSON text becomes lists and maps; each changed column is counted in the ledger by rows.
    """
    array = decoded(array)
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), field.type), None
    if pa.types.is_timestamp(field.type):
        return _times(array, ledger)
    array = _finite(array, field, ledger)
    if field.name == "messages":
        return _messages(array, ledger)
    if pa.types.is_string(field.type) and _is_text(array.type):
        return _valid_text(array, ledger), None
    if pa.types.is_binary(field.type) and _is_text(array.type):
        return array.cast(field.type), None
    if pa.types.is_binary(array.type):
        array = _valid_text(array, ledger)
    if not pa.types.is_nested(field.type) and _plain_cast(array.type, field.type):
        try:
            return _finite(array.cast(field.type), field, ledger), None
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    if array.type.equals(field.type):
        return _valid_nested(array, ledger), None
    if pa.types.is_string(array.type):
        array = _valid_text(array, ledger)
    return coerce_values(_values(array), field, ledger)


def coerce_values(
    values: list[Any], field: pa.Field, ledger: Ledger
) -> tuple[pa.Array, Mask | None]:
    """Do the same for Python values, as a JSON record holds them."""
    if pa.types.is_timestamp(field.type):
        array, zoneless = instants_of(values)
        ledger.zoneless_times += zoneless
        there = np.fromiter((v is not None and v != "" for v in values), bool, len(values))
        return array, _or_none(there & _nulls(array))
    if field.name == "messages":
        return messages_array(values), None
    if pa.types.is_map(field.type):
        values = list(map(_entries, values))
    if pa.types.is_list(field.type) and any(isinstance(v, (str, bytes)) for v in values):
        return _one_by_one(values, field, ledger)  # Arrow would make a list of its characters
    try:
        array = pa.array(values, field.type)
    except (ValueError, TypeError, OverflowError, pa.ArrowException):
        return _one_by_one(values, field, ledger)
    return _finite(array, field, ledger), None


def _values(array: pa.Array) -> list[Any]:
    """Return the values as Python's; times as text, since Python has neither ns nor year 10000."""
    if pa.types.is_temporal(array.type):
        try:
            array = array.cast(pa.string())
        except pa.ArrowException:
            return [_UNREADABLE if valid else None for valid in array.is_valid().to_pylist()]
    try:
        found: list[Any] = array.to_pylist()
    except (ValueError, OverflowError, pa.ArrowException):
        found = [_value(array, i) for i in range(len(array))]
    return found


def _value(array: pa.Array, i: int) -> Any:
    try:
        return array[i].as_py()
    except (ValueError, OverflowError, pa.ArrowException):
        return _UNREADABLE


def _entries(value: Any) -> Any:
    """Return a map's entries as Arrow takes them, without nulls: it ends the process over one.

    An object that holds anything but text is left as it is, to be looked at by itself.
    """
    if type(value) is dict:
        return list(value.items()) if all(type(v) is str for v in value.values()) else value
    return [e for e in value if e is not None] if isinstance(value, list | tuple) else value


def decoded(array: pa.Array) -> pa.Array:
    """Return the array without dictionary, run-end or extension encoding, in 32-bit layouts."""
    if isinstance(array.type, pa.UuidType):
        return _uuids(array.storage)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_run_end_encoded(array.type):
        array = pc.run_end_decode(array)
    kind = array.type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return array.cast(pa.string())
    if pa.types.is_large_binary(kind) or _is_any(kind, "is_binary_view", "is_fixed_size_binary"):
        return array.cast(pa.binary())
    if pa.types.is_large_list(kind) or _is_any(kind, "is_list_view", "is_fixed_size_list"):
        return array.cast(pa.list_(kind.value_field))
    return array


def _uuids(storage: pa.Array) -> pa.Array:
    """Return UUIDs of 16 bytes as RFC 9562 writes them: as bytes they are no text of any sort."""
    filled = storage.fill_null(bytes(16))
    digits = np.frombuffer(b"".join(filled.to_pylist()).hex().encode(), np.uint8)
    text = np.full((len(storage), 36), ord("-"), np.uint8)
    text[:, _UUID_DIGITS] = digits.reshape(-1, 32)
    whole = pa.Array.from_buffers(pa.binary(36), len(storage), [None, pa.py_buffer(text)])
    written = whole.cast(pa.binary()).cast(pa.string())
    return pc.if_else(storage.is_valid(), written, pa.scalar(None, pa.string()))


def _is_any(kind: pa.DataType, *tests: str) -> bool:
    return any(getattr(pa.types, test)(kind) for test in tests)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _plain_cast(source: pa.DataType, target: pa.DataType) -> bool:
    """Whether Arrow's safe cast means what a reader of the log would mean."""
    number = pa.types.is_integer(source) or pa.types.is_floating(source)
    if pa.types.is_string(target) or pa.types.is_binary(target):
        return bool(pa.types.is_integer(source))
    if pa.types.is_boolean(target):
        return bool(pa.types.is_boolean(source) or pa.types.is_string(source))
    return bool(number or pa.types.is_decimal(source) or pa.types.is_string(source))


def _finite(array: pa.Array, field: pa.Field, ledger: Ledger) -> pa.Array:
    if not pa.types.is_floating(array.type) or array.null_count == len(array):
        return array
    fine = pc.is_finite(array)
    if pc.all(fine, skip_nulls=True).as_py():
        return array
    ledger.coerced[f"{field.name}: not a number, set to null"] += pc.sum(pc.invert(fine)).as_py()
    return pc.if_else(fine, array, pa.scalar(None, array.type))


def _times(array: pa.Array, ledger: Ledger) -> tuple[pa.Array, Mask | None]:
    if pa.types.is_binary(array.type):
        array = _valid_text(array, ledger)
    there = array.is_valid()
    if pa.types.is_string(array.type):
        there = pc.and_(there, pc.not_equal(array, "")).fill_null(False)
    out, zoneless = instants(array)
    ledger.zoneless_times += zoneless
    return out, _or_none(there.to_numpy(zero_copy_only=False) & _nulls(out))


def _valid_text(array: pa.Array, ledger: Ledger) -> pa.Array:
    """Return valid UTF-8, replacing what is not by U+FFFD; counted by value."""
    try:
        text = array.cast(pa.string()) if pa.types.is_binary(array.type) else array
        text.validate(full=True)
        return text
    except pa.ArrowInvalid:
        raw = array.cast(pa.binary())
    raw.validate(full=True)
    fixed = [None if v is None else v.decode("utf-8", "replace") for v in raw.to_pylist()]
    ledger.coerced["invalid UTF-8 replaced"] += sum(v is not None and "\ufffd" in v for v in fixed)
    return pa.array(fixed, pa.string())


def _valid_nested(array: pa.Array, ledger: Ledger) -> pa.Array:
    """Return a list or map of strings whose strings are valid UTF-8."""
    try:
        array.validate(full=True)
        return array
    except pa.ArrowInvalid:
        pass
    if pa.types.is_map(array.type):
        keys, items = _valid_text(array.keys, ledger), _valid_text(array.items, ledger)
        return pa.MapArray.from_arrays(_offsets(array), keys, items)
    return _relist(array, _valid_text(array.flatten(), ledger))


def _offsets(array: pa.Array) -> pa.Array:
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    return pa.array(np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32))


def _relist(array: pa.Array, values: pa.Array) -> pa.Array:
    """Return ``array``'s lists over new values, which stand for ``array.flatten()``."""
    return pa.ListArray.from_arrays(_offsets(array), values, mask=array.is_null())


def _messages(array: pa.Array, ledger: Ledger) -> tuple[pa.Array, Mask | None]:
    if pa.types.is_list(array.type) and pa.types.is_struct(array.type.value_type):
        typed = _typed_messages(array, ledger)
        if typed is not None:
            return typed, None
    if _is_text(array.type):
        return _json_messages(_valid_text(array, ledger), ledger)
    if pa.types.is_nested(array.type):
        values = _values(array)
        bad = np.fromiter((v is _UNREADABLE for v in values), bool, len(values))
        return messages_array(None if v is _UNREADABLE else v for v in values), _or_none(bad)
    return pa.nulls(len(array), _messages_type()), _or_none(~_nulls(array))


def _messages_type() -> pa.DataType:
    return messages_array([]).type


def _typed_messages(array: pa.Array, ledger: Ledger) -> pa.Array | None:
    names = [field.name for field in array.type.value_type]
    if names.count("role") != 1 or names.count("content") != 1 or "tool_calls" in names:
        return None
    flat = array.flatten()
    role, content = (decoded(pc.struct_field(flat, name)) for name in ("role", "content"))
    if not _is_text(role.type) or not _is_text(content.type):
        return None
    kind = _messages_type()
    structs = pa.StructArray.from_arrays(
        [_valid_text(role, ledger), _valid_text(content, ledger).fill_null("")],
        fields=list(kind.value_type),
    )
    return _relist(array, structs).cast(kind)


def _json_messages(text: pa.Array, ledger: Ledger) -> tuple[pa.Array, Mask | None]:
    """Read messages written as JSON; text that is none is one user message."""
    values: list[Any] = []
    for item in text.to_pylist():
        if item is None or item[:1] not in ("[", "{", '"'):
            values.append(item or None)
            continue
        try:
            values.append(loads(item)[0])
        except BadJson:
            ledger.coerced["messages: not JSON, taken as text"] += 1
            values.append(item)
    return messages_array(values), None


def _nulls(array: pa.Array) -> Mask:
    mask: Mask = array.is_null().to_numpy(zero_copy_only=False)
    return mask


def _or_none(mask: Mask) -> Mask | None:
    return mask if mask.any() else None


def _one_by_one(values: list[Any], field: pa.Field, ledger: Ledger) -> tuple[pa.Array, Mask | None]:
    fit = _fitter(field)
    out: list[Any] = []
    bad = np.zeros(len(values), bool)
    changed = 0
    for i, value in enumerate(values):
        try:
            if value is _UNREADABLE:
                raise _Unfit
            fitted = None if value is None else fit(value)
            pa.scalar(fitted, field.type)
        except (ValueError, TypeError, OverflowError, pa.ArrowException):
            bad[i] = True
            fitted = None
        else:
            changed += fitted is not value and value is not None
        out.append(fitted)
    if changed:
        ledger.coerced[f"{field.name}: type"] += changed
    return pa.array(out, field.type), _or_none(bad)


def _fitter(field: pa.Field) -> Callable[[Any], Any]:
    kind = field.type
    if pa.types.is_string(kind):
        return _fit_json_text if field.name in _JSON_TEXT else _fit_text
    if pa.types.is_binary(kind):
        return lambda v: v if isinstance(v, bytes) else _fit_text(v).encode()
    if pa.types.is_boolean(kind):
        return _fit_bool
    if pa.types.is_floating(kind):
        return _fit_float
    if field.name == "asn":
        return _fit_system
    if pa.types.is_integer(kind):
        return _fit_int
    return _fit_map if pa.types.is_map(kind) else _fit_list


def _fit_text(value: Any) -> str:
    if isinstance(value, str):
        return str(clean(value))
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, (dict, list, bool)):
        raise _Unfit
    return str(value)


def _fit_json_text(value: Any) -> str:
    return canonical(value) if isinstance(value, (dict, list)) else _fit_text(value)


def _fit_float(value: Any) -> float | None:
    if isinstance(value, (dict, list, bool)):
        raise _Unfit
    if value == "":
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _fit_int(value: Any) -> int | None:
    if type(value) is int:
        return value
    if isinstance(value, str) and value.strip().lstrip("+-").isdecimal() and len(value) < 24:
        return int(value)
    number = _fit_float(value)
    if number is None:
        return None
    if not number.is_integer():
        raise _Unfit
    return int(number)


def _fit_system(value: Any) -> int | None:
    """Return the number of an autonomous system, also of "AS64500" and "AS64500 Example Net"."""
    found = _SYSTEM.match(value) if isinstance(value, str) else None
    number = int(found[1]) if found else _fit_int(value)
    if number is not None and not 0 <= number < 2**32:
        raise _Unfit
    return number


def _fit_bool(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in _TRUE or value == 1:
        return True
    if word in _FALSE or value == 0:
        return False
    if word == "":
        return None
    raise _Unfit


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return loads(value)[0]
    except BadJson:
        raise _Unfit from None


def _fit_list(value: Any) -> list[str] | None:
    value = _parsed(value) if value != "" else None
    if value is None:
        return None
    if not isinstance(value, list):
        raise _Unfit
    return [content_text(v) for v in value]


def _fit_map(value: Any) -> list[tuple[str, str]] | None:
    value = _parsed(value) if value != "" else None
    if value is None:
        return None
    pairs = value.items() if isinstance(value, dict) else value
    if not isinstance(value, (dict, list)) or not all(
        isinstance(p, tuple) and len(p) == 2 for p in pairs
    ):
        raise _Unfit
    return [(str(k), content_text(v)) for k, v in pairs if v is not None]
