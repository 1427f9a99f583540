"""The closed vocabulary of prose: words of vocabulary.toml and english.toml in all their forms."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any, Final, NamedTuple

__all__ = ["Vocabulary", "vocabulary"]

_VOWELS: Final = frozenset("aeiou")
# Of verbs of more than one syllable these double their last letter (British and American)
_DOUBLED: Final = frozenset(
    {"submit", "omit", "emit", "permit", "recur", "occur", "refer", "infer", "transfer", "label",
     "signal", "model", "format", "relabel", "reformat", "resubmit", "prefer", "deter", "debug",
     "equip", "unwrap", "rewrap", "overlap"}
)  # fmt: skip


class Vocabulary(NamedTuple):
    """``words``: in lower case. ``function``: of them those that hold a sentence together.
    ``orders``: bases of verbs that are nothing else; a sentence that begins with one is an order.
    ``bases``: of all verbs. ``acronyms``: as they are written. ``pairs``: words that stand only
    beside each other, as tuples of words, compounds in their parts. ``senses``: words in a row, and
    what is read in their stead. ``told``: sets of words by what
    they could tell together. ``patterns``: a rule, what a sentence seems to do, and the words in a
    row by which it does."""

    words: frozenset[str]
    function: frozenset[str]
    orders: frozenset[str]
    bases: frozenset[str]
    acronyms: frozenset[str]
    pairs: frozenset[tuple[str, ...]]
    senses: tuple[tuple[re.Pattern[str], str], ...]
    told: Mapping[str, frozenset[str]]
    patterns: tuple[tuple[str, str, re.Pattern[str]], ...]


@cache
def vocabulary() -> Vocabulary:
    """Return the vocabulary that comes with the package.

    >>> words = vocabulary().words
    >>> {"retries", "caches", "mimicked", "rotating", "hypotheses"} <= words, "price" in words
    (True, False)
    """
    read, english = _read("vocabulary.toml"), _read("english.toml")
    told = read.pop("told")
    listed = " ".join(read.pop("pair").split()).split(" | ")
    pairs = {tuple(re.split("[ -]", pair)) for pair in listed}
    families = [row for line in read.pop("family").strip().splitlines() for row in _family(line)]
    patterns, senses = read.pop("patterns"), read.pop("sense")
    table = {name: block.split() for name, block in read.items()}
    verbs = table["verb"]
    others: set[str] = set()
    for name in ("function", "mass", "form", "adjective", "adverb"):
        others.update(table[name])
    others |= _nouns(table["noun"])
    plain = {word for name in ("mass", "adjective", "adverb") for word in english[name].split()}
    plain |= _nouns(english["noun"].split())
    plain.update(*(_adverb(word) for word in english["adjective"].split()))
    more = frozenset(english["verb"].split())
    bases = frozenset(verbs + table["irregular"])
    words = others.union(
        table["irregular"], plain, *(_forms(verb) for verb in (*verbs, *sorted(more)))
    )
    return Vocabulary(
        frozenset(words),
        frozenset(table["function"]),
        bases.difference(others.difference(table["form"])) | more.difference(others, plain),
        bases | more,
        frozenset(table["acronym"]),
        frozenset(pairs.union(row for row in families if not words.issuperset(row))),
        tuple(_sense(line, told) for line in senses.strip().splitlines()),
        {name: frozenset(block.split()) for name, block in told.items()},
        tuple(
            (*name.split(": ", 1), _in_a_row(line, told))
            for name, block in patterns.items()
            for line in block.strip().splitlines()
        ),
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("stillwatch.share").joinpath(name).read_text(encoding="utf-8"))


def _nouns(entries: Sequence[str]) -> set[str]:
    """Return the nouns with their plurals; an entry may name the plural: index=indices."""
    pairs = [entry.partition("=") for entry in entries]
    return {word for one, _, several in pairs for word in (one, several or _with_s(one))}


def _adverb(adjective: str) -> Iterator[str]:
    """Yield an adjective's adverb, where it is made in a regular way.

    >>> [*_adverb("tacit"), *_adverb("magic"), *_adverb("noisy"), *_adverb("dated")]
    ['tacitly', 'magically', 'noisily']
    """
    if "-" in adjective or adjective.endswith(("ed", "ly", "en", "er", "or")):
        return
    if adjective.endswith("ic"):
        yield adjective + "ally"
    elif adjective.endswith("y"):
        yield adjective[:-1] + "ily"
    elif adjective.endswith("le") and adjective[-3] not in _VOWELS:
        yield adjective[:-1] + "y"
    else:
        yield adjective + ("y" if adjective.endswith("ll") else "ly")


def _family(line: str) -> Iterator[tuple[str, ...]]:
    """Yield every row of words that a line of alternatives stands for.

    >>> list(_family("packet/frame size"))
    [('packet', 'size'), ('frame', 'size')]
    """
    for row in product(*(part.split("/") for part in line.split())):
        yield tuple(re.split("[ -]", " ".join(row)))


def _sense(line: str, told: Mapping[str, str]) -> tuple[re.Pattern[str], str]:
    """Return the pattern of a line, and the words that are read for what it finds."""
    found, _, read = line.partition(" => ")
    return _in_a_row(found, told), f" {read}"


def _in_a_row(line: str, told: Mapping[str, str]) -> re.Pattern[str]:
    """Return a pattern's regular expression over words with a space before each.

    ``^``: the beginning; ``~2``: two words at most; ``!of``: not before this word; ``>a|b``: before
    one of these, an adverb between at most; all else: one of the words, ``$set`` for a set's.

    >>> bool(_in_a_row("$model ~1 is|are new", {"model": "model"}).search(" the model here is new"))
    True
    """
    made = ""
    for part in line.split():
        if part == "^":
            made += "(?:^|(?<= ;))"
        elif part[0] == ">":
            words = [w for one in part[1:].split("|") for w in _named(one, told)]
            made += rf"(?=(?: (?:{told['adverbial'].strip().replace(' ', '|')}))?"
            made += f" (?:{'|'.join(map(re.escape, words))})(?![^ ]))"
        elif part[0] == "~":
            made += rf"(?: \S+){{0,{int(part[1:])}}}"
        elif part[0] == "!":
            made += rf"(?! {re.escape(part[1:])}\b)"
        else:
            words = [w for one in part.split("|") for w in _named(one, told)]
            made += f" (?:{'|'.join(map(re.escape, words))})(?![^ ])"
    return re.compile(made)


def _named(word: str, told: Mapping[str, str]) -> list[str]:
    return told[word[1:]].split() if word[0] == "$" else [word]


def _with_s(word: str) -> str:
    if word.endswith(("s", "x", "z", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in _VOWELS:
        return word[:-1] + "ies"
    return word + "s"


def _forms(verb: str) -> set[str]:
    """Return a regular verb's forms: label → label, labels, labeled, labelled, labeling …"""
    if verb.endswith("e"):
        past, going = {verb + "d"}, {verb[:-1] + "ing"}
        if verb.endswith("ee"):
            going = {verb + "ing"}
    elif verb.endswith("y") and verb[-2] not in _VOWELS:
        past, going = {verb[:-1] + "ied"}, {verb + "ing"}
    else:
        stems = {verb}
        if verb.endswith("c"):
            stems = {verb + "k"}
        elif _short(verb):
            stems = {verb + verb[-1]}
        elif verb in _DOUBLED:
            stems = {verb, verb + verb[-1]}
        past, going = {s + "ed" for s in stems}, {s + "ing" for s in stems}
    return {verb, _with_s(verb), *past, *going}


def _short(verb: str) -> bool:
    """Return whether a verb of one syllable doubles its last letter: map, stop."""
    return (
        3 <= len(verb) <= 5
        and verb[-1] not in "aeiouwxy"
        and verb[-2] in _VOWELS
        and not any(c in _VOWELS for c in verb[:-2])
    )
