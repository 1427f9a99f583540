"""Submissions: an envelope → versions in a collection, and the status resource that tells of it.

An envelope is one transaction: its versions, its status, its events and its quota are on the disk
together or not at all. Versions of one collection get their `date_added` under its lock, each a
microsecond after the one before at least: whoever pages by it can miss none that comes later.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import case, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from stillwatch.seal import digest
from stillwatch.share.hub.collections import Collection
from stillwatch.share.hub.conduct import HUB, Record, append_events, event, exhausted, use_up
from stillwatch.share.hub.corrections import correct
from stillwatch.share.hub.creators import (
    MOST_IDENTITIES,
    Voices,
    named,
    others_identities,
    references,
    voices_of,
)
from stillwatch.share.hub.envelopes import written
from stillwatch.share.hub.markings import (
    NOBODY,
    Audience,
    Marking,
    UnknownMarking,
    audience_of,
    marking_refs,
    marking_text,
    read_marking,
)
from stillwatch.share.hub.members import Member, pseudonym_identity
from stillwatch.share.hub.statuses import detail, finish, resource
from stillwatch.share.hub.structure import Rules, identify, spec_of
from stillwatch.share.hub.tables import AUDIENCE, COLLECTION, MARKING, RECIPIENT, VERSION
from stillwatch.share.hub.times import DAY_US, parse_timestamp, timestamp
from stillwatch.share.hub.visible import Eyes
from stillwatch.share.hub.withdrawn import Place, Withdrawn, find_withdrawn

__all__ = ["Submitted", "add_objects", "examine"]

_CHUNK: Final = 400
_STRETCHES: Final = 32
_RANDOM: Final = random.SystemRandom()
_UNVERSIONED: Final = "-"


@dataclass(frozen=True)
class Submitted:
    """One object of an envelope, after the checks that need no database."""

    stix: Mapping[str, Any]
    id: str
    spec: str
    version: int | None  # microseconds; None: STIX gives it none
    version_text: str | None
    refused: str | None
    text: str = ""
    digest: str = ""

    @property
    def place(self) -> Place:
        """Return what makes a version of one submitter the same one again."""
        key = _UNVERSIONED if self.version is None else str(self.version)
        return self.id, self.spec, key


class _Refused(Exception):
    """One object is not taken; the message is for its submitter."""


@dataclass
class _Surroundings:
    """What the database holds around the objects of one envelope, as its submitter sees it."""

    withdrawn: Withdrawn
    markings: dict[str, Marking] = field(default_factory=dict)  # stored and in the envelope
    stored_markings: set[str] = field(default_factory=set)
    owners: dict[str, int] = field(default_factory=dict)  # the first submitter of an id
    told: dict[str, str] = field(default_factory=dict)  # the version text of an id's first
    mine: dict[Place, tuple[str, str]] = field(default_factory=dict)  # digest, version text
    revoked: dict[str, int] = field(default_factory=dict)  # own ids, by when they were taken back
    here: frozenset[str] | None = None  # what may be referred to; None: anything
    fixed: frozenset[str] = frozenset()  # what is the same for all, whoever submitted it
    others: frozenset[str] = frozenset()  # identities of other members
    voices: Voices | None = None  # the identities that a member chose; None: any


@dataclass(frozen=True)
class _Envelope:
    """What was submitted, by whom and to where, inside the transaction that adds it."""

    connection: AsyncConnection
    objects: Sequence[Submitted]
    member: Member
    eyes: Eyes
    collection: Collection
    key: bytes


class _Instants:
    """When each version of an envelope is added: in order, a microsecond apart, by audience.

    Between two versions that a member sees none is missing that it does not see: those of another
    audience have a stretch of their own, and which of the stretches is drawn.
    """

    def __init__(self, start: int, most: int) -> None:
        self._start, self._most = start, most
        self._places: list[int] = []
        self._drawn = 0
        self._next: dict[str, int] = {}

    def next(self, audience: str) -> int:
        """Return the instant of the next version of an audience."""
        if audience not in self._next:
            if not self._places:
                first = self._drawn
                self._drawn += _STRETCHES
                self._places = _RANDOM.sample(range(first, self._drawn), _STRETCHES)
            self._next[audience] = self._start + self._places.pop() * self._most
        at = self._next[audience]
        self._next[audience] = at + 1
        return at


@dataclass
class _Outcome:
    successes: list[dict[str, str]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)


def examine(
    objects: Sequence[Mapping[str, Any]],
    *,
    rules: Rules,
    member: Member,
    specs: Sequence[str],
    key: bytes,
) -> list[Submitted]:
    """Return the objects of an envelope as they would be stored, with the reasons against each.

    The creator of a pseudonymous member's object is replaced before anything else looks at it.
    """
    return [_examined(stix, rules, member, specs, key) for stix in objects]


def _examined(
    given: Mapping[str, Any], rules: Rules, member: Member, specs: Sequence[str], key: bytes
) -> Submitted:
    wrong = identify(given)
    if wrong is not None:
        name = given.get("id")
        shown = name if isinstance(name, str) and name.isprintable() else ""
        return Submitted(given, shown[:300], "", None, None, wrong)
    stix = dict(given)
    if member.pseudonymous and str(stix.get("created_by_ref", "")).startswith("identity--"):
        stix["created_by_ref"] = pseudonym_identity(key, member.pseudonym)
    spec = spec_of(stix)
    stix = rules.form(stix)
    reasons = list(rules.accept(stix)) if rules.accept is not None else []
    if spec not in specs:
        reasons.append(f"This collection takes STIX {' and '.join(specs)}, not {spec}.")
    if member.pseudonymous and stix["type"] == "identity":
        reasons.append("An identity would tell who submits; the hub puts your pseudonym instead.")
    told = stix.get("modified", stix.get("created"))
    same = stix if "modified" in stix or told is None else {**stix, "modified": told}
    return Submitted(
        stix,
        stix["id"],
        spec,
        parse_timestamp(told),
        told,
        " ".join(reasons) or None,
        written(stix),
        digest(same),
    )


async def add_objects(
    connection: AsyncConnection,
    objects: Sequence[Submitted],
    *,
    identifier: str,
    member: Member,
    eyes: Eyes,
    collection: Collection,
    key: bytes,
    received: int,
    now: int,
    record: Record | None,
    fixed: Mapping[str, Mapping[str, Any]] | None = None,
    reserved: int = 0,
) -> str:
    """Add what may be added, inside the caller's transaction; return the status resource.

    ``reserved``: objects that were counted against the member's quota when the envelope came.

    Raises Refusal: 429, the member's quota is used up; the caller rolls back.

    The lock leaves the row's key free (FOR NO KEY UPDATE): the submission that was entered before
    refers to it, and two of those would wait for each other.
    """
    last = await connection.scalar(
        select(COLLECTION.c.last_added)
        .where(COLLECTION.c.pk == collection.pk)
        .with_for_update(key_share=True)
    )
    added = max(now, int(last or 0) + 1)
    envelope = _Envelope(connection, objects, member, eyes, collection, key)
    around = await _surroundings(envelope)
    if fixed is not None:
        await _demand_known(envelope, fixed, around)
    outcome, instants = _Outcome(), _Instants(added, len(objects))
    audiences: dict[str, int] = {}
    for one in objects:
        try:
            audience = _decide(one, member, collection, around)
        except _Refused as why:
            outcome.failures.append({**detail(one, added), "message": str(why)})
            continue
        if audience is None:  # the same version again: nothing changes
            # a fixed object without a version may be here by another member alone
            mine = around.mine.get(one.place, ("", around.told.get(one.id, "")))
            text = one.version_text or mine[1]
            outcome.successes.append({"id": one.id, "version": text})
            continue
        # In its place among the others, so that its submitter sees no difference
        at = instants.next(audience.key)
        if one.place in around.withdrawn.places:
            audience = Audience(NOBODY)
        if audience.key not in audiences:
            audiences[audience.key] = await _audience_key(connection, audience)
        outcome.rows.append(_row(one, at, member, collection, audiences[audience.key]))
        outcome.successes.append(detail(one, at))
        around.mine[one.place] = (one.digest, timestamp(at))
        around.told.setdefault(one.id, timestamp(at))
        if one.stix.get("revoked") is True:
            outcome.revoked.append(one.id)
            _note_revoked(around, one.id, one.version)
    await _store(connection, outcome, member, collection, around.markings)
    if around.voices is not None:
        await around.voices.keep(connection, member, collection.pk)
    made = resource(
        identifier, received, "complete", successes=outcome.successes, failures=outcome.failures
    )
    await finish(connection, identifier, made, now)
    told: dict[str, Any] = {
        "key": key,
        "member": member.pseudonym,
        "at": now,
        "collection": collection.id,
    }
    events = [_told("submit", outcome.successes, new=len(outcome.rows), **told)]
    if outcome.failures:
        events.append(_told("refuse", outcome.failures, **told))
    for name in outcome.revoked:
        reached = await correct(
            connection, collection=collection.pk, object_id=name, owner=member.pk, kind="revoked",
            at=now,
        )  # fmt: skip
        events.append(event("revoke", ids=[name], **told))
        events.append(event("notify", ids=[name], recipients=reached, **told | {"member": HUB}))
    # What is refused was examined as well; the same again costs nothing, so that a client may retry
    count = len(outcome.rows) + len(outcome.failures) - reserved
    if count:
        used, _ = await use_up(connection, member.pk, received // DAY_US, submitted=count)
        if count > 0 and used > member.objects_per_day:
            raise exhausted(now)
    await append_events(connection, events, record)
    return made


def _told(action: str, details: Sequence[Mapping[str, str]], **told: Any) -> dict[str, Any]:
    return event(action, ids=[d["id"] for d in details], count=len(details), **told)


def _decide(
    one: Submitted, member: Member, collection: Collection, around: _Surroundings
) -> Audience | None:
    """Return who may see a new version, or None where the very same one is there already.

    A fixed object is the same whoever submitted it: the rules compared it whole.

    Raises:
        _Refused: with the sentence that the submitter reads.
    """
    if not one.spec:
        raise _Refused(one.refused)
    held = around.mine.get(one.place)
    if held is not None:
        if held[0] == one.digest:  # section 5.5: an exact duplicate is no error
            return None
        raise _Refused("This version is here with other content: give it a new modified.")
    if one.refused is not None:
        raise _Refused(one.refused)
    if one.id in around.revoked and (one.version or 0) > around.revoked[one.id]:
        raise _Refused("This object was revoked, for good: make a new one (STIX 2.1, section 3.2).")
    if named(one.stix) in around.others:
        raise _Refused("This identity is another member's, and only its own may stand here.")
    if around.owners.get(one.id, member.pk) != member.pk:
        if one.id in around.fixed:
            return None
        raise _Refused("This object belongs to another member, who alone may add versions of it.")
    if around.here is not None and not references(one.stix) <= around.here:
        raise _Refused("This refers to what is not here: submit that first, or with it.")
    if one.place in around.withdrawn.places and one.id in around.withdrawn.known:
        raise _Refused("This version was withdrawn by the hub's operator.")
    audience = _marked(one, member, collection, around)
    if around.voices is not None and not around.voices.admit(named(one.stix)):
        raise _Refused(f"You speak under {MOST_IDENTITIES} identities here already: take one.")
    return audience


def _note_revoked(around: _Surroundings, name: str, version: int | None) -> None:
    around.revoked[name] = min(version or 0, around.revoked.get(name, version or 0))


def _marked(
    one: Submitted, member: Member, collection: Collection, around: _Surroundings
) -> Audience:
    """Return who may see a new version by its markings; raises _Refused."""
    try:
        if one.stix["type"] != "marking-definition":
            refs = marking_refs(one.stix)
            return audience_of(
                refs, around.markings, collection.default_tlp, owner=member.pseudonym
            )
        if one.id in around.stored_markings:
            raise _Refused("A marking definition cannot be changed: make a new one.")
        if read_marking(one.stix).recipients is not None:
            return Audience(0, ())  # a list of members is for its owner alone
        return audience_of(marking_refs(one.stix), around.markings, "clear", owner=member.pseudonym)
    except UnknownMarking as error:
        raise _Refused(str(error)) from None


def _row(
    one: Submitted, added: int, member: Member, collection: Collection, audience: int
) -> dict[str, Any]:
    return {
        "collection": collection.pk,
        "added": added,
        "object_id": one.id,
        "type": one.stix["type"],
        "spec": one.spec,
        "version": added if one.version is None else one.version,
        "version_text": one.version_text or timestamp(added),
        "version_key": one.place[2],
        "owner": member.pk,
        "audience": audience,
        "digest": one.digest,
        "body": one.text,
    }


async def _surroundings(given: _Envelope) -> _Surroundings:
    connection, member = given.connection, given.member
    places = [one.place for one in given.objects if one.spec]
    around = _Surroundings(
        await find_withdrawn(connection, given.collection.pk, given.key, places, member)
    )
    for row in await connection.execute(select(MARKING).where(MARKING.c.owner == member.pk)):
        listed = None if row.recipients is None else tuple(json.loads(row.recipients))
        around.markings[row.id] = Marking(row.tlp, listed)
    around.stored_markings |= set(around.markings)
    for one in given.objects:
        if one.refused is None and one.stix["type"] == "marking-definition":
            try:
                around.markings.setdefault(one.id, read_marking(one.stix))
            except UnknownMarking:
                continue  # it is refused where it is decided, and so is what refers to it
    names = sorted({one.id for one in given.objects if one.spec})
    v = VERSION.c
    taken_back = case((v.body.contains('"revoked":true', autoescape=True), v.body))
    columns = (
        v.object_id, v.owner, v.spec, v.version_key, v.digest, v.version_text, v.version,
        taken_back.label("taken_back"),
    )  # fmt: skip
    for i in range(0, len(names), _CHUNK):
        # What the member does not see is not there: refusals would tell of it.
        query = (
            select(*columns)
            .where(
                v.collection == given.collection.pk,
                v.object_id.in_(names[i : i + _CHUNK]),
                given.eyes.see(VERSION),
            )
            .order_by(v.added)
        )
        for row in await connection.execute(query):
            around.owners.setdefault(row.object_id, row.owner)
            around.told.setdefault(row.object_id, row.version_text)
            if row.owner == member.pk:
                place = (row.object_id, row.spec, row.version_key)
                around.mine[place] = (row.digest, row.version_text)
                if row.taken_back and json.loads(row.taken_back).get("revoked") is True:
                    _note_revoked(around, row.object_id, row.version)
    return around


async def _demand_known(
    given: _Envelope, fixed: Mapping[str, Mapping[str, Any]], around: _Surroundings
) -> None:
    """Note what an envelope may refer to and under which identities its submitter may speak."""
    around.fixed = frozenset(fixed)
    connection, member, place = given.connection, given.member, given.collection.pk
    free = [one.stix for one in given.objects if one.id not in fixed]
    others = await others_identities(connection, free, member, place, given.key)
    around.others = others - around.fixed
    around.voices = await voices_of(connection, member, place, given.key, fixed)
    around.here = around.fixed | await _referred(given)
    for name, stix in fixed.items():
        if stix["type"] == "marking-definition":
            around.markings.setdefault(name, read_marking(stix))


async def _referred(given: _Envelope) -> frozenset[str]:
    """Return which of the ids that an envelope refers to are in it, or seen by its submitter."""
    taken = [one for one in given.objects if one.refused is None]
    found = {one.id for one in taken}
    names = sorted(set().union(*(references(one.stix) for one in taken)) - found)
    for i in range(0, len(names), _CHUNK):
        query = select(VERSION.c.object_id).where(
            VERSION.c.collection == given.collection.pk,
            VERSION.c.object_id.in_(names[i : i + _CHUNK]),
            given.eyes.see(VERSION),
        )
        found |= set((await given.connection.execute(query)).scalars())
    return frozenset(found)


async def _audience_key(connection: AsyncConnection, audience: Audience) -> int:
    make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    listed = audience.recipients is not None
    await connection.execute(
        make(AUDIENCE)
        .values(key=audience.key, tier=audience.tier, listed=listed)
        .on_conflict_do_nothing()
    )
    pk = await connection.scalar(select(AUDIENCE.c.pk).where(AUDIENCE.c.key == audience.key))
    if audience.recipients:
        rows = [{"audience": pk, "pseudonym": name} for name in audience.recipients]
        await connection.execute(make(RECIPIENT).on_conflict_do_nothing(), rows)
    return int(pk or 0)


async def _store(
    connection: AsyncConnection,
    outcome: _Outcome,
    member: Member,
    collection: Collection,
    known: Mapping[str, Marking],
) -> None:
    if not outcome.rows:
        return
    await connection.execute(insert(VERSION), outcome.rows)
    await connection.execute(
        update(COLLECTION)
        .where(COLLECTION.c.pk == collection.pk)
        .values(last_added=max(row["added"] for row in outcome.rows))
    )
    stored = {row["object_id"] for row in outcome.rows if row["type"] == "marking-definition"}
    if stored:
        make: Any = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
        rows = [
            {
                "owner": member.pk,
                "id": name,
                "tlp": known[name].tlp,
                "recipients": marking_text(known[name]),
            }
            for name in sorted(stored & set(known))
        ]
        await connection.execute(make(MARKING).on_conflict_do_nothing(), rows)
