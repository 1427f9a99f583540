"""A guard that is fed from an object store: a real S3 server, real commands, a real roll-back."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stillwatch.guard import Orders, write_orders

from .conftest import snapshot
from .test_faults import until

CLI = [sys.executable, "-m", "stillwatch.cli"]
KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED":
        "true"}  # fmt: skip


@pytest.fixture
def store(bucket):
    """A bucket's server, and the address of a depot in it."""
    process, options = bucket
    return process, f"s3://bucket/guards/eu?{options}"


def say(*words: object) -> str:
    done = subprocess.run(
        [*CLI, *map(str, words)], check=True, capture_output=True, text=True,
        env={**os.environ, **KEYS},
    )  # fmt: skip
    return done.stdout


@contextlib.contextmanager
def pulling(depot: str, key: Path, folder: Path):
    command = [*CLI, "guard", "pull", depot, "--trust", f"{key}.pub", "--to", str(folder),
               "--every-s", "0.2"]  # fmt: skip
    with (folder.parent / "pull.log").open("wb") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **KEYS}
        )  # fmt: skip
        try:
            yield process
        finally:
            process.terminate()
            process.wait(120)


@pytest.mark.slow
def test_a_guard_follows_an_object_store_and_goes_on_without_it(guarded, store, tmp_path):
    process, depot = store
    live = tmp_path / "live"
    node = guarded("--effects", live / "effects.json", start=False)
    key = node.folder / "key.pem"
    sign = ("--key", key, "--by", "R. Doe")
    orders, effects = tmp_path / "orders.json", tmp_path / "effects.json"
    write_orders(orders, Orders(mode="enforce"), node.key)
    held = {"verdicts": [], "let_go": [], "actions": [], "corrections": [], "at_us": 1}
    effects.write_text(json.dumps(held))
    first = ("--snapshot", node.folder / "snapshot.json", "--orders", orders)
    assert "snapshot-00000001" in say("guard", "publish", depot, *sign, *first)
    say("guard", "publish", depot, *sign, "--effects", effects)
    say("guard", "pull", depot, "--trust", f"{key}.pub", "--to", live)
    with pulling(depot, key, live), node.serving(live):
        assert node.verdict("bad-1") == "deny"
        # 1. An appeal is upheld: the effects act, no snapshot is compiled.
        effects.write_text(json.dumps({**held, "corrections": [{"account_id": "bad-1"}]}))
        say("guard", "publish", depot, *sign, "--effects", effects)
        until(lambda: node.verdict("bad-1") == "allow")
        assert node.verdict("bad-2") == "deny"
        # 2. A new snapshot accuses nobody; one command brings the one before back.
        node.write(replace(snapshot(version=2), accused={}))
        say("guard", "publish", depot, *sign, "--snapshot", node.folder / "snapshot.json")
        until(lambda: node.verdict("bad-2") == "allow")
        say("guard", "rollback", depot, *sign)
        until(lambda: node.verdict("bad-2") == "deny")
        assert node.ask("/readyz")[1]["snapshot_version"] == 1
        # 3. The store dies: what was there stays in use.
        process.send_signal(signal.SIGKILL)
        process.wait()
        until(lambda: "does not answer" in (tmp_path / "pull.log").read_text(), 60)
        assert (node.verdict("bad-1"), node.verdict("bad-2")) == ("allow", "deny")
