"""A snapshot as look-up tables: built once, never changed, swapped whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, NamedTuple

from stillwatch.guard.orders import Orders
from stillwatch.policy import Ladder, Permit, ladder_from_mapping, verdict_of_access
from stillwatch.schema import VERDICTS, Judgement
from stillwatch.schema.snapshot import (
    EVIDENCE,
    SLOTS,
    Action,
    Mark,
    Snapshot,
    link_key,
    org_key,
    subject_key,
)

__all__ = ["OWN", "RANK", "Asked", "Node", "Table"]

RANK: Final = {verdict: rank for rank, verdict in enumerate(VERDICTS)}
# Kinds that nobody else can make true of an account (design, section 5, point 5).
OWN: Final = sum(
    EVIDENCE[k]
    for k in ("payment", "device", "phone", "email", "handoff", "blob_replay", "signup_burst")
)
_DAY_US: Final = 86_400_000_000
_POSITION: Final = {"head": 1, "tail": 2, "system": 4}


class Node(NamedTuple):
    """One hash of a template: which template, at which position, and whether it speaks alone."""

    template: int
    position: int
    alone: bool


class Asked(NamedTuple):
    """What an ownership answer asks for; ``citation``: the id of what it rests on, or empty."""

    verdict: str
    reasons: tuple[str, ...]
    citation: str


class Table:
    """What ``Guard`` looks up. ``marks`` holds every hash of text and address at once.

    One membership test over it tells nearly every honest request from the rest. Campaigns go by
    ``numbers``, which rise over all snapshots that a guard loads: what was seen keeps its sense.
    A scan names a campaign by its exchanges, so that one which grew has another id: it goes on
    under the number that its accounts had in the tables ``before``, or every scan would give it a
    budget that nobody has spent and forget who joined it.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        orders: Orders,
        numbers: dict[str, int],
        judged: Judgement | None = None,
        before: Table | None = None,
    ) -> None:
        self.snapshot = snapshot
        self.ladder: Ladder = ladder_from_mapping(snapshot.ladder)
        self.mode = orders.mode or self.ladder.mode
        percent = orders.canary_percent
        self.canary = self.ladder.canary_percent if percent is None else percent
        self.salt = snapshot.salt
        self.numbers = numbers
        place = _placed(snapshot, numbers, before)
        self.pursuits = dict(zip(place, snapshot.campaigns, strict=True))
        moved = place != list(range(len(place)))
        self.accused: Mapping[int, int] = (
            {k: place[c] for k, c in snapshot.accused.items()} if moved else snapshot.accused
        )
        self.templates = tuple(replace(t, campaign=place[t.campaign]) for t in snapshot.templates)
        self.seeds = tuple(replace(s, campaign=place[s.campaign]) for s in snapshot.seeds)
        self.known = snapshot.known
        self.restored = snapshot.restored
        self.channels = snapshot.channels
        self.access = snapshot.access
        self.fresh: dict[int, Action] = {}
        self.eased: dict[tuple[int, str, str], Action] = dict(snapshot.eased)
        self._judge(judged or Judgement())
        self._undo(orders, frozenset((judged or Judgement()).let_go))
        self.nodes: tuple[dict[int, list[Node]], ...] = tuple({} for _ in SLOTS)
        for number, template in enumerate(self.templates):
            for slot, value, company in template.nodes:
                node = Node(number, _POSITION[SLOTS[slot][0]], not company)
                self.nodes[slot].setdefault(value, []).append(node)
        self.shared: dict[str, dict[int, Mark]] = {}
        for mark in snapshot.marks:
            placed = replace(mark, campaign=place[mark.campaign])
            self.shared.setdefault(mark.kind, {})[mark.value] = placed
        self.bands = self.shared.get("near_text", {})
        self.prefixes = self.shared.get("exit_prefix", {})
        self.clients = self.shared.get("client", {})
        self.links = {k: v for k, v in self.shared.items() if EVIDENCE[k] & OWN}
        self.marks = frozenset(
            [h for slot in self.nodes for h in slot] + [*self.bands, *self.prefixes]
        )
        self._place_permits()

    def subject(self, account_id: str, end_user_id: str | None) -> int:
        """Return the key of what is judged: the account, or one end user of a channel account."""
        key = subject_key(self.salt, account_id)
        if end_user_id and key in self.channels:
            return subject_key(self.salt, account_id, end_user_id)
        return key

    def who(self, account_id: str, end_user_id: str | None) -> tuple[int, int]:
        """Return the keys of what is judged and of the account; they differ for end users alone."""
        key = subject_key(self.salt, account_id)
        if end_user_id and key in self.channels:
            return subject_key(self.salt, account_id, end_user_id), key
        return key, key

    def is_channel(self, account_id: str) -> bool:
        """Return whether an account is a channel for many end users."""
        return subject_key(self.salt, account_id) in self.channels

    def is_undone(
        self, kind: str, account_id: str, end_user_id: str | None, subject: int, account: int
    ) -> bool:
        """Return whether a person took back what was decided, of it or of its channel account.

        ``kind``: *account* for what campaigns and cases ask, *access* for the ownership answer.
        ``subject`` and ``account``: their keys, as `who` gives them.
        """
        if kind == "account" and not self.undone_subjects.isdisjoint((subject, account)):
            return True
        for salt, keys in self._undone[kind].items():
            if subject_key(salt, account_id) in keys:
                return True
            if subject != account and subject_key(salt, account_id, end_user_id) in keys:
                return True
        return False

    def is_restored(self, subject: int, account: int) -> bool:
        """Return whether an appeal restored an account; its end users are restored with it."""
        return subject in self.restored or account in self.restored

    def ease(self, account: int, ts_us: int) -> tuple[str, str] | None:
        """Return the most that is done about an account's ownership answer, and why; None where the
        cases say nothing of this very answer: of one that follows from something else they do not.
        """
        word, ground = self.access.get(account, ""), self.snapshot.ground_of(account)
        action = self.eased.get((account, word, ground.proof if ground else ""))
        if action is None:
            action = self.eased.get((account, word, ""))
        if action is None or ts_us >= action.expires_us:
            return None
        if action.relaxes_us is None:
            why = "a person took it back" if action.by else "an appeal was not decided in time"
            return action.verdict, why
        if ts_us >= action.relaxes_us:
            return action.relaxes_to, "an appeal was not decided in time"
        return None

    def access_verdict(self, subject: int, account: int) -> Asked:
        """Return the verdict that ownership answers ask for, why, and the citation.

        The answer is about who owns the account, so it holds for all that goes through it: a
        restricted owner is not served by naming end users. What is only possible or undetermined
        holds back the account's own requests; its end users cannot clear it up, and so get no more
        than the ladder's ``access_end_users``.
        """
        access = self.access.get(account)
        if access is None:
            return Asked("allow", (), "")
        verdict = verdict_of_access(access, self.ladder)
        why = f"ownership policy: access is {access}"
        if subject != account:
            why = f"ownership policy: access of the account it comes through is {access}"
            if access != "restricted":
                verdict = min(verdict, self.ladder.access_end_users, key=RANK.__getitem__)
        ground = self.snapshot.ground_of(account)
        if ground is None:
            return Asked(verdict, (why,), "")
        return Asked(verdict, (why, ground.words), ground.citation)

    def org(self, account_id: str, org_id: str | None) -> int:
        """Return the key of the organization."""
        return org_key(self.salt, account_id, org_id)

    def link(self, kind: str, value: str) -> Mark | None:
        """Return the mark of a payment, device, telephone or mail hash that members share."""
        held = self.links.get(kind)
        return held.get(link_key(self.salt, kind, value)) if held else None

    def shares(self, links: Mapping[str, str]) -> bool:
        """Return whether one of these payments, devices … is one that members share."""
        return any(self.link(kind, value) is not None for kind, value in links.items())

    def exclusive(self, inside: int, outside: int) -> bool:
        """Return whether as good as nobody but core members carried a value in the run."""
        return inside >= self.ladder.exclusive_share * (inside + outside)

    def is_established(self, campaign: int, created_us: int) -> bool:
        """Return whether an account was there long before a campaign, or may have been."""
        days = self.ladder.established_days
        begun = self.pursuits[campaign].begun_us or self.snapshot.created_us
        return days > 0 and created_us < begun - days * _DAY_US

    def in_canary(self, subject: int) -> bool:
        """Return whether a subject is enforced upon; the same subjects at every restart."""
        return subject % 10_000 < self.canary * 100

    def action(self, campaign: int, subject: int, account: int, ts_us: int) -> tuple[str, str]:
        """Return the verdict asked for a subject, else for its campaign, and why that one.

        What the cases said since the snapshot stands above what it holds. A rung that takes a
        person falls to throttle without one; an action that has lapsed asks
        for nothing.
        """
        action: Action | None = self.fresh.get(account) or self.snapshot.ordered.get(subject)
        if action is None:
            action = self.pursuits[campaign].action
        if action is None:
            verdict, by, why = self.ladder.verdict, None, "by configuration"
        elif ts_us >= action.expires_us:
            return "watch", "the action has lapsed"
        elif action.relaxes_us is not None and ts_us >= action.relaxes_us:
            verdict, by, why = action.relaxes_to, action.by, "an appeal was not decided in time"
        else:
            verdict, by = action.verdict, action.by
            why = "ordered by a person" if by else "ordered by a rule"
        if verdict in self.ladder.person_for and not by:
            return "throttle", f"{verdict} takes a named person"
        return verdict, why

    def permit(self, account_id: str, org_id: str | None, plan: str | None) -> tuple[Permit, ...]:
        """Return the permits that speak of an account."""
        if not self.snapshot.permits:
            return ()
        account = f"{subject_key(self.salt, account_id):016x}"
        org = f"{org_key(self.salt, '', org_id):016x}" if org_id else None
        held = self._by_account.get(account, ()) + self._by_org.get(org or "", ())
        held += self._by_org.get("*", ())
        return tuple(p for p in held if p.names(account, org, plan))

    def _place_permits(self) -> None:
        self._by_account: dict[str, tuple[Permit, ...]] = {}
        self._by_org: dict[str, tuple[Permit, ...]] = {}
        for row in self.snapshot.permits:
            values: Any = {k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}
            permit = Permit(**values)
            place = self._by_account if permit.account_id else self._by_org
            key = permit.account_id or permit.org_id or ""
            place[key] = (*place.get(key, ()), permit)

    def _judge(self, judged: Judgement) -> None:
        """Take in what the cases say: whom they restored and let go in any case, a verdict only
        where it was written after the snapshot was made, which may know of later ones. An appeal
        that was open then, and is not told of any more, was rejected: its time eases nothing."""
        newer = judged.at_us > self.snapshot.created_us
        if newer:
            self.eased = {k: a for k, a in self.eased.items() if a.relaxes_us is None}
        for (name, word, proof), action in judged.eased.items():
            key = (subject_key(self.salt, name), word, proof)
            if newer or key not in self.eased:
                self.eased[key] = action
        for (account, word, _), action in list(self.eased.items()):
            ground = self.snapshot.ground_of(account)
            if ground is None or not ground.proof:  # which answer it is cannot be told
                self.eased.setdefault((account, word, ""), action)
        self.restored |= {subject_key(self.salt, a) for a in judged.restored}
        self.fresh = {
            subject_key(self.salt, account): action
            for account, action in judged.verdicts.items()
            if newer or action.verdict == "allow"
        }

    def _undo(self, orders: Orders, let_go: frozenset[str]) -> None:
        undos = orders.in_force
        gone = {u.value for u in undos if u.kind == "campaign"}
        # A campaign that is named anew stays undone; the cases say by themselves whom they let go.
        carried = {self.numbers[name] for name in gone if name in self.numbers}
        gone |= let_go
        self._undone_spans = tuple((int(u.value), u.at_us) for u in undos if u.kind == "since")
        self._undone: dict[str, dict[bytes, set[int]]] = {"account": {}, "access": {}}
        for undo in undos:
            if undo.kind in self._undone:
                salt, key = undo.salt_and_key
                self._undone[undo.kind].setdefault(salt or self.salt, set()).add(key)
        self.undone_subjects = frozenset(
            [k for k, a in self.snapshot.ordered.items() if self.undone_at(a.at_us)]
            + [k for k, a in self.fresh.items() if self.undone_at(a.at_us)]
        )
        for pursuit in self.snapshot.campaigns:
            if self.undone_at(pursuit.action.at_us if pursuit.action else self.snapshot.created_us):
                gone.add(pursuit.campaign_id)
        self.undone_campaigns = frozenset(
            k for k, pursuit in self.pursuits.items() if pursuit.campaign_id in gone or k in carried
        )

    @property
    def undone_spans(self) -> tuple[tuple[int, int], ...]:
        """From and to, in microseconds, of the times of which everything is taken back."""
        return self._undone_spans

    def undone_at(self, decided_us: int) -> bool:
        """Return whether what was decided then has been taken back since."""
        return any(since <= decided_us <= at for since, at in self._undone_spans)


def _placed(snapshot: Snapshot, numbers: dict[str, int], before: Table | None) -> list[int]:
    """Return the number of each campaign, and enter new ones; no two of a snapshot share one."""
    heirs = _heirs(snapshot, numbers, before) if before is not None else {}
    place: list[int] = []
    for k, campaign in enumerate(snapshot.campaigns):
        number = numbers.get(campaign.campaign_id, heirs.get(k))
        if number is None or number in place:
            number = max(numbers.values(), default=-1) + 1
        numbers[campaign.campaign_id] = number
        place.append(number)
    return place


def _heirs(snapshot: Snapshot, numbers: Mapping[str, int], before: Table) -> dict[int, int]:
    """Return place of a campaign with an unknown id → the number of the one that it carries on.

    They share at least half of the smaller one's accused; of several the one that shares most. Only
    campaigns that the snapshot no longer names are carried on, each by one.
    """
    ids = [c.campaign_id for c in snapshot.campaigns]
    fresh = {k for k, name in enumerate(ids) if name not in numbers}
    gone = set(before.pursuits) - {numbers[name] for name in ids if name in numbers}
    if not (fresh and gone):
        return {}
    old = before.accused
    shared = Counter(
        (k, number) for who, k in snapshot.accused.items() if (number := old.get(who, -1)) in gone
    )
    sizes, were = Counter(snapshot.accused.values()), Counter(old.values())
    found: dict[int, int] = {}
    for (k, number), count in sorted(shared.items(), key=lambda item: (-item[1], item[0])):
        kin = 2 * count >= min(sizes[k], were[number])
        if k in fresh and kin and k not in found and number not in found.values():
            found[k] = number
    return found
