"""What the guard's commands join: runs, keys, snapshots, orders."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from stillwatch.cases import (
    Compiled,
    compile_snapshot,
    erase_subjects,
    read_judgement,
    salt_of,
)
from stillwatch.enrich import read_ownership, read_permits
from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.guard import (
    erase_from_state,
    read_snapshot,
    write_snapshot,
)
from stillwatch.policy import (
    Ladder,
    ladder_from_mapping,
    permits_from_rows,
    read_ladder,
    verdict_of_access,
)
from stillwatch.schema import VERDICTS, from_micros, locked, to_micros, write_whole
from stillwatch.schema.snapshot import Action, Ground, Snapshot, org_key, subject_key
from stillwatch.seal import public_key, read_private_key, read_public_key
from stillwatch.store import open_run

__all__ = [
    "compile_run",
    "roll_back",
    "told_of",
]  # fmt: skip

_OLD_EFFECTS_H: Final = 24
_MOST_HOURS: Final = 87_600  # ten years


def _now() -> datetime:
    return datetime.now(UTC)


def compile_run(
    run: Path, *, key: Path, out: Path, ladder: Path | None, permits: Path | None,
    effects: Path | None, orders: list[str], by: str | None, action_hours: float,
    valid_hours: float, version: int | None, ownership: Path | None = None,
) -> Compiled:  # fmt: skip
    """Compile a run, keep the snapshot that was there, write the new one. Raises as its parts."""
    asked = [(valid_hours, "--valid-hours"), *[(action_hours, "--action-hours")][: len(orders)]]
    for hours, where in asked:
        if not 0 < hours <= _MOST_HOURS:
            raise ConfigError(
                "what is valid for no time at all, or without end, acts on nobody or for ever",
                where=where, hint=f"give hours above 0, {_MOST_HOURS:,} at most",
            )  # fmt: skip
    private = read_private_key(key)
    now = _now()
    with locked(out):
        before = _one_before(out, private)
        made = compile_snapshot(
            open_run(run),
            now=now,
            salt=salt_of(private),
            version=version or (before.version + 1 if before else 1),
            ladder=read_ladder(ladder) if ladder else Ladder(),
            valid=timedelta(hours=valid_hours),
            permits=permits_from_rows(read_permits(permits).to_pylist()) if permits else (),
            actions=_actions(orders, by, now, action_hours),
            judged=read_judgement(effects) if effects else None,
            grounds=None if ownership is None else _grounds(ownership),
        )
        if before is not None:
            write_whole(out.with_name(f"{out.name}.previous"), out.read_bytes())
        write_snapshot(out, made.snapshot, private)
    return made._replace(before=before)


def _one_before(out: Path, key: Ed25519PrivateKey) -> Snapshot | None:
    """Return the snapshot that is to be replaced. Raises as `read_snapshot`, and says what to do:
    guards go on with what they have, so that a broken file is no reason to wait."""
    if not out.exists():
        return None
    try:
        return read_snapshot(out, [public_key(key)])
    except EvidenceError as error:
        raise EvidenceError(
            error.message, where=str(out),
            hint="move it aside and compile again, with --version above what /readyz says",
        ) from error  # fmt: skip


def _grounds(ownership: Path) -> dict[str, tuple[str, Ground]]:
    """Return of each owner the access and what it rests on, as a table of answers has them."""
    found = {}
    for row in read_ownership(ownership).to_pylist():
        day = f" as of {row['as_of']:%Y-%m-%d}" if row["as_of"] else ""
        words = row["rules"] or "an answer of the ownership table"
        # A table that was made elsewhere: the day apart, its words are all that is known.
        proof = row["proof"] or hashlib.sha256(words.encode()).hexdigest()[:32]
        ground = Ground(row["citation"] or "", f"{words}{day}", proof)
        found[row["owner_entity_id"]] = (row["access"], ground)
    return found


def told_of(made: Compiled, effects: Path | None) -> Iterator[str]:
    """Yield sentences on a compiled snapshot, and on what of the cases it does not carry out."""
    snapshot = made.snapshot
    yield (
        f"{len(snapshot.campaigns)} campaigns, {made.accused:,} accused, {made.templates} "
        f"templates, mode {snapshot.ladder['mode']} unless orders give another."
    )
    ends = [permit["valid_until_us"] for permit in snapshot.permits]
    over = sum(end is not None and end <= snapshot.created_us for end in ends)
    if over:
        yield f"Of {len(ends):,} permits {over:,} have ended and allow nothing."
    if snapshot.access:
        known = sum(bool(snapshot.grounds[n].citation) for n in snapshot.cited.values())
        yield (
            f"Ownership answers act on {len(snapshot.access):,} accounts; of {known:,} a citation "
            "says what they rest on."
        )
    held = ladder_from_mapping(snapshot.ladder)
    refuses = {verdict_of_access(word, held) for word in snapshot.access.values()}
    if not held.appeal_to and refuses & {"deny", "step_up"}:
        yield "They refuse, and tell nobody how to object: set appeal_to in the ladder."
    if made.before is not None:
        yield from _left_out(made.before, snapshot, effects)
    if effects is None:
        return
    at_us = read_judgement(effects).at_us
    if at_us:
        age = from_micros(snapshot.created_us) - from_micros(at_us)
        hours = age.total_seconds() / 3600
        when = f"{from_micros(at_us):%Y-%m-%d %H:%M} UTC"
        yield f"What the cases say was written {hours:.1f} h ago, at {when}."
        if hours > _OLD_EFFECTS_H:
            yield "It may miss who was let go or restored since: write it anew with case effects."
    yield (
        f"People decided about {len(snapshot.ordered):,} subjects; "
        f"{len(snapshot.restored):,} accounts were restored by appeals."
    )
    if made.let_go:
        yield f"Let go by a person, and not in it: {', '.join(made.let_go)}."
    if made.unmatched_actions or made.unmatched_accounts:
        names = ", ".join(made.unmatched_actions) or "none"
        yield (
            f"Not carried out, since this run does not accuse them: decisions on campaigns "
            f"({names}) and on {made.unmatched_accounts:,} accounts. After another scan, open the "
            "cases anew."
        )


def _actions(orders: list[str], by: str | None, now: datetime, hours: float) -> dict[str, Action]:
    if orders and not by:
        raise ConfigError(
            "an order takes a name", where="--by", hint="give the name of who decides"
        )
    found = {}
    at = to_micros(now)
    for order in orders:
        campaign, _, verdict = order.partition(":")
        if verdict not in VERDICTS or verdict == "allow":
            raise ConfigError(
                "no verdict",
                where="--order",
                hint=f"CAMPAIGN:VERDICT with {', '.join(VERDICTS[1:])}",
            )
        found[campaign] = Action(verdict, by, at, at + int(hours * 3.6e9))
    return found


def roll_back(snapshot: Path) -> None:
    """Exchange a snapshot and its predecessor. Raises ConfigError where there is none.

    At every moment both exist under one name or another; one that was killed half-way is ended.
    """
    previous = snapshot.with_name(f"{snapshot.name}.previous")
    aside = snapshot.with_name(f"{snapshot.name}.swap")
    with locked(snapshot):
        if aside.is_file():
            if previous.exists():
                aside.unlink()
            else:
                aside.replace(previous)
        if not (snapshot.is_file() and previous.is_file()):
            raise ConfigError("there is no snapshot before it", where=str(previous))
        os.link(snapshot, aside)
        previous.replace(snapshot)
        aside.replace(previous)


def _left_out(before: Snapshot, now: Snapshot, effects: Path | None) -> Iterator[str]:
    """Yield what the snapshot before held and this one was compiled without."""
    if before.permits and not now.permits:
        yield f"The one before held {len(before.permits):,} permits, this one none: --permits."
    if before.grounds and not now.grounds:
        yield "The one before cited what ownership answers rest on, this one does not: --ownership."
    judged = len(before.ordered) + len(before.restored) + len(before.eased)
    if judged and effects is None:
        yield (
            f"The one before knew {judged:,} outcomes of decisions and appeals, this one none: who "
            "was let go may be acted on again. Give --effects."
        )
    changed = [name for name in before.ladder if now.ladder.get(name) != before.ladder[name]]
    if changed:
        yield f"Settings that differ from the one before: {', '.join(sorted(changed))} (--ladder)."


def erase_from_guard(
    snapshot: Path, trust: list[Path], logs: list[Path], states: list[Path], account: str,
    end_users: list[str],
) -> Iterator[str]:  # fmt: skip
    """Remove an account from decision logs, state folders and the snapshot before this one.

    Yields what was done. Raises as `read_snapshot`: the salt of the keys is in the snapshot.
    """
    salt = read_snapshot(snapshot, [read_public_key(path) for path in trust]).salt
    keys = {subject_key(salt, account, user) for user in (None, *end_users)}
    for log in logs:
        yield f"{erase_subjects(log, keys):,} lines removed from {log}."
    for folder in states:
        count = erase_from_state(folder, keys, org_key(salt, account, None))
        yield f"{count:,} records removed from {folder}; a guard that runs holds them in memory."
    previous = snapshot.with_name(f"{snapshot.name}.previous")
    if previous.exists():
        previous.unlink()
        yield f"{previous} removed: there is nothing to roll back to until the next compile."
