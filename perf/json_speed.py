"""Measures how fast JSON logs become exchanges, on one core.

    .venv/bin/python perf/json_speed.py

Formats: LiteLLM; OTLP JSON with content as JSON strings, as structured values, and in events that
are joined to their spans. Texts: the simulator's (short prompts, many attributes: the hard case),
and real prompts where the data folder lies (``$STILLWATCH_DATA``, default ../shared/data), cut to
an average of 749 bytes. Against `--before SRC`, another checkout's src, both read each log in turn,
and ``times_as_fast`` is the ratio of the medians: on a busy machine that is the figure to trust.
Each log is written once to bench/work/json; then a process pinned to one
core reads it from the page cache, `--rounds` times. Prints the median and the range of MB of
uncompressed JSON per second of CPU, the median by wall clock, and the peak resident memory; writes
bench/results/json-speed.json.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from machine import commit, describe

ROOT = Path(__file__).parents[1]
WORK = ROOT / "bench" / "work" / "json"
RESULT = ROOT / "bench" / "results" / "json-speed.json"
DATA = Path(os.environ.get("STILLWATCH_DATA", ROOT.parent / "shared" / "data"))
MEAN_BYTES = 749
OWN = {
    "spendlogs": "spendlog",
    "bedrock": "bedrock",
    "langfuse": "langfuse",
    "helicone": "helicone",
    "envoy": "envoy",
    "vertex": "vertex",
    "mapping": "foreign",
}
FORMATS = (
    "litellm",
    "otlp-spans",
    "otlp-structured",
    "otlp-events",
    "pairs-chat",
    "pairs-responses",
    "pairs-messages",
    "batch",
    *OWN,
)
_READ = """
import json, os, sys, time
os.sched_setaffinity(0, {int(sys.argv[2])})
import pyarrow as pa
pa.set_cpu_count(1)
pa.set_io_thread_count(1)
from stillwatch.sources import open_inputs
inputs = open_inputs([sys.argv[1]], format=sys.argv[3])
wall, cpu = time.perf_counter(), time.process_time()
rows = sum(batch.num_rows for batch in inputs.batches())
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
status = open("/proc/self/status").read()  # ru_maxrss would count the parent before exec
peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
print(json.dumps([rows, wall, cpu, peak, inputs.ledger.rows_rejected]))
"""


def simulated(rows: int) -> list[dict[str, Any]]:
    """Return rows of the world "small", over and over with new ids."""
    import pyarrow.parquet as pq

    from stillwatch.simulate import simulate

    base = WORK / "small"
    if not (base / "truth.parquet").is_file():
        simulate("small", seed=7, out=base)
    found = pq.read_table(base / "exchanges").to_pylist()
    return [
        {**found[i % len(found)], "exchange_id": f"{i}-{found[i % len(found)]['exchange_id']}"}
        for i in range(rows)
    ]


def real(rows: int) -> list[dict[str, Any]]:
    """Return the simulator's rows with real prompts, cut so that they average 749 bytes."""
    made = simulated(rows)
    prompts = _prompts(rows)
    begin = datetime(2026, 11, 1, tzinfo=UTC)
    for i, (row, text) in enumerate(zip(made, prompts, strict=True)):
        row["messages"] = [{"role": "user", "content": text}]
        row["ts"] = begin + timedelta(seconds=i)
    return made


def _prompts(rows: int) -> list[str]:
    import pyarrow.parquet as pq

    texts: list[str] = []
    for file in sorted((DATA / "prompts").glob("*/*.parquet")):
        some = pq.read_table(file, columns=["messages"])["messages"].slice(0, 4_000).to_pylist()
        texts += [m[0]["content"] for m in some if m and m[0]["content"]]
    limit = 100
    while limit < 1 << 20 and statistics.fmean(len(t[:limit].encode()) for t in texts) < MEAN_BYTES:
        limit = limit * 5 // 4
    return [texts[(i * 7_919) % len(texts)][:limit] for i in range(rows)]


def lines(log_format: str, rows: list[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Yield (file name, line)."""
    if log_format == "litellm":
        import orjson

        from stillwatch.simulate.litellm import payload

        yield from (("log", orjson.dumps(payload(row))) for row in rows)
        return
    sys.path.insert(0, str(ROOT / "tests" / "fixtures"))
    if log_format in OWN:
        import api_rows
        import orjson

        made = getattr(api_rows, OWN[log_format])
        yield from (("log", orjson.dumps(made(row))) for row in rows)
        return
    if log_format == "batch":
        yield from _batch_lines(rows)
        return
    if log_format.startswith("pairs-"):
        from api_rows import pair_line

        yield from (("log", pair_line(row, log_format.partition("-")[2])) for row in rows)
        return
    from otlp_rows import otlp_lines

    yield from otlp_lines(rows, log_format.partition("-")[2])


def _batch_lines(rows: list[dict[str, Any]]) -> Iterator[tuple[str, bytes]]:
    """Yield requests and results of one batch, and its object."""
    import api_rows
    import orjson

    yield "batch", orjson.dumps({"object": "batch", "id": "b", "request_counts": {},
                                 "input_file_id": "in", "output_file_id": "out",
                                 "created_at": 1_793_491_200, "account_id": "a"})  # fmt: skip
    for row in rows:
        made, key = api_rows.pair(row, "chat"), row["exchange_id"]
        yield "in", orjson.dumps({"custom_id": key, "method": "POST", "url": made["url"],
                                  "body": made["request"]})  # fmt: skip
        response = {"status_code": row["http_status"], "body": made["response"]}
        yield "out", orjson.dumps({"id": f"r-{key}", "custom_id": key, "response": response})


def write(folder: Path, log_format: str, rows: list[dict[str, Any]]) -> None:
    """Write one file a signal, aside, then renamed."""
    aside = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    for name, line in lines(log_format, rows):
        with (aside / f"{name}.jsonl").open("ab") as out:
            out.write(line + b"\n")
    aside.replace(folder)


def told(log_format: str) -> str:
    """Return what --format is given: auto, or the mapping file, which is written here."""
    if log_format != "mapping":
        return "auto"
    sys.path.insert(0, str(ROOT / "tests" / "fixtures"))
    from api_rows import MAPPING

    file = WORK / "mapping.toml"
    file.write_text(MAPPING, encoding="utf-8")
    return str(file)


def read(path: Path, core: int, log_format: str, source: Path) -> list[Any]:
    words = [sys.executable, "-c", _READ, str(path), str(core), told(log_format)]
    env = {**os.environ, "PYTHONPATH": str(source)}
    done = subprocess.run(words, check=True, capture_output=True, env=env)
    found: list[Any] = json.loads(done.stdout)
    return found


def measure(
    path: Path, rounds: int, core: int, log_format: str, before: Path | None
) -> dict[str, Any]:
    runs, earlier = [], []
    for _ in range(rounds):
        runs.append(read(path, core, log_format, ROOT / "src"))
        if before is not None:
            earlier.append(read(path, core, log_format, before)[2])
    size = sum(file.stat().st_size for file in path.iterdir()) / 1e6
    by_cpu = sorted(size / run[2] for run in runs)
    by_wall = sorted(size / run[1] for run in runs)
    return {
        "rows": runs[0][0],
        "rejected": runs[0][4],
        "bytes_per_row": round(size * 1e6 / runs[0][0]),
        "mb_per_cpu_s": round(statistics.median(by_cpu), 1),
        "mb_per_cpu_s_range": [round(by_cpu[0], 1), round(by_cpu[-1], 1)],
        "mb_per_wall_s": round(statistics.median(by_wall), 1),
        "peak_mb": max(run[3] for run in runs),
        **_compared([run[2] for run in runs], earlier),
    }


def _compared(now: list[float], earlier: list[float]) -> dict[str, float]:
    if not earlier:
        return {}
    return {"times_as_fast": round(statistics.median(earlier) / statistics.median(now), 2)}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--core", type=int, default=0)
    parser.add_argument("--only", nargs="*", default=FORMATS, help="formats; the others stay kept")
    parser.add_argument("--before", type=Path, help="src of another checkout to compare with")
    asked = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    texts = {"simulated": simulated}
    if (DATA / "prompts").is_dir():
        texts["real"] = real
    results: dict[str, Any] = {}
    for name, make in texts.items():
        for log_format in asked.only:
            path = WORK / f"{name}-{log_format}-{asked.rows}"
            if not path.is_dir():
                write(path, log_format, make(asked.rows))
            results[f"{log_format}, {name} texts"] = found = measure(
                path, asked.rounds, asked.core, log_format, asked.before
            )
            print(f"{log_format:16} {name:10} {found}")
    kept: dict[str, Any] = {}
    if asked.only != FORMATS and RESULT.is_file():
        kept = json.loads(RESULT.read_text("utf-8"))["results"]
    whole = {
        "what": (__doc__ or "").splitlines()[0],
        "results": kept | results,
        "commit": commit(),
        "machine": describe(),
    }
    RESULT.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
