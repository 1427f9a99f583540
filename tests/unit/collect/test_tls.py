"""Clients by certificate (mTLS): real handshakes, by httpx and by curl."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from certificates import certificate, trusting

from .conftest import Collector, payload, rows_in

REFUSED = (httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError)


@pytest.fixture
def guarded(tmp_path: Path, collector: Callable[..., Collector]) -> Collector:
    """A collector that hears only what the test's authority has signed; `known` has signed one."""
    ca, _ = certificate(tmp_path, "authority")
    pem, key = certificate(tmp_path, "server", "authority")
    certificate(tmp_path, "client", "authority")
    certificate(tmp_path, "stranger")
    one = collector(
        "--tls-cert", pem, "--tls-key", key, "--client-ca", ca, "--segment-seconds", 0.2,
        start=False,
    ).start(wait=False)  # fmt: skip
    with httpx.Client(verify=_known(tmp_path), trust_env=False) as client:
        until = time.monotonic() + 60
        while True:
            try:
                assert client.get(_url(one, "/healthz")).status_code == 200
                return one
            except httpx.ConnectError:
                assert time.monotonic() < until, one.log.read_text()
                time.sleep(0.1)


def _url(one: Collector, path: str) -> str:
    return f"https://127.0.0.1:{one.port}{path}"


def _known(folder: Path, name: str = "client"):  # type: ignore[no-untyped-def]
    context = trusting(folder / "authority.pem")
    context.load_cert_chain(folder / f"{name}.pem", folder / f"{name}.key")
    return context


def test_only_callers_that_the_authority_signed_are_heard(
    guarded: Collector, tmp_path: Path
) -> None:
    body = json.dumps(payload(1)).encode()
    with httpx.Client(verify=_known(tmp_path), trust_env=False) as client:
        answer = client.post(_url(guarded, "/v1/litellm"), content=body)
    assert answer.status_code == 200
    for context in (trusting(tmp_path / "authority.pem"), _known(tmp_path, "stranger")):
        with httpx.Client(verify=context, trust_env=False) as client, pytest.raises(REFUSED):
            client.post(_url(guarded, "/v1/litellm"), content=json.dumps(payload(2)).encode())
    with httpx.Client(trust_env=False) as client, pytest.raises(REFUSED):
        client.post(f"{guarded.url}/v1/litellm", content=body)  # in the clear
    assert guarded.stop() == 0
    assert [row["exchange_id"] for row in rows_in(guarded.folder)] == ["chatcmpl-0-1"]


def test_curl_with_and_without_its_certificate(guarded: Collector, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    assert curl, "curl is among the packages that the tests need"
    plain = [curl, "-sS", "--noproxy", "*", "--cacert", tmp_path / "authority.pem", "-o",
             tmp_path / "answer", "-w", "%{http_code}", "--data-binary", json.dumps(payload(3)),
             _url(guarded, "/v1/litellm")]  # fmt: skip
    own = ["--cert", tmp_path / "client.pem", "--key", tmp_path / "client.key"]
    heard = subprocess.run([*plain, *own], capture_output=True, text=True, timeout=60)
    assert (heard.returncode, heard.stdout) == (0, "200"), heard.stderr
    for options in ([], ["--cert", tmp_path / "stranger.pem", "--key", tmp_path / "stranger.key"]):
        refused = subprocess.run([*plain, *options], capture_output=True, text=True, timeout=60)
        assert refused.returncode != 0, refused.stderr
        assert refused.stdout == "000"
    assert guarded.stop() == 0
    assert len(rows_in(guarded.folder)) == 1
