"""Files that are lost, unreadable, older or half written: nobody honest is acted upon for it."""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

import stillwatch.guard
from stillwatch.guard import (
    Orders,
    Service,
    Serving,
    Undo,
    write_orders,
    write_snapshot,
)
from stillwatch.guard.files import write_effects
from stillwatch.guard.kill_switch import KillSwitch
from stillwatch.guard.metrics import exposition
from stillwatch.guard.server import Chores, JsonLines
from stillwatch.policy import Ladder
from stillwatch.schema.snapshot import Action, subject_key
from stillwatch.seal import new_key

from .conftest import HOUR, SALT, SMALL, T0, ordered, request, snapshot

OFF = Orders(version=5, mode="off")
ENFORCE = Orders(version=1, mode="enforce")


@pytest.fixture
def node(tmp_path, key_files):
    """A guard that would enforce, with orders and a kill file: (service, orders, kill, key)."""
    private, public = key_files

    def make(first: Orders | None = ENFORCE, made=None):
        folder = tmp_path / "node"
        (folder / "kill").mkdir(parents=True)
        write_snapshot(folder / "snapshot.json", made or ordered("deny"), private)
        if first is not None:
            write_orders(folder / "orders.json", first, private)
        serving = Serving(
            folder / "snapshot.json", (public,), orders=folder / "orders.json",
            kill_file=folder / "kill" / "KILL", capacity=SMALL,
        )  # fmt: skip
        service = Service(serving, clock_us=lambda: T0)
        return service, serving.orders, serving.kill_file, private

    return make


def verdict(service: Service, account: str = "bad-1") -> str:
    return service.decide(request(account), "decide").verdict


def problem(service: Service, what: str) -> bool:
    """Whether readyz and the metric both say that something is wrong with a file."""
    told = what in service.ready()[1]["problems"]
    line = f'stillwatch_guard_problem{{what="{what}"}} {float(told)}'
    assert line in exposition(service).decode()
    return told


@pytest.mark.parametrize(
    "orders",
    [OFF, Orders(version=5, mode="shadow"),
     Orders(version=5, mode="enforce").with_undo(Undo("campaign", "c-1", "R. Doe", T0))],
    ids=["off", "shadow", "undo"],
)  # fmt: skip
@pytest.mark.parametrize("how", ["deleted", "garbage", "emptied", "stranger's", "a folder"])
def test_orders_that_are_lost_stay_in_use(node, tmp_path, orders, how):
    """An emergency order must not end because its file does."""
    service, path, _, key = node(orders)
    before = verdict(service)
    assert before != "deny"
    if how in ("deleted", "a folder"):
        path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how == "garbage":
        path.write_bytes(path.read_bytes()[:40])
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "stranger's":
        write_orders(path, Orders(version=9, mode="enforce"), new_key(tmp_path / "other.pem"))
    for _ in range(3):
        service.reload()
        assert verdict(service) == before
    assert problem(service, "orders")
    assert service.counts["reload_failed",] >= 1
    assert "orders.json" in str(service.problem)
    if path.is_dir():
        path.rmdir()
    write_orders(path, replace(orders, version=6, mode="enforce", undone=()), key)
    assert service.reload()
    assert not problem(service, "orders")
    assert (verdict(service) == "deny") == (not orders.undone)


def test_a_new_snapshot_is_taken_while_the_orders_are_lost_and_they_still_hold(node):
    service, path, _, key = node(OFF)
    path.unlink()
    write_snapshot(service.serving.snapshot, replace(ordered("deny"), version=2), key)
    assert service.reload()
    assert service.ready()[1]["snapshot_version"] == 2
    assert verdict(service) == "allow"
    assert problem(service, "orders")


@pytest.mark.parametrize("ladder", [None, Ladder(mode="enforce", budget_window_s=3_600)])
def test_orders_act_while_the_snapshot_does_not_hold(node, ladder):
    service, path, _, key = node()
    assert verdict(service) == "deny"
    if ladder is None:
        service.serving.snapshot.write_bytes(b"{")
    else:  # signed, but its ladder is not allowed
        wrong = {**ladder.as_dict(), "canary_percent": 300.0}
        write_snapshot(service.serving.snapshot, replace(snapshot(), version=2, ladder=wrong), key)
    write_orders(path, OFF, key)
    assert service.reload()
    assert verdict(service) == "allow"
    assert problem(service, "snapshot")
    assert service.ready()[1]["snapshot_version"] == 1


def test_what_was_let_go_stays_so_where_the_orders_are_begun_anew(node):
    undo = Undo("account", f"{subject_key(SALT, 'bad-1'):016x}", "R. Doe", T0)
    service, path, _, key = node(Orders(mode="enforce").with_undo(undo))
    write_orders(path, Orders(version=99, mode="enforce"), key)
    assert service.reload()
    assert (verdict(service), verdict(service, "bad-2")) == ("allow", "deny")


def test_an_old_copy_of_the_orders_makes_nothing_stricter(node):
    service, path, _, key = node(replace(OFF, canary_percent=0.0))
    write_orders(path, Orders(version=2, mode="enforce", canary_percent=100.0), key)
    service.reload()
    assert verdict(service) == "allow"
    assert problem(service, "orders_age")
    write_orders(path, Orders(version=6, mode="enforce", canary_percent=100.0), key)
    service.reload()
    assert verdict(service) == "deny"
    assert not problem(service, "orders_age")


def test_orders_that_are_missing_at_the_start_leave_it_in_shadow(node):
    """They may have been lost, and with them who was let go."""
    service, path, _, key = node(None)
    assert (verdict(service), service.guard.table.mode) == ("watch", "shadow")
    assert problem(service, "orders")
    write_orders(path, Orders(version=1), key)  # no mode: an undo alone switches nothing on
    service.reload()
    assert verdict(service) == "watch"
    write_orders(path, Orders(version=2, mode="enforce"), key)
    service.reload()
    assert verdict(service) == "deny"


def test_effects_that_are_missing_at_the_start_leave_it_in_shadow_until_they_come(node):
    """Whom an appeal restored is not known; a depot may bring them a moment later."""
    service, path, _, key = node()
    serving = replace(service.serving, effects=path.with_name("effects.json"))
    service = Service(serving, clock_us=lambda: T0)
    assert (verdict(service), service.guard.table.mode) == ("watch", "shadow")
    assert problem(service, "effects")
    write_orders(path, Orders(version=2, mode="enforce"), key)
    service.reload()
    assert verdict(service) == "watch"
    rows = {"at_us": 1, "actions": [], "verdicts": [], "let_go": [], "corrections": []}
    write_effects(serving.effects, rows, new_key(path.with_name("stranger.pem")))
    service.reload()
    assert verdict(service) == "watch"
    write_effects(serving.effects, rows, key)
    service.reload()
    assert (verdict(service), problem(service, "effects")) == ("deny", False)


def test_missing_orders_at_the_start_do_not_switch_on_what_is_off(node):
    made = replace(ordered("deny"), ladder=Ladder(mode="off").as_dict())
    service, _, _, _ = node(None, made)
    assert service.guard.table.mode == "off"


def test_the_kill_switch_is_on_from_the_first_request_and_only_taking_the_file_away_ends_it(node):
    service, _, kill, _ = node()
    kill.touch()
    service = Service(service.serving, clock_us=lambda: T0)
    assert verdict(service) == "allow"
    kill.unlink()
    service.reload()
    assert verdict(service) == "deny"


def test_the_kill_switch_is_told_when_it_goes_on_and_off_as_lines_of_json(node, caplog):
    service, _, kill, _ = node()
    caplog.set_level("INFO", "stillwatch.guard")
    for act in (kill.touch, service.reload, service.reload, kill.unlink, service.reload):
        act()
    lines = [json.loads(JsonLines().format(record)) for record in caplog.records]
    told = [(line["event"], line["on"], line["level"]) for line in lines if "on" in line]
    assert told == [("kill switch", True, "warning"), ("kill switch", False, "warning")]
    assert all(line["at"].endswith("+00:00") for line in lines)


@pytest.mark.parametrize("how", ["folder gone", "cannot be seen"])
def test_a_kill_file_that_can_no_longer_be_seen_stays_in_force(node, how, monkeypatch):
    service, _, kill, _ = node()
    kill.touch()
    service.reload()
    if how == "folder gone":  # a volume that is not mounted
        kill.unlink()
        kill.parent.rmdir()
    else:
        real = os.stat

        def stat(path, *more, **how):
            if str(path) == str(kill):
                raise PermissionError(13, "denied")
            return real(path, *more, **how)

        monkeypatch.setattr(os, "stat", stat)
    service.reload()
    assert verdict(service) == "allow"
    assert problem(service, "kill_file")


@pytest.mark.parametrize("thrown", [False, True])
def test_a_memory_that_cannot_be_looked_at_changes_nothing_and_is_told(
    tmp_path, monkeypatch, thrown
):
    told: dict[str, str | None] = {}
    kill, state = tmp_path / "KILL", tmp_path / "state"
    if thrown:
        kill.touch()
    switch = KillSwitch(kill, state, told.__setitem__)
    real = os.stat

    def stat(path, *more, **how):
        if str(path).startswith(str(state)):
            raise PermissionError(13, "denied")
        return real(path, *more, **how)

    monkeypatch.setattr(os, "stat", stat)
    switch.look(first=True)
    assert (switch.on, "kill_memory" in told) == (thrown, True)
    kill.unlink(missing_ok=True)
    switch.look()
    assert not switch.on, "a removal that this guard saw"


def test_a_guard_that_starts_and_cannot_see_its_kill_file_does_not_act(node):
    service, _, kill, _ = node()
    assert verdict(service) == "deny"
    kill.parent.rmdir()  # a volume that is not mounted any more: was the switch thrown?
    again = Service(service.serving, clock_us=lambda: T0)
    assert verdict(again) == "allow"
    assert problem(again, "kill_file")
    kill.parent.mkdir()
    again.reload()
    assert verdict(again) == "deny"
    assert not problem(again, "kill_file")


def test_a_chore_that_fails_is_done_again(node):
    service, path, _, key = node()
    chores = Chores(service)
    real, times = service.look, []

    def look():
        times.append(1)
        if len(times) == 1:
            raise RuntimeError("unforeseen")
        return real()

    service.look = look  # type: ignore[method-assign]
    object.__setattr__(service.serving, "reload_s", 0.01)

    async def run() -> None:
        stop = await chores.start()
        write_orders(path, OFF, key)
        for _ in range(6_000):
            await asyncio.sleep(0.01)
            if verdict(service) == "allow":
                break
        await stop()

    asyncio.run(run())
    assert verdict(service) == "allow"
    assert service.counts["chore_failed",] == 1


def test_a_roll_back_acts_on_nobody_whom_an_appeal_or_a_person_let_go_since(node):
    """It is of what a scan found, in a hurry: nobody thinks of last night's appeal."""
    old = ordered("deny")
    free = Action("allow", "Cy", T0, T0 + 10 * HOUR)
    one, two = (subject_key(SALT, name) for name in ("bad-1", "bad-2"))
    third = {**old.accused, subject_key(SALT, "bad-3"): 0}
    old = replace(old, accused=third)
    newer = replace(old, version=2, restored=frozenset({one}), ordered={two: free})
    service, _, _, key = node(made=newer)
    assert {verdict(service, name) for name in ("bad-1", "bad-2")} == {"allow"}
    write_snapshot(service.serving.snapshot, old, key)
    assert service.reload()
    assert service.ready()[1]["snapshot_version"] == 1
    assert {verdict(service, name) for name in ("bad-1", "bad-2")} == {"allow"}
    assert verdict(service, "bad-3") == "deny"
    write_snapshot(service.serving.snapshot, replace(old, version=3), key)
    assert service.reload()  # a compile that accuses them anew says so itself
    assert verdict(service, "bad-1") == "deny"


def test_a_snapshot_that_ends_while_it_is_served_is_a_problem(node):
    service, *_ = node(made=replace(ordered("deny"), expires_us=T0 + HOUR))
    service.reload()
    assert not problem(service, "expiry")
    service.clock_us = lambda: T0 + HOUR
    service.reload()
    assert problem(service, "expiry")
    assert service.ready()[0] is False
    assert "compile it anew" in service.problem


def test_a_clock_that_is_behind_the_snapshots_is_a_problem(node):
    service, *_ = node(made=replace(ordered("deny"), created_us=T0 + HOUR))
    assert problem(service, "clock")
    service.clock_us = lambda: T0 + HOUR
    service.reload()
    assert not problem(service, "clock")


def test_every_problem_has_its_metric(node):
    """One that is not listed would page nobody."""
    service, *_ = node()
    text = exposition(service).decode()
    for path in Path(stillwatch.guard.__file__).parent.glob("*.py"):
        for what in re.findall(r'(?:_wrong|_told)\("([a-z_]+)"|problems\["([a-z_]+)"\]',
                               path.read_text("utf-8")):  # fmt: skip
            assert f'problem{{what="{what[0] or what[1]}"}}' in text, path.name
