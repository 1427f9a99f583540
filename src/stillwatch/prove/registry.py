"""What was fixed before it could be chosen: a hash chain of commitments, each entry signed.

Entries are of four kinds: ``plan`` (marks, campaigns, the seed's digest), ``suspect`` (the model,
the prompts' digest, the scoring code's digest, the looks planned), ``planted`` (under which legal
basis, from when) and ``score``. Scoring refuses a plan or suspect that was not entered before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.errors import EvidenceError, InputError
from stillwatch.prove.marks import Plan
from stillwatch.seal import Link, append, canonical, digest, open_sealed, seal, verify_chain

__all__ = ["Registry", "code_digest"]

_KIND: Final = "canary-registry-entry"
_SCORING: Final = ("canary.py", "marks.py", "responses.py")


def code_digest() -> str:
    """Return the digest of the files that score canaries, as installed."""
    here = files(__package__)
    return digest({name: digest((here / name).read_bytes()) for name in _SCORING})


class Registry:
    """A JSON-lines file of DSSE envelopes; it is only ever added to."""

    def __init__(self, path: Path, keys: list[Ed25519PublicKey]) -> None:
        """Read and verify the whole registry; an absent file is an empty one.

        Raises:
            EvidenceError: an entry is not signed by one of the keys, or does not follow.
            InputError: the file cannot be read.
        """
        self._path = path
        self._links: list[Link] = []
        try:
            lines = path.read_bytes().splitlines() if path.exists() else []
        except OSError as error:
            raise InputError("cannot be read", where=path.name) from error
        for number, line in enumerate(lines, 1):
            try:
                value = json.loads(open_sealed(line, _KIND, keys))
                self._links.append(Link(**value))
            except (EvidenceError, TypeError, ValueError) as error:
                raise EvidenceError(
                    "not an entry signed by a trusted key", where=f"{path.name}:{number}"
                ) from error
        verify_chain(self._links)

    @property
    def entries(self) -> list[dict[str, Any]]:
        """Return what the entries say, oldest first."""
        return [dict(link.value) for link in self._links]

    @property
    def head(self) -> str:
        """Return the digest that stands for all entries; keep it elsewhere, or publish it."""
        return self._links[-1].own if self._links else digest(b"")

    def enter(
        self, kind: str, value: Mapping[str, Any], key: Ed25519PrivateKey, now: datetime
    ) -> str:
        """Add an entry, on the disk before this returns, and return the new head."""
        said = {"kind": kind, "at": now.isoformat(), **value}
        link = append(said, self._links[-1] if self._links else None)
        envelope = seal(canonical(asdict(link)), _KIND, [key])
        with self._path.open("ab") as file:
            file.write(canonical(envelope) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._links.append(link)
        return link.own

    def plan_entry(self, plan: Plan) -> dict[str, Any]:
        """Return the entry of a plan.

        Raises:
            EvidenceError: the plan was never entered: its marks could have been chosen afterwards.
        """
        wanted = digest(plan.to_json())
        for entry in self.entries:
            if entry["kind"] == "plan" and entry["plan_digest"] == wanted:
                return entry
        raise EvidenceError(
            "the plan was not registered",
            where=self._path.name,
            hint="marks count only from a plan that was registered before they were planted",
        )

    def suspect_entry(self, suspect: str, prompts_digest: str) -> dict[str, Any]:
        """Return the entry of a suspect, its prompts and the scoring code.

        Raises:
            EvidenceError: it was never entered, with other prompts, or for another scoring code.
        """
        found = [e for e in self.entries if e["kind"] == "suspect" and e["suspect"] == suspect]
        for entry in found:
            if entry["prompts_digest"] == prompts_digest and entry["code_digest"] == code_digest():
                return entry
        raise EvidenceError(
            "the suspect was registered with other prompts or another scoring code"
            if found
            else "the suspect was not registered",
            where=self._path.name,
            hint="stillwatch prove canary register --suspect NAME --prompts F, before it is asked",
        )

    def registered_at(self, suspect: str, prompts_digest: str) -> datetime:
        """Return when a suspect was first entered with these prompts, whatever the scoring code.

        Raises:
            EvidenceError: it never was.
        """
        for entry in self.entries:
            if (
                entry["kind"] == "suspect"
                and entry["suspect"] == suspect
                and entry["prompts_digest"] == prompts_digest
            ):
                return datetime.fromisoformat(entry["at"])
        raise EvidenceError("the suspect was not registered", where=self._path.name)

    def looks(self) -> int:
        """Return the looks over all suspects: those planned, or those taken with this one if more.

        A score that was not entered is not counted; enter every one.
        """
        planned = sum(int(e["looks"]) for e in self.entries if e["kind"] == "suspect")
        taken = len([e for e in self.entries if e["kind"] == "score"])
        return max(1, planned, taken + 1)
