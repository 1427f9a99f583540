"""Makes payloads that try to carry commercial content past the guard, and lawful ones.

A smuggler takes a lawful object and hides a message in it by one of the tricks below, dressed by
one of the disguises. Run as a script (make bench-antitrust) it makes the full count and prints what
got through, by trick and disguise.
"""

from __future__ import annotations

import argparse
import base64
import codecs
import gzip
import json
import random
import time
import urllib.parse
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stillwatch.share import content as make
from stillwatch.share import refusals, refusals_of_bundle, refusals_of_text
from stillwatch.share.catalogue import CATALOGUE, TLP
from stillwatch.share.stix import bundle_of, campaign_objects
from stillwatch.share.words import CLEAR_KINDS, EXT, NOTICES, OPINIONS, SHARED_METHODS, TOKEN_KINDS

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
MESSAGES = (
    "list price 12 USD per million tokens", "we charge Acme Corp 0.40 per 1k tokens",
    "gross margin of 62 percent", "GPU capacity 40,000 H100 by March", "next model launches in Q2",
    "customer Globex renews its contract in June", "do not serve this customer",
    "let us all block them", "training run of 15 trillion tokens", "12 million users a day",
    "raise prices by ten percent after the summer", "twelve dollars", "margin 62",
    "Preiserhöhung um zehn Prozent", "Kunde Globex kündigt den Vertrag", "Kapazität 40000",
    "les prix augmentent de dix pour cent", "le contrat du client Globex", "feuille de route",
    "el precio sube en junio", "la capacidad del centro de datos", "contrato con el cliente",
    "价格上涨百分之十", "客户合同六月续约", "训练计划 15 万亿", "値上げは来四半期", "顧客との契約",
    "цена вырастет на десять процентов", "контракт с клиентом", "мощность дата-центра",
)  # fmt: skip
LOOKALIKES = str.maketrans("aceiopsxy", "асеіорѕху")
LEET = str.maketrans("aeiost", "431057")
Rng = random.Random
Obj = dict[str, Any]


def _mixed(text: str, rng: Rng) -> str:
    return "".join(c + rng.choice(["", "\u200b", "\u2060", "\u00ad"]) for c in text)


def _script(text: str, first: int) -> str:
    return "".join(chr(first + ord(c) - 97) if "a" <= c <= "z" else c for c in text.lower())


DISGUISES: dict[str, Callable[[str, Rng], str]] = {
    "plain": lambda t, r: t,
    "base64": lambda t, r: base64.b64encode(t.encode()).decode(),
    "base64url": lambda t, r: base64.urlsafe_b64encode(t.encode()).decode().rstrip("="),
    "base32": lambda t, r: base64.b32encode(t.encode()).decode(),
    "ascii85": lambda t, r: base64.a85encode(t.encode()).decode(),
    "twice base64": lambda t, r: base64.b64encode(base64.b64encode(t.encode())).decode(),
    "gzip": lambda t, r: base64.b64encode(gzip.compress(t.encode(), mtime=0)).decode(),
    "hex": lambda t, r: t.encode().hex(),
    "percent": lambda t, r: "".join(f"%{b:02X}" for b in t.encode()),
    "quoted": lambda t, r: urllib.parse.quote(t),
    "entities": lambda t, r: "".join(f"&#{ord(c)};" for c in t),
    "escapes": lambda t, r: "".join(f"\\u{ord(c):04x}" for c in t),
    "decimal": lambda t, r: " ".join(str(b) for b in t.encode()),
    "binary": lambda t, r: " ".join(f"{b:08b}" for b in t.encode()),
    "rot13": lambda t, r: codecs.encode(t, "rot13"),
    "reversed": lambda t, r: t[::-1],
    "zero width": _mixed,
    "look-alikes": lambda t, r: t.translate(LOOKALIKES),
    "leet": lambda t, r: t.lower().translate(LEET),
    "spaced": lambda t, r: " ".join(t),
    "dotted": lambda t, r: ".".join(t),
    "mathematical": lambda t, r: _script(t, 0x1D41A),
    "full width": lambda t, r: _script(t, 0xFF41),
    "circled": lambda t, r: _script(t, 0x24D0),
    "upper": lambda t, r: t.upper(),
    "combining": lambda t, r: "".join(c + r.choice(["", "\u0336", "\u0332"]) for c in t),
    "tags": lambda t, r: "".join(chr(0xE0000 + b) for b in t.encode("punycode")),
    "white space": lambda t, r: "".join(
        "\t" if bit == "1" else " " for b in t.encode() for bit in f"{b:08b}"
    ),
}


def _identity(rng: Rng) -> str:
    return f"identity--{uuid.UUID(int=rng.getrandbits(128), version=4)}"


def _line(rng: Rng) -> Obj:
    first = NOW - timedelta(days=rng.randint(3, 60), minutes=rng.randint(0, 1439))
    evidence = [
        {"signal": name, "p_value": 10.0 ** -rng.randint(1, 20)}
        for name in rng.sample(["round_robin", "shared_exits", "signup_burst", "even_volumes"], 2)
    ]
    claim = {"confidence": rng.uniform(0.9, 1), "e_value": 1e6, "evidence": evidence}
    return {
        "campaign_id": f"c-{rng.getrandbits(48):012x}", "standing": "accused",
        "first_seen": first.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "last_seen": (first + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "accounts": rng.randint(4, 20_000), "exchanges": rng.randint(100, 10**8),
        "methods": rng.sample(SHARED_METHODS, rng.randint(0, 3)),
        "claims": {"coordinated": claim, "extractive": claim},
    }  # fmt: skip


def lawful_group(rng: Rng) -> list[Obj]:
    """Return all objects of one lawful release and what other members say of it."""
    by, then = _identity(rng), NOW - timedelta(hours=rng.randint(1, 40))
    rows: list[Obj] = [{"kind": rng.choice(CLEAR_KINDS), "value": f"{rng.getrandbits(64):016x}"},
                       {"kind": rng.choice(TOKEN_KINDS), "value": f"{rng.getrandbits(256):064x}",
                        "epoch": "2026-11"}]  # fmt: skip
    made = campaign_objects(_line(rng), by=by, modified=then, indicators=rows)
    seen = made[0]["id"]
    made += [
        make.contributor(by, then),
        make.sighting(seen, rng.randint(1, 5000), then - timedelta(days=2), then, by=by,
                      created=then),
        make.opinion(seen, rng.choice(OPINIONS), by=by, created=then),
        make.note(rng.choice(list(NOTICES)), [seen], by=by, created=then),
        make.actor(rng.choice(["threat-actor", "intrusion-set"]), rng.randint(50, 99),
                   ["harvest", "round_robin"], f"sha256:{rng.getrandbits(256):064x}", by=by,
                   created=then),
        make.report([o["id"] for o in made if o["type"] == "campaign"], by=by, published=then),
        make.aggregate(
            {"contributors": "5-10", "largest_share_percent": rng.randint(10, 25),
             "first_month": "2026-03-01T00:00:00Z", "last_month": "2026-06-01T00:00:00Z",
             "campaigns": "10-30", "accounts": "3000-10000", "exchanges": "1000000-10000000"},
            [seen], by=by, published=then),
    ]  # fmt: skip
    return made


def lawful(rng: Rng, count: int) -> Iterator[Obj]:
    """Yield lawful objects of every kind."""
    made = 0
    while made < count:
        for obj in lawful_group(rng):
            if made < count:
                made += 1
                yield json.loads(json.dumps(obj))


# Each trick changes an object in place, or returns another payload (an object, a bundle, a text).

TRICKS: dict[str, Callable[[Obj, str, Rng], Any]] = {}


def trick(function: Callable[[Obj, str, Rng], Any]) -> Callable[[Obj, str, Rng], Any]:
    TRICKS[function.__name__.replace("_", " ")] = function
    return function


def _inner(obj: Obj, rng: Rng) -> Obj:
    """Return the object itself or one of the objects inside it."""
    inside = [v for v in obj.get("extensions", {}).values() if isinstance(v, dict)]
    return rng.choice([obj, *inside])


def _fresh(kind: str, rng: Rng) -> str:
    return f"{kind}--{uuid.UUID(int=rng.getrandbits(128), version=4)}"


@trick
def unknown_field(obj: Obj, text: str, rng: Rng) -> None:
    name = rng.choice(["price", "x_note", "comment", "labels", "aliases", "goals", "lang", "roles",
                       "contact_information", "sectors", "summary", "abstract", "explanation",
                       "authors", "action", "resource_level", "where_sighted_refs"])  # fmt: skip
    _inner(obj, rng)[name] = rng.choice([text, [text], {"a": text}])


@trick
def name_of_a_field(obj: Obj, text: str, rng: Rng) -> None:
    _inner(obj, rng)[text] = rng.choice([1, True, None, "x"])


@trick
def unknown_extension(obj: Obj, text: str, rng: Rng) -> None:
    kind = rng.choice(["property-extension", "toplevel-property-extension", "new-sdo", "new-sro"])
    extra = {"extension_type": kind, **({} if "top" in kind else {"note": text})}
    obj.setdefault("extensions", {})[_fresh("extension-definition", rng)] = extra
    if "top" in kind:
        obj["rank"] = text


@trick
def known_extension_elsewhere(obj: Obj, text: str, rng: Rng) -> None:
    name = rng.choice([n for n in EXT if EXT[n] not in obj.get("extensions", {})])
    obj.setdefault("extensions", {})[EXT[name]] = {
        "extension_type": "toplevel-property-extension", "kind": text}  # fmt: skip


@trick
def custom_object(obj: Obj, text: str, rng: Rng) -> Obj:
    kind = rng.choice(["x-offer", "incident", "grouping", "location", "malware", "tool",
                       "vulnerability", "url", "email-message", "artifact", "file", "user-account",
                       "language-content", "malware-analysis"])  # fmt: skip
    return {"type": kind, "spec_version": "2.1", "id": _fresh(kind, rng),
            "created": obj.get("created", "2026-11-01T00:00:00.000Z"), "name": text}  # fmt: skip


@trick
def text_of_a_known_field(obj: Obj, text: str, rng: Rng) -> None:
    strings = [k for k, v in obj.items() if isinstance(v, str)]
    obj[rng.choice(strings)] = text


@trick
def text_in_an_extension(obj: Obj, text: str, rng: Rng) -> Any:
    inside = [v for v in obj.get("extensions", {}).values()]
    if not inside:
        return custom_object(obj, text, rng)
    inner = rng.choice(inside)
    inner[rng.choice(list(inner))] = rng.choice([text, [text]])
    return None


@trick
def added_to_a_text(obj: Obj, text: str, rng: Rng) -> Any:
    found = [k for k in ("name", "description", "pattern", "content", "objective") if k in obj]
    if not found:
        return text_of_a_known_field(obj, text, rng)
    name = rng.choice(found)
    obj[name] = rng.choice([obj[name] + " " + text, text + obj[name], obj[name] + "\n" + text])
    return None


@trick
def a_space_or_case_in_a_text(obj: Obj, text: str, rng: Rng) -> Any:
    found = [k for k in ("name", "description", "pattern", "content", "objective") if k in obj]
    if not found:
        return unknown_field(obj, text, rng)
    name = rng.choice(found)
    old = obj[name]
    at = rng.randrange(len(old))
    obj[name] = rng.choice([
        old[:at] + rng.choice([" ", "\u200b", "\u00a0"]) + old[at:], old.upper(), old + " ",
        old.translate(LOOKALIKES) + "\u200d", old + "\n",
    ])  # fmt: skip
    return None


@trick
def external_reference(obj: Obj, text: str, rng: Rng) -> None:
    obj["external_references"] = [
        {"source_name": text} if rng.random() < 0.5 else
        {"source_name": "mitre-atlas", "external_id": "AML.T0040",
         rng.choice(["description", "url"]): "https://example.com/?q=" + urllib.parse.quote(text)}
    ]  # fmt: skip


@trick
def pattern(obj: Obj, text: str, rng: Rng) -> Obj:
    rows = [o for o in lawful_group(rng) if o["type"] == "indicator"]
    one: Obj = rng.choice(rows)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    one["pattern"] = rng.choice([f"[url:value = '{quoted}']", f"[x-value:a = '{quoted}']",
                                 one["pattern"] + " OR [file:name = 'a']"])  # fmt: skip
    return one


@trick
def statement_marking(obj: Obj, text: str, rng: Rng) -> Obj:
    return {"type": "marking-definition", "spec_version": "2.1",
            "id": _fresh("marking-definition", rng), "created": "2026-11-01T00:00:00.000Z",
            "definition_type": "statement", "definition": {"statement": text}}  # fmt: skip


@trick
def changed_fixed_object(obj: Obj, text: str, rng: Rng) -> Obj:
    one = json.loads(json.dumps(rng.choice(list(CATALOGUE.values()))))
    one[rng.choice(["name", "description", "x_note", "labels", "revoked"])] = text
    return one


@trick
def own_course_of_action(obj: Obj, text: str, rng: Rng) -> Obj:
    kind = rng.choice(["course-of-action", "attack-pattern", "extension-definition"])
    return {"type": kind, "spec_version": "2.1", "id": _fresh(kind, rng),
            "created": "2026-11-01T00:00:00.000Z", "modified": "2026-11-01T00:00:00.000Z",
            "name": text, "description": text}  # fmt: skip


@trick
def id_that_spells(obj: Obj, text: str, rng: Rng) -> None:
    data = (text.encode() + b" " * 16)[:16]
    obj["id"] = f"{obj['type']}--{uuid.UUID(bytes=data, version=4)}"


@trick
def id_of_a_number(obj: Obj, text: str, rng: Rng) -> None:
    obj["id"] = f"{obj['type']}--{uuid.UUID(int=rng.getrandbits(40), version=4)}"


@trick
def id_of_a_name(obj: Obj, text: str, rng: Rng) -> None:
    version = rng.choice([1, 3, 5, 5, 7])
    raw = uuid.uuid5(uuid.NAMESPACE_DNS, text).int
    raw = raw & ~(0xF << 76) | version << 76
    obj["id"] = f"{obj['type']}--{uuid.UUID(int=raw)}"


@trick
def reference_that_spells(obj: Obj, text: str, rng: Rng) -> Any:
    names = [k for k, v in obj.items() if k.endswith("_ref") and isinstance(v, str)]
    if not names:
        return unknown_field(obj, text, rng)
    name = rng.choice(names)
    data = (text.encode() + b" " * 16)[:16]
    obj[name] = f"{obj[name].split('--')[0]}--{uuid.UUID(bytes=data, version=4)}"
    return None


@trick
def fingerprint_that_spells(obj: Obj, text: str, rng: Rng) -> Obj:
    size = rng.choice([8, 32])
    data = (text.encode() + b" " * size)[:size]
    if rng.random() < 0.3:
        data = rng.getrandbits(20).to_bytes(size, "big")
    elif rng.random() < 0.2:
        data = bytes.fromhex(f"{rng.randrange(10**6):06d}".ljust(2 * size, "0"))
    token = size == 32
    return make.indicator(
        rng.choice(TOKEN_KINDS if token else CLEAR_KINDS), data.hex(), by=_identity(rng),
        since=NOW - timedelta(days=1), epoch="2026-11" if token else None,
    )  # fmt: skip


@trick
def time_that_tells(obj: Obj, text: str, rng: Rng) -> Any:
    names = [k for k in ("created", "modified", "first_seen", "last_seen", "valid_from",
                         "valid_until", "first_observed", "published") if k in obj]  # fmt: skip
    if not names:
        return unknown_field(obj, text, rng)
    name = rng.choice(names)
    obj[name] = rng.choice([
        obj[name].split("Z")[0].split(".")[0] + f".{rng.randint(1, 999):03d}Z",
        f"{rng.randint(1000, 2019)}-01-01T00:00:00.000Z", "2031-12-12T00:00:00.000Z",
        obj[name].replace("Z", "+00:00"), obj[name].replace("T", " "),
        obj[name].split("Z")[0].split(".")[0] + f".{rng.randint(1, 999999):06d}Z",
    ])  # fmt: skip
    return None


@trick
def exact_count(obj: Obj, text: str, rng: Rng) -> Obj:
    kinds = {"sighting": "count", "observed-data": "number_observed"}
    one = rng.choice([o for o in lawful_group(rng) if o["type"] in kinds])
    one[kinds[one["type"]]] = rng.choice([12_345_678, 41, "41", 4.1e1, [41], -3])
    return one


@trick
def band_of_my_own(obj: Obj, text: str, rng: Rng) -> Obj:
    one = next(o for o in lawful_group(rng) if o["type"] == "campaign")
    own = one["extensions"][EXT["campaign"]]
    own[rng.choice(["accounts", "exchanges"])] = rng.choice(["41-42", "12345", "10-31", 41, text])
    return one


@trick
def wrong_types(obj: Obj, text: str, rng: Rng) -> None:
    names = [k for k in obj if k not in ("revoked",)]
    name = rng.choice(names)
    old = obj[name]
    obj[name] = rng.choice([None, 12.5, {"price": text}, [[text]], [old, text], True])


@trick
def deep(obj: Obj, text: str, rng: Rng) -> None:
    value: Any = text
    for _ in range(rng.choice([9, 60, 300])):
        value = {"a": value} if rng.random() < 0.5 else [value]
    obj[rng.choice(list(obj))] = value


@trick
def named_actor(obj: Obj, text: str, rng: Rng) -> Obj:
    one = next(o for o in lawful_group(rng) if o["type"] in ("threat-actor", "intrusion-set"))
    own = one["extensions"][EXT["actor"]]
    choice = rng.randrange(5)
    if choice == 0:
        one["name"] = rng.choice(["John Smith", "Acme Corp", text])
    elif choice == 1:
        del one["extensions"]
    elif choice == 2:
        own["counsel_release"] = text
    elif choice == 3:
        one["aliases"] = [text]
    else:
        one["threat_actor_types"] = ["competitor"]
        one["primary_motivation"] = "organizational-gain"
    return one


@trick
def identity_with_a_name(obj: Obj, text: str, rng: Rng) -> Obj:
    one = make.contributor(_identity(rng), NOW - timedelta(days=1))
    one[rng.choice(["name", "contact_information", "description", "identity_class"])] = text
    return one


@trick
def wrong_marking(obj: Obj, text: str, rng: Rng) -> Any:
    if "object_marking_refs" not in obj:
        return unknown_field(obj, text, rng)
    obj["object_marking_refs"] = rng.choice([
        [TLP["red"]], [], [TLP["amber"], TLP["green"]], [_fresh("marking-definition", rng)],
        [TLP["amber"], TLP["amber"]],
    ])  # fmt: skip
    return None


@trick
def young_or_thin_figures(obj: Obj, text: str, rng: Rng) -> Obj:
    one = next(o for o in lawful_group(rng) if EXT["aggregate"] in o.get("extensions", {}))
    own = one["extensions"][EXT["aggregate"]]
    name, value = rng.choice([
        ("contributors", "0-10"), ("contributors", "4"), ("largest_share_percent", 26),
        ("largest_share_percent", 24.5), ("last_month", "2026-10-01T00:00:00Z"),
        ("last_month", "2026-06-15T00:00:00Z"), ("lane", "technical"), ("price_index", 104),
        ("exchanges", "1234567"), ("first_month", text),
    ])  # fmt: skip
    own[name] = value
    return one


@trick
def sighting_of_a_token(obj: Obj, text: str, rng: Rng) -> Obj:
    made = lawful_group(rng)
    one = next(o for o in made if o["type"] == "sighting")
    one["sighting_of_ref"] = next(o["id"] for o in made if o["type"] == "indicator")
    return one


@trick
def link_that_tells(obj: Obj, text: str, rng: Rng) -> Obj:
    one = next(o for o in lawful_group(rng) if o["type"] == "relationship")
    name = rng.choice(["relationship_type", "description", "target_ref", "start_time"])
    one[name] = rng.choice([text, "targets", "related-to", one["source_ref"]])
    return one


@trick
def repeated_key(obj: Obj, text: str, rng: Rng) -> bytes:
    body = json.dumps(obj)
    name = rng.choice([k for k, v in obj.items() if isinstance(v, str)])
    return ("{" + f"{json.dumps(name)}: {json.dumps(text)}, " + body[1:]).encode()


@trick
def numbers_of_another_kind(obj: Obj, text: str, rng: Rng) -> bytes:
    obj["confidence"] = "@"
    return json.dumps(obj).replace('"@"', rng.choice(["NaN", "9.5e1", "95.0", "Infinity", "1e400"])
                                   ).encode()  # fmt: skip


@trick
def field_of_the_bundle(obj: Obj, text: str, rng: Rng) -> Obj:
    made = bundle_of([obj], key=text)
    made[rng.choice(["spec_version", "note", "objects_", text])] = text
    return made


@trick
def one_of_many_in_a_bundle(obj: Obj, text: str, rng: Rng) -> Obj:
    group = lawful_group(rng)
    rng.choice(group)["description_"] = text
    return bundle_of(group, key="x")


def smuggled(rng: Rng, count: int) -> Iterator[tuple[str, str, Any]]:
    """Yield (trick, disguise, payload); every trick and disguise in turn, the rest at random."""
    tricks, disguises = list(TRICKS), list(DISGUISES)
    group: list[Obj] = []
    for number in range(count):
        if not group:
            group = lawful_group(rng)
        obj = json.loads(json.dumps(group.pop(rng.randrange(len(group)))))
        name = tricks[number % len(tricks)]
        disguise = disguises[number // len(tricks) % len(disguises)]
        text = DISGUISES[disguise](rng.choice(MESSAGES), rng)
        other = TRICKS[name](obj, text, rng)
        yield name, disguise, obj if other is None else other


def refused(payload: Any) -> tuple[str, ...]:
    """Return what the guard says of a payload, as the hub and the client ask it."""
    if isinstance(payload, bytes):
        return refusals_of_text(payload, now=NOW)
    if isinstance(payload, dict) and payload.get("type") == "bundle":
        return refusals_of_bundle(payload, now=NOW)
    return refusals(payload, now=NOW)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smuggled", type=int, default=10_000)
    parser.add_argument("--lawful", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=20261127)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    began = time.process_time()
    through = Counter((name, disguise) for name, disguise, p in smuggled(rng, options.smuggled)
                      if not refused(p))  # fmt: skip
    middle = time.process_time()
    accepted = sum(not refused(obj) for obj in lawful(rng, options.lawful))
    result = {
        "smuggled": options.smuggled, "smuggled_accepted": sum(through.values()),
        "lawful": options.lawful, "lawful_accepted": accepted, "seed": options.seed,
        "tricks": len(TRICKS), "disguises": len(DISGUISES),
        "cpu_s": {"smuggled": round(middle - began, 1),
                  "lawful": round(time.process_time() - middle, 1)},
        "got_through": {f"{a}, {b}": n for (a, b), n in sorted(through.items())},
    }  # fmt: skip
    if options.out:
        import sys

        sys.path.insert(0, str(Path(__file__).parents[2] / "perf"))
        from machine import commit, describe

        result |= {"commit": commit(), "machine": describe()}
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    raise SystemExit(bool(through) or accepted < 0.99 * options.lawful)


if __name__ == "__main__":
    main()
