"""`stillwatch collect` under a steady load: delay to the acknowledgement, CPU a record, memory.

    python perf/collect.py [--seconds 600] [--rate 2000] [--batch 20] [--route litellm] [--keep]

The collector and the clients are processes of their own on loopback. A record is a LiteLLM payload
or a span of some 3 KB with its own id and time. At the end every acknowledged record must be in the
segments, once. It ends in bounded time: clients that fall behind stop when the seconds asked for
are over, and what does not answer is given up.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from machine import commit, describe

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results" / "collect.json"
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))
SLACK_S = 120.0  # for a start, a last answer, the last segments
TICK = os.sysconf("SC_CLK_TCK")
PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20
WORDS = "The tide turns because the moon pulls at the water and the earth turns below it. " * 16


def litellm_record(number: int, now: float) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{number:012d}", "trace_id": f"t-{number}", "call_type": "acompletion",
        "startTime": now, "endTime": now + 0.8, "status": "success", "model": "m-1",
        "custom_llm_provider": "openai", "stream": True, "prompt_tokens": 300,
        "completion_tokens": 290, "response_cost": 0.001,
        "metadata": {"user_api_key_user_id": f"u-{number % 5000}", "user_api_key_hash": "k" * 64},
        "model_parameters": {"temperature": 0.5, "max_tokens": 512},
        "messages": [{"role": "user", "content": f"{number} {WORDS}"}],
        "response": {"choices": [{"index": 0, "finish_reason": "stop",
                                  "message": {"role": "assistant", "content": WORDS}}]},
    }  # fmt: skip


def span(number: int, now: float) -> dict[str, Any]:
    said = json.dumps(
        [{"role": "user", "parts": [{"type": "text", "content": f"{number} {WORDS}"}]}]
    )
    told = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": WORDS}]}])
    values = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1",
              "user.id": f"u-{number % 5000}", "gen_ai.input.messages": said,
              "gen_ai.output.messages": told}  # fmt: skip
    return {
        "traceId": f"{number + 1:032x}", "spanId": f"{number + 1:016x}", "name": "chat m-1",
        "startTimeUnixNano": str(int(now * 1e9)), "endTimeUnixNano": str(int(now * 1e9) + 800),
        "attributes": [{"key": k, "value": {"stringValue": v}} for k, v in values.items()],
    }  # fmt: skip


def body_of(route: str, numbers: range, now: float) -> bytes:
    if route == "litellm":
        return json.dumps([litellm_record(n, now) for n in numbers]).encode()
    spans = [span(n, now) for n in numbers]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()


async def client(args: argparse.Namespace, own: int, delays: list[float]) -> int:
    """Send this client's share at its times, one after another; return records acknowledged."""
    reader, writer = await asyncio.open_connection("127.0.0.1", args.port)
    path = "/v1/litellm" if args.route == "litellm" else "/v1/traces"
    every = args.batch * args.clients / args.rate
    began = time.perf_counter() + every * own / args.clients
    done = count = 0
    while (due := began + count * every) - began < args.seconds:
        if time.perf_counter() - began > args.seconds:
            break  # behind: what was reached is told, and the run ends when it was to end
        first = (count * args.clients + own) * args.batch
        body = body_of(args.route, range(first, first + args.batch), time.time())
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        sent = time.perf_counter()
        head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        writer.write(head.encode() + b"content-length: %d\r\n\r\n" % len(body) + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        delays.append(time.perf_counter() - sent)
        done += args.batch * answer.startswith(b"HTTP/1.1 200")
        count += 1
    writer.close()
    return done


async def clients(args: argparse.Namespace) -> None:
    delays: list[float] = []
    began = time.perf_counter()
    async with asyncio.timeout(args.seconds + SLACK_S):
        done = sum(await asyncio.gather(*(client(args, n, delays) for n in range(args.clients))))
    took = max(time.perf_counter() - began, args.seconds)
    print(json.dumps({"acknowledged": done, "delays": delays, "took_s": took}))


def family(pid: int) -> dict[int, tuple[float, float]]:
    """Return CPU seconds and resident MB of a process and its children."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            name, _, rest = path.read_text().rpartition(") ")
            size = int((path.parent / "statm").read_text().split()[1]) * PAGE_MB
        except OSError:
            continue
        fields = rest.split()
        number = int(name.split()[0])
        if number == pid or int(fields[1]) == pid:
            found[number] = ((int(fields[11]) + int(fields[12])) / TICK, size)
    return found


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from ports import free_port, wait_for

    args.port = free_port()
    collector = subprocess.Popen(
        [sys.executable, "-m", "stillwatch.cli", "collect", str(folder), "--port", str(args.port),
         "--segment-seconds", "10"]
    )  # fmt: skip
    wait_for(args.port, collector)
    words = [
        f"--{k.replace('_', '-')}={v}"
        for k, v in vars(args).items()
        if k not in ("keep", "as_client")
    ]
    load = subprocess.Popen(
        [sys.executable, __file__, "--as-client=1", *words], stdout=subprocess.PIPE
    )
    sizes: list[tuple[float, float, float]] = []
    began = time.monotonic()
    cpu: dict[int, float] = {}
    while load.poll() is None and time.monotonic() - began < args.seconds + SLACK_S:
        members = family(collector.pid)
        cpu.update({pid: seconds for pid, (seconds, _) in members.items()})
        main = members[collector.pid][1]
        sizes.append((time.monotonic() - began, main, sum(m for _, m in members.values()) - main))
        if load.stdout and time.monotonic() - began > args.seconds:
            break
        time.sleep(0.5)
    try:
        told = json.loads(load.communicate(timeout=2 * SLACK_S)[0])
        members = family(collector.pid)
        cpu.update({pid: seconds for pid, (seconds, _) in members.items()})
        collector.send_signal(signal.SIGTERM)
        collector.wait(SLACK_S)
    finally:
        load.kill()
        collector.kill()
    return summary(args, folder, told, sizes, cpu[collector.pid], sum(cpu.values()))


def summary(
    args: argparse.Namespace, folder: Path, told: dict[str, Any],
    sizes: list[tuple[float, float, float]], cpu_main: float, cpu_all: float,
) -> dict[str, Any]:  # fmt: skip
    segments = sorted(folder.rglob("*.parquet"))
    ids = [
        i
        for p in segments
        for i in pq.ParquetFile(p).read(["exchange_id"])["exchange_id"].to_pylist()
    ]
    delays = np.array(told["delays"]) * 1e3
    at, main, child = (np.array(column) for column in zip(*sizes, strict=True))
    second, last = (at > args.seconds * 0.25) & (at <= args.seconds * 0.5), at > args.seconds * 0.75

    def before_and_after(sizes: Any) -> list[float]:
        return [round(float(sizes[part].mean()), 1) for part in (second, last)]

    count = told["acknowledged"]
    found = {
        "route": args.route, "rate_per_s": args.rate, "batch": args.batch, "seconds": args.seconds,
        "clients": args.clients, "acknowledged": count, "rows_in_segments": len(ids),
        "rows_doubled": len(ids) - len(set(ids)), "segments": len(segments),
        "bytes_per_record": round(len(body_of(args.route, range(100), 1.7e9)) / 100),
        "ack_ms": {f"p{p}": round(float(np.percentile(delays, p)), 2) for p in (50, 90, 99, 99.9)},
        "asked_records": round(args.rate * args.seconds), "took_s": round(told["took_s"], 1),
        "reached_per_s": round(count / told["took_s"]),
        "cpu_us_per_record": {"answering": round(cpu_main / count * 1e6, 1),
                              "with_segments": round(cpu_all / count * 1e6, 1)},
        "memory_mb": {
            "answering": before_and_after(main),
            "segments": before_and_after(child),
            "peak_together": round(float((main + child).max()), 1),
        },
    }  # fmt: skip
    assert len(ids) == len(set(ids)) == count, found
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=2000)
    parser.add_argument("--batch", type=int, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--route", choices=["litellm", "traces"], default="litellm")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--as-client", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help="add to bench/results/collect.json")
    args = parser.parse_args()
    if args.as_client:
        asyncio.run(clients(args))
        return
    with tempfile.TemporaryDirectory() as folder:
        before = describe()
        found = measure(args, Path(folder) / "logs")
    print(json.dumps(found, indent=1))
    print(
        f"asked: {args.rate:,.0f} records/s for {args.seconds:,.0f} s; measured: "
        f"{found['reached_per_s']:,} records/s for {found['took_s']:,} s, "
        f"{found['acknowledged']:,} acknowledged and all in segments once"
    )
    if args.keep:
        kept = json.loads(RESULTS.read_text())["runs"] if RESULTS.exists() else []
        key = ("route", "rate_per_s", "batch", "seconds")
        kept = [run for run in kept if any(run[k] != found[k] for k in key)]
        result = {"commit": commit(), "machine": before, "runs": [*kept, found]}
        RESULTS.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
