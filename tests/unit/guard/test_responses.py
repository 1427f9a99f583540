"""Conversations whose turns come one by one: OpenAI's responses, LiteLLM's guardrail."""

from __future__ import annotations

import time
import tracemalloc

import pytest
from conversations import ASK, SAID, spoken

from stillwatch.guard.calls import Calls
from stillwatch.guard.gateways import guardrail_call
from stillwatch.guard.request import response_hash
from stillwatch.schema import STATUSES

from .conftest import T0, ordered
from .test_http import call, key, served

__all__ = ["key"]

GUARDRAIL = "/beta/litellm_basic_guardrail_api"


def observe(service, account: str, text: str, **more) -> None:
    body = {"account_id": account, "input": text, "output_text": SAID, **more}
    assert call(service, "/v1/observe", body)[0] == 202


def reasons(service, account: str = "other", **more) -> list[str]:
    return call(service, "/v1/decide", {"account_id": account, **more})[2]["reasons"]


@pytest.mark.parametrize("asked", [{"input": "And then?"}, {"hashes": {}}, {}])
def test_whoever_names_a_response_of_the_accused_goes_on_from_it(tmp_path, key, asked):
    service = served(tmp_path, key)
    observe(service, "bad-1", ASK, org_id="shell", response_id="resp_1")
    on = {"previous_response_id": "resp_1", **asked}
    assert "evidence: handoff" in reasons(service, org_id="others", **on)
    assert "evidence: handoff" not in reasons(service, org_id="shell", **on)
    assert not reasons(service, org_id="others", **{**on, "previous_response_id": "resp_2"})


def test_an_honest_response_that_changes_hands_says_nothing(tmp_path, key):
    service = served(tmp_path, key)
    observe(service, "good", ASK, org_id="acme", response_id="resp_1")
    assert not reasons(service, org_id="others", previous_response_id="resp_1")


def test_whoever_went_on_once_goes_on_from_what_is_its_own(tmp_path, key):
    service = served(tmp_path, key)
    observe(service, "bad-1", ASK, response_id="resp_1")
    observe(service, "other", "And then?", previous_response_id="resp_1", response_id="resp_2")
    assert not reasons(service, previous_response_id="resp_1")
    assert not reasons(service, previous_response_id="resp_2")


def test_a_name_that_nobody_was_given_is_not_kept(tmp_path, key):
    """It costs nothing, and would push out what was."""
    service = served(tmp_path, key)
    observe(service, "other", ASK, previous_response_id="resp_x")
    assert response_hash("resp_x") not in service.guard.conversations


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "ok"])
def test_a_call_that_failed_goes_on_from_nothing(tmp_path, key, status):
    service = served(tmp_path, key)
    observe(service, "bad-1", ASK, org_id="shell", response_id="resp_1")
    on = {"previous_response_id": "resp_1", "status": status}
    for number in range(6):  # of more than four organizations it would be nobody's
        observe(service, "other", ASK, org_id=f"others-{number}", **on)
    found = reasons(service, org_id="others-0", previous_response_id="resp_1")
    assert "evidence: handoff" in found


def test_a_name_of_over_512_characters_is_none(tmp_path, key):
    service = served(tmp_path, key)
    for length, known in ((512, True), (513, False)):
        name = "r" * length
        observe(service, "bad-1", ASK, org_id="shell", response_id=name)
        found = reasons(service, org_id="others", previous_response_id=name)
        assert ("evidence: handoff" in found) is known
        assert (response_hash(name) != 0) is known


@pytest.mark.parametrize("odd", [7, [], {}, True, "", "\ud800", "x" * 100_000])
def test_no_name_of_a_response_is_a_way_around_or_an_error(tmp_path, key, odd):
    service = served(tmp_path, key)
    odd = odd if odd != "\ud800" else "?"  # JSON's half characters are 400 by themselves
    for path in ("/v1/decide", "/v1/observe"):
        for text in ({"input": ASK}, {}):
            body = {"account_id": "bad-1", "previous_response_id": odd, "response_id": odd, **text}
            assert call(service, path, body)[0] in (200, 202)
    status, _, told = call(service, "/v1/decide", {"account_id": "bad-1", "input": ASK,
                                                   "previous_response_id": odd})  # fmt: skip
    assert (status, told["verdict"]) == (200, "deny")


def test_the_text_of_a_conversation_that_came_a_turn_at_a_time_is_known(tmp_path, key):
    service = served(tmp_path, key)
    asks = [ASK, "And then?", "What of the moon?"]
    for number, ask in enumerate(asks, 1):
        before = {"previous_response_id": f"resp_{number - 1}"} if number > 1 else {}
        observe(service, "bad-1", ask, response_id=f"resp_{number}", **before)
        assert "evidence: handoff" in reasons(service, messages=spoken(*asks[:number]))
    assert not reasons(service, messages=spoken("What of the moon?", *asks[:2]))


def test_turns_after_one_that_was_not_seen_are_no_conversation(tmp_path, key):
    """A turn by itself would be met by whoever asks the same two words."""
    service = served(tmp_path, key)
    observe(service, "bad-1", ASK, previous_response_id="resp_x", response_id="resp_1")
    assert not reasons(service, messages=spoken(ASK))
    observe(service, "bad-1", ASK, previous_response_id="resp_1", response_id="resp_2")
    assert not reasons(service, messages=spoken(ASK, ASK))


def test_what_is_kept_of_responses_is_bounded(tmp_path, key):
    service = served(tmp_path, key)
    for number in range(1_100):
        observe(service, "good", ASK, response_id=f"resp_{number}")
    assert len(service.guard.chains) == 1_000
    assert response_hash("resp_1099") in service.guard.chains
    assert response_hash("resp_0") not in service.guard.chains


def told(service, kind: str, text: str, call_id: str = "c-1", user: str = "bad-1", **more):
    messages = [{"role": "user", "content": text}] if kind == "request" else None
    data = {"user_api_key_user_id": user, "user_api_key_org_id": "shell"}
    body = {"input_type": kind, "litellm_call_id": call_id, "structured_messages": messages,
            "texts": [text], "request_data": data, "model": "m-1", **more}  # fmt: skip
    status, _, answer = call(service, GUARDRAIL, body)
    assert status == 200
    return answer["action"]


@pytest.fixture
def telling(tmp_path, key):
    """A guard behind a LiteLLM that has told of an answer already."""
    service = served(tmp_path, key, ordered("watch"))
    told(service, "response", SAID, call_id="c-0")
    return service


def handoffs(service) -> list[int]:
    """Have what is kept of conversations written down; the list grows with each."""
    found: list[int] = []
    service.guard.on_record = lambda r: found.append(r.key) if r.kind == "handoff" else None
    return found


def later(service, seconds: float) -> None:
    now = service.clock_us() + round(seconds * 1_000_000)
    service.clock_us = lambda: now
    service.settle_calls()


def test_the_guardrail_tells_what_was_answered(telling):
    told(telling, "request", ASK)
    for part in (SAID[:8], SAID):  # of a stream it may be told twice
        assert told(telling, "response", part) == "NONE"
    assert "evidence: handoff" in reasons(telling, messages=spoken(ASK))
    assert "evidence: handoff" not in reasons(telling, org_id="shell", messages=spoken(ASK))


def test_a_stream_that_grows_is_one_conversation(telling):
    kept = handoffs(telling)
    told(telling, "request", ASK)
    for words in range(1, 200):
        told(telling, "response", "so " * words)
        later(telling, 0.1)
    assert not kept
    later(telling, 2)
    assert len(kept) == telling.counts["observed",] == 1
    later(telling, 2)
    assert len(kept) == 1
    said = [*spoken(ASK)[:1], {"role": "assistant", "content": "so " * 199}, spoken(ASK)[2]]
    assert "evidence: handoff" in reasons(telling, messages=said)


def test_a_stream_that_pauses_is_a_few_and_one_that_ends_in_a_pause_is_known(telling):
    """A stream of ten minutes that pauses for three seconds after each word."""
    kept = handoffs(telling)
    told(telling, "request", ASK)
    for words in range(1, 200):
        told(telling, "response", "so " * words)
        later(telling, 3)
    assert len(kept) == 1, "four seconds and more are a pause after the first"
    later(telling, 60)
    assert len(kept) == 2
    told(telling, "response", SAID)
    later(telling, -3_600)  # a clock that goes back settles, and does not wait for an hour
    assert len(kept) == 3


def test_a_conversation_of_several_organizations_is_counted_for_all_when_one_goes_on(telling):
    for call_id, user, org in (("c-1", "good", "acme"), ("c-2", "bad-1", "shell")):
        data = {"user_api_key_user_id": user, "user_api_key_org_id": org}
        told(telling, "request", ASK, call_id, request_data=data)
        told(telling, "response", SAID, call_id, request_data=data)
    assert not reasons(telling, "good", org_id="acme", messages=spoken(ASK))
    assert not telling.calls.waiting
    assert "evidence: handoff" in reasons(telling, org_id="others", messages=spoken(ASK))


def test_an_answer_of_nobodys_call_is_of_no_conversation(telling):
    """The id may be the caller's own word: with it nobody ends the call of another account."""
    told(telling, "request", ASK)
    told(telling, "response", SAID, user="good")
    told(telling, "response", SAID, call_id="c-2")
    told(telling, "response", SAID, litellm_call_id=None)
    told(telling, "response", SAID, request_data=None)
    told(telling, "response", "", texts=None)
    assert not reasons(telling, messages=spoken(ASK))
    later(telling, 60)
    assert telling.counts["observed",] == 0


def test_a_call_that_is_refused_has_no_answer(tmp_path, key):
    service = served(tmp_path, key)
    told(service, "response", SAID, call_id="c-0")
    for user, does in (("good", "NONE"), ("bad-1", "BLOCKED")):
        assert told(service, "request", ASK, user=user) == does
        told(service, "response", SAID, user=user)
        assert bool(service.calls.waiting) is (does == "NONE")
        later(service, 2)


def asked_by(number: int, messages: list[dict[str, str]], **more) -> dict:
    data = {"user_api_key_user_id": "u"}
    return {"litellm_call_id": f"c-{number}", "request_data": data,
            "structured_messages": messages, "texts": [ASK], **more}  # fmt: skip


def test_calls_that_never_end_are_forgotten():
    calls = Calls(most=2)
    named = [asked_by(n, spoken(ASK)) for n in range(3)]
    calls.note(named[0], guardrail_call(named[0], T0))
    calls.told(named[0], T0)
    assert not calls.waiting, "what was asked before the first answer was told is not kept"
    for value in named:
        calls.note(value, guardrail_call(value, T0))
    found = []
    for value in named:
        assert not calls.told(value, T0)
        found.append(len(calls.waiting))
    assert found == [0, 1, 2]
    calls.note(named[0], guardrail_call(named[0], T0))
    assert len(calls.told(named[0], T0)) == 1, "one too many is counted, not lost"
    assert len(calls.waiting) == 2


def test_a_call_of_30_000_messages_takes_no_more_room_than_another_and_little_time():
    """Two numbers are kept; the messages were hashed to decide, and are not hashed again."""
    messages = [m for n in range(15_000) for m in spoken(str(n))[:2]]
    calls = Calls()
    calls.told({}, T0)
    value = asked_by(0, messages, model="m" * 512)
    decided, noted = [], []
    for number in range(5):
        value["litellm_call_id"] = f"c-{number}"
        began = time.process_time()
        call_ = guardrail_call(value, T0)
        between = time.process_time()
        calls.note(value, call_)
        decided.append(between - began)
        noted.append(time.process_time() - between)
    assert min(noted) < min(decided)
    tracemalloc.start()
    for number in range(5, 25):
        value["litellm_call_id"] = f"c-{number}"
        calls.note(value, call_)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kept < 20 * 20_000, "the messages' hashes were 1.8 MB each"
    calls.told({**value, "texts": [SAID]}, T0)
    whole = [*messages, {"role": "assistant", "content": SAID}, {"role": "user", "content": "?"}]
    before = guardrail_call(asked_by(0, whole), T0).request.prefix_before
    assert len(calls.take(before)) == 1


@pytest.mark.parametrize(("length", "kept"), [(512, 1), (513, 0), (900_000, 0)])
def test_an_id_of_over_512_characters_names_no_call(telling, length, kept):
    told(telling, "request", ASK, "c" * length)
    told(telling, "response", SAID, "c" * length)
    assert len(telling.calls.waiting) == kept


def test_a_gateway_that_passes_the_call_on_need_not_know_of_it(tmp_path, key):
    service = served(tmp_path, key)
    observe(service, "bad-1", ASK, response_id="resp_1")
    asked = {"input": "And then?", "previous_response_id": "resp_1"}
    who = {"x-account-id": "other"}
    assert call(service, "/authz/v1/responses", asked, who)[1]["x-stillwatch-would"] == "watch"
    asked["previous_response_id"] = "resp_2"
    assert call(service, "/authz/v1/responses", asked, who)[1]["x-stillwatch-would"] == "allow"
