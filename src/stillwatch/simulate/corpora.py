"""The registry of prompt corpora: what each is, where to get it, what its licence allows.

Input: ``corpora.toml`` and a data folder. Output: their texts, by language. Nothing is fetched and
nothing of a corpus is part of stillwatch.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq

from stillwatch.errors import ConfigError

__all__ = ["SPLITS", "Corpus", "Texts", "known_corpora", "read_texts"]

SPLITS: Final = ("development", "held_out")
_LONGEST: Final = 2_000  # characters of one text that a request takes
_MOST: Final = 1_500  # texts of one corpus, so that none drowns the others


@dataclass(frozen=True)
class Corpus:
    """One corpus. ``fit``: weights that are shipped may be fitted on it."""

    name: str
    path: str
    use: str
    split: str
    fit: bool
    languages: tuple[str, ...]
    licence: str
    source: str

    @property
    def used(self) -> bool:
        """Whether worlds take texts from it: what tuning sees must allow weights to be fitted."""
        return self.fit or self.split == "held_out"

    def found(self, folder: Path | None) -> bool:
        return folder is not None and (folder / self.path).is_file()


@dataclass(frozen=True)
class Texts:
    """Texts of one split by language; every language that is absent is left to the grammar.

    ``items``: of evaluations, in English; ``rendered``: corpus → whole generation prompts, in
    English.
    """

    split: str
    prompts: dict[str, list[str]]
    answers: dict[str, list[str]]
    systems: dict[str, list[str]]
    items: list[str]
    rendered: dict[str, list[str]]


@cache
def known_corpora() -> tuple[Corpus, ...]:
    """Return all corpora of the registry, sorted by split and name."""
    text = (resources.files("stillwatch.simulate") / "corpora.toml").read_text("utf-8")
    found = [
        Corpus(name, **(values | {"languages": tuple(values["languages"])}))
        for name, values in tomllib.loads(text).items()
    ]
    return tuple(sorted(found, key=lambda c: (c.split, c.name)))


def read_texts(folder: Path, split: str) -> Texts:
    """Return the texts of a split's corpora under ``folder``, one of whose corpora may be missing.

    The development split is what weights are tuned on: only corpora that allow it are read.

    Raises ConfigError where none of them is there.
    """
    chosen = [c for c in known_corpora() if c.used and c.split == split and c.found(folder)]
    if not any(c.use == "payload" for c in chosen):
        raise ConfigError(
            f"no corpus of the split {split} is there",
            where=str(folder),
            hint="`stillwatch corpora` lists them and where to get them",
        )
    texts = Texts(split, {}, {}, {}, [], {})
    for corpus in chosen:
        _read(folder / corpus.path, corpus, texts)
    return texts


def _read(path: Path, corpus: Corpus, texts: Texts) -> None:
    columns = pq.read_table(path, columns=["messages", "lang"]).to_pydict()
    step = max(1, len(columns["lang"]) // _MOST)
    for messages, lang in list(zip(columns["messages"], columns["lang"], strict=True))[::step]:
        said = {"user": "", "assistant": "", "system": ""}
        for message in messages:
            role, content = message["role"], (message["content"] or "").strip()
            if not said.get(role, "-"):
                said[role] = content[:_LONGEST]
        code = lang if lang in corpus.languages else corpus.languages[0]
        if corpus.use == "rendered":
            if said["user"]:
                texts.rendered.setdefault(corpus.name, []).append(said["user"])
            continue
        if corpus.use == "template":
            system = said["system"] or said["user"]
            texts.systems.setdefault(code, []).append(system)
            continue
        if corpus.use == "evaluation":
            texts.items.append(said["user"])
            continue
        if said["user"]:
            texts.prompts.setdefault(code, []).append(said["user"])
        if said["assistant"]:
            texts.answers.setdefault(code, []).append(said["assistant"])
