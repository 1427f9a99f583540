"""Conversations whose turns come one by one: OpenAI's responses, LiteLLM's guardrail."""

from __future__ import annotations

import pytest

from stillwatch.guard.calls import Calls
from stillwatch.guard.request import response_hash

from .conftest import request
from .test_http import call, key, served

__all__ = ["key"]

GUARDRAIL = "/beta/litellm_basic_guardrail_api"
ASK = "When does the tide turn at the harbour wall, and how high does it come in spring?"
SAID = "The tide turns."


def observe(service, account: str, text: str, **more) -> None:
    body = {"account_id": account, "input": text, "output_text": SAID, **more}
    assert call(service, "/v1/observe", body)[0] == 202


def reasons(service, account: str = "other", **more) -> list[str]:
    return call(service, "/v1/decide", {"account_id": account, **more})[2]["reasons"]


def spoken(*questions: str) -> list[dict[str, str]]:
    found = []
    for question in questions:
        found.append({"role": "user", "content": question})
        found.append({"role": "assistant", "content": SAID})
    return [*found, {"role": "user", "content": "How so?"}]


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


def test_the_guardrail_tells_what_was_answered(tmp_path, key):
    service = served(tmp_path, key)
    told(service, "request", ASK)
    for part in (SAID[:8], SAID):  # of a stream it may be told twice
        assert told(service, "response", part) == "NONE"
    assert "evidence: handoff" in reasons(service, messages=spoken(ASK))
    assert "evidence: handoff" not in reasons(service, org_id="shell", messages=spoken(ASK))


def test_an_answer_of_nobodys_call_is_of_no_conversation(tmp_path, key):
    """The id may be the caller's own word: with it nobody ends the call of another account."""
    service = served(tmp_path, key)
    told(service, "request", ASK)
    told(service, "response", SAID, user="good")
    told(service, "response", SAID, call_id="c-2")
    told(service, "response", SAID, litellm_call_id=None)
    told(service, "response", SAID, request_data=None)
    told(service, "response", "", texts=None)
    assert not reasons(service, messages=spoken(ASK))
    assert service.counts["observed",] == 0


def test_calls_that_never_end_are_forgotten():
    calls = Calls(most=2)
    named = [{"litellm_call_id": str(n), "request_data": {"user_api_key_user_id": "u"},
              "texts": [ASK]} for n in range(3)]  # fmt: skip
    for value in named:
        calls.note(value, request("u"))
    assert [calls.ended(value) is None for value in named] == [True, False, False]


def test_a_gateway_that_passes_the_call_on_need_not_know_of_it(tmp_path, key):
    service = served(tmp_path, key)
    observe(service, "bad-1", ASK, response_id="resp_1")
    asked = {"input": "And then?", "previous_response_id": "resp_1"}
    who = {"x-account-id": "other"}
    assert call(service, "/authz/v1/responses", asked, who)[1]["x-stillwatch-would"] == "watch"
    asked["previous_response_id"] = "resp_2"
    assert call(service, "/authz/v1/responses", asked, who)[1]["x-stillwatch-would"] == "allow"
