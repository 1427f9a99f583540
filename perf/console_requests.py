"""What each page of the console costs its server: CPU milliseconds a request, no browser.

    python perf/console_requests.py [--accounts N] [--campaigns N] [--largest N] [--keep]

The run is that of `perf/console.py`, made if it is not there. The application is asked in this
process, each page once as the first visitor and then three times more; of those the median. CPU is
user and system time of all threads; wall times are kept beside it and mean little on a machine that
does other things too (`load_before`). `first_start` makes the index, in a process of its own:
`peak_mb` is the most memory that it held, `index_mb` what lies on the disk; `start` finds it made.
Prints one JSON object, kept in bench/results/console-requests.json with --keep.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from console import write_run
from machine import commit, describe
from starlette.testclient import TestClient

from stillwatch.cases import open_book, open_cases, read_terms
from stillwatch.console import Desk, create_app, open_home
from stillwatch.console.desk import COOKIE
from stillwatch.console.entry import add_person, begin, find_person, read_people, resume
from stillwatch.store import open_run
from stillwatch.store.index import open_index

ROOT = Path(__file__).parents[1]
OURS = {"origin": "https://testserver", "sec-fetch-site": "same-origin"}
PART = {"hx-request": "true"}
AGAIN = 3


def now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


def make_desk(run_dir: Path, work: Path) -> Desk:
    """Return a desk over the run."""
    run, home, book = open_run(run_dir), open_home(work / "home"), open_book(work / "cases.db")
    open_cases(book, run, now=now(), standings=("accused",))
    index = open_index(run, home.index, salt=home.key("accounts"))
    desk = Desk(run, index, book, read_terms(), home, now, frozenset({"testserver"}), True)
    desk.warm()
    return desk


def first_start(run_dir: Path, work: Path) -> dict[str, Any]:
    """Return what it takes to be ready for the first time, measured in a process of its own."""
    shutil.rmtree(work / "home", ignore_errors=True)
    for file in work.glob("cases.db*"):
        file.unlink()
    begun = time.perf_counter()
    asked = [sys.executable, __file__, "--ready", str(run_dir), "--work", str(work)]
    told = subprocess.run(asked, check=True, capture_output=True, text=True).stdout
    size = sum(file.stat().st_size for file in (work / "home" / "index").iterdir())
    return {**json.loads(told), "wall_s": round(time.perf_counter() - begun, 1),
            "index_mb": size // 1_000_000}  # fmt: skip


def ready(run_dir: Path, work: Path) -> None:
    """Make a desk and print the CPU seconds and the peak of memory of this process."""
    make_desk(run_dir, work)
    used = resource.getrusage(resource.RUSAGE_SELF)
    print(json.dumps({"cpu_s": round(used.ru_utime + used.ru_stime, 1),
                      "peak_mb": used.ru_maxrss // 1024}))  # fmt: skip


def pages_of(http: TestClient, desk: Desk, csrf: str) -> dict[str, Callable[[int], Any]]:
    """Return every page by name, as a request that may differ from time to time."""
    case = max(desk.lines(), key=lambda line: line.accused)
    base = f"/cases/{case.case_id}"
    members = desk.index.members(case.campaign_id, first=0, most=30)[0]
    many = [line.case_id for line in desk.lines()[:50]]
    order = {"csrf": csrf, "verdict": "throttle", "reason": "relay", "why": "relay",
             "scope": "accused", "case": many}  # fmt: skip
    return {
        "queue": lambda n: http.get("/"),
        "filter": lambda n: http.get("/?why=new", headers=PART),
        "sort": lambda n: http.get("/?sort=tokens", headers=PART),
        "case": lambda n: http.get(base),
        "members": lambda n: http.get(f"{base}/members?page={n + 2}", headers=PART),
        "account": lambda n: http.get(
            f"/accounts/{desk.index.ref(members[n]['account_id'])}", headers=PART
        ),
        "raster": lambda n: http.get(f"{base}/raster", headers=PART),
        "zoom": lambda n: http.get(f"{base}/raster?since=2026-11-0{n + 2}T00:00", headers=PART),
        "links": lambda n: http.get(f"{base}/links", headers=PART),
        "requests": lambda n: http.get(f"{base}/requests?page={n + 1}", headers=PART),
        "requests_by_status": lambda n: http.get(
            f"{base}/requests?status=refused&page={n + 1}", headers=PART
        ),
        "requests_of_one": lambda n: http.get(
            f"{base}/requests?of={desk.index.ref(members[n + 4]['account_id'])}", headers=PART
        ),
        "requests_far": lambda n: http.get(f"{base}/requests?page={n + 50_000}", headers=PART),
        "what_if": lambda n: http.get(f"{base}/whatif", headers=PART),
        "what_if_without": lambda n: http.get(f"{base}/whatif?no-frame=1", headers=PART),
        "weigh": lambda n: http.post(f"{base}/weigh", data=order, headers=OURS | PART),
        "weigh_50_cases": lambda n: http.post("/queue/weigh", data=order, headers=OURS),
        "overview": lambda n: http.get("/overview"),
        "top": lambda n: http.get("/top"),
        "tests": lambda n: http.get("/tests"),
        "decisions": lambda n: http.get("/decisions"),
        "ocsf": lambda n: http.get("/cases.ocsf.jsonl"),
    }


def measure(desk: Desk) -> dict[str, dict[str, int]]:
    """Return CPU and wall milliseconds and the size of each page."""
    if not any(p.login == "bench" for p in read_people(desk.home)):
        add_person(desk.home, "Bench", ("analyst", "counsel"))
    token = begin(desk.home, find_person(desk.home, "bench"), now=now())
    session = resume(desk.home, token, now=now())
    assert session is not None
    http = TestClient(create_app(desk), base_url="https://testserver", follow_redirects=False)
    http.cookies.set(COOKIE, token, domain="testserver.local", path="/")
    out = {}
    for name, ask in pages_of(http, desk, session.csrf).items():
        spent, took = [], []
        for n in range(AGAIN + 1):
            cpu, wall = time.process_time(), time.perf_counter()
            answer = ask(n)
            spent.append(1000 * (time.process_time() - cpu))
            took.append(1000 * (time.perf_counter() - wall))
            assert answer.status_code == 200, (name, answer.status_code)
        out[name] = {
            "first_cpu_ms": round(spent[0]), "cpu_ms": round(statistics.median(spent[1:])),
            "first_wall_ms": round(took[0]), "wall_ms": round(statistics.median(took[1:])),
            "bytes": len(answer.content),
        }  # fmt: skip
    return out


def main() -> None:
    """Make the run if it is not there, ask for every page, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--campaigns", type=int, default=500)
    parser.add_argument("--largest", type=int, default=100_000)
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "bench-console")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--ready", type=Path, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.ready:
        ready(wanted.ready, wanted.work)
        return
    run = wanted.work / f"run-{wanted.accounts}-{wanted.campaigns}-{wanted.largest}"
    if not (run / "summary.json").is_file():
        write_run(run, wanted.accounts, wanted.campaigns, wanted.largest)
    machine = describe()
    first = first_start(run, wanted.work)
    began = time.process_time()
    desk = make_desk(run, wanted.work)
    again = time.process_time() - began
    result = {
        "benchmark": "console-requests", "commit": commit(), "machine": machine,
        "accounts": wanted.accounts, "campaigns": wanted.campaigns, "largest": wanted.largest,
        "requests": pq.ParquetFile(run / "stages" / "exchanges.parquet").metadata.num_rows,
        "first_start": first, "start": {"cpu_s": round(again, 1)}, "pages": measure(desk),
    }  # fmt: skip
    text = json.dumps(result, indent=2)
    print(text)
    if wanted.keep:
        file = ROOT / "bench" / "results" / "console-requests.json"
        file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
