"""How quickly the console answers on a run of a million accounts and 500 campaigns.

    python perf/console.py [--accounts 1000000] [--campaigns 500] [--largest 100000] [--keep]

The run's tables are made by its schema, from a seed: no scan is run. One campaign has 100,000
accounts. A real server is started and driven by Chromium at 1280 × 900. *First page* is from
navigation until it is laid out and painted; a *click* from the click until the answer is in the
page and painted; the *longest task* what Chromium's long-task observer saw on the case page with
its graph: as SVG, and three times by WebGL, which the processor computes here (`webgl`). Beside the
time stand the server's CPU seconds (`cpu_ms`, user and system, of all its threads, to 10 ms over
all runs of a step): on a machine that does other things too, they are what can be
compared. Prints one JSON object, keeps it in bench/results/console.json with --keep.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from machine import commit, cpu_of, describe
from playwright.sync_api import Browser, Page, Playwright, sync_playwright

from stillwatch.schema import TEMPLATE_COLUMNS
from stillwatch.schema.arrow import ACCOUNT_RESULT, LINK, RASTER, SIGNAL, VOLUME

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))
SEED, NAME, SECRET = 20261127, "Bench Mark", "a long enough 7 phrase"
START = datetime(2026, 11, 1, tzinfo=UTC)
DAYS = 28
KINDS = ("payment", "signup_ip", "exit_prefix", "client", "frame")
PAINTED = (
    "() => new Promise(r => requestAnimationFrame(() => setTimeout(() => r(performance.now()))))"
)


def sizes(rng: np.random.Generator, campaigns: int, largest: int) -> list[int]:
    """Return accounts by campaign: one of ``largest``, the others 10 to about 3,000."""
    rest = np.minimum(np.exp(rng.normal(4.6, 1.1, campaigns - 1)) + 10, 3_000).astype(int)
    return [largest, *sorted((int(n) for n in rest), reverse=True)]


def name_of(i: int) -> str:
    """Return an account's id."""
    return f"acct_{i * 2654435761 % 2**32:08x}{i:07d}"


def head(c: int, n: int, periphery: int) -> dict[str, Any]:
    """Return a campaign without members, with all that a page shows of one."""
    null = {"name": "permuted accounts", "expected": 148.0, "low": 131.0, "high": 166.0,
            "draws": [131.0 + k for k in range(36)]}  # fmt: skip
    test = {"statistic": 3.0, "p_value": 1e-9, "e_value": 5200.0, "null": null, "n": 6750}
    tests = [{**test, "signal": s, "text": f"{s.replace('_', ' ')}: 3 times in 6,750; independent "
              "customers would give 148 (131–166)."} for s in ("round_robin", "shared_exits",
              "signup_burst", "even_volumes", "shared_mix", "shared_values")]  # fmt: skip
    rungs = [{"verdict": v, "accounts": int(periphery * s), "end_users": 0, "organizations": 1,
              "exchanges": 0, "output_tokens": 0, "revenue_usd": periphery * 3.0 * s,
              "permitted_exchanges": 0, "text": v}
             for v, s in (("watch", 0), ("throttle", 0.3), ("step_up", 1), ("summarize", 0.5),
                          ("deny", 1))]  # fmt: skip
    return {
        "campaign_id": f"c-{c:012x}", "standing": "accused", "found_by": ["frame", "payment"],
        "first_seen": (START + timedelta(days=1)).isoformat(),
        "last_seen": (START + timedelta(days=DAYS - 1)).isoformat(), "accounts": n - periphery,
        "core": n - periphery, "periphery": periphery, "exchanges": n * 90,
        "output_tokens": n * 50_000, "revenue_usd": n * 2.5,
        "methods": ["cot_exfiltration", "synthetic_data"][: 1 + c % 2],
        "claims": {"coordinated": {"confidence": 0.999, "e_value": 5200.0, "evidence": tests},
                   "extractive": {"confidence": 0.995, "e_value": 9000.0,
                                  "evidence": [{**test, "signal": "harvest", "text": "Queue."}]},
                   "actor": {"confidence": 0.1, "e_value": 1.0, "evidence": [], "claim": None}},
        "e_value": 5200.0, "q_value": 0.0008, "needed_e": 2400.0,
        "recommended": {"verdict": "step_up", "collateral": rungs[2], "rungs": rungs},
        "rivals": [{"name": r, "title": r.capitalize(), "predicts": "quiet nights",
                    "seen": "no quiet nights", "survives": False}
                   for r in ("a class", "an evaluation", "a plug-in", "a team", "a reseller")],
        "not_known": [{"question": "Who operates it?", "data": "identity checks"}],
        "raster": {"subjects": n, "ticks": n * 90},
        "value": {"harvest_usd": {"low": 1.0, "mid": 2.0, "high": 3.0}},
    }  # fmt: skip


def write_run(folder: Path, accounts: int, campaigns: int, largest: int) -> None:
    """Write a run directory by the schema: campaigns, accounts, links, raster, volume, signals."""
    rng = np.random.default_rng(SEED)
    (folder / "stages").mkdir(parents=True)
    counts = sizes(rng, campaigns, largest)
    first, owner = 0, np.full(accounts, -1, dtype=np.int64)
    with (folder / "campaigns.jsonl").open("wb") as out:
        for c, n in enumerate(counts):
            periphery = n // 50
            line = head(c, n, periphery)
            line["members"] = [
                {"account_id": name_of(first + i), "end_user_id": None,
                 "role": "core" if i < n - periphery else "periphery",
                 "standing": "accused" if i < n - periphery else "watch",
                 "confidence": round(0.99999 - i * 1e-9, 9),
                 "reasons": ["sends the campaign's template around payloads of its own",
                             "leaves through an address prefix that other members use"]}
                for i in range(n)
            ]  # fmt: skip
            out.write(orjson.dumps(line) + b"\n")
            owner[first : first + n] = c
            first += n
    _accounts(folder, accounts, owner)
    _links(folder, rng, counts, accounts)
    _pictures(folder, rng, counts)
    _requests(folder, counts, accounts)
    summary = {
        "since": START.isoformat(), "until": (START + timedelta(days=DAYS)).isoformat(), "look": 1,
        "rows_kept": accounts * 60, "rejected": 0, "accounts": accounts, "organizations": accounts,
        "alpha": 0.01, "alpha_spent": 0.006, "calibrated_on_your_traffic": True,
        "accused_accounts": first, "needed_e": 2400.0, "parameters": {"posterior": 0.999},
        "signals": [{"name": "round_robin", "title": "Requests take turns", "claim": "coordinated",
                     "evaluable": True, "missing": [], "null": "permuted accounts"}],
        "prevalence": {"output_tokens": {"total": accounts * 600_000}},
    }  # fmt: skip
    (folder / "summary.json").write_bytes(orjson.dumps(summary))


def _accounts(folder: Path, accounts: int, owner: np.ndarray) -> None:
    ids = [name_of(i) for i in range(accounts)]
    inside = owner >= 0
    columns = {
        "account_id": ids, "org_id": [f"org_{i:07d}" for i in range(accounts)],
        "segment": ["pro/api"] * accounts, "exchanges": np.full(accounts, 60, dtype=np.int64),
        "standing": np.where(inside, "accused", "clear"), "access": ["clear"] * accounts,
        "campaign_id": [f"c-{c:012x}" if c >= 0 else None for c in owner],
        "role": np.where(inside, "core", ""), "p_value": np.where(inside, 1e-6, 0.5),
        "e_value": np.where(inside, 5200.0, 1.0), "q_value": np.where(inside, 0.0008, 1.0),
        "top_signals": [["round_robin"]] * accounts,
    }  # fmt: skip
    pq.write_table(pa.table(columns, schema=ACCOUNT_RESULT), folder / "accounts.parquet")


def _links(folder: Path, rng: np.random.Generator, counts: list[int], accounts: int) -> None:
    """Write three links a member, and one each for as many honest accounts."""
    a: list[str] = []
    b: list[str] = []
    kind: list[str] = []
    first = 0
    for c, n in enumerate(counts):
        for i in range(n):
            for k, size in (("frame", n), ("payment", 12), ("exit_prefix", 40)):
                a.append(f"{k}:{c:04x}{i // size:08x}")
                b.append(name_of(first + i))
                kind.append(k)
        first += n
    for i in range(first, accounts):
        a.append(f"client:{int(rng.integers(0, accounts // 20)):012x}")
        b.append(name_of(i))
        kind.append("client")
    size = len(a)
    pq.write_table(
        pa.table({"a": a, "b": b, "kind": kind, "llr": rng.uniform(1, 9, size),
                  "count": np.full(size, 3), "first_seen": [START] * size}, schema=LINK),
        folder / "links.parquet",
    )  # fmt: skip


def _pictures(folder: Path, rng: np.random.Generator, counts: list[int]) -> None:
    rows: dict[str, list[Any]] = {n: [] for n in RASTER.names}
    for c, n in enumerate(counts):
        for row in range(min(n, 80)):
            for at in np.sort(rng.uniform(0, DAYS * 86_400, 40)):
                for name, value in zip(RASTER.names, (
                    f"c-{c:012x}", row, f"acct{row}", START + timedelta(seconds=float(at)), "ok",
                    "nova-2", True), strict=True):  # fmt: skip
                    rows[name].append(value)
    pq.write_table(pa.table(rows, schema=RASTER), folder / "stages" / "raster.parquet")
    days = [START + timedelta(days=d) for d in range(DAYS)]
    volume = [(d, "nova-2", "", 1_000_000, 600_000_000, 30_000) for d in days]
    volume += [(d, "nova-2", f"c-{c:012x}", n * 3, n * 1_800, n) for d in days
               for c, n in enumerate(counts)]  # fmt: skip
    table = pa.table([list(column) for column in zip(*volume, strict=True)], schema=VOLUME)
    pq.write_table(table, folder / "stages" / "volume.parquet")
    pq.write_table(SIGNAL.empty_table(), folder / "signals.parquet")


def _requests(folder: Path, counts: list[int], accounts: int) -> None:
    """Write 20 requests a member and 8 of each other account, in the order of time, by a seed.

    Of the columns those that the index reads. Six of ten members' requests carry the campaign's
    template; one payload of ten occurs twice or more.
    """
    frames = [
        {"campaign_id": f"c-{c:012x}", "position": "head", "length": 8, "hash": f"{c + 1:016x}",
         "skeleton": [{"kind": "text", "text": "Review the draft below and"},
                      {"kind": "payload", "low_tokens": 9, "high_tokens": 155}],
         "carriers_inside": n, "carriers_outside": 0, "exchanges": n * 12,
         "first_seen": START.isoformat(), "first_model": "nova-2", "marks": []}
        for c, n in enumerate(counts)
    ]  # fmt: skip
    (folder / "stages" / "frames.jsonl").write_bytes(
        b"".join(orjson.dumps(f) + b"\n" for f in frames)
    )
    members = sum(counts)
    with duckdb.connect() as engine:
        engine.execute("SET memory_limit = '2GB'; SET threads = 1")
        engine.register("people", pa.table({
            "sid": pa.array(range(accounts), pa.int32()),
            "account_id": [name_of(i) for i in range(accounts)],
            "c": np.repeat([*range(len(counts)), -1], [*counts, accounts - members]),
        }))  # fmt: skip
        engine.execute("CREATE TABLE who AS SELECT * FROM people")
        templates = ", ".join(
            f"CASE WHEN '{name}' = 'head_8' AND c >= 0 AND h % 10 < 6 THEN (c + 1)::UBIGINT "
            f"ELSE hash(h, '{name}') END AS {name}"
            for name in TEMPLATE_COLUMNS
        )
        engine.execute(
            f"""COPY (SELECT row_number() OVER () - 1 AS rid, * FROM (
                SELECT sid, account_id, NULL::VARCHAR AS end_user_id,
                       'ex-' || sid || '-' || k AS exchange_id,
                       to_timestamp({int(START.timestamp())} + h % {DAYS * 86_400}) AS ts,
                       'nova-2' AS model, 'api' AS channel,
                       CASE WHEN h % 50 = 0 THEN 'refused' ELSE 'ok' END AS status,
                       (h % 900)::BIGINT AS input_tokens,
                       (h % 1900)::BIGINT AS output_tokens, 0::BIGINT AS reasoning_tokens,
                       0::BIGINT AS cost_micro_usd, 1::USMALLINT AS n_turns,
                       0::UINTEGER AS system_bytes, (h % 4000)::UINTEGER AS user_bytes,
                       (h % 7000)::UINTEGER AS output_bytes,
                       CASE WHEN h % 10 = 0 THEN h % 100000 ELSE h END AS h_payload,
                       (h % 3)::USMALLINT AS method_hints, {templates}
                FROM (SELECT *, hash(sid, k) AS h FROM who,
                             range(CASE WHEN c >= 0 THEN 20 ELSE 8 END) AS r(k))
                ORDER BY ts, exchange_id))
                TO '{folder / "stages" / "exchanges.parquet"}' (COMPRESSION zstd)"""
        )
        engine.execute(
            f"""COPY (SELECT sid, account_id, NULL::VARCHAR AS end_user_id,
                       to_timestamp({int(START.timestamp())} - sid) AS created_at,
                       to_timestamp({int(START.timestamp())}) AS first_ts,
                       to_timestamp({int(START.timestamp()) + DAYS * 86_400}) AS last_ts,
                       9000::BIGINT AS input_tokens, 19000::BIGINT AS output_tokens
                FROM who ORDER BY sid)
                TO '{folder / "stages" / "subjects.parquet"}' (COMPRESSION zstd)"""
        )


def start(run: Path, work: Path) -> tuple[subprocess.Popen[str], str, str, float]:
    """Start the console; return it, its address, the first password, and seconds to readiness."""
    from ports import free_port, wait_for

    port = free_port()
    began = time.perf_counter()
    server = subprocess.Popen(
        [sys.executable, "-m", "stillwatch.cli", "console", "--run", str(run), "--book",
         str(work / "cases.db"), "--home", str(work / "home"), "--port", str(port),
         "--administrator", NAME],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert server.stdout is not None
    secret = ""
    for line in server.stdout:
        if "logs in with" in line:
            secret = line.split(" logs in with ")[1].split(" ")[0]
        if "The console is at" in line:
            break
    address = f"http://127.0.0.1:{port}"
    wait_for(port, server)
    return server, address, secret, time.perf_counter() - began


class Cpu:
    """Counts the CPU time of a process, all threads, children not."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before = self.total_s()

    def total_s(self) -> float:
        """Return the seconds since the process began."""
        return cpu_of(self._pid)

    def lap_s(self) -> float:
        """Return the seconds since the last lap."""
        now = self.total_s()
        spent, self._before = now - self._before, now
        return spent


def log_in(page: Page, address: str, secret: str) -> None:
    """Log in."""
    page.goto(f"{address}/login")
    page.fill("#login", NAME)
    page.fill("#secret", secret)
    page.click("button.main")


def enter(page: Page, address: str, secret: str) -> None:
    """Log in and choose a password."""
    log_in(page, address, secret)
    for field, value in (("old", secret), ("new", SECRET), ("again", SECRET)):
        page.fill(f"#{field}", value)
    page.click("button.main")


def opened(page: Page, address: str) -> float:
    """Return the milliseconds from navigation to paint."""
    page.goto(address, wait_until="load")
    return float(page.evaluate(PAINTED))


def clicked(page: Page, selector: str, shown: str) -> float:
    """Return the milliseconds from a click until its answer is in the page and painted."""
    return float(page.evaluate(
        """([selector, shown]) => new Promise(done => {
          const target = document.querySelector(shown), began = performance.now();
          new MutationObserver((_, o) => { o.disconnect(); requestAnimationFrame(() =>
            setTimeout(() => done(performance.now() - began))); })
            .observe(target, {childList: true, subtree: true});
          document.querySelector(selector).click(); })""",
        [selector, shown],
    ))  # fmt: skip


def measure(
    address: str, secret: str, largest: str, chromium: str, runs: int, cpu: Cpu
) -> dict[str, Any]:
    """Return milliseconds: each page cold, then again; clicks; the longest task."""
    out: dict[str, Any] = {}
    with sync_playwright() as play:
        browser, page = _browser(play, chromium, "--disable-3d-apis")
        enter(page, address, secret)
        case = f"{address}/cases/{largest}"
        for name, where in (("queue", f"{address}/"), ("largest_case", case),
                            ("overview", f"{address}/overview"),
                            ("decisions", f"{address}/decisions")):  # fmt: skip
            cpu.lap_s()
            times = [opened(page, where)]
            first = cpu.lap_s()
            times += [opened(page, where) for _ in range(runs - 1)]
            out[f"{name}_ms"] = {
                "first": round(times[0]), "median": round(statistics.median(times)),
                "first_cpu": round(first * 1000),
                "cpu": round(cpu.lap_s() / max(1, runs - 1) * 1000),
            }  # fmt: skip
        page.goto(f"{address}/")
        out["filter_ms"] = _clicks(page, "#w-new", "#rows", runs, cpu, back="#w-all")
        page.goto(case)
        page.wait_for_selector("#member-rows table")
        out["member_page_ms"] = _clicks(page, "#member-rows .pager a:last-child", "#member-rows",
                                        runs, cpu)  # fmt: skip
        out["account_drawer_ms"] = _clicks(page, "#member-rows tbody a", "#drawer", runs, cpu,
                                           close=True, other=True)  # fmt: skip
        out["weigh_ms"] = _clicks(page, "#decide button.main", "#weighed", runs, cpu)
        cpu.lap_s()
        out |= _graph(page, case)
        out["graph_cpu_ms"] = round(cpu.lap_s() * 1000)
        browser.close()
        browser, page = _browser(play, chromium, "--use-angle=swiftshader",
                                 "--enable-unsafe-swiftshader")  # fmt: skip
        log_in(page, address, SECRET)
        page.wait_for_selector("header.top")
        seen = [_graph(page, case, webgl=True) for _ in range(3)]
        out["webgl"] = {name: sorted(one[name] for one in seen) for name in seen[0]}
        browser.close()
    return out


def _browser(play: Playwright, chromium: str, *flags: str) -> tuple[Browser, Page]:
    browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", *flags])
    return browser, browser.new_context(viewport={"width": 1280, "height": 900}).new_page()


def _clicks(
    page: Page, selector: str, shown: str, runs: int, cpu: Cpu, *, back: str = "",
    close: bool = False, other: bool = False,
) -> dict[str, int]:  # fmt: skip
    """Return the times of a click. ``other``: each time of another row, so that none is kept."""
    times, spent = [], []
    page.wait_for_timeout(300)
    for n in range(runs):
        cpu.lap_s()
        each = selector
        if other:
            page.evaluate("([q, n]) => document.querySelectorAll(q)[n].id = 'bench-' + n",
                          [selector, n])  # fmt: skip
            each = f"#bench-{n}"
        times.append(clicked(page, each, shown))
        page.wait_for_timeout(80)
        spent.append(cpu.lap_s())
        if back:
            clicked(page, back, shown)
        if close:
            page.keyboard.press("Escape")
        page.wait_for_timeout(80)
    return {"first": round(times[0]), "median": round(statistics.median(times)),
            "highest": round(max(times)), "first_cpu": round(spent[0] * 1000),
            "cpu": round(sum(spent[1:]) / max(1, runs - 1) * 1000)}  # fmt: skip


def _graph(page: Page, case: str, *, webgl: bool = False) -> dict[str, int]:
    """Return how long the graph of the largest case takes, and the longest task beside it."""
    drawn = ".webgl[data-drawn=yes]" if webgl else "#links figure svg[role=img]"
    page.add_init_script(
        "window.__longest = 0; new PerformanceObserver(l => l.getEntries().forEach(e => {"
        " window.__longest = Math.max(window.__longest, e.duration); }))"
        ".observe({type: 'longtask', buffered: true});"
    )
    page.goto(case)
    began = time.perf_counter()
    page.evaluate("document.querySelector('#links').scrollIntoView()")
    page.wait_for_selector(drawn)
    graph = (time.perf_counter() - began) * 1000
    page.wait_for_selector("#whatif")
    page.wait_for_timeout(500)
    return {"graph_ms": round(graph), "longest_task_ms": round(page.evaluate("window.__longest"))}


def main() -> None:
    """Write the run, start the console, drive it, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--campaigns", type=int, default=500)
    parser.add_argument("--largest", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench-console")
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    parser.add_argument("--keep", action="store_true")
    wanted = parser.parse_args()
    run = wanted.work / f"run-{wanted.accounts}-{wanted.campaigns}-{wanted.largest}"
    if not (run / "summary.json").is_file():
        write_run(run, wanted.accounts, wanted.campaigns, wanted.largest)
    shutil.rmtree(wanted.work / "home", ignore_errors=True)  # the first start makes the index
    for file in wanted.work.glob("cases.db*"):
        file.unlink()
    server, address, secret, ready = start(run, wanted.work)
    try:
        cpu = Cpu(server.pid)
        ready_cpu = cpu.total_s()
        found = measure(address, secret, "case-0", wanted.chromium, wanted.runs, cpu)
        peak = _peak_mb(server.pid)
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=20)
    result = {
        "benchmark": "console", "commit": commit(), "machine": describe(), "seed": SEED,
        "accounts": wanted.accounts, "campaigns": wanted.campaigns, "largest": wanted.largest,
        "ready_s": round(ready, 1), "ready_cpu_s": round(ready_cpu, 1), "peak_mb": peak, **found,
    }  # fmt: skip
    text = json.dumps(result, indent=2)
    print(text)
    if wanted.keep:
        (ROOT / "bench" / "results" / "console.json").write_text(text + "\n", encoding="utf-8")


def _peak_mb(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(next(x for x in status.splitlines() if x.startswith("VmHWM")).split()[1]) // 1024


if __name__ == "__main__":
    main()
