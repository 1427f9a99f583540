"""A snapshot made by hand: one campaign with a template, addresses, payments and two members."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.guard import Capacity, Guard, Orders, Request
from stillwatch.policy import Ladder
from stillwatch.schema.snapshot import (
    Action,
    Mark,
    Pursuit,
    Snapshot,
    Template,
    link_key,
    subject_key,
)

SALT = b"a salt of tests."
T0 = 1_790_000_000_000_000
HOUR = 3_600_000_000
HEAD, TAIL, BAND, EXIT = 0xA1, 0xB2, 0xC3, 0xD4
PERMIT = {
    "permit_id": "p-1", "account_id": "bad-1", "org_id": None, "plan": None,
    "methods": ["synthetic_data"], "models": ["m-1"], "max_output_tokens_per_day": 1_000,
    "valid_from_us": T0 - HOUR, "valid_until_us": T0 + 100 * HOUR,
}  # fmt: skip
SMALL = Capacity(1_000, 1_000, 1_000, 1_000)


def snapshot(ladder: Ladder | None = None, **changes: object) -> Snapshot:
    made = Snapshot(
        version=1,
        salt=SALT,
        created_us=T0,
        expires_us=T0 + 1_000 * HOUR,
        source="f" * 64,
        campaigns=(Pursuit("c-1", ("synthetic_data",), 100.0), Pursuit("c-2", (), 10.0)),
        accused={subject_key(SALT, "bad-1"): 0, subject_key(SALT, "bad-2"): 0},
        known=frozenset({subject_key(SALT, "honest-old")}),
        channels=frozenset({subject_key(SALT, "reseller")}),
        templates=(
            Template(0, ((2, HEAD, True), (7, TAIL, True)), 20, 0),
            Template(1, ((3, 0xE5, False),), 5, 5),
        ),
        marks=(
            Mark("near_text", BAND, 0, 3, 0),
            Mark("exit_prefix", EXIT, 0, 9, 3),
            Mark("payment", link_key(SALT, "payment", "card-1"), 0, 3, 0),
        ),
        ladder=(ladder or Ladder(mode="enforce")).as_dict(),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def request(account: str = "someone", at_us: int = T0, **changes: object) -> Request:
    return Request(at_us, account, **changes)  # type: ignore[arg-type]


def framed(account: str, at_us: int = T0, **changes: object) -> Request:
    """A request that carries the campaign's template, of an account made the day before."""
    changes = {"created_us": T0 - 24 * HOUR, **changes}
    frames = [0] * 11
    frames[2], frames[7] = HEAD, TAIL
    return request(account, at_us, frames=tuple(frames), **changes)


def guard(made: Snapshot | None = None, orders: Orders | None = None) -> Guard:
    return Guard(made or snapshot(), orders, capacity=SMALL)


def ordered(verdict: str, by: str | None = "R. Doe", hours: int = 10) -> Snapshot:
    """The snapshot with a person's order about c-1."""
    made = snapshot()
    action = Action(verdict, by, T0, T0 + hours * HOUR)
    return replace(made, campaigns=(replace(made.campaigns[0], action=action), made.campaigns[1]))


@pytest.fixture
def key_files(tmp_path):
    from stillwatch.seal import new_key, public_key

    private = new_key(tmp_path / "key.pem")
    return private, public_key(private)


def spend(decider, account="bad-1", count=30, at_us=T0):
    """Spend the campaign's budget of 30 (a twentieth of 100 an hour over six hours)."""
    return [decider.decide(request(account, at_us + k)) for k in range(count)]
