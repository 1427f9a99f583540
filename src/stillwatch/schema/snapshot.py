"""What the guard decides by: one signed, versioned file that a scan's run directory becomes.

Identifiers are keyed 64-bit hashes; no text and no name of a customer stands in it. The salt lies
in the file: it keeps identifiers out of logs and dumps, it does not hide them from whoever holds
both the file and a list of accounts.
"""

from __future__ import annotations

import base64
import hashlib
import sys
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from typing import Any, Final

from stillwatch.errors import SchemaError
from stillwatch.schema.words import TEMPLATE_LENGTHS

__all__ = [
    "EVIDENCE",
    "SLOTS",
    "SNAPSHOT_KIND",
    "Action",
    "Ground",
    "Mark",
    "Pursuit",
    "Seed",
    "Snapshot",
    "Template",
    "keyed_permit",
    "link_key",
    "org_key",
    "snapshot_from_payload",
    "snapshot_payload",
    "subject_key",
]

FORMAT: Final = 1
SNAPSHOT_KIND: Final = "guard-snapshot"
SLOTS: Final[tuple[tuple[str, int], ...]] = (
    *(("head", n) for n in TEMPLATE_LENGTHS),
    *(("tail", n) for n in TEMPLATE_LENGTHS),
    ("system", 0),
)
# Bits of the evidence that a request can show; the names are kinds of LINK_KINDS, and the burst.
EVIDENCE: Final[dict[str, int]] = {
    name: 1 << bit
    for bit, name in enumerate(
        ("frame", "near_text", "exit_prefix", "client", "retry", "payment", "device", "phone",
         "email", "handoff", "blob_replay", "signup_burst")
    )
}  # fmt: skip


def _hash(salt: bytes, kind: bytes, *parts: str) -> int:
    h = hashlib.blake2b(kind, digest_size=8, key=salt)
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        h.update(len(data).to_bytes(4, "little"))
        h.update(data)
    return int.from_bytes(h.digest(), "little") or 1


def subject_key(salt: bytes, account_id: str, end_user_id: str | None = None) -> int:
    """Return the 64-bit key of an account, or of one end user of a channel account; never 0.

    What a channel account sends without naming an end user is its own: no end user and an empty one
    give the account's key. This is the only place that says so.

    *Error*: two of a million accounts share a key with probability 3e-8; a provider's own ids
    cannot be chosen to collide without the salt.
    """
    if not end_user_id:
        return _hash(salt, b"a", account_id)
    return _hash(salt, b"u", account_id, end_user_id)


def org_key(salt: bytes, account_id: str, org_id: str | None) -> int:
    """Return the 64-bit key of an organization; an account without one is its own."""
    return _hash(salt, b"o", org_id) if org_id else _hash(salt, b"s", account_id)


def link_key(salt: bytes, kind: str, value: str) -> int:
    """Return the 64-bit key of a value that accounts can share: payment, device, phone, email."""
    return _hash(salt, b"l", kind, value)


def keyed_permit(salt: bytes, permit: Mapping[str, Any]) -> dict[str, Any]:
    """Return a permit's fields with keys, as 16 hexadecimal digits, for account and organization.

    ``*``, every organization, stays.
    """
    account, org = permit["account_id"], permit["org_id"]
    return {
        **permit,
        "account_id": f"{subject_key(salt, account):016x}" if account else None,
        "org_id": f"{org_key(salt, '', org):016x}" if org and org != "*" else org,
    }


@dataclass(frozen=True)
class Action:
    """What a person or the configuration decided about a campaign, and until when.

    ``relaxes_us``: when an appeal that is open by then turns it into ``relaxes_to`` by itself.
    """

    verdict: str
    by: str | None
    at_us: int
    expires_us: int
    relaxes_us: int | None = None
    relaxes_to: str = "watch"


@dataclass(frozen=True)
class Pursuit:
    """One accused campaign as the guard pursues it.

    ``rate_per_h``: requests of its accused in the run, over a day at least. ``burst_us``: the time,
    from and to, in which half of its accused and few others were created; None where there is none.
    ``begun_us``: when the run saw it first; 0 in snapshots of before that was asked.
    """

    campaign_id: str
    methods: tuple[str, ...]
    rate_per_h: float
    action: Action | None = None
    burst_us: tuple[int, int] | None = None
    begun_us: int = 0


@dataclass(frozen=True)
class Template:
    """A frame of a campaign: ``nodes`` are (slot, hash, needs company).

    A request carries it when nodes of two positions match, or one that needs no company.
    ``inside`` core members carried it in the run, ``outside`` others; of these ``elsewhere``, a
    few at most, never came from an address of the campaign's.
    """

    campaign: int
    nodes: tuple[tuple[int, int, bool], ...]
    inside: int
    outside: int
    elsewhere: int = 0


@dataclass(frozen=True)
class Mark:
    """A value that a campaign's members share: near_text, exit_prefix, client, payment …"""

    kind: str
    value: int
    campaign: int
    inside: int
    outside: int


@dataclass(frozen=True)
class Seed:
    """A conversation or blob that a member had in the run: ``kind`` handoff or blob_replay."""

    kind: str
    value: int
    org: int
    campaign: int
    ts_us: int


@dataclass(frozen=True)
class Ground:
    """What an ownership answer rests on: ``citation``, the id of all of it, empty where there is
    none; ``words``, the policies and rules alone; ``proof``, the digest of what it follows from,
    the same on every day on which that is so, empty in snapshots of before there was one. No owner
    and no holding is named here."""

    citation: str
    words: str
    proof: str = ""


@dataclass(frozen=True)
class Snapshot:
    """All that the guard knows. ``version`` rises; ``known`` are keys of accounts judged clear.

    ``ordered``: subject → what people decided about it alone; it stands above its campaign's
    action. ``restored``: accounts of upheld appeals, about which no campaign says anything.
    ``eased``: (account, its ``access``, the answer's proof) → the most that is done about that
    answer, where an appeal or a person made it less; an empty proof stands for any. ``cited``:
    account → the place in ``grounds`` of what its ``access`` rests on.
    """

    version: int
    salt: bytes
    created_us: int
    expires_us: int
    source: str
    campaigns: tuple[Pursuit, ...]
    accused: Mapping[int, int]
    ordered: Mapping[int, Action] = field(default_factory=dict)
    restored: frozenset[int] = frozenset()
    known: frozenset[int] = frozenset()
    channels: frozenset[int] = frozenset()
    access: Mapping[int, str] = field(default_factory=dict)
    eased: Mapping[tuple[int, str, str], Action] = field(default_factory=dict)
    grounds: tuple[Ground, ...] = ()
    cited: Mapping[int, int] = field(default_factory=dict)
    templates: tuple[Template, ...] = ()
    marks: tuple[Mark, ...] = ()
    seeds: tuple[Seed, ...] = ()
    permits: tuple[Mapping[str, Any], ...] = ()
    ladder: Mapping[str, Any] = field(default_factory=dict)

    def ground_of(self, account: int) -> Ground | None:
        """Return what an account's ownership answer rests on; None where that is not known."""
        place = self.cited.get(account)
        return None if place is None else self.grounds[place]


def _pack(values: Iterable[int]) -> str:
    packed = array("Q", values)
    if sys.byteorder == "big":
        packed.byteswap()
    return base64.b64encode(packed.tobytes()).decode("ascii")


def _unpack(text: str) -> array[int]:
    packed = array("Q")
    packed.frombytes(base64.b64decode(text, validate=True))
    if sys.byteorder == "big":
        packed.byteswap()
    return packed


def snapshot_payload(snapshot: Snapshot) -> dict[str, Any]:
    """Return the JSON value of a snapshot; equal snapshots give equal values."""
    accused = sorted(snapshot.accused.items())
    cited = sorted(snapshot.cited.items())
    words = sorted({g.words for g in snapshot.grounds})
    place = {text: number for number, text in enumerate(words)}
    return {
        "format": FORMAT,
        "version": snapshot.version,
        "salt": snapshot.salt.hex(),
        "created_us": snapshot.created_us,
        "expires_us": snapshot.expires_us,
        "source": snapshot.source,
        "campaigns": [
            {
                "campaign_id": c.campaign_id,
                "methods": list(c.methods),
                "rate_per_h": c.rate_per_h,
                "action": None if c.action is None else list(astuple(c.action)),
                "burst_us": None if c.burst_us is None else list(c.burst_us),
                "begun_us": c.begun_us,
            }
            for c in snapshot.campaigns
        ],
        "accused": [_pack(k for k, _ in accused), _pack(c for _, c in accused)],
        "ordered": [[f"{k:016x}", *astuple(a)] for k, a in sorted(snapshot.ordered.items())],
        "restored": _pack(sorted(snapshot.restored)),
        "known": _pack(sorted(snapshot.known)),
        "channels": _pack(sorted(snapshot.channels)),
        "access": {
            word: _pack(sorted(k for k, v in snapshot.access.items() if v == word))
            for word in sorted(set(snapshot.access.values()))
        },
        "eased": [
            [f"{k:016x}", word, *astuple(a), proof]
            for (k, word, proof), a in sorted(snapshot.eased.items())
        ],
        "ground_words": words,
        "grounds": [[g.citation, place[g.words], g.proof] for g in snapshot.grounds],
        "cited": [_pack(k for k, _ in cited), _pack(n for _, n in cited)],
        "templates": [
            [
                t.campaign,
                [[s, f"{h:016x}", c] for s, h, c in t.nodes],
                t.inside,
                t.outside,
                t.elsewhere,
            ]
            for t in snapshot.templates
        ],
        "marks": [
            [m.kind, f"{m.value:016x}", m.campaign, m.inside, m.outside] for m in snapshot.marks
        ],
        "seeds": [
            [s.kind, f"{s.value:016x}", f"{s.org:016x}", s.campaign, s.ts_us]
            for s in snapshot.seeds
        ],
        "permits": [dict(p) for p in snapshot.permits],
        "ladder": dict(snapshot.ladder),
    }


def snapshot_from_payload(value: Any, *, where: str = "snapshot") -> Snapshot:
    """Return the snapshot of a JSON value.

    Raises:
        SchemaError: another format, a missing field, a reference to a campaign that is not there.
    """
    try:
        if value["format"] != FORMAT:
            raise SchemaError(
                f"format {value['format']!r}, expected {FORMAT}",
                where=where, hint="compile it with the version of stillwatch that reads it",
            )  # fmt: skip
        snapshot = _read(value)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError) as error:
        raise SchemaError(
            f"not a snapshot ({type(error).__name__})",
            where=where, hint="compile it again: stillwatch guard compile",
        ) from error  # fmt: skip
    count = len(snapshot.campaigns)
    named = [t.campaign for t in snapshot.templates] + [m.campaign for m in snapshot.marks]
    if not all(0 <= c < count for c in [*named, *snapshot.accused.values()]):
        raise SchemaError("names a campaign that it does not hold", where=where)
    if not all(n < len(snapshot.grounds) for n in snapshot.cited.values()):
        raise SchemaError("cites a ground that it does not hold", where=where)
    return snapshot


def _read(value: Mapping[str, Any]) -> Snapshot:
    keys, campaigns = value["accused"]
    words = value.get("ground_words", ())
    citing, grounds = value.get("cited", ("", ""))
    return Snapshot(
        version=int(value["version"]),
        salt=bytes.fromhex(value["salt"]),
        created_us=int(value["created_us"]),
        expires_us=int(value["expires_us"]),
        source=str(value["source"]),
        campaigns=tuple(
            Pursuit(
                str(c["campaign_id"]), tuple(c["methods"]), float(c["rate_per_h"]),
                None if c["action"] is None else Action(*c["action"]),
                None if c["burst_us"] is None else (int(c["burst_us"][0]), int(c["burst_us"][1])),
                int(c.get("begun_us", 0)),
            )
            for c in value["campaigns"]
        ),
        accused=dict(zip(_unpack(keys), _unpack(campaigns), strict=True)),
        # Snapshots of before there were these, and grounds, hold none of them.
        ordered={int(k, 16): Action(*action) for k, *action in value.get("ordered", ())},
        restored=frozenset(_unpack(value.get("restored", ""))),
        known=frozenset(_unpack(value["known"])),
        channels=frozenset(_unpack(value["channels"])),
        access={k: word for word, keys in value["access"].items() for k in _unpack(keys)},
        # Of before there were proofs, they are left out.
        eased={
            (int(k, 16), str(w), "".join(a[6:])): Action(*a[:6])
            for k, w, *a in value.get("eased", ())
        },
        grounds=tuple(Ground(str(c), words[n], *p) for c, n, *p in value.get("grounds", ())),
        cited=dict(zip(_unpack(citing), _unpack(grounds), strict=True)),
        templates=tuple(
            # Of before it was told who is elsewhere, they have two numbers.
            Template(int(c), tuple((int(s), int(h, 16), bool(n)) for s, h, n in nodes), *counts)
            for c, nodes, *counts in value["templates"]
        ),
        marks=tuple(Mark(k, int(v, 16), int(c), i, o) for k, v, c, i, o in value["marks"]),
        seeds=tuple(
            Seed(k, int(v, 16), int(g, 16), int(c), int(t)) for k, v, g, c, t in value["seeds"]
        ),
        permits=tuple(value["permits"]),
        ladder=dict(value["ladder"]),
    )  # fmt: skip
