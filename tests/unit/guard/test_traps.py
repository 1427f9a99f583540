"""What gateways do that one would not expect; those that take a real gateway are in tests/servers.

| trap | test |
|---|---|
| LiteLLM stands "[present]" in for headers that are not listed | here |
| LiteLLM asks about answers too, and samples streams: each would spend the budget | here |
| LiteLLM gives any error but 502-504 to its user: wrong token, slow body | here |
| a long prompt, many headers, long cookies: no way around a deny | here, servers |
| a caller names an organization or a plan that has a permit | here, servers |
| a guardrail's refusal is read by the user: no evidence in it | here |
| a deployment that bills by team or key has no user | here |
| Envoy keeps the method and adds the path behind the prefix | here |
| gateways hand statuses to the user: a wrong token, a long prompt is no verdict | here, servers |
| Envoy cuts bodies | here (test_http), servers |
| Envoy sends only listed headers; an absent account is no verdict | here |
| nginx sends no body, and makes 500 of all but 2xx, 401 and 403 | here, servers |
| a caller begins x-forwarded-for with what it likes | here |
| a caller names another account | servers |
| an answer is cached by a gateway between | here |
| a guard that is down; a model's own errors | servers |
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from stillwatch.guard import Origin, request_of_text
from stillwatch.guard.gateways import (
    authz_status,
    forwarded,
    guardrail_answer,
    guardrail_call,
    refusal_text,
)
from stillwatch.kernel import client_hash, prefix_hash
from stillwatch.policy import Ladder
from stillwatch.schema import VERDICTS
from stillwatch.schema.snapshot import Mark, Template, keyed_permit, subject_key

from .conftest import SALT, T0, guard, ordered, request, snapshot
from .test_http import call, key, served

__all__ = ["key"]  # the fixture
GUARDRAIL = "/beta/litellm_basic_guardrail_api"


def asked(**more):
    return {"input_type": "request", "texts": ["hello"],
            "request_data": {"user_api_key_user_id": "bad-1"}, **more}  # fmt: skip


# LiteLLM


def test_a_header_that_is_present_and_not_listed_is_no_address_and_no_client():
    headers = {"X-Forwarded-For": "[present]", "x-ja4": "[present]", "User-Agent": "openai/2"}
    made = guardrail_call(asked(request_headers=headers), T0).request
    assert made.h_prefix == 0
    assert made.h_client == client_hash(None, "openai/2")
    listed = guardrail_call(asked(request_headers={"X-Forwarded-For": "192.0.2.7"}), T0).request
    assert listed.h_prefix == prefix_hash("192.0.2.7") != 0


def test_what_is_asked_about_an_answer_spends_no_budget(tmp_path, key):
    service = served(tmp_path, key, snapshot())
    for _ in range(50):
        status, _, answer = call(service, GUARDRAIL, asked(input_type="response"))
        assert (status, answer) == (200, {"action": "NONE"})
    assert not [k for k in service.counts if k[0] == "decision"]
    assert service.guard.budgets[0].spent(T0) == 0


@pytest.mark.parametrize(
    ("data", "account"),
    [
        ({"user_api_key_user_id": "u", "user_api_key_team_id": "t"}, "u"),
        ({"user_api_key_user_id": None, "user_api_key_team_id": "t"}, "t"),
        ({"user_api_key_user_id": "", "user_api_key_hash": "h"}, "h"),
    ],
)
def test_a_deployment_that_bills_by_team_or_key_names_an_account(data, account):
    assert guardrail_call({"request_data": data}, T0).request.account_id == account


def test_no_account_is_no_verdict(tmp_path, key):
    service = served(tmp_path, key)
    for data in ({}, None, {"user_api_key_user_id": 7}):
        assert call(service, GUARDRAIL, {"request_data": data})[2] == {"action": "NONE"}


def test_a_wrong_token_looks_like_a_guard_that_is_away(tmp_path, key):
    service = served(tmp_path, key, tokens=("secret",))
    assert call(service, GUARDRAIL, asked(), {"x-api-key": "old"})[0] == 503
    assert call(service, GUARDRAIL, asked(), {"x-api-key": "secret"})[2]["action"] == "BLOCKED"
    assert service.counts["refused", "401"] == 1


@pytest.mark.parametrize("closed", [False, True])
def test_a_slow_prompt_or_one_of_nobody_is_no_error_of_the_user(tmp_path, key, closed):
    fail_closed = frozenset({"litellm"} if closed else ())
    service = served(tmp_path, key, max_body=500, body_timeout_s=0.05, fail_closed=fail_closed)
    action = "BLOCKED" if closed else "NONE"
    for body, more in ((b"x" * 600, {}), (asked(), {"slow": True})):
        status, _, answer = call(service, GUARDRAIL, body, **more)
        assert (status, answer["action"]) == (200, action)
    assert service.counts["unavailable", "litellm", "refused 413"] == 1
    assert service.counts["unavailable", "litellm", "refused 408"] == 1


@pytest.mark.parametrize("first", [True, False])
def test_a_long_prompt_is_no_way_around_a_deny(tmp_path, key, first):
    """One inline image does it: the account is judged, the text is not looked at."""
    service = served(tmp_path, key, max_body=500)
    for account, action, verdict in (("bad-1", "BLOCKED", "deny"), ("good", "NONE", "allow")):
        data = {"user_api_key_user_id": account}
        long = {"texts": ['","request_data":{"user_api_key_user_id":"good"},"x":"' + "y" * 600]}
        body = {"request_data": data, **long} if first else {**long, "request_data": data}
        status, _, answer = call(service, GUARDRAIL, {"input_type": "request", **body})
        assert (status, answer["action"]) == (200, action)
        call_ = {"account_id": account, "messages": [{"role": "user", "content": "y" * 600}]}
        status, _, answer = call(service, "/v1/decide", dict(sorted(call_.items(), reverse=first)))
        assert (status, answer["verdict"]) == (200, verdict)
    assert service.counts["refused", "body"] == 4
    assert not [k for k in service.counts if k[0] == "unavailable"]
    answers = {"input_type": "response", "texts": ["y" * 600], "request_data": data}
    assert call(service, GUARDRAIL, answers)[2] == {"action": "NONE"}


def test_a_prompt_that_is_no_prompt_is_no_way_around_a_deny(tmp_path, key):
    service = served(tmp_path, key)
    deep: object = "x"
    for _ in range(400):
        deep = {"text": [deep]}
    for messages in ([{"role": "user", "content": deep}], [7], "hello"):
        body = asked(structured_messages=messages)
        assert call(service, GUARDRAIL, body)[2]["action"] == "BLOCKED"


def test_a_name_that_is_too_long_is_not_cut_to_anothers(tmp_path, key):
    made = replace(ordered("deny"), accused={subject_key(SALT, "b" * 512): 0})
    for closed, status, action in ((False, 200, "NONE"), (True, 403, "BLOCKED")):
        fail_closed = frozenset(("authz", "litellm") if closed else ())
        service = served(tmp_path, key, made, fail_closed=fail_closed)
        name = "b" * 513
        assert call(service, "/v1/decide", {"account_id": name})[0] == 400
        assert call(service, "/authz/x", None, {"x-account-id": name}, "GET")[0] == status
        body = asked(request_data={"user_api_key_user_id": name})
        assert call(service, GUARDRAIL, body)[2]["action"] == action
    assert call(service, "/authz/x", None, {"x-account-id": name[1:]}, "GET")[0] == 403


def test_what_the_user_reads_tells_no_evidence():
    decision = guard(ordered("deny")).decide(request("bad-1"))
    text = guardrail_answer(decision, Ladder())["blocked_reason"]
    assert decision.decision_id in text
    for word in (*decision.reasons, "c-1", "campaign", "bad-1", "member"):
        assert word not in text
    step = guard(ordered("step_up")).decide(request("bad-1"))
    assert "https://x.test" in refusal_text(step, Ladder(step_up_url="https://x.test"))


# Envoy, nginx, Traefik, Caddy: status style


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
@pytest.mark.parametrize("path", ["/authz", "/authz/", "/authz/v1/chat?a=b", "/authz//x/../y%00"])
def test_any_method_and_path_behind_the_prefix_is_judged_by_its_account(
    tmp_path, key, method, path
):
    service = served(tmp_path, key)
    for account, status in (("good", 200), ("bad-1", 403)):
        assert call(service, path, None, {"x-account-id": account}, method)[0] == status


def test_statuses_are_those_that_a_gateway_understands():
    decider = guard(ordered("deny"))
    for verdict in VERDICTS:
        decision = decider.decide(request("bad-1"))._replace(verdict=verdict)
        assert authz_status(decision, auth_request=False) in (200, 403, 429)
        assert authz_status(decision, auth_request=True) in (200, 403)


def test_what_is_wrong_between_gateway_and_guard_is_no_verdict_on_the_user(tmp_path, key):
    """Any 4xx would be sent to the user as the answer; 503 is a guard that is away."""
    service = served(tmp_path, key, tokens=("secret",), max_body=500, max_headers=6,
                     body_timeout_s=0.05)  # fmt: skip
    good = {"x-account-id": "good", "x-stillwatch-token": "secret"}
    bad = {**good, "x-account-id": "bad-1"}
    assert call(service, "/authz/x", None, {**good, "x-stillwatch-token": "old"}, "GET")[0] == 503
    many = {f"x-{k}": "1" for k in range(9)}
    assert call(service, "/authz/x", b"y" * 600, good)[0] == 200
    assert call(service, "/authz/x", b"", {**good, "content-length": "99999"})[0] == 200
    assert call(service, "/authz/x", b"{", good, slow=True)[0] == 200
    assert call(service, "/authz/x", None, {**good, **many})[0] == 200
    assert call(service, "/authz/x", None, {**good, "cookie": "y" * 50_000})[0] == 200
    # The account is judged all the same where it is known.
    assert call(service, "/authz/x", b"y" * 600, bad)[0] == 403
    assert call(service, "/authz/x", b"{", bad, slow=True)[0] == 403
    assert call(service, "/authz/x", None, {**bad, **many})[0] == 403
    assert call(service, "/authz/x", None, {**many, **bad, "cookie": "y" * 50_000})[0] == 403
    assert service.counts["refused", "headers"] == 4
    assert not [k for k in service.counts if k[0] == "unavailable"]


@pytest.mark.parametrize("header", ["org_header", "plan_header"])
def test_a_header_that_the_operator_has_not_named_buys_no_permit(tmp_path, key, header):
    """The caller's own ``X-Org-Id: acme`` would be a permit for whoever knows acme has one."""
    org = {"org_id": "acme", "plan": None}
    if header == "plan_header":
        org = {"org_id": "*", "plan": "research"}
    permit = {"permit_id": "p", "account_id": None, "methods": [], "models": [],
              "max_output_tokens_per_day": None, "valid_from_us": None, "valid_until_us": None,
              **org}  # fmt: skip
    made = replace(ordered("deny"), permits=(keyed_permit(SALT, permit),))
    sent = {"x-account-id": "bad-1", "x-org-id": "acme", "x-plan": "research",
            "x-end-user-id": "eu-1"}  # fmt: skip
    assert call(served(tmp_path, key, made), "/authz/x", None, sent, "GET")[0] == 403
    name = "x-org-id" if header == "org_header" else "x-plan"
    named = served(tmp_path, key, made, **{header: name})
    assert call(named, "/authz/x", None, sent, "GET")[0] == 200


def test_an_end_user_counts_where_the_operator_named_its_header(tmp_path, key):
    made = replace(
        ordered("deny"), accused={subject_key(SALT, "reseller", "eu-1"): 0},
        channels=frozenset({subject_key(SALT, "reseller")}),
    )  # fmt: skip
    sent = {"x-account-id": "reseller", "x-end-user-id": "eu-1"}
    assert call(served(tmp_path, key, made), "/authz/x", None, sent, "GET")[0] == 200
    named = served(tmp_path, key, made, end_user_header="x-end-user-id")
    assert call(named, "/authz/x", None, sent, "GET")[0] == 403


@pytest.mark.parametrize(
    ("header", "made_at", "levels"),
    [("x-made", "2026-09-20T00:00:00Z", {"joining"}), ("x-made", "2021-01-01T00:00:00Z", set()),
     ("x-made", "once upon a time", set()), ("", "2026-09-20T00:00:00Z", set())],
)  # fmt: skip
def test_only_a_header_that_the_operator_has_named_says_that_an_account_is_new(
    tmp_path, key, header, made_at, levels
):
    text = "sort these five pears by weight and then by age, the heaviest and oldest first, please"
    body = {"messages": [{"role": "user", "content": text}]}
    frames = request_of_text(Origin(T0, "someone"), body).frames
    template = Template(0, ((0, frames[0], False),), 20, 0)
    prefix = Mark("exit_prefix", prefix_hash("192.0.2.7"), 0, 9, 0)
    made = replace(snapshot(), templates=(template,), marks=(prefix,))
    service = served(tmp_path, key, made, created_header=header)
    sent = {"x-account-id": "someone", "x-made": made_at, "x-real-ip": "192.0.2.7"}
    assert call(service, "/authz/x", body, sent)[1]["x-stillwatch-would"] == "watch"
    assert {level for _, level, _ in service.guard.joined.values()} == levels


def test_an_address_behind_a_long_list_is_still_found():
    assert forwarded(("198.51.100.1, " * 90 + "192.0.2.7")[-512:], 0) == "192.0.2.7"


def test_a_header_that_the_gateway_does_not_send_on_is_no_verdict(tmp_path, key):
    service = served(tmp_path, key)
    assert call(service, "/authz/x", None, {}, "GET")[0] == 200
    assert service.counts["unavailable", "authz", "no account was named"] == 1


@pytest.mark.parametrize(
    ("value", "hops", "address"),
    [
        ("192.0.2.7", 0, "192.0.2.7"), ("198.51.100.9, 192.0.2.7", 0, "192.0.2.7"),
        ("198.51.100.9,192.0.2.7, 10.0.0.1", 1, "192.0.2.7"), ("192.0.2.7", 3, "192.0.2.7"),
        ("", 0, None), (None, 0, None), ("192.0.2.7,", 0, None),
    ],
)  # fmt: skip
def test_an_address_that_the_caller_wrote_itself_is_not_believed(value, hops, address):
    assert forwarded(value, hops) == address


def test_no_gateway_keeps_an_answer(tmp_path, key):
    service = served(tmp_path, key)
    for account in ("good", "bad-1"):
        headers = call(service, "/authz/x", None, {"x-account-id": account}, "GET")[1]
        assert headers["cache-control"] == "no-store"
