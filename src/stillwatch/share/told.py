"""What sentences of lawful words tell all the same: growth, plans, volumes, advice, acrostics.

A net with meshes, behind the closed vocabulary: it errs on the side of asking a person.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import Final, NamedTuple

from stillwatch.share.commercial import joins, short_stems, spells
from stillwatch.share.initials import read_nats
from stillwatch.share.vocabulary import vocabulary

__all__ = ["PERSON", "Fault", "acronyms", "names_trade", "spelled", "told", "unnatural"]

PERSON: Final = "needs-a-person"
_COMMERCE: Final = "no-commerce"
_ADVICE: Final = "no-advice"
_MODELS: Final = frozenset(
    {"model", "models", "llm", "llms", "student", "students", "teacher", "teachers"}
)
_EACH: Final = frozenset({"a", "an", "one", "per", "each", "every"})
_LONG: Final = 12  # words of a sentence
_FRESH: Final = 0.6  # of them so many are different, at least
# Words of commerce that are too short to be stems: read in first letters, forwards
_SHORT: Final = ("cost", "deal", "fees", "sale")
# And words of it that are no stems: read in the letters that sentences begin with
_WHOLE: Final = ("bank", "banned", "block", "capex", "quota", "refuse", "tier")
_TRAITS: Final = frozenset(
    (
        "card",
        "client",
        "device",
        "exit",
        "network",
        "payment",
        "prefix",
        "proxy",
        "template",
        "tool",
        "user",
    )
)
_BEING: Final = frozenset({"is", "are", "was", "were", "been", "being"})
_LINKS: Final = frozenset(
    {"connection", "connections", "conversation", "conversations", "field", "fields", "header",
     "headers", "line", "lines", "paragraph", "preamble", "prefix", "sentence", "sentences",
     "session", "sessions", "socket",
     "sockets", "stream", "streams", "suffix", "tag", "tags"}
)  # fmt: skip
_BARE: Final = 8  # words in a row, none of which holds a sentence together: of 533 sentences one
_UNJOINED: Final = 5  # words of a whole sentence: of 900 that analysts wrote two
_JOINING: Final = frozenset({"including", "like", "targeting", "using"})
_ROW: Final = 4  # letters that may be text; words of fewer are looked for by name
_READS: Final = 3.5  # nats: so much likelier text than what words begin with


class Fault(NamedTuple):
    """The rule that a text breaks, and a sentence that repeats nothing of it."""

    rule: str
    says: str


def spelled(sentences: Sequence[Sequence[str]]) -> Iterator[Fault]:
    """Yield what is spelled by first or last letters, or by two words that make a third."""
    kept = [words for one in sentences if (words := [w for w in one if w[0].isalpha()])]
    words = [word for one in kept for word in one]
    rows = [[w[0] for w in words[k::step]] for step in (1, 2, 3) for k in range(step)]
    rows += [[w[-1] for w in words], [one[0][0] for one in kept], [one[-1][-1] for one in kept]]
    if any(spells("".join(row)) or spells("".join(row[::-1])) for row in rows) or any(
        short in "".join(row) for row in (rows[0], rows[-2]) for short in _SHORT
    ):
        yield Fault(_COMMERCE, "spells something with the letters that words begin or end with")
    begun = "".join(one[0][0] for one in kept)
    whole = short_stems().union(_SHORT, _WHOLE)
    if any(stem in begun if len(stem) > 3 else stem == begun for stem in whole):
        yield Fault(_COMMERCE, "spells something with the letters that sentences begin with")
    if any(read_nats(row) >= _READS for row in _initials(kept) if len(row) >= _ROW):
        yield Fault(PERSON, "begins its words with letters that read as text")
    listed = vocabulary().pairs
    if any(
        joins(*pair) for one in kept for pair in pairwise(one) if pair not in listed
    ):  # client software, which begins like "clients", is listed
        yield Fault(_COMMERCE, "spells something with two words that follow each other")


def _initials(sentences: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the initials of each sentence and of all of them."""
    rows = ["".join(word[0] for word in one) for one in sentences]
    yield from rows
    yield "".join(rows)


def unnatural(words: Sequence[str]) -> Iterator[Fault]:
    """Yield what nobody writes: such sentences are words that were drawn for what they encode."""
    plain = [word for word in words if word[0].isalpha()]
    repeats = any(a == b and a[0].isalpha() for a, b in pairwise(words))
    if repeats or (len(plain) >= _LONG and len(set(plain)) < _FRESH * len(plain)):
        yield Fault(PERSON, "repeats its words as nobody does")
    if _barest(words) >= _BARE or (_barest(words) == len(plain) >= _UNJOINED):
        yield Fault(PERSON, "holds a row of words that nothing joins")
    if any(_astray(first, second) for first, second in pairwise([*words, "."])):
        yield Fault(PERSON, "holds words in an order that English has not")


def _barest(words: Sequence[str]) -> int:
    """Return the most words in a row of which none is an article, a preposition or the like.

    Words that were drawn for their letters make such rows; commas do not end them.
    """
    held, most, now = vocabulary().function, 0, 0
    for word in words:
        if word in held or word in _JOINING or word[0] == "@":
            now = 0
        elif word[0].isalnum():
            now += 1
            most = max(most, now)
    return most


def _astray(first: str, second: str) -> bool:
    """Return whether no English sentence has a word after another; ``.``: its end."""
    sets = vocabulary().told
    if first in sets["article"] and second in sets["no_noun"]:
        return True
    if first in sets["joining"] and second in sets["no_object"]:
        return True
    if first in sets["binding"] and second in ".,:;":
        return True
    if first in {"a", "an"} and second[0].isalpha() and second not in acronyms():
        vowel = second[0] in "aeiou" and not second.startswith(("eu", "one", "uni", "use"))
        if (first == "an") is not (vowel or second.startswith(("honest", "hour"))):
            return True
    several = second[-1] == "s" and second[:-1] in vocabulary().words
    return first in {"a", "an", "another", "every"} and several


def told(words: Sequence[str]) -> Iterator[Fault]:
    """Yield what one sentence tells, of its words in lower case."""
    words = _supplied(words)
    sets, held = vocabulary().told, frozenset(words)
    if not (names_trade(words) or held.issubset(sets["answer"])) and held.isdisjoint(
        sets["pointing"]
    ):
        yield Fault(PERSON, "holds a sentence that names no thing of the trade")
    yield from _timed(words)
    if (
        held & {"@share", "@small"}
        and held & (sets["uncounted"] | sets["offered"])
        and not _asking(words)
    ):
        yield Fault(_COMMERCE, "seems to tell how much of something a provider has")
    yield from _grown(_moved(_compared(words)))
    if "@tongue" in held and (held.isdisjoint(sets["worded"]) or held & sets["writing"]):
        yield Fault(PERSON, "tells of languages, and not of what is written in them")
    often = any(
        word in sets["spans"] and (word.endswith("ly") or words[at - 1] in _EACH)
        for at, word in enumerate(words)
    )
    if "@quantity" in held and (often or held & (sets["providers"] | {"our"})):
        yield Fault(_COMMERCE, "seems to tell of a volume")
    if _planned(words):
        yield Fault(_COMMERCE, "seems to tell of a model that is to come")
    row = "".join(f" {word}" for word in words)
    for rule, says, pattern in vocabulary().patterns:
        if pattern.search(row):
            yield Fault(rule, says)
    if _advised(words):
        yield Fault(_ADVICE, "seems to say what somebody should do")
    for at, word in enumerate(words):
        before, after = words[max(0, at - 4) : at], words[at + 1 : at + 4]
        doing = "by" in before and sets["observing"].isdisjoint(held)
        alone = sets["prepositions"].isdisjoint(before)
        if word.removesuffix("'s") in sets["providers"] and (alone or doing):
            yield Fault(_ADVICE, "makes a provider act: nobody says who does what")
        if word in {"i", "we"} and sets["observing"].isdisjoint(after):
            yield Fault(PERSON, "tells of oneself more than what one observed")
        if word == "our" and sets["ours"].isdisjoint(after[:2]):
            yield Fault(PERSON, "tells of oneself more than what one observed")


def _supplied(words: Sequence[str]) -> list[str]:
    """Return the words, the provider of a proxy, a network or mail named as what it provides."""
    supplying = vocabulary().told["supplying"]
    return [
        "gateway"
        if at
        and (
            (word in {"provider", "providers"} and words[at - 1] in supplying)
            or (word == "parties" and words[at - 1] == "unrelated")
        )
        else word
        for at, word in enumerate(words)
    ]


def names_trade(words: Sequence[str]) -> bool:
    """Return whether a sentence names a thing of the trade; what has an acronym is one."""
    known = vocabulary()
    things = known.told["trade"] | known.told["things"] | acronyms()
    return any(word.removesuffix("'s").removesuffix("'") in things for word in words)


@cache
def acronyms() -> frozenset[str]:
    """Return the acronyms of the vocabulary in lower case."""
    return frozenset(one.lower() for one in vocabulary().acronyms)


def _timed(words: Sequence[str]) -> Iterator[Fault]:
    """Yield what is wrong with when and how long: they are told of what a campaign did alone."""
    sets, held = vocabulary().told, frozenset(words)
    if (
        held & {"@date", "@month", "@lasting", "@span", "@window", "@weekday"}
        and held & sets["defending"]
    ):
        yield Fault(_COMMERCE, "seems to tell when a provider does something")
    if held & sets["defending"] and held & sets["turning"]:
        yield Fault(_COMMERCE, "seems to tell that a provider begins or ends something")
    if held & {"@beat", "@level", "@weekday"} and held & (
        sets["products"] | sets["served"] | sets["serving"] | sets["offered"] | sets["growth"]
    ):  # how fast a campaign is: of answers that would be a service level
        yield Fault(_COMMERCE, "seems to tell how fast something is that a provider offers")
    if not held & {"@month", "@lasting", "@span"}:
        return
    if not _is_past(words):
        yield Fault(PERSON, "holds a month or a span, and does not say that it is past")
    if held & (sets["products"] | sets["served"] | sets["offered"]):
        yield Fault(_COMMERCE, "seems to tell when something is that a provider offers")
    if held & sets["growth"]:
        yield Fault(_COMMERCE, "seems to compare amounts of different times")


def _asking(words: Sequence[str]) -> bool:
    """Return whether a prompt, or what makes one, asks for something or holds it.

    What a prompt asks for counts nothing that a provider has.
    """
    sets = vocabulary().told
    verb = next((at for at, word in enumerate(words) if word in sets["asking"]), 0)
    return any(word in sets["written"] for word in words[:verb])


def _is_past(words: Sequence[str]) -> bool:
    """Return whether a sentence has a listed verb in the past, and none that could be present.

    A participle alone (linked, automated) says nothing of when; "starts" and "start" are held.
    """
    known = vocabulary()
    sets = known.told
    nouns = sets["trade"] | sets["things"]
    if list(words[:2]) in (["first", "seen"], ["last", "seen"], ["first", "observed"]):
        return True
    if not sets["present"].isdisjoint(words) or any(
        word[-1] == "s" and not known.bases.isdisjoint({word[:-1], word[:-2]}) and word not in nouns
        for word in words
    ):
        return False
    return any(
        word in sets["past"]
        or (word in {"was", "were"} and not sets["participles"].isdisjoint(words[at + 1 : at + 3]))
        for at, word in enumerate(words)
    )


def _moved(words: Sequence[str]) -> frozenset[str]:
    """Return the words, without what was dropped: a connection, and by no amount."""
    return frozenset(
        word for at, word in enumerate(words)
        if not (
            word == "dropped"
            and _BEING.intersection(words[max(0, at - 1) : at])
            and _LINKS.intersection(words[max(0, at - 3) : at])
            and (at + 1 == len(words) or words[at + 1] in {"after", "before"})
        )
    )  # fmt: skip


def _compared(words: Sequence[str]) -> list[str]:
    """Return the words without "more" and "less" before an adverb: more evenly is no amount."""
    return [
        word
        for at, word in enumerate(words)
        if not (word in {"more", "less"} and words[at + 1 : at + 2] and words[at + 1][-2:] == "ly")
    ]


def _grown(held: frozenset[str]) -> Iterator[Fault]:
    """Growth and comparison: of a campaign's accounts and requests, and of nothing else."""
    sets = vocabulary().told
    if held & sets["growth"]:
        growing = held & (sets["trade"] - sets["never_grows"])
        if held & (sets["providers"] | {"we", "our", "service"}) or not growing:
            yield Fault(_COMMERCE, "seems to compare providers or to tell of growth")
        elif held.isdisjoint(sets["campaigns"]):
            yield Fault(_COMMERCE, "seems to tell of growth that is no campaign's")
    if "dropped" in held:  # and no connection
        yield Fault(_COMMERCE, "seems to tell of an amount that dropped")
    if held & {"token", "tokens"} and held & (sets["growth"] | sets["moving"]):
        yield Fault(_COMMERCE, "seems to compare amounts")


def _planned(words: Sequence[str]) -> bool:
    sets = vocabulary().told
    for at, word in enumerate(words):
        new = not sets["newness"].isdisjoint(words[max(0, at - 3) : at])
        coming = not sets["coming"].isdisjoint(words[at + 1 : at + 4])
        if word.removesuffix("'s") in _MODELS and (new or coming):
            return True
        if word in {"one", "ones", "generation", "generations"} and new and coming:
            return True
    return False


def _advised(words: Sequence[str]) -> bool:
    """Return whether a sentence, or what follows a colon, is an order; or it holds "good … to"."""
    known = vocabulary()
    if _served(words) or _together(words):
        return True
    if words[0] in {"agree", "disagree"} and words[1:2] in ([","], [":"]):
        words = words[2:]  # an opinion's answer, and no order
    for at in (0, *(at + 1 for at, word in enumerate(words) if word in ";:")):
        rest = list(words[at : at + 4])
        if rest[:1] == ["do"]:
            return True
        if at and rest and known.told["answer"].issuperset(rest):
            continue  # opinion: strongly agree
        while rest and rest[0] in known.told["ordering"]:
            rest = rest[1:]
        if _is_read(rest):
            continue
        if rest and rest[0] in known.told["reading"] and not known.told["judged"].isdisjoint(rest):
            return True  # see the account off
        if rest and rest[0] in known.orders:
            return True
        object_follows = rest[1:2] and rest[1] in known.told["determiners"]
        if rest and rest[0] in known.bases and object_follows:  # delay these accounts
            return True
    held = set(words)
    served = known.told["served"] | known.told["providers"]
    if held & known.told["negations"] and held & known.told["serving"] and held & served:
        return True
    return any(
        word in known.told["advisable"] and "to" in words[at + 1 : at + 6]
        for at, word in enumerate(words)
    )


def _is_read(rest: Sequence[str]) -> bool:
    """Return whether words begin like an order and are none: see the report, use of a relay."""
    sets = vocabulary().told
    if rest[1:2] == ["of"]:
        return rest[0] in {"list", "misuse", "reuse", "set", "spread", "string", "use"}
    asked = rest[:1] and rest[0] in sets["reading"] and rest[1:2] not in (["that"], ["to"])
    return (bool(asked) or list(rest[:2]) == ["refer", "to"]) and sets["judged"].isdisjoint(rest)


def _without_traits(words: Sequence[str]) -> list[str]:
    """Return the words without what accounts have in common: "share a payment method"."""
    return [
        word for at, word in enumerate(words)
        if not (
            word == "share"
            and words[at + 1 : at + 2] in (["a"], ["an"], ["one"])
            and not _TRAITS.isdisjoint(words[at + 2 : at + 3])
        )
    ]  # fmt: skip


def _together(words: Sequence[str]) -> bool:
    """Return whether members or providers, or all of them, do or did something together."""
    known = vocabulary()
    actors = known.told["providers"] | {"member", "members", "everybody", "everyone", "both"}
    words = _without_traits(words)
    alone = actors.isdisjoint(words)  # nobody of the market is told of: accounts all use an exit
    for at, word in enumerate(words):
        if word == "all" and alone and at and _several(words[at - 1]):
            continue
        if word == "all":
            rest = words[at + 3 :] if words[at + 1 : at + 2] == ["of"] else words[at + 1 :]
            if not known.bases.isdisjoint(rest[:1]):
                return True
        elif word == "both" and words[at + 1 : at + 2] and names_trade(words[at + 1 : at + 2]):
            continue  # both clusters
        elif word in actors and any(
            one in known.bases or (one[-1] == "s" and one[:-1] in known.bases)
            for one in words[at + 1 : at + 5]
        ):
            return True
    return False


def _several(word: str) -> bool:
    """Return whether a word before "all" says who all are: accounts all use, and all use."""
    things = vocabulary().told["trade"] | vocabulary().told["things"]
    return word in {"and", "students", "that", "which"} or (word[-1] == "s" and word in things)


def _served(words: Sequence[str]) -> bool:
    """Return whether a sentence says how accounts are answered, or that members agree on it."""
    sets, held = vocabulary().told, set(words)
    together = sets["providers"] | sets["acted"] | {"members", "all", "everywhere"}
    if held & {"agree", "agrees", "agreed"} and held & together:
        return True
    if held & {"error", "errors", "refusal", "refusals", "@code"} and held & sets["providers"]:
        return True
    for at, word in enumerate(words):
        if word in {"is", "are", "was"} and words[at + 1 : at + 2] == ["to"]:
            return True
        subject = {"quality", "delay", "error", "errors"} | sets["served"]
        to = words[at + 1 : at + 5] if word == "to" else ()
        if subject & set(words[max(0, at - 2) : at]) and {
            "operator", "actor", "account", "accounts", "actors", "operators"
        } & set(to):  # fmt: skip
            return True
    return False
