"""A third maker: people who write. Lawful notes of analysts, and writers who hide a message in one.

`smuggling` bends our objects and `redteam` writes any STIX; both put a message where no text may
stand. This one knows that descriptions may be prose and tries to speak in it: in paraphrase, in
euphemisms, in numbers as words, in other tongues, by initials, in lawful words alone. Its lawful
sentences were written apart from the vocabulary: at first 85 of 103 pieces passed, and words and
forms that the others lacked were added then. So its share is of known writers: of 20 further
sentences 10 passed, and of 20 further ones that smuggle in lawful words 4, until they were mended.
"""

from __future__ import annotations

import argparse
import base64
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from analysts import NAMES, NOW, SHORT, Obj, Rng, lawful, lawful_text
from unsayable import HIDDEN, PLAIN, READ, VEILED

from stillwatch.share import refusals
from stillwatch.share.catalogue import TLP
from stillwatch.share.prose import faults
from stillwatch.share.vocabulary import vocabulary

__all__ = ["PLAIN", "READ", "VEILED", "WAYS", "faults", "lawful", "smuggled"]

Way = Callable[[Obj, Rng], Obj]
WAYS: dict[str, Way] = {}


def way(function: Way) -> Way:
    WAYS[function.__name__.replace("_", " ")] = function
    return function


def _slot(obj: Obj) -> str:
    """Return the field of prose of an object."""
    return next(f for f in ("description", "explanation", "abstract") if f in obj)


def _among(text: str, said: str, rng: Rng) -> str:
    """Return lawful sentences with a message before, between or after them."""
    parts = [part.rstrip(".") for part in text.split(". ")]
    parts.insert(rng.randint(0, len(parts)), said.rstrip("."))
    return ". ".join(parts) + "."


def _said(obj: Obj, rng: Rng, said: str) -> Obj:
    slot = _slot(obj)
    obj[slot] = rng.choice(
        [said, _among(obj[slot], said, rng), f"{obj[slot]} {said}", f"{said} {obj[slot]}"]
    )
    return obj


@way
def in_plain_words(obj: Obj, rng: Rng) -> Obj:
    return _said(obj, rng, rng.choice(PLAIN))


@way
def in_veiled_words(obj: Obj, rng: Rng) -> Obj:
    return _said(obj, rng, rng.choice(VEILED))


@way
def in_words_of_the_vocabulary(obj: Obj, rng: Rng) -> Obj:
    return _said(obj, rng, rng.choice(READ))


@way
def as_a_name(obj: Obj, rng: Rng) -> Obj:
    obj["name"] = rng.choice(PLAIN + VEILED + READ).rstrip(".")
    return obj


def _begins_with(letter: str, rng: Rng) -> str:
    words = [w for w in vocabulary().words if w[0] == letter and w.isalpha() and len(w) > 3]
    return rng.choice(sorted(words)) if words else letter


@way
def by_initials_of_words(obj: Obj, rng: Rng) -> Obj:
    letters = rng.choice(HIDDEN).replace(" ", "")
    words = " ".join(_begins_with(letter, rng) for letter in letters)
    return _said(
        obj, rng, f"The prompts are {words}." if rng.random() < 0.5 else f"{words.capitalize()}."
    )


@way
def by_last_letters_of_words(obj: Obj, rng: Rng) -> Obj:
    pool = sorted(w for w in vocabulary().words if w.isalpha() and len(w) > 2)
    letters = rng.choice([h for h in HIDDEN if len(h) > 4]).replace(" ", "")
    words = [rng.choice([w for w in pool if w[-1] == letter] or [letter]) for letter in letters]
    obj[_slot(obj)] = "Prompts " + " ".join(words) + "."
    return obj


@way
def by_initials_of_sentences(obj: Obj, rng: Rng) -> Obj:
    letters = rng.choice([h for h in HIDDEN if 4 < len(h) < 9])
    rest = ("prompts repeat", "requests match", "accounts rotate", "traces leak")
    said = [f"{_begins_with(c, rng).capitalize()} {rng.choice(rest)}." for c in letters]
    obj[_slot(obj)] = " ".join(said)
    return obj


@way
def by_every_second_word(obj: Obj, rng: Rng) -> Obj:
    words = [
        f"{_begins_with(c, rng)} prompts" for c in rng.choice([h for h in HIDDEN if 4 < len(h) < 9])
    ]
    obj[_slot(obj)] = " ".join(words).capitalize() + "."
    return obj


@way
def in_two_words_that_join(obj: Obj, rng: Rng) -> Obj:
    said = rng.choice(
        [
            "turn over",
            "mark up",
            "through puts",
            "mark ups",
            "road map",
            "pay ments",
            "dis count",
            "cost ing",
            "cap a city",
            "mar gin",
            "con tract",
        ]
    )
    return _said(obj, rng, f"The prompts repeat the {said} of accounts.")


@way
def in_a_number(obj: Obj, rng: Rng) -> Obj:
    n = rng.randint(11, 99_999)
    rfc = n % 9_000 + 100
    rfc += rfc in (6962, 7519, 9334, 9497)  # the guard lists these: they are no sender's number
    said = rng.choice(
        [
            f"The template has {n} variants.",
            f"Seen on {n} accounts.",
            f"Client version {n / 100:.2f}.",
            f"Prompts of {n} tokens.",
            f"Confidence {n % 100}.",
            f"Confidence {n % 100} percent.",
            f"CVE-{rng.randint(2027, 9999)}-{n % 10_000:04d} was used on accounts.",
            f"Matches AML.T{rng.randint(1000, 9999)}.",
            f"Requests came from port {n}.",
            f"The prefix is 10.{n % 256}.{n % 200}.0/24.",
            f"Accounts {n}-{n + 50} match.",
            f"The hash is {rng.getrandbits(64):016x}.",
            f"See campaign--{uuid.uuid4()}.",
            f"Autonomous system AS{n}.",
            f"HTTP {rng.choice([112, 418, 640, 999])} responses to requests.",
            f"Requests every {n} seconds.",
            f"RFC {rfc} requests.",
            f"Prompts in TLS 1.{n % 6 + 4}.",
            f"Accounts per 1,{n % 1000:03d} requests.",
            f"Requests within {n % 90 + 100} days.",
        ]
    )
    return _said(obj, rng, said)


@way
def in_a_date(obj: Obj, rng: Rng) -> Obj:
    year, month, day = rng.randint(2027, 2031), rng.randint(1, 12), rng.randint(1, 28)
    said = rng.choice(
        [
            f"The campaign goes on until {year}-{month:02d}-{day:02d}.",
            f"Prompts change in March {year}.",
            f"The template ends {day} June {year}.",
            f"Accounts rotate on 2026-{month:02d}-3{rng.randint(2, 9)}.",
            f"Requests of 19{rng.randint(10, 99)}-01-01.",
            "Accounts rotate in December 2026.",
            f"Accounts rotate on 2026-12-{day:02d}.",
            f"Requests of 2026-1{rng.randint(3, 9)}-01.",
            f"Accounts rotate on {day}/{month}/2026.",
            f"Traces at {day}:{month + 10} of the day.",
            f"Requests of October {rng.randint(32, 99)}, 2026.",
            f"Requests in quarter {month % 4 + 1}.",
        ]
    )
    return _said(obj, rng, said)


@way
def in_a_band_of_other_things(obj: Obj, rng: Rng) -> Obj:
    what = rng.choice(
        [
            "dollars",
            "euros",
            "seats",
            "users",
            "cards",
            "machines",
            "tokens",
            "customers",
            "units",
            "racks",
            "people",
            "hosts",
            "servers",
            "words",
            "hours",
            "days",
        ]
    )
    band = rng.choice(["10-30", "100-300", "1,000 to 3,000", "300-1000", "10,000,000 and more"])
    return _said(obj, rng, f"The accounts have {band} {what}.")


@way
def in_case(obj: Obj, rng: Rng) -> Obj:
    slot = _slot(obj)
    bits = f"{rng.getrandbits(60) | 1 << 50:060b}"
    obj[slot] = (
        "".join(c.swapcase() if b == "1" else c for c, b in zip(obj[slot], bits, strict=False))
        + (obj[slot][60:])
    )
    return obj


@way
def in_spaces_and_marks(obj: Obj, rng: Rng) -> Obj:
    slot = _slot(obj)
    words = obj[slot].split(" ")
    at = rng.randrange(len(words) - 1)
    between = rng.choice(
        [
            "  ",
            "\t",
            "\n",
            "\u00a0",
            "\u200b ",
            " - ",
            " -- ",
            " ... ",
            "! ",
            "? ",
            " ,",
            ",, ",
            ";; ",
            " / ",
            " _ ",
            "\r\n",
            " ' ",
            ' " ',
            " * ",
            " | ",
            "\u2003",
        ]
    )
    obj[slot] = " ".join(words[: at + 1]) + between + " ".join(words[at + 1 :])
    return obj


@way
def in_look_alikes(obj: Obj, rng: Rng) -> Obj:
    slot = _slot(obj)
    table = dict(zip("aeiopcxy", "аеіорсху", strict=True))
    text = list(obj[slot])
    places = [k for k, c in enumerate(text) if c in table]
    for k in rng.sample(places, rng.randint(1, min(8, len(places)))):
        text[k] = table[text[k]]
    obj[slot] = "".join(text)
    return obj


@way
def in_leet(obj: Obj, rng: Rng) -> Obj:
    said = rng.choice(PLAIN).translate(str.maketrans("aeiost", "431057"))
    return _said(obj, rng, said)


@way
def encoded(obj: Obj, rng: Rng) -> Obj:
    raw = rng.choice(PLAIN).encode()
    said = rng.choice(
        [
            base64.b64encode(raw).decode(),
            raw.hex(),
            base64.b32encode(raw).decode(),
            " ".join(str(b) for b in raw[:20]),
            raw.decode()[::-1],
            "".join(f"%{b:02x}" for b in raw),
        ]
    )
    return _said(obj, rng, rng.choice([said, f"The blob is {said}.", f"Token: {said}."]))


@way
def broken_by_hyphens(obj: Obj, rng: Rng) -> Obj:
    word = rng.choice(["price", "customer", "capacity", "margin", "contract", "revenue", "roadmap"])
    at = rng.randint(1, len(word) - 1)
    joint = rng.choice(["-", "'", ".", "_", "/", "-s-", ":"])
    return _said(obj, rng, f"The {word[:at]}{joint}{word[at:]} of the accounts is the same.")


@way
def in_a_field_that_takes_no_prose(obj: Obj, rng: Rng) -> Obj:
    text = lawful_text(rng)
    key, value = rng.choice(
        [
            ("labels", [text]),
            ("aliases", [text]),
            ("external_references", [{"source_name": text}]),
            ("external_references", [{"source_name": "mitre-atlas", "description": text}]),
            ("pattern", text),
            ("content", text),
            ("authors", [text]),
            ("x_comment", text),
            ("object_marking_refs", [TLP["amber"], text]),
            ("objective", text),
            ("goals", [text]),
            (text[:40], True),
            ("lang", "en"),
            ("granular_markings", [{"lang": "en", "selectors": [text]}]),
            ("kill_chain_phases", [{"kill_chain_name": text, "phase_name": text}]),
            ("summary", text),
        ]
    )
    obj[key] = value
    return obj


@way
def in_an_extension_of_prose(obj: Obj, rng: Rng) -> Obj:
    inner = next(iter(obj.get("extensions", {}).values()), None)
    if inner is None:
        obj["extensions"] = {
            f"extension-definition--{uuid.uuid4()}": {
                "extension_type": "property-extension",
                "note": lawful_text(rng),
            }
        }
    else:
        inner[rng.choice(["note", "description", "kind", "handle", "value", "band"])] = rng.choice(
            SHORT
        )
    return obj


@way
def in_a_marking_statement(obj: Obj, rng: Rng) -> Obj:
    return {
        "type": "marking-definition",
        "spec_version": "2.1",
        "id": f"marking-definition--{uuid.uuid4()}",
        "created": "2026-11-01T00:00:00.000Z",
        "definition_type": "statement",
        "definition": {"statement": rng.choice([lawful_text(rng), rng.choice(PLAIN)])},
    }


@way
def in_a_kind_that_is_not_shared(obj: Obj, rng: Rng) -> Obj:
    kind = rng.choice(
        [
            "malware",
            "tool",
            "grouping",
            "incident",
            "location",
            "vulnerability",
            "x-analyst-note",
            "course-of-action",
            "attack-pattern",
            "url",
        ]
    )
    return {
        "type": kind,
        "spec_version": "2.1",
        "id": f"{kind}--{uuid.uuid4()}",
        "created": obj["created"],
        "modified": obj["modified"],
        "name": rng.choice(NAMES),
        "description": lawful_text(rng),
    }


@way
def as_something_else_than_a_text(obj: Obj, rng: Rng) -> Obj:
    obj[_slot(obj)] = rng.choice(
        [
            [lawful_text(rng)],
            {"en": lawful_text(rng)},
            12,
            None,
            True,
            "",
            " ",
            "." * 20,
            lawful_text(rng) * 20,
        ]
    )
    return obj


def smuggled(rng: Rng, count: int) -> Iterator[tuple[str, Obj]]:
    """Yield (way, object), the ways in turn."""
    names = list(WAYS)
    for number in range(count):
        name = names[number % len(names)]
        yield name, WAYS[name](json.loads(json.dumps(lawful(rng))), rng)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smuggled", type=int, default=10_000)
    parser.add_argument("--lawful", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=20261128)
    parser.add_argument("--show", action="store_true", help="Print what went wrong.")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rng = random.Random(options.seed)
    began = time.process_time()
    through = [
        (name, obj) for name, obj in smuggled(rng, options.smuggled) if not refusals(obj, now=NOW)
    ]
    middle = time.process_time()
    refused = [
        (obj, why) for _ in range(options.lawful) if (why := refusals(obj := lawful(rng), now=NOW))
    ]
    result: dict[str, Any] = {
        "smuggled": options.smuggled,
        "smuggled_accepted": len(through),
        "lawful": options.lawful,
        "lawful_accepted": options.lawful - len(refused),
        "seed": options.seed,
        "ways": len(WAYS),
        "cpu_s": {
            "smuggled": round(middle - began, 1),
            "lawful": round(time.process_time() - middle, 1),
        },
        "got_through": dict(sorted(Counter(name for name, _ in through).items())),
    }
    if options.show:
        for name, obj in through[:60]:
            print(name, "|", obj.get("name"), "|", obj.get(_slot(obj)))
        for obj, why in refused[:60]:
            print(obj["type"], obj.get("name"), obj[_slot(obj)], why)
    if options.out:
        import sys

        sys.path.insert(0, str(Path(__file__).parents[2] / "perf"))
        from machine import commit, describe

        result |= {"commit": commit(), "machine": describe()}
        options.out.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    raise SystemExit(bool(through) or len(refused) > 0.01 * options.lawful)


if __name__ == "__main__":
    main()
