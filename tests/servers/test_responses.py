"""Conversations that change hands behind LiteLLM: by the id of a response, and by their text."""

from __future__ import annotations

import json

import openai
import pytest
from conversations import ASK, SAID, spoken

from stillwatch.guard import Orders, write_orders
from stillwatch.schema.snapshot import subject_key

from .conftest import SALT, running
from .test_faults import until
from .test_gateways import SECRET, ask_anthropic, clients, proxy, second_model

pytestmark = pytest.mark.slow

THEN = "And then?"
# Of a model that knows no responses LiteLLM asks its chat, and makes responses of the answers.
CHAT = "deepseek/m-1"
OPEN = {"general_settings:\n": "general_settings:\n  disable_responses_id_security: true\n"}
MATE = '"sk-mate": ("mate", "shell"), '
TOKEN = {"authorization": "Bearer token-1"}


@pytest.fixture
def shadow(guarded, tmp_path):
    """A guard that answers everybody and writes down what it would do."""
    (tmp_path / "tokens").write_text("token-1\n")
    orders, log = tmp_path / "orders.json", tmp_path / "decisions.jsonl"
    options = ("--token-file", tmp_path / "tokens", "--orders", orders, "--log", log)
    guard = guarded(*options, start=False)
    write_orders(orders, Orders(version=1, mode="shadow"), guard.key)
    return guard


@pytest.fixture
def running_shadow(shadow):
    with running(shadow.command(), shadow.port, shadow.folder):
        yield shadow


def chat_model(port: int) -> dict[str, str]:
    params = f'{{ model: {CHAT}, api_base: "http://127.0.0.1:{port}/v1", api_key: none }}'
    line = "litellm_settings:"
    return {f"\n{line}": f"\n  - model_name: m-3\n    litellm_params: {params}\n{line}"}


def respond(port: int, key: str, *, stream: bool, model: str = "m-1", **more) -> str:
    """Ask for a response by the real client; return its id."""
    client, other = clients(port, key)
    with client, other:
        made = client.responses.create(model=model, stream=stream, **more)
        if stream:
            made = [event.response for event in made if event.type == "response.completed"][-1]
    assert made.output_text == SAID
    return str(made.id)


def handed_over(guard, tmp_path, account: str) -> int:
    """How often the guard wrote down that an account took over a conversation."""
    log = tmp_path / "decisions.jsonl"
    rows = map(json.loads, log.read_text("utf-8").splitlines() if log.exists() else [])
    subject = f"{subject_key(SALT, account):016x}"
    mine = [row["reasons"] for row in rows if row["subject"] == subject]
    return sum("evidence: handoff" in reasons for reasons in mine)


def takes_over(guard, messages, organization: str) -> bool:
    """Whether an account that brings the conversation's text is seen to take it over."""
    asks = {"account_id": "new", "org_id": organization, "messages": messages}
    return "evidence: handoff" in guard.ask("/v1/decide", asks, TOKEN)[1]["reasons"]


def test_whoever_goes_on_from_a_response_of_the_accused_is_seen(running_shadow, model, tmp_path):
    guard, seen = running_shadow, 0
    more = OPEN | chat_model(model.server_port)
    with proxy(
        "litellm_callback.yaml", tmp_path / "l", guard.port, model.server_port, more, MATE
    ) as port:
        for stream in (False, True):
            for name in ("m-1", "m-3"):
                ask = f"{ASK} {stream} {name}"
                of_bad = respond(port, "sk-bad", stream=stream, model=name, input=ask)
                until(lambda: takes_over(guard, spoken(ask), "others"))  # noqa: B023
                assert not takes_over(guard, spoken(ask), "shell")
                on = {"previous_response_id": of_bad, "input": THEN}
                respond(port, "sk-good", stream=stream, model=name, **on)
                respond(port, "sk-mate", stream=stream, model=name, **on)
                seen += 1
                until(lambda: handed_over(guard, tmp_path, "good") == seen)  # noqa: B023
        assert not handed_over(guard, tmp_path, "mate")


def test_a_conversation_of_many_responses_is_known_by_its_text(running_shadow, model, tmp_path):
    """LiteLLM lets nobody go on from another user's response unless it is told to; the text can."""
    guard = running_shadow
    with proxy("litellm_callback.yaml", tmp_path / "l", guard.port, model.server_port) as port:
        for stream in (False, True):
            asks = [f"{ASK} {stream}", THEN, "What of the moon?"]
            made = respond(port, "sk-bad", stream=stream, input=asks[0], instructions="Be brief.")
            until(lambda: takes_over(guard, spoken(*asks[:1]), "others"))  # noqa: B023
            parts = [{"type": "input_text", "text": THEN}]
            second = [{"type": "message", "role": "user", "content": parts}]
            made = respond(port, "sk-bad", stream=stream, input=second, previous_response_id=made)
            until(lambda: takes_over(guard, spoken(*asks[:2]), "others"))  # noqa: B023
            last = respond(port, "sk-bad", stream=stream, input=asks[2], previous_response_id=made)
            until(lambda: takes_over(guard, spoken(*asks), "others"))  # noqa: B023
            assert not takes_over(guard, spoken(*asks), "shell")
            with pytest.raises(openai.PermissionDeniedError, match="not associated with the user"):
                respond(port, "sk-good", stream=stream, input=THEN, previous_response_id=last)
            until(lambda: handed_over(guard, tmp_path, "good") == 1 + stream)  # noqa: B023


def test_the_guardrail_tells_what_was_answered(running_shadow, model, tmp_path):
    guard = running_shadow
    more = SECRET | second_model("guardrails:", model.server_port)
    with proxy("litellm.yaml", tmp_path / "l", guard.port, model.server_port, more) as port:
        respond(port, "sk-good", stream=False, input=ASK)  # shows that answers are told
        for stream in (False, True):
            ask = f"{ASK} {stream}"
            respond(port, "sk-bad", stream=stream, input=ask, instructions="Be brief.")
            until(lambda: takes_over(guard, spoken(ask), "others"))  # noqa: B023
            assert not takes_over(guard, spoken(ask), "shell")
            client, other = clients(port, "sk-bad")
            chat = [*spoken(ask)[:-1], {"role": "user", "content": THEN}]
            with client, other:
                told = client.chat.completions.create(model="m-1", messages=chat, stream=stream)
                assert not stream or list(told)
            until(lambda: takes_over(guard, spoken(ask, THEN), "others"))  # noqa: B023
            assert ask_anthropic(port, "sk-bad", stream) == SAID
