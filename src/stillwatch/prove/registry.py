"""What was fixed before it could be known: a hash chain of commitments, each entry signed.

Entries are of five kinds: ``plan`` (marks, campaigns, the seed's digest), ``nonce`` (public
randomness that the coins are drawn with), ``planted`` (under which legal basis, which facts a
campaign was given), ``suspect`` (model, base, prompts, scoring code, kind of score, looks) and
``score``. :meth:`Registry.committed` is where scoring asks whether it may begin:

1. the plan was entered before the suspect;
2. a nonce, where there is one, was entered after its plan and before anything was planted;
3. the facts that a campaign was given were entered before the suspect;
4. the suspect was entered with these prompts, this base, this kind of score and this very code;
5. no entry is older than the one before it.

What it cannot show by itself: that the whole file was not written anew. Give its head away
(:attr:`Registry.head`), and ask :meth:`Registry.standing` what stood when it was given.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from importlib.resources import files
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.errors import EvidenceError, InputError
from stillwatch.prove.marks import Plan
from stillwatch.schema import locked
from stillwatch.seal import Link, append, canonical, digest, open_sealed, seal, verify_chain

__all__ = ["Asked", "Committed", "Registry", "code_digest"]

_KIND: Final = "canary-registry-entry"
_SCORING: Final = (
    ("stillwatch.prove", "canary.py"),
    ("stillwatch.prove", "likelihood.py"),
    ("stillwatch.prove", "marks.py"),
    ("stillwatch.prove", "registry.py"),
    ("stillwatch.prove", "responses.py"),
    ("stillwatch.prove", "tracing.py"),
    ("stillwatch.stats", "coins.py"),
)


def code_digest() -> str:
    """Return the digest of the files that score canaries, as installed."""
    return digest({n: digest((files(room) / n).read_bytes()) for room, n in _SCORING})


@dataclass(frozen=True)
class Asked:
    """What is fixed of a suspect before it is asked; ``base`` is empty where there is none."""

    suspect: str
    base: str
    prompts_digest: str
    by: str

    def entry(self) -> dict[str, str]:
        """Return what an entry must say to allow this score."""
        return {**asdict(self), "code_digest": code_digest()}


@dataclass(frozen=True)
class Committed:
    """What the registry had fixed when the suspect was entered.

    ``given``: for a campaign of which it was entered, the facts that it was given. ``nonce``:
    public randomness, and ``source`` whose. ``legal_basis``: what marks were planted under.
    """

    registered_at: datetime
    nonce: bytes | None
    source: str
    given: Mapping[str, frozenset[str]]
    legal_basis: tuple[str, ...]


class Registry:
    """A JSON-lines file of DSSE envelopes; it is only ever added to."""

    def __init__(self, path: Path, keys: Sequence[Ed25519PublicKey]) -> None:
        """Read and verify the whole registry; an absent file is an empty one.

        Raises:
            EvidenceError: an entry is not signed by one of the keys, does not follow, or is older
                than the one before it.
            InputError: the file cannot be read.
        """
        self._path = path
        self._keys = list(keys)
        self._links = self._read()

    def _read(self) -> list[Link]:
        links = []
        try:
            lines = self._path.read_bytes().splitlines() if self._path.exists() else []
        except OSError as error:
            raise InputError("cannot be read", where=self._path.name) from error
        for number, line in enumerate(lines, 1):
            try:
                link = Link(**json.loads(open_sealed(line, _KIND, self._keys)))
                datetime.fromisoformat(link.value["at"])
                links.append(link)
            except (EvidenceError, TypeError, ValueError, KeyError) as error:
                raise EvidenceError(
                    "not an entry signed by a trusted key", where=f"{self._path.name}:{number}"
                ) from error
        verify_chain(links)
        for before, after in pairwise(links):
            if _at(after.value) < _at(before.value):
                raise EvidenceError(
                    "is older than the entry before it",
                    where=f"{self._path.name}:{after.number + 1}",
                )
        return links

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Return what the entries say, oldest first."""
        return [dict(link.value) for link in self._links]

    @property
    def head(self) -> str:
        """Return the digest that stands for all entries; keep it elsewhere, or publish it."""
        return self._links[-1].own if self._links else digest(b"")

    def standing(self, published: str) -> int:
        """Return how many entries stood when their head was given away.

        Raises:
            EvidenceError: the chain never had that head: it is another registry, or written anew.
        """
        for link in self._links:
            if link.own == published:
                return link.number + 1
        raise EvidenceError("the chain never had the head that was kept", where=self._path.name)

    def enter(
        self, kind: str, value: Mapping[str, Any], key: Ed25519PrivateKey, now: datetime
    ) -> str:
        """Add an entry, on the disk before this returns, and return the new head.

        Raises:
            EvidenceError: the key is not one that this registry is read with, or the clock is
                behind the last entry: either would leave a file that nobody can read.
        """
        if not any(key.public_key() == known for known in self._keys):
            raise EvidenceError("the key is not the registry's own", where=self._path.name)
        said = {"kind": kind, "at": now.isoformat(), **value}
        with locked(self._path):
            self._links = self._read()  # somebody may have added to it meanwhile
            if self._links and now < _at(self._links[-1].value):
                raise EvidenceError(
                    "the clock is behind the last entry", where=self._path.name, hint="set it"
                )
            link = append(said, self._links[-1] if self._links else None)
            envelope = seal(canonical(asdict(link)), _KIND, [key])
            with self._path.open("ab") as file:
                file.write(canonical(envelope) + b"\n")
                file.flush()
                os.fsync(file.fileno())
        self._links.append(link)
        return link.own

    def plan_place(self, plan: Plan) -> int:
        """Return the number of a plan's first entry.

        Raises:
            EvidenceError: the plan was never entered: its marks could have been chosen afterwards.
        """
        wanted = plan.plan_digest
        for place, entry in enumerate(self.entries):
            if entry["kind"] == "plan" and entry["plan_digest"] == wanted:
                return place
        raise EvidenceError(
            "the plan was not registered",
            where=self._path.name,
            hint="marks count only from a plan that was registered before they were planted",
        )

    def planted(self, plan: Plan, before: int | None = None) -> list[dict[str, Any]]:
        """Return the entries of what was planted of a plan, up to an entry."""
        return self._of_plan("planted", plan, before)

    def nonce(self, plan: Plan, before: int | None = None) -> tuple[bytes | None, str]:
        """Return the public randomness that a plan's coins are drawn with, and its source."""
        for entry in self._of_plan("nonce", plan, before):
            return bytes.fromhex(entry["nonce"]), entry["source"]
        return None, ""

    def _of_plan(self, kind: str, plan: Plan, before: int | None = None) -> list[dict[str, Any]]:
        wanted = plan.plan_digest
        return [
            e for e in self.entries[:before] if e["kind"] == kind and e["plan_digest"] == wanted
        ]

    def committed(self, plan: Plan, asked: Asked) -> Committed:
        """Return what was fixed for a score, if all of it was fixed in time.

        Raises:
            EvidenceError: a rule of the module's list is broken; the message says which.
        """
        first = self.plan_place(plan)
        wanted = asked.entry()
        known = [
            (place, entry)
            for place, entry in enumerate(self.entries)
            if entry["kind"] == "suspect" and entry["suspect"] == asked.suspect
        ]
        hint = "stillwatch prove canary register --suspect NAME --prompts F, before it is asked"
        if not known:
            raise EvidenceError("the suspect was not registered", where=self._path.name, hint=hint)
        fits = [(p, e) for p, e in known if all(e.get(k) == v for k, v in wanted.items())]
        if not fits:
            last = known[-1][1]
            other = ", ".join(_MEANT[k] for k, v in wanted.items() if last.get(k) != v)
            raise EvidenceError(
                f"the suspect was registered with another {other}",
                where=self._path.name,
                hint=hint,
            )
        place, entry = fits[0]
        if place < first:
            raise EvidenceError(
                "the plan was registered after the suspect: its marks could be chosen to fit",
                where=self._path.name,
                hint="register the suspect again and ask it anew",
            )
        nonce, source = self.nonce(plan, place)
        planted = self.planted(plan, place)
        given: dict[str, set[str]] = {}
        for row in planted:
            if row.get("campaign"):
                given.setdefault(row["campaign"], set()).update(row["facts"])
        return Committed(
            _at(entry),
            nonce,
            source,
            {campaign: frozenset(marks) for campaign, marks in given.items()},
            tuple(dict.fromkeys(row["legal_basis"] for row in planted)),
        )

    def tests(self) -> int:
        """Return the comparisons: campaigns of all plans times the looks at all suspects.

        Looks are those planned, or those taken with this one if more. A score that was not
        entered is not counted; enter every one.
        """
        plans = {e["plan_digest"]: int(e["campaigns"]) for e in self.entries if e["kind"] == "plan"}
        planned = sum(int(e["looks"]) for e in self.entries if e["kind"] == "suspect")
        taken = len([e for e in self.entries if e["kind"] == "score"])
        return max(1, sum(plans.values())) * max(1, planned, taken + 1)


_MEANT: Final = {
    "base": "base",
    "prompts_digest": "prompts file",
    "by": "kind of score",
    "code_digest": "scoring code",
}


def _at(entry: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"])
