"""Permits: judged on exchanges; what exceeds one is reported and never hidden by it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from stillwatch.policy import Permit, judge_permits, permits_from_rows

DAY = 86_400_000_000
PERMIT = Permit(
    permit_id="p1", account_id="acct", org_id=None, plan=None, methods=("synthetic_data",),
    models=("m-1", "m-2"), max_output_tokens_per_day=1_000, valid_from_us=10 * DAY,
    valid_until_us=20 * DAY,
)  # fmt: skip
METHODS = ("synthetic_data",)


def permit(**changes):
    return Permit(**(PERMIT.__dict__ | changes))


def sent(ts_us=12 * DAY, model="m-1", tokens=10, account="acct", org="org", plan="pro"):
    return (account, org, plan, ts_us, model, tokens)


def test_traffic_inside_a_permit_is_covered_and_counted():
    covered, (use,) = judge_permits([PERMIT], [sent(), sent(model="m-2")], METHODS)
    assert covered == {"acct"}
    assert (use.inside, use.outside, use.over_limit_days) == (2, 0, 0)
    assert use.accounts == ("acct",)
    assert not use.exceeded


@pytest.mark.parametrize(
    ("exchange", "methods"),
    [
        (sent(model="m-3"), METHODS),
        (sent(ts_us=10 * DAY - 1), METHODS),
        (sent(ts_us=20 * DAY), METHODS),  # until is exclusive
        (sent(), ("cot_exfiltration",)),
    ],
    ids=["model", "too early", "too late", "method"],
)
def test_one_exchange_outside_takes_the_cover_away_and_is_counted(exchange, methods):
    covered, (use,) = judge_permits([PERMIT], [sent(), exchange], methods)
    assert covered == frozenset()
    assert use.outside >= 1
    assert use.inside + use.outside == 2
    assert use.exceeded


def test_one_allowed_method_is_enough_because_hints_of_methods_are_noisy():
    covered, (use,) = judge_permits([PERMIT], [sent()], ("synthetic_data", "cot_exfiltration"))
    assert len(covered) == 1
    assert use.outside == 0


def test_the_edges_of_the_time_are_the_first_inside_and_the_last_outside():
    assert PERMIT.covers(10 * DAY, "m-1", METHODS)
    assert PERMIT.covers(20 * DAY - 1, "m-1", METHODS)
    assert not PERMIT.covers(20 * DAY, "m-1", METHODS)


def test_a_day_over_the_limit_is_reported_and_stays_inside():
    rows = [sent(ts_us=12 * DAY + k, tokens=400) for k in range(3)]
    rows += [sent(ts_us=13 * DAY, tokens=1_000)]
    covered, (use,) = judge_permits([PERMIT], rows, METHODS)
    assert covered == {"acct"}
    assert (use.inside, use.outside, use.over_limit_days) == (4, 0, 1)
    assert use.exceeded


def test_holders_of_one_permit_share_its_limit():
    shared = permit(account_id=None, org_id="org")
    rows = [sent(account="a", tokens=600), sent(account="b", tokens=600)]
    covered, (use,) = judge_permits([shared], rows, METHODS)
    assert covered == {"a", "b"}
    assert use.over_limit_days == 1
    assert judge_permits([shared], rows[:1], METHODS)[1][0].over_limit_days == 0


@pytest.mark.parametrize("wild", [("*",), ()])
def test_a_star_or_nothing_stands_for_any_model_and_any_method(wild):
    wide = permit(models=wild, methods=wild)
    assert wide.covers(12 * DAY, "whatever", ("cot_exfiltration", "relay"))


def test_a_permit_for_everybody_covers_everybody_of_its_plan():
    for_all = permit(account_id=None, org_id="*", plan="research")
    rows = [
        sent(account="a", org="x", plan="research"),
        sent(account="b", org=None, plan="research"),
        sent(account="c", org="x", plan="free"),
        sent(account="d", org="x", plan=None),
    ]
    covered, (use,) = judge_permits([for_all], rows, METHODS)
    assert covered == {"a", "b"}
    assert use.accounts == ("a", "b")


def test_a_permit_speaks_of_its_account_or_organization_alone():
    assert PERMIT.names("acct", "any", None)
    assert not PERMIT.names("other", "any", None)
    of_org = permit(account_id=None, org_id="org")
    assert of_org.names("other", "org", None)
    assert not of_org.names("other", "gro", None)
    assert not of_org.names("other", None, None)
    nobody = permit(account_id=None, org_id=None)
    assert not nobody.names("acct", None, None)


def test_two_permits_cover_together_what_neither_covers_alone():
    late = permit(permit_id="p2", valid_from_us=20 * DAY, valid_until_us=30 * DAY)
    rows = [sent(), sent(ts_us=25 * DAY)]
    covered, uses = judge_permits([PERMIT, late], rows, METHODS)
    assert covered == {"acct"}
    assert [(u.permit_id, u.inside, u.outside) for u in uses] == [("p1", 1, 0), ("p2", 1, 0)]


def test_an_account_without_a_permit_is_not_covered_and_shows_no_use():
    covered, uses = judge_permits([PERMIT], [sent(account="other")], METHODS)
    assert covered == frozenset()
    assert uses == ()
    assert judge_permits([], [sent()], METHODS) == (frozenset(), ())
    assert judge_permits([PERMIT], [], METHODS) == (frozenset(), ())


def test_rows_become_permits_with_whole_microseconds():
    (made,) = permits_from_rows(
        [{
            "permit_id": "p", "account_id": "", "org_id": "org", "plan": None, "methods": None,
            "models": ["m-1"], "max_output_tokens_per_day": None,
            "valid_from": datetime(2026, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC), "valid_until": None,
        }]
    )  # fmt: skip
    assert made.account_id is None
    assert made.methods == ()
    assert made.valid_from_us == 1_767_225_600_999_999
    assert made.valid_until_us is None
    assert made.covers(2**60, "m-1", METHODS)
