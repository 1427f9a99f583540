"""The HTTP contract, called as ASGI: limits, tokens, fail modes, hostile bodies."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.errors import EvidenceError
from stillwatch.guard import Orders, Service, Serving, Undo, read_snapshot, write_orders
from stillwatch.guard import write_snapshot as write
from stillwatch.guard.asgi import app_of
from stillwatch.schema import VERDICTS
from stillwatch.seal import new_key, public_key

from .conftest import HOUR, SALT, SMALL, T0, ordered, request, snapshot


@pytest.fixture(scope="module")
def key(tmp_path_factory):
    return new_key(tmp_path_factory.mktemp("key") / "key.pem")


def served(tmp_path: Path, key: Any, made=None, **settings: Any) -> Service:
    path = tmp_path / "snapshot.json"
    write(path, made or ordered("deny"), key)
    serving = Serving(path, (public_key(key),), capacity=SMALL, **settings)
    return Service(serving, clock_us=lambda: T0 + HOUR)


def call(
    service: Service, path: str, body: Any = None, headers: dict[str, str] | None = None,
    method: str = "POST", slow: bool = False,
) -> tuple[int, dict[str, str], Any]:  # fmt: skip
    """One request through the application; the answer's status, headers and JSON."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    head = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in (headers or {}).items()]
    scope = {"type": "http", "method": method, "path": path, "headers": head, "query_string": b""}
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        if slow:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": data, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app_of(service)(scope, receive, send))
    start, content = sent
    shown = {k.decode(): v.decode("latin-1") for k, v in start["headers"]}
    body_out = content["body"]
    is_json = shown.get("content-type") == "application/json" and body_out
    return start["status"], shown, json.loads(body_out) if is_json else body_out


def test_decide_answers_200_with_the_verdict(tmp_path, key):
    service = served(tmp_path, key)
    status, _, answer = call(service, "/v1/decide", {"account_id": "bad-1"})
    assert (status, answer["verdict"], answer["campaign_id"]) == (200, "deny", "c-1")
    assert answer["policy_version"] == 1
    assert call(service, "/v1/decide", {"account_id": "good"})[2]["verdict"] == "allow"


def test_hashes_come_as_numbers_or_hexadecimal_digits(tmp_path, key):
    service = served(tmp_path, key)
    for head, tail in ((0xA1, 0xB2), ("a1", "0xb2")):
        body = {"account_id": "new", "hashes": {"head_10": head, "tail_10": tail}}
        assert call(service, "/v1/decide", body)[2]["verdict"] == "watch"


def test_batches_answer_in_order(tmp_path, key):
    rows = [{"account_id": name} for name in ("bad-1", "good", "bad-2")]
    answer = call(served(tmp_path, key), "/v1/decide/batch", {"requests": rows})[2]
    assert [d["verdict"] for d in answer["decisions"]] == ["deny", "allow", "deny"]
    status, _, _ = call(served(tmp_path, key), "/v1/observe/batch", {"requests": rows})
    assert status == 202


def test_a_conversation_that_was_observed_is_known_when_another_continues_it(tmp_path, key):
    service = served(tmp_path, key)
    first = [{"role": "user", "content": "Tell me about the tides in the northern sea, please."}]
    answer = "They follow the moon and the shape of the coast, in turns of about twelve hours."
    ended = {"account_id": "bad-1", "messages": first, "output_text": answer}
    assert call(service, "/v1/observe", ended)[0] == 202
    again = [*first, {"role": "assistant", "content": answer}, {"role": "user", "content": "More"}]
    call(service, "/v1/decide", {"account_id": "other", "messages": again})
    ((_, _, suspect),) = service.guard.suspects.items()
    assert suspect.seen.keys() == {512}


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (b"{", "JSON"), (b"[" * 100_000, "JSON"), (b"\xff\xfe", "JSON"), (b"3", "object"),
        ({}, "account_id"), ({"account_id": 3}, "account_id"),
        ({"account_id": "x" * 600}, "account_id"), ({"account_id": "a", "ts": "soon"}, "time"),
        ({"account_id": "a", "hashes": {"head_6": -1}}, "head_6"),
        ({"account_id": "a", "hashes": {"head_6": 1 << 64}}, "head_6"),
        ({"account_id": "a", "hashes": {"nose": 1}}, "hashes"),
        ({"account_id": "a", "messages": 3}, "messages"),
        ({"account_id": "a", "links": {"shoe": "x"}}, "links"),
        ({"account_id": "a", "hashes": {}, "user_tokens": -1}, "user_tokens"),
    ],
)  # fmt: skip
def test_a_bad_body_is_400_and_names_the_field(tmp_path, key, body, where):
    status, _, answer = call(served(tmp_path, key), "/v1/decide", body)
    assert status == 400
    assert where in answer["error"]


def test_limits_on_bodies_headers_and_slow_callers(tmp_path, key):
    service = served(tmp_path, key, max_body=1_000, max_headers=5, body_timeout_s=0.05)
    assert call(service, "/v1/decide", b"x" * 1_001)[0] == 413
    assert call(service, "/v1/decide", b"", {"content-length": "99999999"})[0] == 413
    assert call(service, "/v1/decide", {}, {f"x-{k}": "1" for k in range(6)})[0] == 431
    assert call(service, "/v1/decide", {}, {"x": "y" * 40_000})[0] == 431
    assert call(service, "/v1/decide", {}, slow=True)[0] == 408
    assert call(service, "/v1/nothing", {})[0] == 404
    assert call(service, "/v1/decide", method="GET")[0] == 405


def test_only_callers_with_a_token_are_answered(tmp_path, key):
    service = served(tmp_path, key, tokens=("secret-1", "secret-2"))
    body = {"account_id": "good"}
    assert call(service, "/v1/decide", body)[0] == 401
    assert call(service, "/v1/decide", body, {"authorization": "Bearer wrong"})[0] == 401
    assert call(service, "/v1/decide", body, {"authorization": "Bearer secret-2"})[0] == 200
    assert call(service, "/v1/decide", body, {"x-api-key": "secret-1"})[0] == 200
    account = {"x-account-id": "good"}
    assert call(service, "/authz/v1/chat", None, account, "GET")[0] == 503
    shown = {**account, "x-stillwatch-token": "secret-1"}
    assert call(service, "/authz/v1/chat", None, shown, "GET")[0] == 200
    assert call(service, "/healthz", method="GET")[0] == 200


def test_metrics_ask_for_a_token_where_they_are_told_to(tmp_path, key):
    """They name campaigns; health does not."""
    for metrics_token, status in ((False, 200), (True, 401)):
        service = served(tmp_path, key, tokens=("secret",), metrics_token=metrics_token)
        assert call(service, "/metrics", method="GET")[0] == status
        assert call(service, "/readyz", method="GET")[0] == 200
    shown = {"authorization": "Bearer secret"}
    assert call(service, "/metrics", None, shown, "GET")[0] == 200


def test_every_answer_has_an_id_of_its_own_also_after_a_restart(tmp_path, key):
    """It is the reference of an appeal."""
    names = []
    for _ in range(2):
        service = served(tmp_path, key)
        for switch in (None, None, "shedding", "on"):
            if switch:
                setattr(service.kill_switch if switch == "on" else service, switch, True)
            names.append(call(service, "/v1/decide", {"account_id": "bad-1"})[2]["decision_id"])
        head = call(service, "/authz/x", None, {}, "GET")[1]
        names.append(head["x-stillwatch-decision"])
    assert len(set(names)) == 10
    assert all(name.startswith("node-0-") for name in names)


def test_a_gateway_that_cannot_summarize_does_not_claim_that_it_did(tmp_path, key):
    service = served(tmp_path, key, ordered("summarize"), decision_log=tmp_path / "log.jsonl")
    asked = {"input_type": "request", "request_data": {"user_api_key_user_id": "bad-1"}}
    body = call(service, "/beta/litellm_basic_guardrail_api", asked)[2]
    assert body == {"action": "NONE"}
    answer = call(service, "/v1/decide", {"account_id": "bad-1"})[2]
    assert (answer["verdict"], answer["disclose"]) == ("summarize", True)
    service.flush_log()
    lines = [json.loads(x) for x in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(x["verdict"], x["would"]) for x in lines] == [
        ("watch", "summarize"),
        ("summarize",) * 2,
    ]
    assert lines[0]["reasons"][-1] == "this gateway cannot summarize"


def test_authz_answers_by_status_and_header(tmp_path, key):
    service = served(tmp_path, key)
    status, headers, _ = call(service, "/authz/v1/x", None, {"x-account-id": "bad-1"}, "GET")
    assert (status, headers["x-stillwatch-verdict"]) == (403, "deny")
    assert call(service, "/authz/v1/x", None, {"x-account-id": "good"}, "GET")[0] == 200


def test_throttle_is_429_and_403_for_auth_request(tmp_path, key):
    service = served(tmp_path, key, snapshot())
    for k in range(30):
        call(service, "/v1/decide", {"account_id": "bad-1", "ts": T0 + k})
    asks = {"x-account-id": "bad-1"}
    status, headers, _ = call(service, "/authz/", None, asks, "GET")
    assert status == 429
    assert int(headers["retry-after"]) > 0
    status, headers, _ = call(
        service, "/authz/", None, {**asks, "x-stillwatch-style": "auth_request"}, "GET"
    )
    assert (status, headers["x-stillwatch-verdict"]) == (403, "throttle")


@pytest.mark.parametrize("verdict", ["deny", "step_up", "throttle"])
def test_who_is_refused_behind_a_gateway_reads_why_how_to_object_and_a_reference(
    tmp_path, key, verdict
):
    """Envoy and Caddy pass the body on; nginx drops it and has a header to put between quotes."""
    told = {"step_up_url": 'https://v.test/"?a=\\', "appeal_to": "Büro <a@b.test>"}
    made = ordered(verdict)
    service = served(tmp_path, key, replace(made, ladder={**made.ladder, **told}))
    for _ in range(40):  # and so the campaign's budget is spent
        service.guard.decide(request("bad-1", T0 + HOUR))
    asks = {"x-account-id": "bad-1"}
    _, headers, body = call(service, "/authz/v1/x", {}, asks)
    text = body["error"]["message"]
    assert headers["x-stillwatch-decision"] in text
    assert "To object: Büro <a@b.test>." in text
    assert (told["step_up_url"] in text) == (verdict == "step_up")
    assert not [word for word in ("c-1", "campaign", "member", "bad-1") if word in text]
    assert "x-stillwatch-message" not in headers
    _, headers, body = call(
        service, "/authz/v1/x", {}, asks | {"x-stillwatch-style": "auth_request"}
    )
    quoted = json.loads(f'"{headers["x-stillwatch-message"]}"')
    assert quoted == body["error"]["message"]
    assert quoted.partition("Reference")[0] == text.partition("Reference")[0]
    assert call(service, "/authz/v1/x", {}, asks, "HEAD")[2] == b""
    assert "x-stillwatch-message" not in call(service, "/authz/", {}, {"x-account-id": "x"})[1]


def test_where_the_guard_fails_and_refuses_nothing_is_said_of_the_account(tmp_path, key):
    closed = served(tmp_path, key, fail_closed=frozenset({"authz"}))
    status, _, body = call(closed, "/authz/v1/x", {}, {})
    assert status == 403
    assert body["error"]["message"].startswith("The request could not be checked.")
    assert "account" not in body["error"]["message"]
    assert (body["error"]["type"], body["error"]["code"]) == ("api_error", "unchecked")
    headers = call(closed, "/authz/v1/x", {}, {"x-stillwatch-style": "auth_request"})[1]
    assert headers["x-stillwatch-mode"] == "fail"  # by it nginx writes the same body
    denied = call(closed, "/authz/v1/x", {}, {"x-account-id": "bad-1"})
    assert denied[2]["error"]["type"] == "permission_error"
    assert "x-stillwatch-mode" not in denied[1]


def test_a_partial_body_is_not_looked_at(tmp_path, key):
    """Half a prompt has another prompt's hashes; a cut JSON must not be an error either."""
    service = served(tmp_path, key)
    headers = {"x-account-id": "good", "x-envoy-auth-partial-body": "true"}
    cut = json.dumps({"messages": [{"role": "user", "content": "y" * 500}]}).encode()[:300]
    assert call(service, "/authz/v1/chat/completions", cut, headers)[0] == 200
    del headers["x-envoy-auth-partial-body"]
    assert call(service, "/authz/v1/chat/completions", cut, headers)[0] == 200


def test_a_route_fails_open_unless_told_otherwise(tmp_path, key):
    assert call(served(tmp_path, key), "/authz/", None, {}, "GET")[0] == 200
    closed = served(tmp_path, key, fail_closed=frozenset({"authz"}))
    assert call(closed, "/authz/", None, {}, "GET")[0] == 403

    def broken(*_: Any) -> None:
        raise ZeroDivisionError("a defect of ours")

    for fail_closed, verdict in ((frozenset(), "allow"), (frozenset({"decide"}), "deny")):
        service = served(tmp_path, key, fail_closed=fail_closed)
        service.guard.decide = broken  # type: ignore[method-assign]
        status, _, answer = call(service, "/v1/decide", {"account_id": "good"})
        assert (status, answer["verdict"]) == (200, verdict)
        assert service.counts["unavailable", "decide", "ZeroDivisionError"] == 1


def test_the_kill_switch_and_orders_act_on_the_next_look(tmp_path, key):
    kill, orders = tmp_path / "KILL", tmp_path / "orders.json"
    write_orders(orders, Orders(), key)
    service = served(tmp_path, key, kill_file=kill, orders=orders)
    ask = lambda: call(service, "/v1/decide", {"account_id": "bad-1"})[2]["verdict"]  # noqa: E731
    assert ask() == "deny"
    kill.touch()
    service.reload()
    assert ask() == "allow"
    kill.unlink()
    service.reload()
    assert ask() == "deny"
    write_orders(orders, Orders().with_undo(Undo("campaign", "c-1", "R. Doe", T0)), key)
    assert service.reload()
    assert ask() == "allow"


def test_a_file_half_written_or_signed_by_a_stranger_is_refused_and_the_old_one_kept(
    tmp_path, key, tmp_path_factory
):
    service = served(tmp_path, key)
    path = service.serving.snapshot
    whole = path.read_bytes()
    stranger = new_key(tmp_path_factory.mktemp("stranger") / "key.pem")
    other = tmp_path / "other.json"
    write(other, replace(snapshot(), version=9), stranger)
    for bad in (whole[: len(whole) // 2], b"", other.read_bytes(), whole.replace(b"A", b"B", 1)):
        path.write_bytes(bad)
        assert not service.reload()
        assert service.ready()[1]["problem"]
        assert call(service, "/v1/decide", {"account_id": "bad-1"})[2]["verdict"] == "deny"
    assert service.counts["reload_failed",] == 4
    write(path, replace(snapshot(), version=2), key)
    assert service.reload()
    assert service.ready()[1]["snapshot_version"] == 2
    assert service.ready()[1]["problem"] is None


def test_orders_do_not_pass_as_a_snapshot(tmp_path, key):
    path = tmp_path / "orders.json"
    write_orders(path, Orders(), key)
    with pytest.raises(EvidenceError, match="another kind"):
        read_snapshot(path, [public_key(key)])


def test_decisions_are_logged_without_identifiers(tmp_path, key):
    log = tmp_path / "decisions.jsonl"
    service = served(tmp_path, key, decision_log=log)
    call(service, "/v1/decide", {"account_id": "bad-1", "org_id": "org-secret"})
    call(service, "/v1/decide", {"account_id": "good"})
    service.flush_log()
    (line,) = log.read_text().splitlines()
    assert json.loads(line)["would"] == "deny"
    assert "bad-1" not in line
    assert "org-secret" not in line


def test_metrics_count_by_route_and_verdict(tmp_path, key):
    service = served(tmp_path, key)
    call(service, "/v1/decide", {"account_id": "bad-1"})
    text = call(service, "/metrics", method="GET")[2].decode()
    labels = 'mode="enforce",route="decide",verdict="deny",would="deny"'
    assert f"stillwatch_guard_decisions_total{{{labels}}} 1.0" in text
    assert "stillwatch_guard_snapshot_version 1.0" in text
    assert "bad-1" not in text


def test_readyz_says_that_a_snapshot_has_expired(tmp_path, key):
    service = served(tmp_path, key, replace(snapshot(), expires_us=T0))
    status, _, answer = call(service, "/readyz", method="GET")
    assert (status, answer["snapshot_expired"]) == (503, True)


def test_silent_alteration_takes_a_legal_basis_and_is_logged(tmp_path, key, caplog):
    from stillwatch.errors import ConfigError
    from stillwatch.policy import Ladder

    with pytest.raises(ConfigError, match="silent_legal_basis"):
        Ladder(silent_alteration=True)
    made = replace(ordered("summarize"), ladder=Ladder(mode="enforce").as_dict())
    answer = call(served(tmp_path, key, made), "/v1/decide", {"account_id": "bad-1"})[2]
    assert (answer["verdict"], answer["disclose"]) == ("summarize", True)
    ladder = Ladder(
        mode="enforce", silent_alteration=True, silent_legal_basis="ToS 4.2",
        silent_approved_by="Counsel",
    )  # fmt: skip
    service = served(tmp_path, key, replace(made, ladder=ladder.as_dict()))
    assert "altered without saying so" in caplog.text
    answer = call(service, "/v1/decide", {"account_id": "bad-1"})[2]
    assert (answer["verdict"], answer["disclose"]) == ("summarize", False)


def test_the_fuzzed_paths_are_all_routes():
    from stillwatch.guard.asgi import _GETS, _POSTS

    assert {*PATHS, *GETS} == {*_POSTS, *_GETS, "/authz/v1/chat/completions"}


GETS = ("/healthz", "/readyz", "/metrics")
PATHS = ("/v1/decide", "/v1/decide/batch", "/v1/observe", "/v1/observe/batch",
         "/beta/litellm_basic_guardrail_api", "/authz/v1/chat/completions")  # fmt: skip
KEYS = st.sampled_from(
    ("account_id", "ts", "hashes", "messages", "system", "tools", "links", "requests", "role",
     "content", "type", "text", "head_6", "blob", "user_tokens", "status", "output_tokens", "input",
     "request_data", "structured_messages", "texts", "request_headers", "user_api_key_hash", "data",
     "thinking_blocks", "prompt", "output_text", "reasoning_blob", "account_created_at", "ip")
)  # fmt: skip
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.sampled_from(("a", "user", "thinking", "2026-01-01", "0xff", "ok", "\ud800"))
)  # fmt: skip
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5)
)
BODIES = st.dictionaries(KEYS, VALUES, max_size=8).map(lambda v: {"account_id": "a", **v})


@settings(max_examples=400)
@given(path=st.sampled_from(PATHS), body=BODIES | VALUES | st.binary(max_size=200))
def test_no_body_makes_it_answer_500_or_fail(fuzzed, path, body):
    try:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
    except UnicodeEncodeError:
        return
    status, _, _ = call(fuzzed, path, data, {"x-account-id": "a"})
    assert status in (200, 202, 400)
    assert not [
        k for k in fuzzed.counts if k[0] == "unavailable" and k[2] != "no account was named"
    ]


TEXTS = st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=60)
NAMES = st.sampled_from(
    ("x-account-id", "x-end-user-id", "x-org-id", "x-forwarded-for", "x-real-ip", "x-ja4",
     "user-agent", "content-length", "content-type", "authorization", "x-api-key", "traceparent",
     "x-stillwatch-token", "x-stillwatch-style", "x-envoy-auth-partial-body")
) | TEXTS  # fmt: skip


@settings(max_examples=300)
@given(
    path=st.sampled_from((*PATHS, *GETS)) | TEXTS.map("/authz/{}".format) | TEXTS,
    method=st.sampled_from(("GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "X")),
    headers=st.dictionaries(NAMES, TEXTS, max_size=8),
    body=BODIES | st.binary(max_size=60),
)
def test_no_header_path_or_method_makes_it_answer_500_or_fail(fuzzed, path, method, headers, body):
    try:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
    except UnicodeEncodeError:
        return
    status, _, _ = call(fuzzed, path, data, headers, method)
    assert status in (200, 202, 400, 403, 404, 405, 413)
    assert not [k for k in fuzzed.counts if k[0] == "unavailable" and "Error" in k[2]]


# Bodies as the contract has them: each part right in form and hostile in content.
HEX = st.integers(0, 2**64 - 1) | st.integers(0, 2**64 - 1).map("{:x}".format)
PARTS = st.fixed_dictionaries({"type": st.sampled_from(("text", "thinking", "tool_use", "x"))},
                              optional={"text": SCALARS, "thinking": SCALARS, "data": SCALARS,
                                        "input": VALUES, "signature": SCALARS})  # fmt: skip
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(("user", "assistant", "system", "tool")),
         "content": st.text(max_size=60) | st.lists(PARTS, max_size=3) | st.none()},
        optional={"tool_calls": VALUES, "name": SCALARS, "thinking_blocks": st.lists(PARTS)},
    ),
    max_size=4,
)  # fmt: skip
CALLS = st.fixed_dictionaries(
    {"account_id": st.sampled_from(("bad-1", "good", "reseller")) | st.text(min_size=1)},
    optional={
        "end_user_id": st.text(max_size=9), "org_id": st.text(max_size=9), "model": st.text(),
        "ts": st.integers(0, 2**62) | st.datetimes().map(lambda d: d.isoformat() + "Z"),
        "links": st.dictionaries(st.sampled_from(("payment", "device", "phone", "email")),
                                 st.text(max_size=9)),
        "hashes": st.dictionaries(
            st.sampled_from(("head_6", "tail_16", "system", "band_0", "payload", "blob", "prefix",
                             "prefix_full", "prefix_before_last_user")), HEX),
        "user_tokens": st.integers(0, 10**6), "messages": MESSAGES, "tools": VALUES,
        "status": st.sampled_from(("ok", "denied", "rate_limited")),
        "output_tokens": st.integers(0, 10**7), "output_text": st.text(max_size=30),
        "step_up": st.sampled_from(("passed", "failed")),
        "summarized": st.sampled_from(("stripped", "failed", "x")) | SCALARS,
        "decision_id": st.text(max_size=9),
    },
)  # fmt: skip


@settings(max_examples=300)
@given(path=st.sampled_from(PATHS[:4]), calls=st.lists(CALLS, min_size=1, max_size=4))
def test_bodies_of_the_contracts_form_are_decided_and_observed(fuzzed, path, calls):
    body: Any = {"requests": calls} if path.endswith("batch") else calls[0]
    try:
        data = json.dumps(body).encode()
    except UnicodeEncodeError:
        return
    status, _, answer = call(fuzzed, path, data)
    assert status in (200, 202, 400)
    if status == 400:
        assert "error" in answer
    elif path == "/v1/decide":
        assert answer["verdict"] in VERDICTS
    assert not [k for k in fuzzed.counts if k[0] == "unavailable" and "Error" in k[2]]


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory, key):
    assert SALT
    return served(tmp_path_factory.mktemp("fuzz"), key)
