"""The two key holders over HTTP: pinned keys, tokens of canonical values, corroborated candidates.

A member pins each holder's public key of each month when it first sees it, and refuses another
later; `share pin` prints a digest of both, which members compare by another way. The hub's key is
also an entry of its ledger, checked by `share audit`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from stillwatch.errors import ConfigError, EvidenceError, InputError
from stillwatch.schema import write_whole
from stillwatch.seal import canonical
from stillwatch.share.client.home import Home, stamp
from stillwatch.share.legal import in_force
from stillwatch.share.match import Pinned, epoch_of, tokens

__all__ = ["Holders", "hub_client", "open_holders"]

MEDIA: Final = "application/taxii+json;version=2.1"
PINS: Final = "pins.json"
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_AT_ONCE: Final = 1_000
_ROLES: Final = ("hub", "witness")


@dataclass
class Holders:
    """Both holders as a member reaches them. Close it, or use ``with``."""

    home: Home
    http: Mapping[str, httpx.Client]

    def __enter__(self) -> Holders:
        return self

    def __exit__(self, *_: object) -> None:
        for one in self.http.values():
            one.close()

    def _ask(self, role: str, method: str, path: str, content: bytes | None = None) -> bytes:
        headers = {"Content-Type": MEDIA} if content is not None else {}
        try:
            answer = self.http[role].request(method, path, content=content, headers=headers)
        except httpx.HTTPError as error:
            raise InputError(f"cannot be reached: {type(error).__name__}", where=role) from error
        if answer.status_code == 429:
            raise InputError("the quota is used up", where=role, hint="try again tomorrow")
        if answer.status_code != 200:
            raise InputError(f"answers {answer.status_code}", where=role)
        return bytes(answer.content)

    def pins(self) -> dict[str, dict[str, str]]:
        """Return the pinned keys: by epoch, by role, in Base64."""
        file = self.home.path / PINS
        return json.loads(file.read_bytes()) if file.exists() else {}

    def pin(self) -> dict[str, str]:
        """Pin the keys in force that are new; return by epoch a digest to compare with others.

        Raises:
            EvidenceError: a holder shows another key than the one pinned: it could recognise you.
            InputError: a holder cannot be reached, or answers nonsense.
        """
        held = self.pins()
        for role in _ROLES:
            for epoch, key in _keys(self._ask(role, "GET", "match/keys/"), role).items():
                known = held.setdefault(epoch, {}).setdefault(role, key)
                if known != key:
                    raise EvidenceError(f"shows another key of {epoch} than before", where=role)
        write_whole(self.home.path / PINS, canonical(held))
        return {
            epoch: hashlib.sha256(canonical(keys)).hexdigest()[:32]
            for epoch, keys in sorted(held.items())
            if set(keys) == set(_ROLES)
        }

    def tokens(self, kind: str, values: Sequence[str], *, now: datetime) -> tuple[str, list[str]]:
        """Return this month's epoch and the values' tokens; the ledger notes how many, of a kind.

        Raises:
            ShareRefused: a kind that is not matchable, a value; no legal basis is in force.
            ConfigError: the month's keys are not pinned.
            EvidenceError: a holder's proof does not hold under its pinned key.
            InputError: a holder cannot be reached, or the quota is used up.
        """
        in_force(self.home.bases, "detection", now=now)
        epoch = epoch_of(now)
        pins = self.pins().get(epoch, {})
        if set(pins) != set(_ROLES):
            raise ConfigError("the keys are not pinned", where=epoch, hint="stillwatch share pin")

        def pinned(role: str) -> Pinned:
            return Pinned(
                lambda message: self._ask(role, "POST", "match/", message),
                base64.b64decode(pins[role]),
            )

        with self.home.ledger() as ledger:
            ledger.record({"what": "tokens", "at": stamp(now), "kind": kind, "epoch": epoch,
                           "count": len(values)})  # fmt: skip
        made = tokens(kind, values, epoch, hub=pinned("hub"), witness=pinned("witness"))
        return epoch, made

    def propose(
        self, suspected: Sequence[str], asked: Sequence[str], *, now: datetime
    ) -> list[str]:
        """Vote for templates and return those of ``asked`` that enough other members suspect.

        The hub sees tokens, and tells of no other. Templates are canonical, ``pos:len:hash``.

        Raises: as `tokens`.
        """
        names = sorted({*suspected, *asked})
        if not names:
            return []
        epoch, made = self.tokens("frame", names, now=now)
        token = dict(zip(names, made, strict=True))
        votes = [token[name] for name in sorted(set(suspected))]
        wanted = [token[name] for name in sorted(set(asked))]
        parts = [("votes", votes[i : i + _AT_ONCE]) for i in range(0, len(votes), _AT_ONCE)]
        parts += [("asked", wanted[i : i + _AT_ONCE]) for i in range(0, len(wanted), _AT_ONCE)]
        found: set[str] = set()
        for name, part in parts:
            body = canonical({"epoch": epoch, "votes": [], "asked": [], name: part})
            told = self._ask("hub", "POST", "match/candidates/", body)
            try:
                found |= set(map(str, json.loads(told)["corroborated"]))
            except (ValueError, KeyError, TypeError) as error:
                raise InputError("answers nonsense", where="hub") from error
        with self.home.ledger() as ledger:
            ledger.record({"what": "proposed", "at": stamp(now), "epoch": epoch,
                           "votes": len(votes), "asked": len(wanted),
                           "corroborated": len(found)})  # fmt: skip
        return [name for name in sorted(set(asked)) if token[name] in found]


def _keys(answer: bytes, role: str) -> dict[str, str]:
    try:
        told = json.loads(answer)
        keys = {str(epoch): str(key) for epoch, key in told["keys"].items()}
        good = all(len(base64.b64decode(key, validate=True)) == 32 for key in keys.values())
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise InputError("answers nonsense", where=role) from error
    if told.get("holder") != role or not good:
        raise InputError(f"is no holder of the {role}'s half", where=role)
    return keys


def open_holders(home: Home, *, transport: httpx.BaseTransport | None = None) -> Holders:
    """Return both holders: the hub of ``[hub]``, the witness of ``[witness]`` in share.toml.

    Raises:
        ConfigError: one is not named, or its address is not https and not on this machine.
    """
    made: dict[str, httpx.Client] = {}
    for role, settings in (("hub", home.hub), ("witness", home.witness)):
        made[role] = _client(role, settings, transport)
    return Holders(home, made)


def hub_client(home: Home) -> httpx.Client:
    """Return a client of the hub alone, with this member's token. Raises as `open_holders`."""
    return _client("hub", home.hub, None)


def _client(
    role: str, settings: Mapping[str, Any], transport: httpx.BaseTransport | None
) -> httpx.Client:
    parts = urlsplit(str(settings.get("url", "")))
    if not parts.hostname:
        raise ConfigError("has no url", where=f"share.toml [{role}]")
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise ConfigError("must be https", where=f"{role}.url")
    name = str(settings.get("token_env", ""))
    if not os.environ.get(name):
        raise ConfigError("the variable is not set", where=f"{role}.token_env")
    headers = {"Authorization": f"Bearer {os.environ[name]}", "Accept": MEDIA,
               "X-Stillwatch-Purpose": "detection"}  # fmt: skip
    base = f"{parts.scheme}://{parts.netloc}/"
    return httpx.Client(base_url=base, headers=headers, timeout=60, transport=transport,
                        follow_redirects=False)  # fmt: skip
