"""What is too large, too slow, too much or not allowed; and a disk that is full."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import socket
import subprocess
import threading
import time
from pathlib import Path

import httpx
import pytest

from stillwatch.collect import Settings
from stillwatch.errors import ConfigError

from .conftest import HTTP, payload, rows_in

SMALL = ("--max-body-mb", 0.1, "--max-inflated-mb", 0.5, "--body-seconds", 1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One collector with small limits, for tests that look at answers alone."""
    from .conftest import Collector

    one = Collector(tmp_path_factory.mktemp("limits") / "logs", *SMALL).start()
    yield one
    one.kill()


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError


def test_a_bomb_is_refused_and_never_held(shared):
    bomb = gzip.compress(b"[" + b" " * (60 << 20) + b"]")
    assert len(bomb) < 100_000
    before = rss_mb(shared.process.pid)
    for path in ("/v1/litellm", "/v1/traces", "/v1/logs"):
        got = shared.post(path, bomb, headers={"content-encoding": "gzip"})
        assert got.status_code == 413
        assert "inflated" in got.text
    assert rss_mb(shared.process.pid) - before < 20
    assert shared.metric("pending_bytes") == 0


@pytest.mark.parametrize(
    "headers, body, status",
    [
        ({"content-encoding": "gzip"}, b"no gzip", 400),
        ({"content-encoding": "gzip"}, gzip.compress(b"[]" * 50, mtime=0)[:-9], 400),
        ({"content-encoding": "br"}, b"x", 415),
        ({}, b"[" + b" " * 120_000 + b"]", 413),
        ({f"x-{n}": "1" for n in range(120)}, b"[]", 431),
    ],
)
def test_bodies_and_heads_that_are_not_taken(shared, headers, body, status):
    assert shared.post("/v1/litellm", body, headers=headers).status_code == status
    assert shared.metric("pending_bytes") == 0


def test_a_body_without_a_length_is_cut_off_too(shared):
    def endless():
        for _ in range(50):
            yield b" " * 10_000

    with contextlib.suppress(httpx.HTTPError):  # the connection may be closed while it is sent
        assert HTTP.post(f"{shared.url}/v1/litellm", content=endless()).status_code == 413
    assert shared.metric("requests_total", status="413") >= 1


def test_a_slow_body_is_let_go(shared):
    with socket.create_connection(("127.0.0.1", shared.port), 30) as line:
        line.sendall(b"POST /v1/litellm HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n[{")
        assert b" 408 " in line.recv(4096)
    assert shared.metric("pending_bytes") == 0


def test_who_goes_away_leaves_nothing_behind(shared):
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", shared.port), 30) as line:
            line.sendall(b"POST /v1/litellm HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n[{")
    until = time.monotonic() + 120
    while shared.metric("pending_bytes"):
        assert time.monotonic() < until
        time.sleep(0.05)
    assert shared.post("/v1/litellm", payload(1)).status_code == 200


def test_routes_and_methods(shared):
    assert HTTP.get(f"{shared.url}/v1/litellm").status_code == 405
    assert shared.post("/v1/metrics", {}).status_code == 404
    assert HTTP.get(f"{shared.url}/readyz").json() == {"ready": True, "problem": None}


def test_too_many_records_in_one_request(shared):
    got = shared.post("/v1/litellm", b"[" + b",".join([b"{}"] * 30_000) + b"]")
    assert got.status_code == 200  # below the limit of 50,000
    body = gzip.compress(b"[" + b",".join([b"{}"] * 60_000) + b"]")
    got = shared.post("/v1/litellm", body, headers={"content-encoding": "gzip"})
    assert (got.status_code, got.json()["error"]) == (413, "more than 50000 records in one request")


def test_tokens(collector, tmp_path):
    file = tmp_path / "tokens"
    file.write_text("first-token\nsecond-token\n")
    one = collector("--token-file", file)
    for token in ("first-token", "second-token"):
        got = one.post("/v1/litellm", payload(1), headers={"authorization": f"Bearer {token}"})
        assert got.status_code == 200
        assert one.post("/v1/logs", {}, headers={"x-api-key": token}).status_code == 200
    for headers in ({}, {"authorization": "Bearer third"}, {"x-api-key": "first-toke"}):
        assert one.post("/v1/litellm", payload(2), headers=headers).status_code == 401
    assert one.post("/v1/traces", {}).json() == {
        "code": 16, "message": "show a token that is accepted",
    }  # fmt: skip
    assert "token" not in one.log.read_text()


def test_an_open_address_needs_tokens(tmp_path):
    with pytest.raises(ConfigError, match="write into the log"):
        Settings(folder=tmp_path, host="0.0.0.0")
    with pytest.raises(ConfigError, match="certificate"):
        Settings(folder=tmp_path, client_ca=tmp_path)
    assert Settings(folder=tmp_path, host="0.0.0.0", tokens=("t",)).tokens


def test_a_full_queue_is_answered_with_when_to_come_again(collector):
    """Requests that are read and not yet written may hold 1 MB; two hold more."""
    one = collector("--pending-mb", 1, "--max-inflated-mb", 1, "--body-seconds", 20)
    big = json.dumps(payload(1, words="x" * 400_000)).encode()
    with socket.create_connection(("127.0.0.1", one.port), 30) as line:
        line.sendall(b"POST /v1/litellm HTTP/1.1\r\nhost: x\r\ncontent-length: 700002\r\n\r\n[")
        line.sendall(b" " * 700_000)  # one byte is missing: it is held, and waited for
        until = time.monotonic() + 120
        while one.metric("pending_bytes") < 600_000:
            assert time.monotonic() < until
            time.sleep(0.05)
        got = one.post("/v1/litellm", big)
        assert got.status_code == 503
        assert int(got.headers["retry-after"]) >= 1
        assert one.metric("turned_away_total") == 1
    until = time.monotonic() + 120
    while one.post("/v1/litellm", big[:-1] + b"}").status_code != 400 and one.metric(
        "pending_bytes"
    ):
        assert time.monotonic() < until
    assert one.post("/v1/litellm", payload(2)).status_code == 200


def test_a_backlog_that_nobody_turns_into_segments_is_answered_too(collector):
    one = collector("--segment-seconds", 3600, "--backlog-gb", 0.0001)
    one.post("/v1/litellm", payload(1, words="x" * 200_000))
    until = time.monotonic() + 120
    while (got := one.post("/v1/litellm", payload(2))).status_code == 200:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert (got.status_code, got.headers["retry-after"]) == (503, "30")
    assert HTTP.get(f"{one.url}/readyz").status_code == 503


def test_a_disk_that_is_full_is_told_and_left_when_it_has_room_again(collector, tmp_path):
    """A file system of one megabyte, really full; without the right to mount, a limit on files."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = not subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "none", disk], capture_output=True
    ).returncode
    one = collector("--segment-seconds", 3600, start=False, name="disk/logs")
    one.log = tmp_path / "collector.log"
    try:
        one.start(wrapper=() if mounted else ("prlimit", f"--fsize={1 << 20}"))
        kept, got = 0, None
        for number in range(100):
            words = "x" * (60_000 if mounted else 1_100_000)
            got = one.post("/v1/litellm", payload(number, words=words))
            if got.status_code != 200:
                break
            kept += 1
        assert got.status_code == 503
        assert got.headers["retry-after"] == "30"
        assert HTTP.get(f"{one.url}/readyz").json()["problem"] == "the disk takes no more"
        said = json.loads(one.log.read_text().splitlines()[-1])
        assert said["event"] == "cannot write"
        assert said["why"] in ("No space left on device", "File too large")
        if mounted:
            subprocess.run(["mount", "-o", "remount,size=20m", disk], check=True)
        assert one.post("/v1/litellm", payload(1000)).status_code == 200
        assert HTTP.get(f"{one.url}/readyz").status_code == 200
        assert one.stop() == 0
        assert len(rows_in(one.folder)) == kept + 1
    finally:
        if one.process.poll() is None:
            one.kill()
        if mounted:
            time.sleep(0.2)
            subprocess.run(["umount", "-l", disk], check=True)


def test_two_collectors_do_not_share_a_folder(collector, monkeypatch):
    from stillwatch.collect import service

    one = collector()
    monkeypatch.setattr(service, "_LOCK_S", 0.1)
    with pytest.raises(ConfigError, match="another collector"):
        service.Service(Settings(folder=one.folder))


def test_whoever_floods_it_reads_the_metrics_all_the_same(collector):
    one = collector()
    stop = threading.Event()
    codes: list[int] = []

    def flood() -> None:
        with httpx.Client(trust_env=False, timeout=180) as own:
            while not stop.is_set():
                codes.append(own.post(f"{one.url}/v1/litellm", json=payload(1)).status_code)

    threads = [threading.Thread(target=flood) for _ in range(8)]
    for thread in threads:
        thread.start()
    time.sleep(1)
    assert HTTP.get(f"{one.url}/healthz").status_code == 200
    stop.set()
    for thread in threads:
        thread.join()
    assert set(codes) == {200}
    assert one.metric("commit_seconds_count") < len(codes) * 1.01
    assert one.stop() == 0
    assert len(rows_in(one.folder)) == 1
    assert os.stat(one.folder).st_mode & 0o077 == 0
