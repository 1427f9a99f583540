"""The antitrust guard: whether an object may be shared, and if not, why, in plain English.

The same function runs at the client before release and at the hub before acceptance. It denies by
default: an object passes when every field is of the closed table, every text follows from typed
fields, and no fixed-format value spells anything.

1. one writing: JSON values only, not deep, not large;
2. a fixed object equals the catalogue's, whole;
3. the shape: listed type, listed fields, listed values, at every depth; what has no extension and
   a random id is an object of the standard alone, with a table of its own (`standard`);
4. texts are those that follow from the fields, or prose that nobody needs to read (`prose`);
5. ids, times, markings, links, lanes hold together;
6. what is refused is read for commercial content as well, so that a person sees why; what only
   might be commerce is held for a person. Nothing is let through by this step.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from stillwatch.errors import ShareRefused
from stillwatch.share.catalogue import CATALOGUE, RELEASABLE
from stillwatch.share.commercial import certainly, messages, perhaps
from stillwatch.share.objects import BUNDLE, EXTENSIONS, FREE_TYPES, LINKS
from stillwatch.share.prose import faults
from stillwatch.share.shape import Closed, Constant, Many, OneOf, Trouble, read_time, version_of
from stillwatch.share.standard import STANDARD, is_standard, judge_standard
from stillwatch.share.texts import PROSE, texts_of
from stillwatch.share.words import EXT, IDENTITY_FIELDS, identify, lowest, written

__all__ = [
    "judge", "normal", "refusals", "refusals_of_bundle", "refusals_of_text", "require",
]  # fmt: skip

_DEPTH: Final = 8
_BYTES: Final = 400_000
_READ_STRINGS: Final = 12
_READ_CHARS: Final = 400
_OLDEST: Final = "2020-01-01T00:00:00Z"
_AHEAD: Final = timedelta(minutes=5)
_LONGEST: Final = timedelta(days=180)
_AGE: Final = timedelta(days=90)
_CVE: Final = re.compile(r"CVE-[0-9]{4}-[0-9]+")
_CVES: Final = 2  # in an object
_EPOCHS: Final = 2  # months that a key is kept after its own
_MARKING: Final = ("marking-definition", "extension-definition")

Known = Callable[[str], bool]


def _unknown(identifier: str) -> bool:
    return False


def refusals(obj: Any, *, now: datetime, known: Known = _unknown) -> tuple[str, ...]:
    """Return why an object may not be shared, a sentence a reason; empty: it may.

    No sentence repeats the object's content. ``now``: UTC. ``known``: whether an id names an object
    that this guard let pass; a reference to it chooses nothing, whatever the id looks like. A
    caller that refuses references to what it has not may say so of every id.
    """
    return tuple(f"{t.rule}: {t.where} {t.says}" for t in judge(obj, now=now, known=known))


def refusals_of_bundle(bundle: Any, *, now: datetime) -> tuple[str, ...]:
    """Return why a bundle may not be shared: its own faults, then those of each object."""
    troubles = list(BUNDLE.check(bundle, ""))
    objects = bundle.get("objects", []) if isinstance(bundle, Mapping) else []
    troubles = [t for t in troubles if not t.where.startswith("objects[")]
    if isinstance(bundle, Mapping) and isinstance(bundle.get("id"), str):
        # made anew for each bundle and kept nowhere, so that it is judged as what is known
        troubles += _spelled(bundle["id"], "id", known=True)
    found = [f"{t.rule}: bundle {t.where} {t.says}" for t in troubles]
    if not isinstance(objects, list):
        return tuple(found)
    here = _held(objects)
    for number, obj in enumerate(objects):
        sentences = refusals(obj, now=now, known=here.__contains__)
        found += [f"object {number}: {sentence}" for sentence in sentences]
    keys = [repr((o.get("id"), version_of(o))) for o in objects if isinstance(o, Mapping)]
    if len(set(keys)) != len(keys):
        found.append("one-writing: bundle repeats a version of an object")
    return tuple(found)


def _held(objects: list[Any]) -> frozenset[str]:
    """Return the ids of a bundle's objects that follow from their content, and of identities."""
    found = set()
    for one in objects:
        if isinstance(one, Mapping) and isinstance(one.get("id"), str):
            try:
                if one["type"] == "identity" or one["id"] == identify(one):
                    found.add(one["id"])
            except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
                continue  # of no kind that is shared, or not whole: it is refused itself
    return frozenset(found)


def refusals_of_text(text: bytes, *, now: datetime) -> tuple[str, ...]:
    """Return why the JSON text of an object or bundle may not be shared.

    Reads what a parsed value no longer shows: repeated keys, numbers such as 1e0, NaN.
    """
    if len(text) > 50 * _BYTES:
        return ("one-writing: the text is too long",)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_never)
    except (ValueError, RecursionError):
        return ("one-writing: the text is no JSON, repeats a key or nests too deeply",)
    if isinstance(value, Mapping) and value.get("type") == "bundle":
        return refusals_of_bundle(value, now=now)
    return refusals(value, now=now)


def normal(obj: Mapping[str, Any]) -> dict[str, Any]:
    """Return the one writing of an object that may be shared: keys and lists sorted.

    Lists of objects by their written form. What leaves and what is kept is this, so that no order
    carries a message.
    """

    def sort(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {key: sort(value[key]) for key in sorted(value)}
        if isinstance(value, list):
            done = [sort(one) for one in value]
            if all(isinstance(one, str) for one in done):
                return sorted(done)
            return sorted(done, key=_text) if any(isinstance(one, dict) for one in done) else done
        return value

    done: dict[str, Any] = sort(obj)
    return done


def _text(value: Any) -> str:
    # not `words.written`: what is put in order need not be fit to be shared, and says so elsewhere
    return json.dumps(value, sort_keys=True)


def require(obj: Any, *, now: datetime) -> None:
    """Raise ShareRefused with the reasons unless an object may be shared."""
    found = refusals(obj, now=now)
    if found:
        raise ShareRefused("; ".join(found[:5]), hint="see docs/antitrust.md")


def judge(obj: Any, *, now: datetime, known: Known = _unknown) -> list[Trouble]:
    """Return every rule that an object breaks; empty: it may be shared (see `refusals`)."""
    troubles = list(_written(obj))
    if troubles:
        return troubles
    fixed = CATALOGUE.get(obj.get("id") if isinstance(obj.get("id"), str) else "")
    if fixed is not None:
        if written(dict(obj)) == written(fixed):
            return []
        return [_FIXED, *_commerce(obj)]
    if is_standard(obj):
        troubles = list(STANDARD[obj["type"]].check(obj, ""))
        if not troubles:
            troubles += judge_standard(obj, now=now)
            troubles += _ids(obj, known, derived=False)
            troubles += _times(obj, now)
            troubles += _vulnerabilities(obj)
        return [*troubles, *_commerce(obj)] if troubles else []
    shape = FREE_TYPES.get(obj["type"]) if isinstance(obj.get("type"), str) else None
    if shape is None:
        rule = _FIXED if obj.get("type") in _MARKING else _UNKNOWN
        return [rule, *_commerce(obj)]
    troubles = list(shape.check(obj, ""))
    if not troubles:
        troubles += _texts(obj, now)
        troubles += _ids(obj, known, derived=obj["type"] in IDENTITY_FIELDS)
        troubles += _times(obj, now)
        troubles += _vulnerabilities(obj)
        troubles += _marked(obj)
        troubles += _together(obj, now)
    return [*troubles, *_commerce(obj)] if troubles else []


_FIXED: Final = Trouble("fixed-objects", "object", "is not one of the fixed objects, whole")
_UNKNOWN: Final = Trouble("closed-shape", "object", "is of no kind that is shared")


def _written(obj: Any) -> Iterator[Trouble]:
    """1. JSON values, not deep, not large."""
    if not isinstance(obj, Mapping):
        yield Trouble("one-writing", "object", "is no JSON object")
        return
    level: list[Any] = [obj]
    seen = 0
    for _ in range(_DEPTH + 1):
        inner: list[Any] = []
        for value in level:
            seen += 1
            if isinstance(value, Mapping):
                if not all(isinstance(key, str) for key in value):
                    yield Trouble("one-writing", "object", "has a key that is no string")
                    return
                inner.extend(value.values())
            elif isinstance(value, list):
                inner.extend(value)
            elif not isinstance(value, str | int | float | bool | None):
                yield Trouble("one-writing", "object", "holds a value that JSON has not")
                return
        level = inner
        if not level or seen > _BYTES:
            break
    if level:
        yield Trouble("one-writing", "object", f"nests more than {_DEPTH} deep or is too large")
        return
    try:
        size = len(written(dict(obj)).encode())
    except (ValueError, TypeError, RecursionError) as error:
        yield Trouble("one-writing", "object", f"cannot be written as JSON: {type(error).__name__}")
        return
    if size > _BYTES:
        yield Trouble("one-writing", "object", f"is longer than {_BYTES} bytes")


def _texts(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    """4. Every text is the one that follows, or prose where prose may stand."""
    derived, prose = texts_of(obj), PROSE.get(obj["type"], ())
    for name, text in derived.items():
        if obj[name] == text:
            continue
        if name not in prose:
            yield Trouble("no-free-text", name, "is not the text that follows from the fields")
        elif obj[name].replace(" ", "") == text.replace(" ", ""):
            # spaces that were moved in a text of our own are a code, whatever words they make
            yield Trouble("closed-prose", name, "is the text that follows, with other spaces")
        else:
            yield from _prose(obj, name, now)
    for name in prose:
        if name in obj and name not in derived:
            yield from _prose(obj, name, now)


def _prose(obj: Mapping[str, Any], name: str, now: datetime) -> Iterator[Trouble]:
    own = obj.get("extensions", {}).get(EXT["campaign"], {}).get("handle", "")
    found = faults(obj[name], now=now, own=own, name=name == "name")
    if found:
        yield Trouble("closed-prose", name, "is neither computed nor prose of listed words")
    for fault in found:
        yield Trouble(fault.rule, name, fault.says)


def _spelled(identifier: str, where: str, *, known: bool) -> Iterator[Trouble]:
    _, _, text = identifier.partition("--")
    if identifier in CATALOGUE or not _UUID.fullmatch(text):
        return
    if messages(text.replace("-", ""), known=known):
        yield Trouble("plain-ids", where, "is not random: it spells something")


def _ids(obj: Mapping[str, Any], known: Known, *, derived: bool) -> Iterator[Trouble]:
    """5. Ids are random or follow from the content; fingerprints spell nothing.

    a. A derived id is recomputed, so nobody chose it.
    b. A reference to what is known names one of a few things, whose ids were checked by (a): one id
       in 1,100 spells something by chance, and what refers to it must not be refused for ever.
    c. A member's own id is free, so what anybody would read in it is refused, known or not.
    d. A reference to what nobody knows is free as well, and so is the id of an object of the
       standard alone: judged strictly.
    """
    if derived and obj["id"] != identify(obj):
        yield Trouble("plain-ids", "id", "does not follow from the object's content")
    for name, value in obj.items():
        if name.endswith(("_ref", "_refs")) or (name == "id" and not derived):
            for one in value if isinstance(value, list) else (value,):
                there = known(one) and (name != "id" or obj["type"] == "identity")
                if not there or one.startswith("identity--"):
                    yield from _spelled(one, name, known=there)
    for inner in obj.get("extensions", {}).values():
        for name in ("value", "handle", "counsel_release"):
            text = str(inner.get(name, "")).removeprefix("c-").removeprefix("sha256:")
            if text and messages(text):
                yield Trouble("fixed-formats", name, "is no digest: it spells something")


_PAIRS: Final = (
    ("created", "modified"), ("first_seen", "last_seen"), ("first_observed", "last_observed"),
    ("valid_from", "valid_until"), ("first_month", "last_month"),
)  # fmt: skip
_PAST: Final = (
    "created", "modified", "first_seen", "first_observed", "valid_from", "published", "first_month",
    "last_month",
)  # fmt: skip


def _times(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    """5. Times exist, follow each other, and are not of the future."""
    flat = {**obj, **obj.get("extensions", {}).get(EXT["aggregate"], {})}
    times = {}
    for name in {name for pair in _PAIRS for name in pair} | set(_PAST):
        if name in flat:
            times[name] = read_time(flat[name])
            if times[name] is None:
                yield Trouble("rounded-times", name, "is no time")
                return
    oldest = datetime.fromisoformat(_OLDEST)
    for name in sorted(times):
        moment = times[name]
        assert moment is not None
        ahead = _AHEAD if name in _PAST else timedelta(days=1)
        if name != "valid_until" and moment > now + ahead:
            yield Trouble("rounded-times", name, "lies in the future")
        if moment < oldest:
            yield Trouble("rounded-times", name, "lies before 2020")
    for first, last in _PAIRS:
        early, late = times.get(first), times.get(last)
        if early and late and (early > late or (early == late and first == "valid_from")):
            yield Trouble("rounded-times", last, f"lies before {first}")
    start, end = times.get("valid_from"), times.get("valid_until")
    if start and end and end - start > _LONGEST:
        yield Trouble("short-lived", "valid_until", "is more than 180 days after valid_from")
    elif start and not end and now - start > _LONGEST and not obj.get("revoked"):
        says = "is missing, and valid_from is more than 180 days ago"
        yield Trouble("short-lived", "valid_until", says)


def _vulnerabilities(obj: Mapping[str, Any]) -> Iterator[Trouble]:
    """5. Ids of CVE, whose numbers a sender chooses: two at most of all that an object holds."""
    if len(set(_CVE.findall(written(dict(obj))))) > _CVES:
        yield Trouble("closed-values", "object", f"holds more than {_CVES} CVE ids")


def _marked(obj: Mapping[str, Any]) -> Iterator[Trouble]:
    """5. Exactly one TLP marking."""
    refs = obj.get("object_marking_refs")
    if refs is not None and sum(1 for ref in refs if ref in RELEASABLE) != 1:
        yield Trouble("marked", "object_marking_refs", "must hold exactly one TLP 2.0 marking")


def _together(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    """5. Fields that must agree with each other."""
    check = _AGREE.get(obj["type"])
    if check is not None:
        yield from check(obj, now)


def _joined(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    del now
    kinds = tuple(obj[name].split("--")[0] for name in ("source_ref", "target_ref"))
    if (kinds[0], obj["relationship_type"], kinds[1]) not in LINKS:
        yield Trouble("typed-links", "relationship_type", "does not join these kinds")
    for name in ("source_ref", "target_ref"):
        fixed = obj[name].startswith(("attack-pattern--", "course-of-action--"))
        if fixed and obj[name] not in CATALOGUE:
            yield Trouble("fixed-objects", name, "is none of the fixed objects")


def _claimed(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    del now
    claims = obj["extensions"][EXT["campaign"]]
    if obj["confidence"] != min(claims["coordinated"], claims["extractive"]):
        yield Trouble("closed-values", "confidence", "must be that of the weaker claim")


def _fingerprint(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    """A token has 64 digits and an epoch of its time; a fingerprint in the clear 16 and none."""
    own = obj["extensions"][EXT["fingerprint"]]
    token = own["kind"].startswith("token_")
    if len(own["value"]) != (64 if token else 16) or ("epoch" in own) != token:
        yield Trouble("fixed-formats", "value", "has not the length or epoch of its kind")
    elif token:
        start = read_time(obj["valid_from"])
        year, month = map(int, own["epoch"].split("-"))
        age = 12 * (now.year - year) + now.month - month
        early = 0 if start is None else 12 * (start.year - year) + start.month - month
        if age < -1 or early > _EPOCHS:
            yield Trouble("fixed-formats", "epoch", "is none that a key of this time had")


def _sighted(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    del now
    if obj["count"] != max(1, lowest(obj["extensions"][EXT["sighting"]]["band"])):
        yield Trouble("log-bands", "count", "must be the lower edge of the band")


def _attributed(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    del now
    if obj["confidence"] != obj["extensions"][EXT["actor"]]["confidence"]:
        yield Trouble("released-actor", "confidence", "must be that of the claim")


def _aggregated(obj: Mapping[str, Any], now: datetime) -> Iterator[Trouble]:
    own = obj.get("extensions", {}).get(EXT["aggregate"])
    if own is None:
        return
    if any(own[name][8:10] != "01" for name in ("first_month", "last_month")):
        yield Trouble("rounded-times", "first_month", "must be the first day of a month")
    end, published = read_time(own["last_month"]), read_time(obj["published"])
    # the period ends with its last month, which has up to 31 days
    if end is None or published is None or min(published, now) - end < _AGE + timedelta(31):
        yield Trouble("aggregate-lane", "last_month", "ended less than 90 days ago")


_AGREE: Final[dict[str, Callable[[Mapping[str, Any], datetime], Iterator[Trouble]]]] = {
    "relationship": _joined,
    "campaign": _claimed,
    "indicator": _fingerprint,
    "sighting": _sighted,
    "intrusion-set": _attributed,
    "threat-actor": _attributed,
    "report": _aggregated,
}


def _commerce(obj: Mapping[str, Any]) -> Iterator[Trouble]:
    """6. Say what a refused object seems to hold; whoever reads the refusal must see why."""
    unsure = False
    # bounded, since whoever sends a large object must not keep the hub busy with it
    for where, text in islice(_strings(obj, "object"), _READ_STRINGS):
        subject = certainly(text[:_READ_CHARS])
        if subject:
            yield Trouble("no-commerce", where, f"seems to tell of {subject}")
            return
        unsure = unsure or perhaps(text)
    if unsure:
        yield Trouble("needs-a-person", "object", "holds text that only a person can judge")


def _strings(value: Any, where: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        if value not in _SAID and not _FORMATTED.fullmatch(value):
            yield where, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _KNOWN and not _FORMATTED.fullmatch(key):
                yield "a name of a field", key
            yield from _strings(inner, key if key.isidentifier() and key in _KNOWN else "a field")
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner, where)


_KNOWN: Final = frozenset(
    name
    for shape in (*FREE_TYPES.values(), *EXTENSIONS.values(), *STANDARD.values())
    for fields in (shape.must, shape.may)
    for name in fields
)


# What is read for commerce is what is not of our own making: ids, times and listed values are.
_FORMATTED: Final = re.compile(
    r"[a-z-]{4,24}--[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|20[0-9-]{8}T[0-9:.]{8,15}Z|[0-9.]{3}"
    r"|(?:Adversarial distillation )?c-[0-9a-f]{12}"
)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def _listed(shape: Any) -> Iterator[str]:
    if isinstance(shape, OneOf):
        yield from shape.values
    elif isinstance(shape, Constant):
        yield str(shape.value)
    elif isinstance(shape, Many):
        yield from _listed(shape.item)
    elif isinstance(shape, Closed):
        for fields in (shape.must, shape.may):
            for inner in fields.values():
                yield from _listed(inner)


_SAID: Final = frozenset(
    [text for one in CATALOGUE.values() for text in one.values() if isinstance(text, str)]
    + [text for table in (FREE_TYPES, STANDARD) for one in table.values() for text in _listed(one)]
)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is repeated")
    return found


def _never(text: str) -> Any:
    raise ValueError("not a JSON number")
