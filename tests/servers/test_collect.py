"""Logs pushed by LiteLLM's proxy and by OpenTelemetry's SDK, asked by the official clients."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

import anthropic
import openai
import pytest
from collector import Collector, rows_in
from conversations import SAID
from environments import environment
from ports import free_port

from .conftest import ROOT, running

EXAMPLES = ROOT / "examples" / "collect"
ASK = [{"role": "user", "content": "When does the tide turn?"}]


@contextlib.contextmanager
def collector(folder: Path):
    """A collector that wants a token; killed afterwards if it still runs."""
    folder.mkdir(exist_ok=True)
    tokens = folder / "tokens"
    tokens.write_text("token-0\ntoken-1\n")
    one = Collector(
        folder / "logs", "--token-file", tokens, "--segment-seconds", 0.5, "--join-seconds", 5
    )
    yield one.start()
    if one.process.poll() is None:
        one.kill()


@pytest.fixture
def collect(tmp_path):
    with collector(tmp_path) as one:
        yield one


def talk(port: int, key: str) -> None:
    """All four ways of asking."""
    with openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key=key, max_retries=0) as asked:
        asked.chat.completions.create(model="m-1", messages=ASK, temperature=0.5)
        for _ in asked.chat.completions.create(model="m-1", messages=ASK, stream=True):
            pass
    auth = {"Authorization": f"Bearer {key}"}
    with anthropic.Anthropic(
        base_url=f"http://127.0.0.1:{port}", api_key="unused", default_headers=auth, max_retries=0
    ) as asked:
        asked.messages.create(model="m-2", messages=ASK, max_tokens=64)
        with asked.messages.stream(model="m-2", messages=ASK, max_tokens=64) as stream:
            stream.until_done()


FORMS = ("json_array", "ndjson", "single")


def one_logger_a_form(ports: dict[str, int], model_port: int) -> str:
    """The example's configuration, its logger once for each form of what is pushed."""
    text = (EXAMPLES / "litellm.yaml").read_text("utf-8")
    start = text.index("  stillwatch:\n    callback_type: generic_api\n")
    end = text.index("general_settings:")
    logger = text[start:end].replace("a token", "token-1")
    each = "".join(
        logger.replace("stillwatch:", f"{form}:")
        .replace("4318", str(port))
        .replace("generic_api\n", f"generic_api\n    log_format: {form}\n")
        for form, port in ports.items()
    )
    text = text[:start] + each + text[end:]
    assert "callbacks: [stillwatch]" in text
    named = text.replace("callbacks: [stillwatch]", f"callbacks: [{', '.join(ports)}]")
    return named.replace("9000", str(model_port))


@pytest.mark.slow
def test_litellms_proxy_pushes_its_log_in_each_form(model, tmp_path):
    folder = tmp_path / "proxy"
    folder.mkdir()
    port = free_port()
    command = [environment("litellm") / "litellm", "--config", folder / "litellm.yaml",
               "--port", port, "--host", "127.0.0.1"]  # fmt: skip
    env = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False", "NO_PROXY": "*",
        "DISABLE_ADMIN_UI": "True", "DEFAULT_FLUSH_INTERVAL_SECONDS": "1",
        "DEFAULT_BATCH_SIZE": "1",  # docs/collect.md: without it the logger loses records
    }  # fmt: skip
    with contextlib.ExitStack() as stack:
        told = {form: stack.enter_context(collector(tmp_path / form)) for form in FORMS}
        text = one_logger_a_form({form: one.port for form, one in told.items()}, model.server_port)
        (folder / "litellm.yaml").write_text(text, encoding="utf-8")
        (folder / "keys.py").write_text((EXAMPLES / "keys.py").read_text("utf-8"), "utf-8")
        with running(command, port, folder, env):
            talk(port, "sk-good")
            for one in told.values():
                one.wait_for("records_total", 4)
            model.status = 500
            with pytest.raises(openai.InternalServerError):
                talk(port, "sk-bad")
            for one in told.values():
                one.wait_for("records_total", 5)
        for one in told.values():
            one.stop()
            holds_what_was_said(one)


def holds_what_was_said(collect: Collector) -> None:
    rows = rows_in(collect.folder)
    good = [row for row in rows if row["account_id"] == "good"]
    assert len(good) == 4
    assert {row["output_text"] for row in good} == {SAID}
    assert sorted(row.get("stream", False) for row in good) == [False, False, True, True]
    assert {row["status"] for row in good} == {"ok"}
    assert {row["output_tokens"] for row in good} == {4}
    assert all(row["messages"][-1]["content"] == ASK[0]["content"] for row in good)
    assert {row.get("temperature") for row in good} == {0.5, None}
    bad = [row for row in rows if row["account_id"] == "bad-1"]
    assert {row["status"] for row in bad} == {"server_error"}
    assert "tide" not in collect.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SPAN_ONLY", "EVENT_ONLY", "SPAN_AND_EVENT", "NO_CONTENT"])
def test_opentelemetrys_sdk_exports_what_its_instrumentations_saw(collect, model, mode):
    """Protobuf in gzip, spans and their events by two exporters, in any order."""
    where = f"http://127.0.0.1:{model.server_port}"
    client = ROOT / "tests" / "servers" / "otel_client.py"
    done = subprocess.run(
        [environment("otel-genai") / "python", client, mode, where, collect.url],
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    assert "export" not in done.stderr.lower(), done.stderr
    assert collect.metric("requests_total", status="200") >= 1
    collect.wait_for("rows_total", 4)
    collect.stop()
    rows = rows_in(collect.folder)
    assert len(rows) == 4, "an exchange is told by its span and its event, and is one row"
    assert {row["account_id"] for row in rows} == {"account-1"}
    assert {row["provider"] for row in rows} == {"openai", "anthropic"}
    assert {row["model"] for row in rows} == {"m-1"}
    assert {row["status"] for row in rows} == {"ok"}
    said = [row.get("output_text") for row in rows]
    asked = [row.get("messages") for row in rows]
    if mode == "NO_CONTENT":
        assert said == asked == [None] * 4
    else:
        assert said == [SAID] * 4
        assert {json.dumps(a) for a in asked} == {json.dumps(ASK)}
    assert "tide" not in collect.log.read_text()
