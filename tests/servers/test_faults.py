"""What breaks around a guard, and that it keeps deciding."""

from __future__ import annotations

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from ports import free_port

from stillwatch.guard import read_snapshot
from stillwatch.schema.snapshot import subject_key
from stillwatch.seal import public_key

from .conftest import must_have, running, snapshot, wait_for


@pytest.fixture
def redis(tmp_path):
    """A Redis server, really started: (process, port, a function that starts it again)."""
    port = free_port()
    command = [must_have("redis-server"), "--port", port, "--save", "", "--appendonly", "no"]
    with running(command, port, tmp_path) as process:
        yield process, port, command


def until(condition, seconds=120.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come to that in time")


def test_nodes_share_a_campaigns_budget_through_redis_and_go_on_without_it(guarded, redis):
    process, port, _ = redis
    url = f"redis://127.0.0.1:{port}"
    first = guarded("--redis", url, "--node", "n1", verdict="throttle", name="one")
    second = guarded("--redis", url, "--node", "n2", verdict="throttle", name="two")
    assert [first.verdict("bad-1") for _ in range(7)] == ["watch"] * 6 + ["throttle"]
    spent = 'stillwatch_guard_budget_spent{campaign_id="c-1"} 6.0'
    until(lambda: spent in second.ask("/metrics")[1])
    assert second.verdict("bad-2") == "throttle"
    process.send_signal(signal.SIGKILL)
    process.wait()
    for node in (first, second):
        until(lambda node=node: node.ask("/readyz")[1]["redis"] == "lost: deciding alone")
        assert node.verdict("bad-2") == "throttle"
        assert node.verdict("someone") == "allow"
        assert "stillwatch_guard_redis_connected 0.0" in node.ask("/metrics")[1]


def test_evidence_and_refusals_travel_between_nodes(guarded, redis):
    _, port, _ = redis
    url = f"redis://127.0.0.1:{port}"
    first = guarded("--redis", url, "--node", "n1", name="one")
    second = guarded("--redis", url, "--node", "n2", name="two")
    prompt = {"hashes": {"payload": 4242}, "user_tokens": 12}
    assert first.ask("/v1/decide", {"account_id": "bad-1", **prompt})[1]["verdict"] == "deny"
    until(lambda: second.ask("/v1/decide", {"account_id": "x", **prompt})[1]["verdict"] == "watch")


def test_requests_are_answered_while_redis_dies_under_load(guarded, redis):
    process, port, _ = redis
    node = guarded("--redis", f"redis://127.0.0.1:{port}")
    answers: list[tuple[float, float, int]] = []  # begin, seconds, status
    over = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        work = pool.submit(_load, node.port, answers, over)
        try:
            until(lambda: len(answers) > 100)
            process.send_signal(signal.SIGKILL)
            killed_at = time.monotonic()
            process.wait()
            until(lambda: node.ask("/readyz")[1]["redis"] == "lost: deciding alone")
            seen = len(answers)
            until(lambda: len(answers) > seen + 100)
        finally:
            over.set()
        work.result()
    assert {status for _, _, status in answers} == {200}
    after = sorted(spent for began, spent, _ in answers if began >= killed_at)
    # a guard that waited for the lost Redis would be slow with every answer, or with one for long
    assert after[len(after) // 2] < 0.5
    assert after[-1] < 20


def _load(port: int, answers: list[tuple[float, float, int]], over: threading.Event) -> None:
    """Ask without pause until it is over."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as link:
        while not over.is_set():
            began = time.monotonic()
            link.request("POST", "/v1/decide", b'{"account_id":"someone"}')
            answer = link.getresponse()
            answer.read()
            answers.append((began, time.monotonic() - began, answer.status))


def _records(state: Path, sort: str, named: bytes = b"") -> bytes:
    """Return the records of a sort's files whose first line has a name in it."""
    files = [path.read_bytes().partition(b"\n") for path in state.glob(f"{sort}-*.log")]
    return b"".join(rest for head, _, rest in files if named in head)


def test_a_worker_killed_with_9_comes_back_with_its_state(guarded, tmp_path):
    state = tmp_path / "state"
    node = guarded("--state", state, verdict="throttle")
    assert [node.verdict("bad-1") for _ in range(7)] == ["watch"] * 6 + ["throttle"]
    call = {"account_id": "bad-1", "hashes": {"prefix_full": 987654321}}
    assert node.ask("/v1/observe", call)[0] == 202
    second = [*map(str, node.command()), "--port", str(free_port())]
    refused = subprocess.run(second, capture_output=True, text=True, check=False)
    assert refused.returncode == 1  # each would fold and remove what the other wrote
    assert "another guard keeps its state there" in refused.stderr
    until(lambda: _records(state, "talk"))  # what is older was written with it or before
    os.kill(node.process.pid, signal.SIGKILL)
    node.process.wait()
    with running(node.command(), node.port, node.folder) as again:
        wait_for(node.port, again)
        assert node.verdict("bad-2") == "throttle"
        follow = {"account_id": "x", "hashes": {"prefix_before_last_user": 987654321}}
        assert node.ask("/v1/decide", follow)[1]["verdict"] == "watch"


def test_a_rescan_that_gives_a_campaign_another_id_gives_it_no_new_budget(guarded, tmp_path):
    """Nor does a late clock of a gateway, nor a kill after the rescan."""
    state = tmp_path / "state"
    node = guarded("--state", state, verdict="throttle")
    assert [node.verdict("bad-1") for _ in range(7)] == ["watch"] * 6 + ["throttle"]
    made = snapshot("throttle", version=2)
    grown = replace(made, campaigns=(replace(made.campaigns[0], campaign_id="c-1-grown"),),
                    accused={**made.accused, subject_key(made.salt, "bad-3"): 0})  # fmt: skip
    node.write(grown)
    until(lambda: node.ask("/readyz")[1]["snapshot_version"] == 2)
    assert node.verdict("bad-3") == "throttle"
    late = {"account_id": "bad-3", "ts": time.time_ns() // 1000 - 8 * 3_600_000_000}
    assert {node.ask("/v1/decide", late)[1]["verdict"] for _ in range(30)} == {"throttle"}
    assert node.verdict("bad-3") == "throttle"
    assert node.ask("/v1/observe", {"account_id": "x", "step_up": "passed"})[0] == 202
    until(lambda: _records(state, "state", b"c-1-grown"))
    os.kill(node.process.pid, signal.SIGKILL)
    node.process.wait()
    with running(node.command(), node.port, node.folder):
        assert node.verdict("bad-3") == "throttle"


def test_a_snapshot_half_written_is_refused_a_new_one_taken_and_rolled_back(guarded):
    node = guarded()
    path = node.folder / "snapshot.json"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 3])
    until(lambda: node.ask("/readyz")[1]["problem"])
    assert node.verdict("bad-1") == "deny"
    path.write_bytes(whole)
    (node.folder / "snapshot.json.previous").write_bytes(whole)
    node.write(replace(snapshot(version=2), accused={}))
    until(lambda: node.ask("/readyz")[1]["snapshot_version"] == 2)
    assert node.verdict("bad-1") == "allow"
    subprocess.run(
        [node.command()[0], "-m", "stillwatch.cli", "guard", "rollback", path], check=True
    )
    until(lambda: node.ask("/readyz")[1]["snapshot_version"] == 1)
    assert node.verdict("bad-1") == "deny"
    assert read_snapshot(path, [public_key(node.key)]).version == 1


def test_mode_undo_and_the_kill_file_act_on_a_running_guard(guarded, tmp_path):
    orders, kill = tmp_path / "orders.json", tmp_path / "KILL"
    node = guarded("--orders", orders, "--kill-file", kill)
    base = [node.command()[0], "-m", "stillwatch.cli", "guard"]
    key = ["--orders", orders, "--key", node.folder / "key.pem"]
    assert node.verdict("bad-1") == "watch"  # no orders yet: in shadow
    subprocess.run([*base, "mode", "enforce", *key], check=True)
    until(lambda: node.verdict("bad-1") == "deny")
    kill.touch()
    until(lambda: node.verdict("bad-1") == "allow")
    kill.unlink()
    until(lambda: node.verdict("bad-1") == "deny")
    subprocess.run([*base, "mode", "shadow", *key], check=True)
    until(lambda: node.verdict("bad-1") == "watch")
    subprocess.run([*base, "mode", "enforce", *key], check=True)
    until(lambda: node.verdict("bad-1") == "deny")
    subprocess.run([*base, "undo", "--campaign", "c-1", "--by", "R. Doe", *key], check=True)
    until(lambda: node.verdict("bad-1") == "allow")
    orders.unlink()
    until(lambda: node.ask("/readyz")[1]["problems"].get("orders"))
    assert node.verdict("bad-1") == "allow"


def test_a_kill_file_that_went_while_no_guard_ran_still_stops_it(guarded, tmp_path):
    """It may have been lost with its volume: only a removal that a running guard sees counts."""
    kill = tmp_path / "KILL"
    node = guarded("--kill-file", kill, "--state", tmp_path / "state", start=False)
    served = partial(running, node.command(), node.port, node.folder)
    kill.touch()
    with served() as process:
        assert node.verdict("bad-1") == "allow"
        process.send_signal(signal.SIGKILL)
        process.wait()
    kill.unlink()
    with served():
        assert node.verdict("bad-1") == "allow"
        told = node.ask("/readyz")[1]
        assert told["mode"] == "killed"
        assert "went while no guard ran" in told["problems"]["kill_file"]
        kill.touch()
        until(lambda: "kill_file" not in node.ask("/readyz")[1]["problems"])
        assert node.verdict("bad-1") == "allow"
        kill.unlink()
        until(lambda: node.verdict("bad-1") == "deny")
        kill.touch()
        until(lambda: node.verdict("bad-1") == "allow")
        kill.unlink()  # and at once an orderly restart: it looks once more
    with served():
        assert node.verdict("bad-1") == "deny"


def test_overload_lets_requests_pass_with_a_metric_and_no_error(guarded):
    """Text bodies of 200 KB, far more at once than can be looked at in the bound of 1 ms."""
    node = guarded("--shed-lag-ms", "1")
    text = json.dumps({"account_id": "someone", "messages": [
        {"role": "user", "content": "tide " * 40_000}]}).encode()  # fmt: skip

    def one(_: int) -> int:
        link = http.client.HTTPConnection("127.0.0.1", node.port, timeout=180)
        link.request("POST", "/v1/decide", text)
        status = link.getresponse().status
        link.close()
        return status

    with concurrent.futures.ThreadPoolExecutor(60) as pool:
        statuses = list(pool.map(one, range(600)))
    assert set(statuses) == {200}
    shed = [line for line in node.ask("/metrics")[1].splitlines()
            if line.startswith('stillwatch_guard_shed_total{route="decide"}')]  # fmt: skip
    assert shed
    assert float(shed[0].split()[-1]) > 0


def test_a_caller_that_sends_slowly_or_nothing_blocks_nobody(guarded):
    node = guarded()
    with contextlib.ExitStack() as stack:

        def links() -> list[socket.socket]:
            return [
                stack.enter_context(socket.create_connection(("127.0.0.1", node.port), 120))
                for _ in range(50)
            ]

        heads, bodies = links(), links()
        for link in heads[1:]:
            link.sendall(b"POST /v1/decide HTTP/1.1\r\nx-slow: ")
        for link in bodies:
            link.sendall(b"POST /v1/decide HTTP/1.1\r\nhost: g\r\ncontent-length: 100\r\n\r\n{")
        assert node.verdict("bad-1") == "deny"
        assert b" 408 " in bodies[0].recv(200).split(b"\r\n", 1)[0]
        for link in heads[:2]:  # one that says nothing, one that does not end its head
            assert link.recv(200) == b""


def test_requests_in_one_piece_are_answered_in_their_order(guarded):
    """Two decisions, one of them in the short lane behind another route, pipelined; then 413."""
    node = guarded()

    def raw(path: str, account: str) -> bytes:
        body = json.dumps({"account_id": account}).encode()
        head = f"POST {path} HTTP/1.1\r\nhost: g\r\ncontent-length: {len(body)}\r\n\r\n"
        return head.encode() + body

    with socket.create_connection(("127.0.0.1", node.port), 120) as link:
        link.sendall(
            raw("/v1/decide", "bad-1") + raw("/v1/observe", "good") + raw("/v1/decide", "good")
        )
        said = b""
        while said.count(b"HTTP/1.1 ") < 3 or not said.endswith(b"}"):
            part = link.recv(65_536)
            assert part
            said += part
    assert said.index(b'"deny"') < said.index(b'"observed"') < said.rindex(b'"allow"')
    with socket.create_connection(("127.0.0.1", node.port), 120) as link:
        link.sendall(b"POST /v1/decide HTTP/1.1\r\nhost: g\r\ncontent-length: 1200000\r\n\r\n")
        link.sendall(b"x" * 1_200_000)
        assert b" 413 " in link.recv(200)


def test_only_callers_with_a_certificate_are_heard_over_mtls(guarded, tmp_path):
    ca, cert, key = (tmp_path / n for n in ("ca.pem", "cert.pem", "cert.key"))
    _certificates(ca, cert, key)
    folder = guarded().folder
    port = free_port()
    command = [
        *_serve(folder, port), "--tls-cert", cert, "--tls-key", key, "--client-ca", ca,
    ]  # fmt: skip
    with running(command, port, folder):
        for shows in (True, False):
            context = ssl.create_default_context(cafile=str(ca))
            if shows:
                context.load_cert_chain(cert, key)
            link = http.client.HTTPSConnection("localhost", port, context=context, timeout=60)
            if shows:
                assert _ask(link)["verdict"] == "deny"
            else:
                with pytest.raises((ssl.SSLError, OSError)):
                    _ask(link)
            link.close()


def _ask(link):
    link.request("POST", "/v1/decide", b'{"account_id":"bad-1"}')
    return json.loads(link.getresponse().read())


def _serve(folder, port):
    return [
        sys.executable, "-m", "stillwatch.cli", "guard", "serve", "--snapshot",
        folder / "snapshot.json", "--trust", folder / "key.pem.pub", "--port", port,
    ]  # fmt: skip


def _certificates(ca, cert, key) -> None:
    """One authority and one certificate for localhost that serves and asks."""
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    now = datetime.datetime.now(datetime.UTC)
    root, leaf = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())

    def signed(subject, public, *, is_ca):
        builder = (
            x509.CertificateBuilder().subject_name(name(subject)).issuer_name(name("root"))
            .public_key(public).serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=is_ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()),
                critical=False,
            )
        )  # fmt: skip
        if not is_ca:
            names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
            builder = builder.add_extension(names, critical=False)
        return builder.sign(root, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    ca.write_bytes(signed("root", root.public_key(), is_ca=True))
    cert.write_bytes(signed("localhost", leaf.public_key(), is_ca=False))
    key.write_bytes(leaf.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption()))  # fmt: skip


def _raw(port: int, data: bytes, *, wait: float = 0.0) -> list[tuple[int, bytes]]:
    """Send bytes as they are; return (status, body) of every answer until the server closes."""
    with socket.create_connection(("127.0.0.1", port), 120) as link:
        link.sendall(data)
        time.sleep(wait)
        link.shutdown(socket.SHUT_WR)
        got = b"".join(iter(lambda: link.recv(65_536), b""))
    answers = []
    while got:
        head, _, rest = got.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        answers.append((int(head.split()[1]), rest[:length]))
        got = rest[length:]
    return answers


def test_gateways_get_the_same_answer_on_the_short_way_and_through_asgi(guarded, tmp_path):
    """HTTP/1.1 is answered where it was parsed, HTTP/1.0 by the application."""
    tokens = tmp_path / "tokens"
    tokens.write_text("token-1\n")
    node = guarded("--token-file", tokens)
    text = json.dumps({"messages": [{"role": "user", "content": "tide " * 20}]}).encode()

    def both(account: str, body: bytes, token: str = "token-1", method: str = "POST") -> set[int]:
        found = set()
        for version in ("1.0", "1.1"):
            head = (
                f"{method} /authz/v1/chat?x=1 HTTP/{version}\r\nhost: g\r\nconnection: close\r\n"
                f"x-account-id: {account}\r\nx-stillwatch-token: {token}\r\n"
                f"content-length: {len(body)}\r\n\r\n"
            )
            ((status, _),) = _raw(node.port, head.encode() + body)
            found.add(status)
        return found

    for body in (b"", text, b"{", b"x" * 1_200_000):
        assert both("good", body) == {200}
        assert both("bad-1", body) == {403}
    for method in ("GET", "PUT", "DELETE", "OPTIONS"):
        assert both("bad-1", b"", method=method) == {403}
    assert both("bad-1", b"", token="old") == {503}
    head = b"POST /authz HTTP/1.1\r\nhost: g\r\nx-account-id: bad-1\r\n"
    head += b"x-stillwatch-token: token-1\r\n"
    chunked = head + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    assert [s for s, _ in _raw(node.port, chunked * 3)] == [403] * 3  # one after the other
    slow = head + b"content-length: 100\r\n\r\n{"
    assert [s for s, _ in _raw(node.port, slow, wait=6)] == [403]
