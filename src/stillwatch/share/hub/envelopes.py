"""A request body → the STIX objects in it, read strictly: what is ambiguous is refused.

Two readers of one text must not see two objects: keys that occur twice, numbers that only fit by
rounding, NaN, lone surrogates and anything that is not UTF-8 are refused (RFC 7493).
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from stillwatch.share.hub.refusals import Refusal

__all__ = ["MOST_DEPTH", "read_envelope", "written"]

MOST_DEPTH: Final = 32
_LARGEST: Final = 2**53 - 1
_PHRASE: Final = "While processing supplied content, an error occurred"


class _Ambiguous(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _Ambiguous("a key occurs twice in one object")
    return made


def _whole(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > _LARGEST:
        raise _Ambiguous("a whole number is beyond 2^53")
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _Ambiguous("a number is too large")
    return value


def _constant(text: str) -> float:
    raise _Ambiguous(f"{text} is not JSON")


def _unprocessable(why: str) -> Refusal:
    return Refusal(422, f"{_PHRASE}: {why}.")


def read_envelope(body: bytes, most_objects: int) -> list[dict[str, Any]]:
    """Return the objects of an envelope (TAXII 2.1, section 3.7), in their order.

    Raises:
        Refusal: 400 where the body is not JSON, 422 where it is no envelope of objects.
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_pairs,
            parse_int=_whole,
            parse_float=_real,
            parse_constant=_constant,
        )
        _refuse_surrogates(text)
    except _Ambiguous as error:
        raise _unprocessable(str(error)) from None
    except UnicodeDecodeError:
        raise Refusal(400, "The body is not UTF-8.") from None
    except RecursionError:
        raise _unprocessable("it is nested too deeply") from None
    except ValueError as error:
        place = f", near character {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise Refusal(400, f"The body is not JSON{place}.") from None
    if not isinstance(value, dict) or "objects" not in value:
        raise _unprocessable("the body is not a TAXII envelope with objects")
    objects = value["objects"]
    if not isinstance(objects, list) or not objects:
        raise _unprocessable("objects must be a list with at least one object")
    if len(objects) > most_objects:
        raise _unprocessable(f"one envelope may hold {most_objects} objects")
    if not all(isinstance(one, dict) for one in objects):
        raise _unprocessable("each of objects must be an object")
    if any(_deeper(one, MOST_DEPTH) for one in objects):
        raise _unprocessable(f"an object is nested more than {MOST_DEPTH} levels deep")
    return objects


def _refuse_surrogates(text: str) -> None:
    """Refuse an escaped half of a character, which no UTF-8 can carry on."""
    if "\\u" in text:
        try:
            json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8")
        except UnicodeEncodeError:
            raise _Ambiguous("a string holds half of a character") from None


def _deeper(value: Any, levels: int) -> bool:
    if isinstance(value, dict):
        return levels == 0 or any(_deeper(held, levels - 1) for held in value.values())
    if isinstance(value, list):
        return levels == 0 or any(_deeper(held, levels - 1) for held in value)
    return False


def written(value: Any) -> str:
    """Return JSON without spaces, keys in their order, characters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
