"""What each page of the console costs its server: CPU milliseconds a request, no browser.

    python perf/console_requests.py [--accounts N] [--campaigns N] [--largest N] [--keep]

The run is that of `perf/console.py`, made if it is not there. The application is asked in this
process, each page once as the first visitor and then three times more; of those the median. CPU is
user and system time of all threads; wall times are kept beside it and mean little on a machine that
does other things too (`load_before`). Prints one JSON object, kept in
bench/results/console-requests.json with --keep.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

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


def make_desk(run_dir: Path, work: Path) -> tuple[Desk, float]:
    """Return a desk over the run, and the CPU seconds that it took to be ready."""
    began = time.process_time()
    run, home, book = open_run(run_dir), open_home(work / "home"), open_book(work / "cases.db")
    open_cases(book, run, now=now(), standings=("accused",))
    index = open_index(run, home.index, salt=home.key("accounts"))
    desk = Desk(run, index, book, read_terms(), home, now, frozenset({"testserver"}), True)
    desk.warm()
    return desk, time.process_time() - began


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
    wanted = parser.parse_args()
    run = wanted.work / f"run-{wanted.accounts}-{wanted.campaigns}-{wanted.largest}"
    if not (run / "summary.json").is_file():
        write_run(run, wanted.accounts, wanted.campaigns, wanted.largest)
    machine = describe()
    desk, ready = make_desk(run, wanted.work)
    result = {
        "benchmark": "console-requests", "commit": commit(), "machine": machine,
        "accounts": wanted.accounts, "campaigns": wanted.campaigns, "largest": wanted.largest,
        "ready_cpu_s": round(ready, 1), "pages": measure(desk),
    }  # fmt: skip
    text = json.dumps(result, indent=2)
    print(text)
    if wanted.keep:
        file = ROOT / "bench" / "results" / "console-requests.json"
        file.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
