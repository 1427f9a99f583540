"""A lexicon is one language's words and sentence patterns, read from ``words/<code>.toml``.

All languages have the same number of entries in every table (a test holds them to it), so
that texts of one language are no richer or poorer than those of another.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Final

__all__ = ["KINDS", "LANGUAGE_MIX", "SLOTS", "Lexicon", "Pattern", "compile_pattern", "lexicon"]

# The one language mix of every world: honest families and campaigns draw from the same shares.
LANGUAGE_MIX: Final[dict[str, float]] = {
    "en": 0.44,
    "es": 0.12,
    "zh": 0.10,
    "de": 0.09,
    "fr": 0.09,
    "pt": 0.08,
    "ja": 0.08,
}
# h domain, t term, c coined name, a trait, f facet, v act, p person, n number, u unit, j job,
# g tag, k small number
SLOTS: Final = "htcafvpnujgk"
KINDS: Final = (
    "reason",
    "grade",
    "instruct",
    "extract",
    "rewrite",
    "support",
    "code",
    "critique",
)


@dataclass(frozen=True)
class Pattern:
    """A sentence with slots: a ``%s`` format and, in order, the slot number of each ``%s``."""

    text: str
    slots: tuple[int, ...]


@dataclass(frozen=True)
class Lexicon:
    code: str
    join: str
    space: str
    countries: tuple[str, ...]
    zones: tuple[float, ...]
    words: dict[str, tuple[str, ...]]
    domains: tuple[tuple[str, ...], ...]
    patterns: dict[str, tuple[Pattern, ...]]
    token_chars: float


def compile_pattern(line: str) -> Pattern:
    """Return the pattern of a line such as ``"The {t} is {a}."``."""
    slots: list[int] = []
    out: list[str] = []
    i = 0
    while i < len(line):
        if line[i] == "{" and i + 2 < len(line) and line[i + 2] == "}" and line[i + 1] in SLOTS:
            slots.append(SLOTS.index(line[i + 1]))
            out.append("%s")
            i += 3
        else:
            out.append("%%" if line[i] == "%" else line[i])
            i += 1
    return Pattern("".join(out), tuple(slots))


def _patterns(block: str) -> tuple[Pattern, ...]:
    return tuple(compile_pattern(line) for line in block.strip().splitlines())


@cache
def lexicon(code: str) -> Lexicon:
    """Return the lexicon of a language code of `LANGUAGE_MIX`."""
    text = (resources.files("stillwatch.simulate") / "words" / f"{code}.toml").read_text("utf-8")
    raw: dict[str, Any] = tomllib.loads(text)
    flat = (
        "statements",
        "questions",
        "follow",
        "answers",
        "role",
        "rule",
        "tail",
        "opening",
        "closing",
        "inject",
    )
    patterns = {name: _patterns(raw[name]) for name in flat}
    patterns |= {f"task.{k}": _patterns(v) for k, v in raw["task"].items()}
    patterns |= {f"form.{k}": _patterns(v) for k, v in raw["form"].items()}
    names = ("people", "coin", "facets", "traits", "acts", "units", "jobs", "tags")
    return Lexicon(
        code=raw["code"],
        join=raw["join"],
        space=raw["space"],
        countries=tuple(raw["countries"].split()),
        zones=tuple(float(z) for z in raw["zones"].split()),
        words={name: tuple(raw[name].split()) for name in names},
        domains=tuple(tuple(line.split()) for line in raw["domains"].strip().splitlines()),
        patterns=patterns,
        token_chars=4.2 if raw["space"] else 1.3,
    )
