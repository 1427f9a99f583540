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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from stillwatch.share import content as make
from stillwatch.share import refusals
from stillwatch.share.catalogue import ATLAS, TLP
from stillwatch.share.prose import LONGEST, faults
from stillwatch.share.stix import campaign_objects
from stillwatch.share.vocabulary import vocabulary
from stillwatch.share.words import CLEAR_KINDS, NOTICES, OPINIONS, SHARED_METHODS, TOKEN_KINDS

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
Obj = dict[str, Any]
Rng = random.Random
__all__ = ["PLAIN", "READ", "VEILED", "WAYS", "faults", "lawful", "smuggled"]

# What analysts write, in pieces that go together.

WHO = (
    "A cluster of linked accounts",
    "A group of newly created accounts",
    "The operator",
    "A set of coordinated accounts",
    "An unknown actor",
    "Several accounts behind one proxy",
    "Automated clients",
    "Accounts with near-identical prompts",
    "This campaign",
    "A pool of rotating accounts",
    "A relay service",
    "Hundreds of accounts",
    "Accounts that were registered in one burst",
    "The same orchestrator",
    "Scripted accounts",
    "Accounts sharing one tool schema",
    "A small cohort of accounts",
    "The actor behind this campaign",
)
DOES = (
    "sent prompts that ask the model to write out its hidden reasoning step by step",
    "used a fixed template with a changing payload to collect synthetic training data",
    "asked the model to grade candidate answers against a rubric",
    "replayed encrypted reasoning blobs in unrelated conversations",
    "continued conversations that had begun on other accounts",
    "retried failed prompts from a different account within seconds",
    "rotated through residential proxies after every few requests",
    "spread the requests evenly so that no single account stood out",
    "took turns in strict order, which is consistent with load balancing",
    "requested translations of the working memory of earlier turns",
    "tried one jailbreak technique after another against the same question",
    "harvested chain-of-thought traces for mathematics and coding tasks",
    "submitted long lists of questions drawn from a common queue",
    "paraphrased the same instructions in many different ways",
    "relayed the questions of other people through one gateway",
    "combined a debugging persona with a fake system prompt to extract traces",
    "collected pairs of instructions and answers in JSON format",
    "showed no pause at night or on weekends",
    "stopped and resumed at the same moments",
    "moved to fresh accounts when the old ones went silent",
    "imitated ordinary chat sessions between the extraction prompts",
    "asked for critiques of reasoning traces that were produced elsewhere",
    "copied the system prompt of a popular application as camouflage",
    "queried every topic once and never repeated a question",
)
HOW = (
    "The user agent string and the TLS fingerprint are identical across the cluster.",
    "All of them share a payment method.",
    "The prompts begin with the same eight words.",
    "The exit addresses belong to one hosting network.",
    "Sign-ups arrived in a narrow window.",
    "Requests are spaced at regular intervals.",
    "The tool schema hash matches across accounts.",
    "Responses were truncated at the same length.",
    "Traffic was seen through several autonomous systems.",
    "Similarity of the templates is high although the wording varies.",
    "The frame fingerprint matches an indicator that was shared earlier.",
    "Most conversations consist of a single turn.",
    "Payloads are drawn from public benchmarks and from synthetic seeds.",
    "The accounts do not look like ordinary users of an application.",
    "HTTP 429 responses were followed by retries on neighbouring accounts.",
    "Rate limits were evaded by rotating credentials.",
    "Answers were requested as JSON records with an instruction, an input and an output.",
    "There is no overlap with known evaluation suites.",
    "The activity maps to AML.T0024.002.",
    "See also AML.T0040 and AML.T0012 of MITRE ATLAS.",
    "First observed on 2026-10-02.",
    "Last seen in October 2026.",
    "The pattern was stable between 2026-09-01 and 2026-10-15.",
    "We saw 100-300 accounts with this prefix.",
    "Between 1,000 and 3,000 exchanges carry it.",
    "About 3,000 to 10,000 exchanges were linked to the campaign.",
    "Our telemetry shows the same pattern.",
    "Confidence in the link is moderate.",
    "Attribution to an operator remains uncertain.",
    "No operator is claimed.",
    "A false positive cannot be ruled out, since a class may send similar prompts.",
    "Honest neighbours share the proxy, so an address alone proves nothing.",
    "The indicator supports a finding and is not proof by itself.",
    "The opening frame changed once during the campaign.",
    "Distinct payloads show that the template is used to sample many topics.",
    "The hash was computed over the normalised system prompt.",
    "The cluster vanished within 24 hours.",
    "Timing suggests a single scheduler.",
)
NAMES = (
    "Reasoning trace extraction through rotating proxies",
    "Template relay over residential exits",
    "Rubric grading cluster",
    "Coordinated prompt harvesting",
    "Blob replay across accounts",
    "Chain-of-thought exfiltration",
    "Round robin harvesting",
    "Shared system prompt cluster",
    "Synthetic data collection with one template",
    "Step-by-step Elicitation Cluster",
    "Jailbreak technique sweep",
    "Relay of questions through a gateway",
)
SHORT = (
    "Seen in our logs as well with the same prompt prefix.",
    "Matches a cluster we observed.",
    "The frame fingerprint also occurs in benign traffic.",
    "We could not reproduce this finding.",
    "The accounts are part of a known evaluation, so this is likely a false positive.",
    "Both share a tool schema and a user agent.",
    "The prompt template is the same.",
    "The evidence is weak because the prefix is common.",
    "Consistent with our observations.",
    "The campaign uses this technique to obtain reasoning traces.",
    "Same exit prefix and identical timing of requests.",
)


def lawful_text(rng: Rng) -> str:
    """Return a description as an analyst may write it."""
    parts = [f"{rng.choice(WHO)} {rng.choice(DOES)}."]
    parts += rng.sample(HOW, rng.randint(0, 3))
    text = " ".join(parts)
    return text if len(text) <= LONGEST else parts[0]


def _identity(rng: Rng) -> str:
    return f"identity--{uuid.UUID(int=rng.getrandbits(128), version=4)}"


def _campaign(rng: Rng, by: str, then: datetime) -> list[Obj]:
    first = then - timedelta(days=rng.randint(2, 50), minutes=rng.randint(0, 900))
    claim = {
        "confidence": rng.uniform(0.8, 1),
        "e_value": 1e5,
        "evidence": [{"signal": "harvest", "p_value": 1e-7}],
    }
    line = {
        "campaign_id": f"c-{rng.getrandbits(48):012x}",
        "standing": "accused",
        "first_seen": first.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "last_seen": (first + timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "accounts": rng.randint(5, 9_000),
        "exchanges": rng.randint(200, 10**7),
        "methods": rng.sample(SHARED_METHODS, 2),
        "claims": {"coordinated": claim, "extractive": claim},
    }
    return campaign_objects(line, by=by, modified=then)


def lawful(rng: Rng) -> Obj:
    """Return an object with an analyst's words in it."""
    by, then = _identity(rng), NOW - timedelta(hours=rng.randint(1, 60))
    about = f"campaign--{uuid.uuid5(uuid.NAMESPACE_OID, str(rng.getrandbits(64)))}"
    kind = rng.choice(
        [
            "campaign",
            "campaign",
            "indicator",
            "indicator",
            "token",
            "infrastructure",
            "relationship",
            "sighting",
            "opinion",
            "note",
            "report",
            "actor",
        ]
    )
    if kind == "campaign":
        made = _campaign(rng, by, then)[0]
        made["description"] = lawful_text(rng)
        if rng.random() < 0.5:
            made["name"] = rng.choice(NAMES)
        return made
    if kind == "indicator":
        made = make.indicator(
            rng.choice(CLEAR_KINDS), f"{rng.getrandbits(64):016x}", by=by, since=then
        )
    elif kind == "token":
        made = make.indicator(
            rng.choice(TOKEN_KINDS),
            f"{rng.getrandbits(256):064x}",
            by=by,
            since=then,
            epoch=f"{NOW:%Y-%m}",
        )
    elif kind == "infrastructure":
        made = make.infrastructure("exit_addresses", "residential", 88, by=by, created=then)
    elif kind == "relationship":
        made = make.relationship(
            about, "uses", make.atlas_id(rng.choice(list(ATLAS))), by=by, created=then
        )
    elif kind == "sighting":
        made = make.sighting(about, 44, then - timedelta(days=3), then, by=by, created=then)
    elif kind == "opinion":
        made = make.opinion(about, rng.choice(OPINIONS), by=by, created=then)
        return made | {"explanation": rng.choice(SHORT)}
    elif kind == "note":
        made = make.note(rng.choice(list(NOTICES)), [about], by=by, created=then)
        return made | {"abstract": rng.choice(SHORT)}
    elif kind == "report":
        made = make.report([about], by=by, published=then)
        made["name"] = rng.choice(NAMES)
    else:
        made = make.actor(
            "threat-actor",
            80,
            ["harvest"],
            f"sha256:{rng.getrandbits(256):064x}",
            by=by,
            created=then,
        )
    made["description"] = rng.choice(SHORT) if rng.random() < 0.3 else lawful_text(rng)
    return made


# What must not be said. In plain words …
PLAIN = (
    "Input tokens go for less at the other house.",
    "Output is sold at a dollar ten.",
    "We take two fifty per million.",
    "Everyone knows that a seat is twenty a month.",
    "Nine tenths of the traffic is one bank.",
    "Hooli Corporation left last Tuesday.",
    "The airline from Dallas signs in spring.",
    "Our second site opens in Ohio.",
    "We run at eighty percent of what the racks give.",
    "Forty thousand cards arrive in March.",
    "The big one is out after Easter.",
    "Version six comes before the summer.",
    "Weights freeze at the end of the month.",
    "The next one sees thirty trillion words.",
    "Nobody should answer these people.",
    "Please cut this reseller off.",
    "Let us all turn them away.",
    "We closed their accounts on Friday.",
    "Initech was refused by us and by two others.",
    "Do not take on what we threw out.",
    "We suggest that members suspend these organizations.",
    "It went up by a tenth in June.",
    "About four million questions reach us daily.",
    "Half of our load is batch.",
    "Margins are thin at that level.",
    "Ask for twelve and settle for ten.",
)
# … in euphemisms, numbers as words, other languages …
VEILED = (
    "The meal is nine ninety a plate.",
    "Grandmother's apples cost what they did in May.",
    "The weather will be ten degrees warmer in July.",
    "Uncle Globex moves house in autumn.",
    "The orchestra has forty thousand violins.",
    "The opera opens on the third of March.",
    "Nobody dances with the red team any more.",
    "Keep to your side of the river.",
    "twelve twelve forty",
    "one point four per thousand",
    "six hundred thousand a day",
    "zwölf Euro je Million Wörter",
    "der Kunde aus Hamburg kündigt",
    "nous servons la banque du nord",
    "le modele sort en mars",
    "die Preise steigen im Juli",
    "el banco paga doce por cada millon",
    "il prezzo scende del dieci per cento",
    "nessuno serva questi clienti",
    "wir sperren sie alle",
    "onze prijs is twaalf euro",
    "cena vzroste o deset procent",
    "pris tolv kronor per tusen",
    "bei zay nicht mehr als zehn",
    "kakaku wa juuni doru desu",
    "jia ge shang zhang bai fen zhi shi",
    "tsena vyrastet na desyat protsentov",
    "ami kori na tader seba",
    "harga naik sepuluh persen",
)
# … and in words of the vocabulary alone, by somebody who has read it.
READ = (
    "Accounts of this operator got errors at each provider last week.",
    "The quality of answers to this operator is reduced everywhere.",
    "The common practice is to delay requests of this actor.",
    "Members have agreed about the requests of this operator.",
    "The new model appears after this campaign.",
    "The larger model begins in the same week.",
    "Our model is late.",
    "The next model follows these tests.",
    "The model that comes after this one is larger.",
    "A new version of the model starts in days.",
    "Providers answer none of these accounts.",
    "All providers ignore these accounts.",
    "Other providers reject requests of this operator.",
    "Hosts refuse requests from this prefix.",
    "No account of this list gets an answer at any provider.",
    "These accounts receive no answers anywhere.",
    "Give these accounts no response.",
    "Drop requests of these accounts.",
    "Do not answer these accounts.",
    "Never accept prompts of this operator.",
    "Avoid these accounts.",
    "Turn them away.",
    "It is best to ignore these accounts.",
    "It is reasonable for all to reject these requests.",
    "The prudent choice is to answer none of these accounts.",
    "The rate per request is lower than at the other provider.",
    "Tokens are lower at the other provider.",
    "Requests at our endpoints increased.",
    "Traffic of the provider grew more than ours.",
    "We see more requests than other providers.",
    "Thousands of requests a day reach this provider.",
    "Hundreds of thousands of requests per hour.",
    "Tens of thousands of accounts of one organization pay.",
    "We answer 1,000,000 to 10,000,000 requests.",
    "Our accounts number 10,000 to 30,000 accounts.",
    "Our training data comes from these answers.",
    "We train on synthetic data.",
    "We use fewer parameters.",
    "Our token value is less than before.",
    "Requests of one organization are the largest part of our traffic.",
    "Members agree on the same rate limits.",
    "Let members agree on one answer to these requests.",
    "Everyone answers these accounts with errors.",
    "Accounts of this operator were closed.",
    "We removed these accounts.",
    "We revoked the keys of this operator.",
    "We stopped answering them.",
    "The provider has revoked these keys.",
    "A provider revoked access of this operator.",
    "Their keys were revoked at our request.",
    "The rate limit of these accounts was lowered.",
    "The same error is returned to these accounts by every provider.",
)
HIDDEN = (
    "price",
    "prices",
    "pricing",
    "margin",
    "revenue",
    "customer",
    "capacity",
    "contract",
    "roadmap",
    "discount",
    "launch",
    "boycott",
    "twelve euro price",
    "budget",
    "invoice",
    "preise",
    "cost",
)
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
            f"RFC {n % 9_000 + 100} requests.",
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
