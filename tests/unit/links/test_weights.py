"""Links in nats: never negative, stronger for what is rarer, none from a hub."""

from __future__ import annotations

import math
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stillwatch.links.weights import weight_nats
from stillwatch.schema import LINK_KINDS


@given(
    m=st.floats(0.01, 0.99),
    carriers=st.lists(st.integers(2, 10**6), min_size=1, max_size=8),
    population=st.integers(2, 10**6),
)
def test_a_weight_is_never_negative_and_falls_with_the_number_of_carriers(m, carriers, population):
    found = weight_nats(m, np.sort(np.array(carriers)), population)
    assert (found >= 0).all()
    assert (np.diff(found) <= 0).all()
    assert (found <= max(math.log(m * population / 2), 0) + 1e-9).all()


def test_a_weight_is_the_log_of_m_over_u():
    assert weight_nats(0.5, np.array([4]), 400)[0] == pytest.approx(math.log(0.5 / 0.01))
    assert weight_nats(0.5, np.array([400]), 400)[0] == 0.0


def test_links_of_a_log_are_positive_rarer_is_stronger_and_hubs_make_none(log, linked):
    log.chatter(people=40, each=1)
    names = sorted(log.people)
    for k, name in enumerate(names):
        log.account(name, device_hash="pair" if k < 2 else f"d{k}")
        log.account(name, phone_hash="ten" if k < 10 else f"p{k}")
        log.account(name, payment_hash="hub" if k < 20 else f"c{k}")
    rows = linked(log, hub_cap=15).query("SELECT kind, llr, count FROM weights").to_pylist()
    assert {r["kind"] for r in rows} == {"device", "phone"}
    assert all(r["llr"] > 0 for r in rows)
    strength = {r["kind"]: r["llr"] for r in rows}
    assert strength["device"] > strength["phone"]
    for kind, carriers in (("device", 2), ("phone", 10)):
        expected = weight_nats(LINK_KINDS[kind].m, np.array([carriers]), 40)[0]
        assert strength[kind] == pytest.approx(expected)


def test_values_within_one_organization_make_no_link(log, linked):
    log.chatter(people=12, each=1)
    for name in sorted(log.people)[:4]:
        log.account(name, org="one", device_hash="shared")
        log.people[name]["org_id"] = "one"
    assert linked(log).query("SELECT * FROM weights WHERE kind = 'device'").num_rows == 0


def test_an_end_user_does_not_inherit_the_links_of_its_channel(log, linked):
    for user in range(6):
        log.say("gateway", log.words(20), end_user_id=f"u{user}", channel="gateway", ip="10.9.8.7")
    log.account("gateway", payment_hash="card")
    log.account("other", payment_hash="card")
    log.say("other", log.words(20), ip="10.9.8.7", at=timedelta(hours=2))
    runner = linked(log)
    assert runner.query("SELECT * FROM subjects").num_rows == 7
    assert runner.query("SELECT * FROM weights").num_rows == 0
