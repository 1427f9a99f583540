"""Events per second of honeypotllm on a LiteLLM log, beside `stillwatch scan` of the same log.

honeypotllm is no dependency of stillwatch: it needs a virtual environment of its own.

    python -m venv peer-venv && peer-venv/bin/pip install honeypotllm==0.1.3 greenlet
    .venv/bin/python perf/peer.py --peer peer-venv/bin/python

The log is the simulated one of ``perf/bench.py``. The peer is measured twice: as its documentation
uses it (``HoneypotMiddleware.process``, with its audit database; the first 3,000 events), and its
scorer alone, in memory, on all events. It scores single keys and looks for no campaigns; stillwatch
does everything and writes its report. CPU seconds of each process, imports included; the result
goes to bench/results/peer.json.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_EVENTS = """
import asyncio, hashlib, itertools, json, sys
from honeypotllm import HoneypotConfig, HoneypotMiddleware, ScoringConfig, SuspicionScorer

def events(most):
    with open(sys.argv[1], encoding="utf-8") as log:
        for line in itertools.islice(log, most):
            row = json.loads(line)
            said = [m["content"] for m in row["messages"] or [] if m["role"] == "user"]
            prompt = said[-1] if said and isinstance(said[-1], str) else ""
            yield row["metadata"]["user_api_key_hash"] or "", prompt, row["prompt_tokens"] or 0
"""
_SCORER = """
scorer, count = SuspicionScorer(ScoringConfig()), 0
for key, prompt, tokens in events(None):
    hashed = hashlib.sha256(key.encode()).hexdigest()
    scorer.score_request(hashed, prompt=prompt, input_tokens=tokens)
    count += 1
print(count)
"""
_MIDDLEWARE = """
async def main():
    count = 0
    async with HoneypotMiddleware(HoneypotConfig(secret_key="x" * 40)) as peer:
        for key, prompt, tokens in events(3000):
            await peer.process(api_key=key, response_text="Certainly.", prompt=prompt,
                               input_tokens=tokens)
            count += 1
    print(count)
asyncio.run(main())
"""


def spent(words: list[str], folder: str) -> tuple[float, str]:
    """Run a command in a folder; return its CPU seconds and what it printed."""
    job = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder)
    assert job.stdout is not None
    told = job.stdout.read()
    _, status, used = os.wait4(job.pid, 0)
    job.returncode = os.waitstatus_to_exitcode(status)
    if job.returncode not in (0, 3):
        raise SystemExit(f"{words[0]} ended with {job.returncode}")
    return used.ru_utime + used.ru_stime, told


def main() -> None:
    from bench import simulated_log
    from machine import commit, describe

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--peer", required=True, help="a Python that has honeypotllm")
    asked = parser.parse_args()
    log = simulated_log()
    rates = {}
    with tempfile.TemporaryDirectory() as out:
        for name, use in (("middleware", _MIDDLEWARE), ("scorer alone", _SCORER)):
            seconds, told = spent([asked.peer, "-c", _EVENTS + use, str(log)], out)
            rates[f"honeypotllm, {name}"] = round(int(told.split()[-1]) / seconds)
        events = int(told)
        words = [
            sys.executable,
            "-m",
            "stillwatch.cli",
            "scan",
            str(log),
            "--quiet",
            "--out",
            "run",
        ]
        seconds, _ = spent(words, out)
    mine = events / seconds
    result = {
        "commit": commit(),
        "machine": describe(),
        "events": events,
        "events_per_cpu_s": {**rates, "stillwatch scan": round(mine)},
        "times_as_fast": {name: round(mine / rate, 2) for name, rate in rates.items()},
    }
    kept = Path(__file__).parents[1] / "bench" / "results" / "peer.json"
    kept.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
