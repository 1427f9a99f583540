"""The real process: logs arrive, it is killed and goes on, people are told, SIGTERM ends it."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from standardwebhooks import Webhook as Verifier

from stillwatch.cases import open_book, read_cases
from stillwatch.guard import read_snapshot
from stillwatch.schema import from_micros
from stillwatch.seal import new_key, public_key, read_private_key
from stillwatch.simulate import SimulatedWorld, simulate

KEY = base64.b64encode(b"k" * 32).decode()
PATIENCE_S = 240  # of a machine that does much else


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("small", seed=5, out=tmp_path_factory.mktemp("small"))


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """Return the address of a receiver and what it got; it refuses the first call."""
    got: list[tuple[dict[str, str], bytes]] = []
    answers = [500]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            code = answers.pop(0) if answers else 200
            if code == 200:
                got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/", got
    server.shutdown()
    thread.join()
    server.server_close()


def command(*words: str | Path) -> list[str]:
    return [sys.executable, "-m", "stillwatch.cli", *map(str, words)]


def until(done: Callable[[], object], process: subprocess.Popen[str] | None = None) -> None:
    """Wait until something is so; fail when the process ended or patience did."""
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def states(watch: Path) -> list[str]:
    file = watch / "looks.json"
    return [look["state"] for look in json.loads(file.read_text())] if file.is_file() else []


def contents(run: Path) -> dict[str, bytes]:
    files = [p for p in run.rglob("*") if p.is_file() and p.name != "timing.json"]
    return {str(p.relative_to(run)): p.read_bytes() for p in files}


@pytest.mark.slow
def test_a_killed_watch_goes_on_tells_and_ends(small, hook, tmp_path):
    """Killed in the middle of a look; its run is the scan's, byte for byte, and told once."""
    url, got = hook
    source, watch = tmp_path / "in", tmp_path / "watch"
    (tmp_path / "secret").write_text(KEY)
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "alerts.toml").write_text(
        f'console = "https://console.example"\n[[webhook]]\nurl = "{url}"\nsecret_file = "secret"\n'
    )
    new_key(tmp_path / "key.pem")
    words = ("watch", source, "--out", watch, "--accounts", small.accounts_csv, "--late", "1m",
             "--every", "1d", "--idle", "30d",
             "--poll-s", "0.2", "--json", "--alerts", tmp_path / "alerts.toml",
             "--guard-depot", tmp_path / "depot", "--guard-key", tmp_path / "key.pem",
             "--guard-by", "Ada")  # fmt: skip
    for file in sorted((small.out / "exchanges").glob("*.parquet")):  # as `collect` lays them out
        hour = source / f"date={file.stem}" / "hour=00"
        hour.mkdir(parents=True)
        shutil.copy(file, hour / "part.parquet")
    stages = watch / "runs" / "look-000001" / "stages"
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, text=True) as first:
        until(lambda: (stages / "objects.parquet").is_file(), first)
        first.kill()
    assert states(watch) == ["begun"]
    with subprocess.Popen(command(*words), stdout=subprocess.PIPE, text=True) as second:
        until(lambda: states(watch) == ["done"] and len(got) > 0, second)
        until(lambda: not any((watch / "alerts" / "waiting").iterdir()), second)
        second.send_signal(signal.SIGTERM)
        told, _ = second.communicate(timeout=PATIENCE_S)
        assert second.returncode == 0
    (look,) = json.loads((watch / "looks.json").read_text())
    timing = json.loads((watch / "runs" / "look-000001" / "timing.json").read_text())
    assert "objects" in timing["kept"], "what was finished before the kill was not made again"

    since, end = (from_micros(look[k]).isoformat() for k in ("since_us", "until_us"))
    window = [
        p
        for p in sorted(source.rglob("*.parquet"))
        if pq.read_table(p, columns=["ts"])["ts"][0].as_py() < from_micros(look["until_us"])
    ]
    subprocess.run(command("scan", *window, "--out", tmp_path / "batch", "--accounts",
                           small.accounts_csv, "--since", since, "--until", end, "--quiet",
                           "--looks", look["looks"]),
                   stdout=subprocess.DEVNULL, check=False)  # fmt: skip
    one, other = contents(watch / "runs" / "look-000001"), contents(tmp_path / "batch")
    assert [n for n in one.keys() | other.keys() if one.get(n) != other.get(n)] == []

    status = [json.loads(line) for line in told.splitlines()]
    assert status[0]["last_look"]["accused_campaigns"] == look["accused"] > 0
    cases = {case.id for case in read_cases(open_book(watch / "cases.db"))}
    held = [Verifier(KEY).verify(body, headers) for headers, body in got]
    assert {h["data"]["case_id"] for h in held} == cases
    assert len({headers["webhook-id"] for headers, _ in got}) == len(got) == len(cases)
    assert {h["type"] for h in held} == {"case.new"}
    assert held[0]["data"]["url"] == f"https://console.example/cases/{held[0]['data']['case_id']}"
    keys = [public_key(read_private_key(tmp_path / "key.pem"))]
    (snapshot,) = (tmp_path / "depot").glob("snapshot-*.json")
    assert read_snapshot(snapshot, keys).campaigns

    accounts = set(pq.read_table(tmp_path / "batch" / "accounts.parquet")["account_id"].to_pylist())
    said = b"".join(body for _, body in got).decode() + told
    assert not [account for account in accounts if account in said]


def test_once_tells_by_its_exit_code(tmp_path, stillwatch):
    empty = tmp_path / "in"
    empty.mkdir()
    told = stillwatch("watch", empty, "--out", tmp_path / "watch", "--once")
    assert (told.code, "complete to nowhere yet" in told.out) == (0, True)
    (empty / "broken.parquet").write_bytes(b"PAR1 and no more")
    told = stillwatch("watch", empty, "--out", tmp_path / "watch", "--once", "--json")
    assert told.code == 2
    assert json.loads(told.out)["unreadable_files"] == {
        "broken.parquet": "damaged or truncated Parquet file (ArrowInvalid)"
    }
    assert "broken.parquet" in told.err


@pytest.mark.parametrize(
    "words, said",
    [
        (["--every", "2w"], "--every"),
        (["--late", "soon"], "--late"),
        (["--ended"], "--ended"),
        (["--guard-depot", "depot"], "--guard-depot"),
        (["--guard-by", "Ada"], "--guard-depot"),
        (["--keep-days", "3"], "--keep-days"),
    ],
)
def test_options_that_do_not_go_together_are_named(tmp_path, stillwatch, words, said):
    told = stillwatch("watch", tmp_path, "--out", tmp_path / "watch", *words)
    assert (told.code, said in told.err) == (1, True)


def test_other_addresses_keys_in_one_and_a_missing_folder_are_refused(tmp_path, stillwatch):
    for source in ("-", "postgresql://host/logs", "gs://bucket/logs"):
        told = stillwatch("watch", source, "--out", tmp_path / "watch", "--once")
        assert (told.code, "and s3://, can be watched" in told.err) == (1, True)
    secret = "wJalrXUtnFEMI"
    source = f"s3://AKID:{secret}@bucket/logs"
    told = stillwatch("watch", source, "--out", tmp_path / "watch", "--once")
    assert (told.code, "AWS_SECRET_ACCESS_KEY" in told.err) == (1, True)
    assert secret not in told.err
    held = [f for f in (tmp_path / "watch").rglob("*") if f.is_file()]
    assert [f for f in held if secret.encode() in f.read_bytes()] == []
    told = stillwatch("watch", tmp_path / "none", "--out", tmp_path / "watch", "--once")
    assert (told.code, "no such file or directory" in told.err) == (2, True)


def test_a_table_with_a_log_of_its_own_is_refused_and_not_waited_for(tmp_path, stillwatch):
    (tmp_path / "in" / "_delta_log").mkdir(parents=True)
    (tmp_path / "in" / "_delta_log" / "00000000000000000000.json").write_text("{}")
    told = stillwatch("watch", tmp_path / "in", "--out", tmp_path / "watch", "--once")
    assert (told.code, "a table of Delta Lake" in told.err) == (2, True)
