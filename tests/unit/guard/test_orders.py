"""Orders: an undo holds whoever signs it, nothing gets stricter by accident, two people at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from stillwatch.cases import salt_of
from stillwatch.cli.app import run as command
from stillwatch.cli.ordering import Wanted, order_undo
from stillwatch.guard import (
    Orders,
    Service,
    Serving,
    Undo,
    read_orders,
    undo_value,
    write_orders,
    write_snapshot,
)
from stillwatch.guard.orders import orders_from_payload, orders_payload
from stillwatch.policy import Ladder
from stillwatch.schema import Judgement
from stillwatch.schema.snapshot import Action, subject_key
from stillwatch.seal import new_key, public_key, read_private_key, read_public_key

from .conftest import HOUR, SALT, SMALL, T0, guard, ordered, request, snapshot

BAD = Undo("account", undo_value(SALT, "bad-1"), "R. Doe", T0)
LADDER = Ladder(mode="enforce")


def verdict(orders: Orders, account: str = "bad-1", made=None) -> str:
    return guard(made or ordered("deny"), orders).decide(request(account)).verdict


# Whoever signs it


@pytest.fixture
def told(capsys):
    """Run a command of `guard` with the second key; return its exit code and what it says."""

    def tell(folder, *args: str) -> tuple[int, str]:
        keyed = ["guard", *args, "--orders", str(folder / "o.json"), "--key",
                 str(folder / "b.pem"), "--trust", str(folder / "a.pem.pub")]  # fmt: skip
        code = command(keyed)
        said = capsys.readouterr()
        return code, " ".join((said.out + said.err).split())

    return tell


@pytest.fixture
def two(tmp_path):
    """A guard that trusts two keys, its snapshot signed and salted by the first."""
    a, b = new_key(tmp_path / "a.pem"), new_key(tmp_path / "b.pem")
    made = ordered("deny")
    users = {subject_key(salt_of(a), name, user): 0 for name, user in
             (("bad-1", None), ("bad-2", None), ("shop", "u-1"), ("shop", "u-2"))}  # fmt: skip
    made = replace(made, salt=salt_of(a), accused=users,
                   channels=frozenset({subject_key(salt_of(a), "shop")}))  # fmt: skip
    write_snapshot(tmp_path / "s.json", made, a)
    write_orders(tmp_path / "o.json", Orders(version=1, mode="enforce"), a)
    serving = Serving(tmp_path / "s.json", (public_key(a), public_key(b)),
                      orders=tmp_path / "o.json", capacity=SMALL)  # fmt: skip
    return Service(serving, clock_us=lambda: T0), tmp_path


def asked(service: Service, *who: str) -> str:
    service.reload()
    user = who[1] if len(who) > 1 else None
    return service.decide(request(who[0], end_user_id=user), "decide").verdict


def test_an_undo_signed_with_another_trusted_key_holds(two, told):
    service, folder = two
    assert asked(service, "bad-1") == "deny"
    assert told(folder, "undo", "--account", "bad-1", "--by", "R. Doe")[0] == 0
    assert (asked(service, "bad-1"), asked(service, "bad-2")) == ("allow", "deny")
    assert not service.problems


def test_an_undo_of_an_end_user_holds_for_that_one_alone(two, told):
    service, folder = two
    assert told(folder, "undo", "--account", "shop", "--end-user", "u-1", "--by", "R")[0] == 0
    assert (asked(service, "shop", "u-1"), asked(service, "shop", "u-2")) == ("allow", "deny")
    assert told(folder, "undo", "--account", "bad-1", "--end-user", "x", "--by", "R")[0] == 0
    assert asked(service, "bad-1", "x") == "deny"  # no channel: what it claims frees nobody


def test_an_undo_that_meets_nobody_is_told(two, told):
    _, folder = two
    for args, said in (
        (("--account", "bad-9"), "nothing against that account"),
        (("--account", "bad-1", "--end-user", "u-1"), "as no channel"),
        (("--campaign", "c-9"), "no campaign c-9"),
        (("--account", "bad-1"), ""),
        (("--campaign", "c-1"), ""),
    ):
        more = ("--by", "R", "--snapshot", str(folder / "s.json"))
        code, output = told(folder, "undo", *args, *more)
        assert (code, "The snapshot" in output) == (0, bool(said))
        assert said in output


def test_an_undo_written_before_undos_had_a_salt_still_holds():
    old = {"format": 1, "version": 3, "mode": None, "canary_percent": None,
           "undone": [["account", f"{subject_key(SALT, 'bad-1'):016x}", "R. Doe", T0]]}  # fmt: skip
    assert verdict(orders_from_payload(old)) == "allow"
    assert verdict(orders_from_payload(old), "bad-2") == "deny"


# Nothing gets stricter by accident


def test_orders_begun_anew_by_an_undo_switch_nothing_on(two, told):
    """The ladder enforces, the orders had said shadow, and their file is lost."""
    service, folder = two
    write_orders(folder / "o.json", Orders(version=5, mode="shadow", canary_percent=1.0),
                 read_private_key(folder / "a.pem"))  # fmt: skip
    assert asked(service, "bad-1") == "watch"
    (folder / "o.json").unlink()
    assert asked(service, "bad-1") == "watch"
    _, output = told(folder, "undo", "--account", "somebody", "--by", "R. Doe")
    assert "stand in shadow" in output
    assert asked(service, "bad-1") == "watch"
    assert asked(Service(service.serving, clock_us=lambda: T0), "bad-1") == "watch"
    assert told(folder, "mode", "enforce")[0] == 0
    assert asked(service, "bad-1") != "deny"  # the canary of 1 % is held on to
    assert told(folder, "mode", "enforce", "--canary", "100")[0] == 0
    assert asked(service, "bad-1") == "deny"


def test_newer_orders_that_say_nothing_of_mode_and_canary_keep_them():
    held = Orders(version=5, mode="shadow", canary_percent=1.0)
    after = Orders(version=6).after(held, LADDER)
    assert (after.mode, after.canary_percent, after.version) == ("shadow", 1.0, 6)


@pytest.mark.parametrize(
    ("older", "held", "ladder", "expected"),
    [
        (Orders(1, "enforce"), Orders(2), Ladder(mode="shadow"), ("shadow", 100.0)),
        (Orders(1), Orders(2, "shadow"), LADDER, ("shadow", 100.0)),
        (Orders(1, "off"), Orders(2), LADDER, ("off", 100.0)),
        (Orders(1, "enforce", 100.0), Orders(2, "enforce", 5.0), LADDER, ("enforce", 5.0)),
        (Orders(1, "enforce", 5.0), Orders(2, "enforce", 100.0), LADDER, ("enforce", 5.0)),
        (Orders(1, "enforce", 100.0), Orders(2), Ladder(mode="enforce", canary_percent=10.0),
         ("enforce", 10.0)),
    ],
)  # fmt: skip
def test_older_orders_make_nothing_stricter(older, held, ladder, expected):
    after = older.after(held, ladder)
    assert (after.mode, after.canary_percent) == expected


def test_undo_since_takes_back_what_the_cases_decided_in_the_snapshot_and_after_it():
    deny = Action("deny", "R. Doe", T0, T0 + 90 * HOUR)
    in_it = snapshot(ordered={subject_key(SALT, "bad-1"): deny}, created_us=T0 - HOUR)
    undo = Orders().with_undo(Undo("since", str(T0 - 5), "R. Doe", T0 + 5))
    before = Orders().with_undo(Undo("since", str(T0 + 1), "R. Doe", T0 + 5))
    assert (verdict(undo, made=in_it), verdict(before, made=in_it)) == ("allow", "deny")
    plain = snapshot(created_us=T0 - HOUR)
    fresh = Judgement(verdicts={"bad-1": deny}, at_us=T0)
    for orders, expected in ((undo, "allow"), (before, "deny")):
        decider = guard(plain)
        decider.load(plain, orders, fresh)
        assert decider.decide(request("bad-1")).verdict == expected


# Withdrawing


def test_an_undo_can_be_withdrawn_and_taken_back_again(two, told):
    service, folder = two
    name = ("undo", "--account", "bad-1", "--by", "R. Doe")
    assert told(folder, *name, "--withdraw")[0] == 1  # nothing to withdraw
    for more, expected in (((), "allow"), (("--withdraw",), "deny"), ((), "allow")):
        assert told(folder, *name, *more)[0] == 0
        assert asked(service, "bad-1") == expected


@pytest.mark.parametrize("skew_us", [-60_000_000, 0, 60_000_000])
def test_the_last_word_holds_whosever_clock_is_ahead(skew_us):
    undone = Orders().with_undo(BAD)
    again = replace(BAD, at_us=T0 + skew_us)
    withdrawn = undone.without_undo(again)
    assert (verdict(undone), verdict(withdrawn)) == ("allow", "deny")
    assert verdict(withdrawn.with_undo(again)) == "allow"
    read = orders_from_payload(orders_payload(withdrawn.with_undo(again)))
    assert read == withdrawn.with_undo(again)


def test_a_withdrawal_holds_in_newer_orders_and_an_old_copy_withdraws_nothing():
    undone = Orders(version=5).with_undo(BAD)
    assert verdict(undone.without_undo(BAD).after(undone, LADDER)) == "deny"
    assert verdict(Orders(version=99).after(undone.without_undo(BAD), LADDER)) == "deny"
    stale = replace(undone.without_undo(BAD), version=1)
    assert verdict(stale.after(undone, LADDER)) == "allow"
    assert verdict(undone.after(undone.without_undo(BAD), LADDER)) == "deny"


# Two people at once


def test_undos_of_several_people_at_once_are_all_kept(two):
    _, folder = two
    names = [f"a{k}" for k in range(6)]

    def undo(name: str) -> None:
        order_undo(folder / "o.json", folder / "a.pem", "R. Doe", Wanted(account=name))

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(undo, names))
    orders = read_orders(folder / "o.json", [read_public_key(folder / "a.pem.pub")])
    assert len(orders.in_force) == 6
    assert orders.version == 7


def test_rolling_back_ends_what_was_killed_half_way(tmp_path):
    from stillwatch.cli.guarding import roll_back

    key = new_key(tmp_path / "k.pem")
    file = tmp_path / "s.json"
    previous, swap = tmp_path / "s.json.previous", tmp_path / "s.json.swap"
    write_snapshot(file, ordered("deny"), key)
    new = file.read_bytes()
    previous.write_bytes(b"old")
    (tmp_path / "s.json.part").write_bytes(b"cut")
    for left in ("nothing", "before", "between"):
        if left == "before":  # killed after the first of three steps
            swap.write_bytes(new)
        elif left == "between":  # killed after the second: what was in use is aside
            previous.replace(file)
            swap.write_bytes(new)
            roll_back(file)
            assert (file.read_bytes(), previous.read_bytes()) == (new, b"old")
        roll_back(file)
        assert (file.read_bytes(), previous.read_bytes()) == (b"old", new)
        roll_back(file)
        assert (file.read_bytes(), previous.read_bytes()) == (new, b"old")
    assert not swap.exists()
