"""Direct evidence at the guard: whose a conversation, a blob or a refused prompt is."""

from __future__ import annotations

import pytest

from stillwatch.schema import STATUSES
from stillwatch.schema.snapshot import (
    EVIDENCE,
    Seed,
    org_key,
)

from .conftest import (
    BAND,
    HOUR,
    SALT,
    T0,
    framed,
    guard,
    ordered,
    request,
    snapshot,
)


def test_a_conversation_taken_over_is_seen_and_one_of_ones_own_is_not():
    decider = guard()
    decider.observe(request("bad-1", T0), prefix_full=77)
    assert decider.matches(request("other", T0 + 1, prefix_before=77)) == {0: EVIDENCE["handoff"]}
    assert decider.matches(request("bad-1", T0 + 1, prefix_before=77)) == {}
    decider.observe(request("tester", T0 + 2), prefix_full=77)  # a public evaluation, say
    assert decider.matches(request("tester", T0 + 3, prefix_before=77)) == {}
    assert decider.decide(framed("other", T0 + 4, prefix_before=77)).level == "joined"


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "ok"])
def test_a_call_that_failed_makes_nobody_the_owner_of_a_conversation(status):
    """It costs nothing: whoever was stopped on the first try would pass on the second."""
    decider = guard()
    decider.observe(request("bad-1", T0), prefix_full=77)
    taken = request("other", T0 + 1, prefix_before=77)
    for k in range(5):  # of five organizations it would be a public one
        decider.observe(request(f"other-{k}", T0 + 1, prefix_before=77), status=status)
    decider.observe(taken, status=status)
    assert decider.matches(taken) == {0: EVIDENCE["handoff"]}
    decider.observe(taken)
    assert decider.matches(taken) == {}


@pytest.mark.parametrize("status", STATUSES)
def test_only_what_the_model_answered_can_be_gone_on_from(status):
    decider = guard()
    decider.observe(request("bad-1", T0), status=status, prefix_full=77, h_blob=88, h_response=99)
    answered = status in ("ok", "refused")
    for given, kind in (
        ({"prefix_before": 77}, "handoff"), ({"h_blob": 88}, "blob_replay"),
        ({"h_previous": 99}, "handoff"),
    ):  # fmt: skip
        found = decider.matches(request("other", T0 + 1, **given))
        assert found == ({0: EVIDENCE[kind]} if answered else {})


def test_a_blob_sent_in_a_call_that_failed_stays_somebody_elses():
    decider = guard()
    decider.observe(request("bad-1", T0), h_blob=88)
    decider.observe(request("other", T0 + 1, h_blob=88), status="client_error", h_blob=88)
    assert decider.matches(request("other", T0 + 2, h_blob=88)) == {0: EVIDENCE["blob_replay"]}


def test_a_conversation_of_many_organizations_is_a_public_one():
    decider = guard()
    decider.observe(request("bad-1", T0), prefix_full=77)
    for k in range(4):
        decider.observe(request(f"org-{k}", T0 + k), prefix_full=77)
    assert decider.matches(request("other", T0 + 9, prefix_before=77)) == {}


def test_a_replayed_blob_and_a_retried_prompt_are_seen():
    decider = guard()
    decider.observe(request("bad-1", T0), h_blob=88)
    decider.observe(request("bad-2", T0, h_payload=99, user_tokens=9), status="rate_limited")
    assert decider.matches(request("x", T0 + 1, h_blob=88)) == {0: EVIDENCE["blob_replay"]}
    assert decider.matches(request("x", T0 + 1, h_payload=99)) == {0: EVIDENCE["retry"]}
    late = request("x", T0 + 601 * 1_000_000, h_payload=99)
    assert decider.matches(late) == {}


def test_what_the_guard_itself_refuses_counts_as_refused():
    decider = guard(ordered("deny"))
    decider.decide(request("bad-1", T0, h_payload=99, user_tokens=9))
    assert decider.matches(request("x", T0 + 1, h_payload=99)) == {0: EVIDENCE["retry"]}


@pytest.mark.parametrize(("tokens", "found"), [(7, {}), (8, {0: EVIDENCE["retry"]})])
def test_a_short_prompt_that_was_refused_is_anybodys(tokens, found):
    """Everybody sends "continue": such a prompt must tie nobody to a campaign."""
    decider = guard(ordered("deny"))
    decider.decide(request("bad-1", T0, h_payload=99, user_tokens=tokens))
    decider.observe(request("bad-1", T0, h_payload=98, user_tokens=tokens), status="denied")
    for payload in (98, 99):
        assert decider.matches(request("x", T0 + 1, h_payload=payload)) == found


def test_near_duplicates_need_their_length():
    bands = (BAND, *[0] * 7)
    assert guard().matches(request(bands=bands)) == {0: EVIDENCE["near_text"]}


def test_books_are_seeded_from_the_snapshot():
    seed = Seed("handoff", 55, org_key(SALT, "bad-1", None), 0, T0 - HOUR)
    decider = guard(snapshot(seeds=(seed,)))
    assert decider.matches(request("x", T0, prefix_before=55)) == {0: EVIDENCE["handoff"]}
