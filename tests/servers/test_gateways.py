"""nginx, Envoy, Caddy and LiteLLM, each set up by its example, in front of a model's stub."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import anthropic
import openai
import pytest
from conversations import SAID
from environments import environment
from ports import free_port

from stillwatch.guard import Orders, write_orders
from stillwatch.schema.snapshot import keyed_permit

from .conftest import EXAMPLES, example, must_have, running, snapshot
from .test_faults import until

KINDS = ["nginx", "envoy", "caddy"]


# A guard on a busy machine may need more than the examples' 200 ms, and then everybody passes.
PATIENT = {
    "nginx": {"connect_timeout 50ms": "connect_timeout 30s", "timeout 200ms": "timeout 30s"},
    "envoy": {"timeout: 0.2s": "timeout: 30s", "timeout: 0.05s": "timeout: 30s"},
    "litellm": {"timeout: 0.5": "timeout: 60"},
    "caddy": {"dial_timeout 50ms": "dial_timeout 30s", "timeout 200ms": "timeout 30s"},
}


@contextlib.contextmanager
def gateway(kind: str, folder: Path, guard_port: int, model_port: int, more=None, patient=True):
    """A gateway's port, while it runs; it waits for the guard as the example says, or for long."""
    more = {**(more or {}), **(PATIENT[kind] if patient else {})}
    port = free_port()
    ports = {8080: port, 8470: guard_port, 9000: model_port}
    folder.mkdir(exist_ok=True)
    if kind == "nginx":
        path = example("nginx.conf", folder, ports, more)
        command = [must_have("nginx"), "-p", folder, "-c", path, "-e", "stderr"]
    elif kind == "caddy":
        path = example("Caddyfile", folder, ports, more)
        command = [must_have("caddy"), "run", "--adapter", "caddyfile", "--config", path]
    else:
        path = example("envoy.yaml", folder, ports, more)
        command = [environment("envoy") / "envoy", "-c", path, "--concurrency", "1",
                   "--use-dynamic-base-id", "-l", "warn"]  # fmt: skip
    with running(command, port, folder):
        yield port


def clients(port: int, key: str):
    """The two clients that applications use, without retries that would hide an answer."""
    auth = {"Authorization": f"Bearer {key}"}
    return (
        openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0),
        anthropic.Anthropic(
            base_url=f"http://127.0.0.1:{port}", api_key="unused", default_headers=auth,
            max_retries=0,
        ),
    )  # fmt: skip


ASK = [{"role": "user", "content": "When does the tide turn?"}]


def talk(port: int, key: str) -> None:
    """All four ways of asking, each answered whole."""
    of_openai, of_anthropic = clients(port, key)
    with of_openai, of_anthropic:
        done = of_openai.chat.completions.create(model="m-1", messages=ASK)
        assert done.choices[0].message.content == SAID
        stream = of_openai.chat.completions.create(model="m-1", messages=ASK, stream=True)
        assert "".join(c.choices[0].delta.content or "" for c in stream) == SAID
        told = of_anthropic.messages.create(model="m-1", messages=ASK, max_tokens=9)
        assert told.content[0].text == SAID
        with of_anthropic.messages.stream(model="m-1", messages=ASK, max_tokens=9) as events:
            assert events.get_final_text() == SAID


def refused(port: int, key: str, openai_error: type, anthropic_error: type) -> list[Exception]:
    """All four ways of asking, each refused with the client's own exception."""
    of_openai, of_anthropic = clients(port, key)
    found = []
    with of_openai, of_anthropic:
        for stream in (False, True):
            with pytest.raises(openai_error) as one:
                of_openai.chat.completions.create(model="m-1", messages=ASK, stream=stream)
            with pytest.raises(anthropic_error) as two:
                of_anthropic.messages.create(model="m-1", messages=ASK, max_tokens=9, stream=stream)
            found += [one.value, two.value]
    return found


# The example's token is "a token"; tokens hold no space, so tests use another.
SECRET = {"a token": "token-1"}


@pytest.fixture
def asked(guarded, tmp_path):
    def make(verdict: str = "deny"):
        tokens = tmp_path / "tokens"
        tokens.write_text("token-1\n")
        return guarded("--token-file", tokens, verdict=verdict)

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_honest_accounts_pass_and_the_accused_are_denied(kind, asked, model, tmp_path):
    guard = asked()
    with gateway(kind, tmp_path / kind, guard.port, model.server_port, SECRET) as port:
        talk(port, "sk-good")
        assert len(model.calls) == 4
        assert all(h["x-stillwatch-verdict"] == "allow" for _, h, _ in model.calls)
        errors = refused(
            port, "sk-bad", openai.PermissionDeniedError, anthropic.PermissionDeniedError
        )
        assert all("not use the model. Reference node-0-" in str(error) for error in errors)
        assert len(model.calls) == 4


@pytest.mark.parametrize("kind", KINDS)
def test_throttled_clients_see_429_and_when_to_come_again(kind, asked, model, tmp_path):
    """nginx' auth_request knows no 429: it would become an error 500."""
    guard = asked("throttle")
    with gateway(kind, tmp_path / kind, guard.port, model.server_port, SECRET) as port:
        for _ in range(6):  # the campaign's budget: a twentieth of 20 an hour over six hours
            guard.ask("/v1/decide", {"account_id": "bad-2"}, {"authorization": "Bearer token-1"})
        errors = refused(port, "sk-bad", openai.RateLimitError, anthropic.RateLimitError)
        assert all(int(e.response.headers["retry-after"]) > 0 for e in errors)
        assert all("Too many requests. Try again in" in str(e) for e in errors)
        assert not model.calls


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_cannot_name_another_account(kind, asked, model, tmp_path):
    guard = asked()
    with gateway(kind, tmp_path / kind, guard.port, model.server_port, SECRET) as port:
        client, other = clients(port, "sk-bad")
        with client, other, pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(
                model="m-1", messages=ASK, extra_headers={"x-account-id": "good"}
            )
        assert not model.calls


def status_of(port: int, key: str, headers: dict[str, str]) -> int:
    """The status that a caller with these headers sees; each may be named once."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    body = json.dumps({"model": "m-1", "messages": ASK}).encode()
    headers = {"authorization": f"Bearer {key}", **headers}
    link.request("POST", "/v1/chat/completions", body, headers)
    status = link.getresponse().status
    link.close()
    return status


@pytest.mark.parametrize("kind", KINDS)
def test_no_number_and_no_length_of_headers_is_a_way_around(kind, asked, model, tmp_path):
    guard = asked()
    many = {f"x-{k}": "1" for k in range(90 if kind == "envoy" else 110)}  # Envoy takes a hundred
    long = {f"x-{k}": "c" * 6_000 for k in range(4)}  # nginx takes four of 8 KB
    if kind != "nginx":
        long |= {f"y-{k}": "c" * 6_000 for k in range(4)}
    with gateway(kind, tmp_path / kind, guard.port, model.server_port, SECRET) as port:
        for headers in ({}, many, long):
            assert status_of(port, "sk-bad", headers) == 403
        assert not model.calls
        assert status_of(port, "sk-good", long) == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_caller_cannot_name_an_organization_with_a_permit(kind, guarded, model, tmp_path):
    """The examples pass on none of these headers, also where the guard was told to believe them."""
    tokens = tmp_path / "tokens"
    tokens.write_text("token-1\n")
    believed = [x for n in ("end-user-id", "org-id", "plan")
                for x in (f"--{n.removesuffix('-id')}-header", f"X-{n}")]  # fmt: skip
    permit = {"permit_id": "p", "account_id": None, "org_id": "acme", "plan": None, "methods": (),
              "models": (), "max_output_tokens_per_day": None, "valid_from_us": None,
              "valid_until_us": None}  # fmt: skip
    guard = guarded("--token-file", tokens, *believed, start=False)
    made = snapshot("deny")
    guard.write(replace(made, permits=(keyed_permit(made.salt, permit),)))
    named = {"X-Org-Id": "acme", "X-End-User-Id": "eu-1", "X-Plan": "research"}
    with running(guard.command(), guard.port, guard.folder):
        asks = {"x-account-id": "bad-1", "x-stillwatch-token": "token-1"}
        assert guard.ask("/authz/x", None, {**asks, **named})[0] == 200  # so would it be
        with gateway(kind, tmp_path / kind, guard.port, model.server_port, SECRET) as port:
            assert status_of(port, "sk-bad", named) == 403
    assert not model.calls


@pytest.mark.parametrize("kind", KINDS)
def test_a_guard_that_is_down_lets_everybody_pass(kind, model, tmp_path):
    with gateway(kind, tmp_path / kind, free_port(), model.server_port) as port:
        talk(port, "sk-good")
        talk(port, "sk-bad")


@pytest.mark.parametrize("kind", ["nginx", "caddy"])  # Envoy's example knows no other keys: 401
def test_what_could_not_be_checked_is_refused_as_that(kind, guarded, model, tmp_path):
    """A key of nobody, where the guard fails closed: nothing is said of an account."""
    (tmp_path / "tokens").write_text("token-1\n")
    guard = guarded("--token-file", tmp_path / "tokens", "--fail-closed", "authz")
    with gateway(kind, tmp_path / kind, guard.port, model.server_port, SECRET) as port:
        client, other = clients(port, "sk-unknown")
        with client, other, pytest.raises(openai.PermissionDeniedError) as refused_as:
            client.chat.completions.create(model="m-1", messages=ASK)
    assert (refused_as.value.type, refused_as.value.code) == ("api_error", "unchecked")
    assert not model.calls


def test_envoy_refuses_everybody_where_it_was_told_to_fail_closed(model, tmp_path):
    closed = {"failure_mode_allow: true": "failure_mode_allow: false"}
    with gateway("envoy", tmp_path / "e", free_port(), model.server_port, closed) as port:
        refused(port, "sk-good", openai.PermissionDeniedError, anthropic.PermissionDeniedError)


@pytest.mark.parametrize("kind", KINDS)
def test_a_gateway_with_an_old_token_refuses_nobody(kind, asked, model, tmp_path):
    """The guard's 401 would be sent to every user; it says 503, as if it were away."""
    guard = asked()
    old = {"a token": "token-0"}
    with gateway(kind, tmp_path / kind, guard.port, model.server_port, old) as port:
        talk(port, "sk-good")
        assert 'stillwatch_guard_refused_total{status="503"} 4.0' in guard.ask("/metrics")[1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_longer_than_the_guard_takes_passes(kind, asked, model, tmp_path):
    guard = asked()
    with gateway(kind, tmp_path / kind, guard.port, model.server_port, SECRET) as port:
        client, other = clients(port, "sk-good")
        long = [{"role": "user", "content": "tide " * 400_000}]
        with client, other:
            done = client.chat.completions.create(model="m-1", messages=long)
        assert done.choices[0].message.content == SAID
        client, other = clients(port, "sk-bad")  # and is no way around it
        with client, other, pytest.raises(openai.PermissionDeniedError):
            client.chat.completions.create(model="m-1", messages=long)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_of_the_model_pass_unchanged(kind, asked, model, tmp_path):
    """A model's 500 must not look like a guard that is down, and be sent a second time."""
    guard = asked()
    model.status = 500
    with gateway(kind, tmp_path / kind, guard.port, model.server_port, SECRET) as port:
        client, other = clients(port, "sk-good")
        with client, other, pytest.raises(openai.InternalServerError, match="model's own"):
            client.chat.completions.create(model="m-1", messages=ASK)
        assert len(model.calls) == 1


def test_envoy_cuts_long_prompts_and_the_guard_does_not_judge_half_a_text(asked, model, tmp_path):
    guard = asked()
    with gateway("envoy", tmp_path / "e", guard.port, model.server_port, SECRET) as port:
        client, other = clients(port, "sk-good")
        long = [{"role": "user", "content": "tide " * 60_000}]
        with client, other:
            done = client.chat.completions.create(model="m-1", messages=long)
        assert done.choices[0].message.content == SAID
        assert len(model.calls[0][2]["messages"][0]["content"]) == 300_000
        text = guard.ask("/metrics")[1]
        assert 'decisions_total{mode="enforce",route="authz",verdict="allow"' in text
        assert "stillwatch_guard_unavailable_total{" not in text


@contextlib.contextmanager
def proxy(
    name: str, folder: Path, guard_port: int, model_port: int, more=None, users=None, patient=True
):
    """LiteLLM's proxy with one of the example configurations; ``users`` are more keys' lines.

    ``patient``: it waits long for a guard, else as the example says.
    """
    folder.mkdir(exist_ok=True)
    port = free_port()
    ports = {9000: model_port} if name == "litellm_callback.yaml" else {
        8470: guard_port, 9000: model_port}  # fmt: skip
    if name == "litellm.yaml" and patient:
        more = {**(more or {}), **PATIENT["litellm"]}
    path = example(name, folder, ports, more)
    keys = (
        (EXAMPLES / "keys.py").read_text("utf-8").replace("_USERS = {", f"_USERS = {{{users or ''}")
    )
    (folder / "keys.py").write_text(keys, encoding="utf-8")
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "NO_PROXY": "*",
        "GUARD_URL": f"http://127.0.0.1:{guard_port}", "GUARD_TOKEN": "token-1",
        "GUARD_TIMEOUT_S": "60" if patient else "",
        "PYTHONPATH": str(EXAMPLES.parents[1] / "src"), "DISABLE_ADMIN_UI": "True",
    }  # fmt: skip
    command = [environment("litellm") / "litellm", "--config", path, "--port", port,
               "--host", "127.0.0.1"]  # fmt: skip
    with running(command, port, folder, env):
        yield port


def ask_openai(port: int, key: str, **more) -> str:
    client, other = clients(port, key)
    with client, other:
        if more.get("stream"):
            chunks = client.chat.completions.create(model="m-1", messages=ASK, **more)
            return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
        done = client.chat.completions.create(model="m-1", messages=ASK, **more)
        return str(done.choices[0].message.content)


@pytest.mark.slow
def test_litellms_generic_guardrail(asked, model, tmp_path):
    guard = asked()
    more = SECRET | second_model("guardrails:", model.server_port)
    with proxy("litellm.yaml", tmp_path / "l", guard.port, model.server_port, more) as port:
        for stream in (False, True):
            assert ask_openai(port, "sk-good", stream=stream) == SAID
            assert ask_anthropic(port, "sk-good", stream) == SAID
            with pytest.raises(openai.BadRequestError, match="may not use the model"):
                ask_openai(port, "sk-bad", stream=stream)
            with pytest.raises(anthropic.BadRequestError, match="may not use the model"):
                ask_anthropic(port, "sk-bad", stream)
        assert len(model.calls) == 4
        # Headers that extra_headers does not list come as "[present]": no address, no error.
        assert ask_openai(port, "sk-good", extra_headers={"x-real-ip": "192.0.2.1"}) == SAID
        passes_long_prompts(port)
        guard.process.terminate()
        guard.process.wait()
        assert ask_openai(port, "sk-bad") == SAID  # unreachable_fallback: fail_open


def passes_long_prompts(port: int) -> None:
    client, other = clients(port, "sk-good")
    long = [{"role": "user", "content": "tide " * 400_000}]
    with client, other:
        done = client.chat.completions.create(model="m-1", messages=long)
    assert done.choices[0].message.content == SAID
    client, other = clients(port, "sk-bad")  # and is no way around it
    with client, other, pytest.raises(openai.BadRequestError, match="may not use the model"):
        client.chat.completions.create(model="m-1", messages=long)


@pytest.mark.slow
def test_litellm_goes_on_with_an_old_token(asked, model, tmp_path):
    """It hands every error but 502 to 504 of a guardrail to its user."""
    guard = asked()
    old = {"a token": "token-0"}
    with proxy("litellm.yaml", tmp_path / "l", guard.port, model.server_port, old) as port:
        assert ask_openai(port, "sk-bad") == SAID  # unreachable_fallback: fail_open
        assert 'stillwatch_guard_refused_total{status="401"}' in guard.ask("/metrics")[1]


def ask_anthropic(port: int, key: str, stream: bool) -> str:
    """Through LiteLLM, which has a second model for it."""
    other, client = clients(port, key)
    with client, other:
        if stream:
            with client.messages.stream(model="m-2", messages=ASK, max_tokens=9) as events:
                return str(events.get_final_text())
        return str(client.messages.create(model="m-2", messages=ASK, max_tokens=9).content[0].text)


def second_model(before: str, port: int) -> dict[str, str]:
    """A model of Anthropic's API, put into an example before one of its lines."""
    base = f"http://127.0.0.1:{port}"
    params = f'{{ model: anthropic/m-1, api_base: "{base}", api_key: none }}'
    entry = f"  - model_name: m-2\n    litellm_params: {params}\n"
    return {f"\n{before}": f"\n{entry}{before}"}


@pytest.mark.slow
def test_litellms_callback_class(guarded, model, tmp_path):
    (tmp_path / "tokens").write_text("token-1\n")
    orders = tmp_path / "orders.json"
    guard = guarded("--token-file", tmp_path / "tokens", "--orders", orders, start=False)
    write_orders(orders, Orders(version=1, mode="enforce"), guard.key)
    more = second_model("litellm_settings:", model.server_port)
    with (
        running(guard.command(), guard.port, guard.folder) as process,
        proxy("litellm_callback.yaml", tmp_path / "l", guard.port, model.server_port, more) as port,
    ):
        for stream in (False, True):
            assert ask_openai(port, "sk-good", stream=stream) == SAID
            assert ask_anthropic(port, "sk-good", stream) == SAID
            with pytest.raises(openai.PermissionDeniedError, match="may not use the model"):
                ask_openai(port, "sk-bad", stream=stream)
            with pytest.raises(anthropic.PermissionDeniedError, match="may not use the model"):
                ask_anthropic(port, "sk-bad", stream)
        assert len(model.calls) == 4
        assert not any("stillwatch" in json.dumps(body) for _, _, body in model.calls)
        client, other = clients(port, "sk-bad")
        long = [{"role": "user", "content": "tide " * 400_000}]
        with client, other:
            for case in ({"messages": long}, {"messages": ASK, "user": "x" * 600}):
                with pytest.raises(openai.PermissionDeniedError, match="may not use the model"):
                    client.chat.completions.create(model="m-1", **case)
        assert len(model.calls) == 4
        write_orders(orders, Orders(version=2, mode="shadow"), guard.key)
        reports_how_calls_ended(guard, model, port)
        process.terminate()
        process.wait()
        assert ask_openai(port, "sk-bad") == SAID


def test_litellms_callback_class_takes_no_time_that_is_none(tmp_path):
    env = {**os.environ, "GUARD_TIMEOUT_S": "soon", "PYTHONPATH": str(EXAMPLES.parents[1] / "src"),
           "LITELLM_LOCAL_MODEL_COST_MAP": "True"}  # fmt: skip
    command = [environment("litellm") / "python", "-c", "import stillwatch.guard.litellm"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert "GUARD_TIMEOUT_S is 'soon'; give seconds above 0" in done.stderr


def reports_how_calls_ended(guard, model, port: int) -> None:
    """In shadow the accused is answered: what others do with that is seen, colleagues' is not."""
    long = [{"role": "user", "content": "When does the tide turn, and how high does it come? " * 8}]

    def seen(messages, organization: str) -> str:
        asks = {"account_id": "new", "org_id": organization, "messages": messages}
        told = guard.ask("/v1/decide", asks, {"authorization": "Bearer token-1"})[1]
        return " ".join(told["reasons"])

    def asked_by_the_accused(**more) -> str | None:
        client, other = clients(port, "sk-bad")
        with client, other, contextlib.suppress(openai.PermissionDeniedError):
            done = client.chat.completions.create(messages=long, **more)
            return str(done.choices[0].message.content)
        return None

    until(lambda: asked_by_the_accused(model="m-1") == SAID)
    later = [
        *long,
        {"role": "assistant", "content": SAID},
        {"role": "user", "content": "And then?"},
    ]
    until(lambda: "evidence: handoff" in seen(later, "others"))
    assert "handoff" not in seen(later, "shell")
    model.status = 429  # of the operator's own quota: nothing of the prompt
    with pytest.raises(openai.RateLimitError):
        asked_by_the_accused(model="m-2")
    model.status, model.code = 400, "content_policy_violation"
    with pytest.raises(openai.BadRequestError):
        asked_by_the_accused(model="m-2")
    until(lambda: "evidence: retry" in seen(long, "others"))
    assert "retry" not in seen(long, "shell")
    model.status = 200
