"""How fast the guard decides, in process, over HTTP and behind Envoy; what a million accounts take.

    python perf/guard_bench.py [--seconds 4] [--keep]

One server, one worker, one generator process, on loopback. ``cpu_us`` is the server's processor
time a request, which depends little on who else uses the machine; the rates do, and
``load_before`` says how much was going on.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine import commit, cpu_of, describe

from stillwatch.guard import Capacity, Guard, Origin, Request, write_snapshot
from stillwatch.policy import Ladder
from stillwatch.schema.snapshot import (
    SLOTS,
    Mark,
    Pursuit,
    Snapshot,
    Template,
    org_key,
    subject_key,
)
from stillwatch.seal import new_key

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))
SALT = b"bench of a guard"
FRAMES = tuple("system" if side == "system" else f"{side}_{n}" for side, n in SLOTS)
ACCOUNTS, ACCUSED, CAMPAIGNS = 1_000_000, 20_000, 50
RNG = random.Random(20261126)


def word() -> int:
    return RNG.getrandbits(64) or 1


def snapshot(accounts: int, accused: int) -> Snapshot:
    """Return a snapshot of so many accounts judged clear and so many accused."""
    now = time.time_ns() // 1000
    return Snapshot(
        version=1, salt=SALT, created_us=now, expires_us=now + 86_400_000_000, source="0" * 64,
        campaigns=tuple(Pursuit(f"c-{k}", (), 500.0) for k in range(CAMPAIGNS)),
        accused={subject_key(SALT, f"bad-{k}"): k % CAMPAIGNS for k in range(accused)},
        known=frozenset(subject_key(SALT, f"acct-{k}") for k in range(accounts - accused)),
        templates=tuple(
            Template(k % CAMPAIGNS, ((3, word(), True), (8, word(), True)), 30, 0)
            for k in range(500)
        ),
        marks=tuple(
            Mark(kind, word(), k % CAMPAIGNS, 5, 0)
            for kind, n in (("near_text", 50_000), ("exit_prefix", 1_000), ("payment", 10_000))
            for k in range(n)
        ),
        ladder=Ladder(mode="enforce").as_dict(),
    )  # fmt: skip


def request(account: str, number: int) -> Request:
    now = time.time_ns() // 1000
    return Request(
        now + number, account, None, f"org-{number % 5000}", "m-1", None,
        tuple(word() for _ in FRAMES), tuple(word() for _ in range(8)), word(), word(), word(), 60,
        word(), 0, {"payment": f"{word():x}"},
    )  # fmt: skip


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def delays_us(decide: Any, given: list[Any]) -> dict[str, float]:
    found = []
    clock = time.perf_counter_ns
    for one in given:
        began = clock()
        decide(*one)
        found.append(clock() - began)
    found.sort()
    pick = lambda q: round(found[int(q * len(found))] / 1e3, 2)  # noqa: E731
    return {"p50_us": pick(0.5), "p99_us": pick(0.99), "p999_us": pick(0.999), "n": len(found)}


def in_process() -> dict[str, Any]:
    """A million accounts of state: one in fifty requests comes from a member."""
    gc.collect()
    before = resident_mb()
    guard = Guard(
        snapshot(ACCOUNTS, ACCUSED),
        capacity=Capacity(conversations=1_000_000, blobs=250_000, prompts=250_000),
    )
    now = time.time_ns() // 1000
    orgs = [org_key(SALT, "", f"org-{k}") for k in range(5_000)]
    for k in range(1_000_000):
        guard.conversations.put(word(), orgs[k % 5_000], -1, now)
        if k < 250_000:
            guard.blobs.put(word(), orgs[k % 5_000], -1, now)
            guard.prompts.put(word(), orgs[k % 5_000], k % CAMPAIGNS, now)
    gc.collect()
    state = resident_mb() - before
    given = [
        (request(f"bad-{k % ACCUSED}" if k % 50 == 0 else f"acct-{k * 37 % ACCOUNTS}", k),)
        for k in range(40_000)
    ]
    gc.collect()
    gc.freeze()  # as the server does after it has started
    result: dict[str, Any] = {
        "accounts": ACCOUNTS, "state_mb": round(state),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "features": delays_us(guard.decide, given),
    }  # fmt: skip
    base = "the tide comes in at seven and goes out at one in the afternoon today "
    for kb in (1, 8, 64):
        texts = [
            (Origin(now, f"acct-{k}", ip="192.0.2.7"),
             {"messages": [{"role": "user", "content": (f"{k} " + base * 1000)[: kb * 1024]}]})
            for k in range(3_000 // kb + 100)
        ]  # fmt: skip
        result[f"text_{kb}_kb"] = delays_us(guard.decide_text, texts)
    gc.unfreeze()
    return result


@contextlib.contextmanager
def running(command: list[Any], port: int) -> Iterator[int]:
    from ports import wait_for

    process = subprocess.Popen([str(c) for c in command], stdout=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield process.pid
    finally:
        process.terminate()
        process.wait()


def load(
    pid: int, port: int, path: str, bodies: list[Any], kind: str, **how: Any
) -> dict[str, Any]:
    """Run the generator in a process of its own; add the server's processor time a request."""
    before = cpu_of(pid)
    job = {"kind": kind, "port": port, "path": path, "bodies": bodies, "how": how}
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("guard_load.py")], input=json.dumps(job),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(done.stdout)
    answers = found.get("answers") or found["per_second"] * found["seconds"]
    found["cpu_us"] = round((cpu_of(pid) - before) / max(answers, 1) * 1e6, 1)
    return found


def hashed(number: int) -> dict[str, Any]:
    hashes = {name: word() for name in (*FRAMES, *(f"band_{k}" for k in range(8)),
              "payload", "prefix", "client")}  # fmt: skip
    return {"account_id": f"acct-{number}", "model": "m-1", "user_tokens": 60, "hashes": hashes}


def over_http(seconds: float) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        key = new_key(folder / "key.pem")
        write_snapshot(folder / "snapshot.json", snapshot(100_000, 5_000), key)
        from ports import free_port

        port = free_port()
        command = [
            sys.executable, "-m", "stillwatch.cli", "guard", "serve", "--snapshot",
            folder / "snapshot.json", "--trust", folder / "key.pem.pub", "--port", port,
            "--shed-lag-ms", "10000",
        ]  # fmt: skip
        bodies = [hashed(k) for k in range(1_000)]
        with running(command, port) as pid:
            how = {"seconds": seconds, "connections": 16}
            result: dict[str, Any] = {
                "body_bytes": len(json.dumps(bodies[0])),
                "hashes": load(pid, port, "/v1/decide", bodies, "closed", **how),
                "batches_of_100": load(
                    pid, port, "/v1/decide/batch",
                    [{"requests": bodies[k : k + 100]} for k in range(0, 1_000, 100)],
                    "closed", seconds=seconds, connections=4,
                ),
                "at_1000_a_second": load(pid, port, "/v1/decide", bodies, "open", rate=1000,
                                         seconds=seconds, connections=8),
            }  # fmt: skip
            for kb in (1, 8, 64):
                texts = [
                    {"account_id": f"acct-{k}", "messages": [
                        {"role": "user", "content": (f"{k} tide and wind " * 6_000)[: kb * 1024]}]}
                    for k in range(64)
                ]  # fmt: skip
                result[f"text_{kb}_kb"] = load(pid, port, "/v1/decide", texts, "closed", **how)
            result["through_envoy"] = through_envoy(folder, port, seconds)
        return result


def through_envoy(folder: Path, guard_port: int, seconds: float) -> dict[str, Any]:
    """Envoy 1.40 with ext_authz as examples/guard/envoy.yaml has it, answering by itself."""
    binary = ROOT / "build" / "envoy" / "bin" / "envoy"
    if not binary.exists():
        return {"not_measured": "build/envoy is missing; tests/servers makes it"}
    from ports import free_port

    port = free_port()
    text = (ROOT / "examples" / "guard" / "envoy.yaml").read_text("utf-8")
    text = text.replace("8080", str(port)).replace("8470", str(guard_port))
    text = text.replace(
        "route: { cluster: model, timeout: 0s }", "direct_response: { status: 200 }"
    )
    text = text.replace("{ key: sk-good, client: good }", "{ key: token, client: good }")
    (folder / "envoy.yaml").write_text(text)
    command = [binary, "-c", folder / "envoy.yaml", "--concurrency", "1", "--use-dynamic-base-id",
               "-l", "error"]  # fmt: skip
    body = {"model": "m-1", "messages": [{"role": "user", "content": "When does the tide turn?"}]}
    with running(command, port) as pid:
        job = {"kind": "closed", "port": port, "path": "/v1/chat/completions", "token": "token",
               "bodies": [body], "how": {"seconds": seconds, "connections": 16}}  # fmt: skip
        before = cpu_of(pid)
        done = subprocess.run(
            [sys.executable, Path(__file__).with_name("guard_load.py")], input=json.dumps(job),
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout)
        answers = max(found["per_second"] * found["seconds"], 1)
        return {**found, "envoy_cpu_us": round((cpu_of(pid) - before) / answers * 1e6, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--keep", action="store_true", help="write bench/results/guard.json")
    given = parser.parse_args()
    machine = describe()
    result = {
        "commit": commit(), "machine": machine, "in_process": in_process(),
        "http": over_http(given.seconds),
    }  # fmt: skip
    text = json.dumps(result, indent=2) + "\n"
    if given.keep:
        (ROOT / "bench" / "results" / "guard.json").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
