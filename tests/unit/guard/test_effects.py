"""Effects of cases act on a running guard without a compile: whom a person let go, at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.errors import SchemaError
from stillwatch.guard import Guard, Service, Serving, write_snapshot
from stillwatch.guard.files import write_effects
from stillwatch.schema import judgement_of
from stillwatch.schema.snapshot import subject_key

from .conftest import HOUR, SALT, SMALL, T0, framed, ordered, request, snapshot


def effects(at_us=T0 + HOUR, **parts):
    empty = {"verdicts": [], "let_go": [], "actions": [], "corrections": [], "labels": [],
             "let_go_campaigns": [], "at_us": at_us}  # fmt: skip
    return {**empty, **parts}


def row(account, verdict="deny", by="Ada", until=T0 + 99 * HOUR):
    return {"account_id": account, "verdict": verdict, "by": by, "at_us": T0, "expires_us": until}


def campaign(name, until=T0 + 99 * HOUR):
    return {"campaign_id": name, "expires_us": until, "core": []}


def guard(held, made=None) -> Guard:
    return Guard(made or ordered("deny"), capacity=SMALL, judged=judgement_of(held, where="e"))


def test_a_restored_account_is_let_alone_whatever_it_shows():
    decider = guard(effects(corrections=[{"account_id": "bad-1"}]))
    asked = framed("bad-1", T0, links={"payment": "card-1"})
    assert decider.decide(asked).verdict == "allow"
    assert decider.decide(request("bad-2")).verdict == "deny"


def test_an_undone_decision_allows_until_it_would_have_ended():
    decider = guard(effects(let_go=[row("bad-1", until=T0 + 2 * HOUR)]))
    assert decider.decide(request("bad-1", T0 + HOUR)).verdict == "allow"
    assert decider.decide(request("bad-1", T0 + 2 * HOUR)).verdict == "watch"


def test_a_campaign_that_was_let_go_touches_nobody():
    decider = guard(effects(let_go_campaigns=[campaign("c-1")]))
    for account in ("bad-1", "bad-2"):
        assert decider.decide(request(account)).verdict == "allow"
    joiner = framed("late", T0, links={"payment": "card-1"})
    assert decider.decide(joiner).verdict == "allow"


@pytest.mark.parametrize(("at_us", "verdict"), [(T0 + HOUR, "deny"), (T0 - HOUR, "watch")])
def test_a_verdict_counts_only_where_it_was_written_after_the_snapshot(at_us, verdict):
    """An older file may hold what has been undone since."""
    decider = guard(effects(at_us, verdicts=[row("bad-1")]), snapshot())
    assert decider.decide(request("bad-1")).verdict == verdict


def test_older_effects_still_let_go():
    old = T0 - 99 * HOUR
    decider = guard(effects(old, corrections=[{"account_id": "bad-1"}], let_go=[row("bad-2")]))
    assert decider.decide(request("bad-1")).verdict == "allow"
    assert decider.decide(request("bad-2")).verdict == "allow"


def test_a_verdict_reaches_nobody_whom_no_scan_accused():
    decider = guard(effects(verdicts=[row("honest"), row("late")]), snapshot())
    assert decider.decide(request("honest")).verdict == "allow"
    joiner = framed("late", T0, links={"payment": "card-1"})
    assert decider.decide(joiner).would in ("watch", "throttle")


def test_end_users_of_a_channel_account_follow_its_verdict():
    made = replace(ordered("deny"), accused={subject_key(SALT, "reseller", "eu-1"): 0})
    asked = request("reseller", end_user_id="eu-1")
    assert guard(effects(), made).decide(asked).verdict == "deny"
    assert guard(effects(let_go=[row("reseller")]), made).decide(asked).verdict == "allow"
    freed = guard(effects(corrections=[{"account_id": "reseller"}]), made)
    assert freed.decide(asked).verdict == "allow"


def test_a_running_guard_takes_effects_and_keeps_them_when_the_file_is_lost(tmp_path, key_files):
    private, public = key_files
    write_snapshot(tmp_path / "s.json", ordered("deny"), private)
    path = tmp_path / "effects.json"
    serving = Serving(tmp_path / "s.json", (public,), effects=path, capacity=SMALL)
    write_effects(path, effects(), private)
    service = Service(serving, clock_us=lambda: T0 + HOUR)

    def verdict() -> str:
        return service.decide(request("bad-1"), "decide").verdict

    assert verdict() == "deny"
    write_effects(path, effects(corrections=[{"account_id": "bad-1"}]), private)
    assert service.reload()
    assert verdict() == "allow"
    assert service.ready()[1]["effects_at_us"] == T0 + HOUR
    for harm in (path.unlink, lambda: path.write_bytes(b"{}"),
                 lambda: write_effects(path, {"verdicts": 3}, private)):  # fmt: skip
        harm()
        service.reload()
        assert verdict() == "allow"
        assert "effects" in service.ready()[1]["problems"]
    ended = effects(let_go_campaigns=[campaign("c-1", T0)])
    write_effects(path, ended, private)
    assert service.reload()
    assert verdict() == "deny"
    assert service.ready()[1]["problem"] is None


def test_other_files_are_refused():
    for held in ({}, [], {"verdicts": 1}, effects(verdicts=[{"account_id": "x"}])):
        with pytest.raises(SchemaError):
            judgement_of(held, where="e")
