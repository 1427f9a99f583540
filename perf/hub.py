"""Measures the hub on PostgreSQL: objects ingested, pages read at both ends of a collection.

    .venv/bin/python perf/hub.py [--objects N ...] [--workers N]

Starts a PostgreSQL cluster of its own (Debian's package, its defaults) and `hub serve` on it, and
loads both from this process: all three share the machine's cores.

* ingest: envelopes of 500 lawful indicators of about 1.1 kB from 4 connections, each judged by the
  antitrust rules and answered when it is on the disk, until 20,000 are in; once a round.
* the collection then grows to --objects by one SQL statement that copies indicators under new ids.
* pages: 4 connections page 100 objects at a time for --seconds, from the first object on (start)
  and over the last 10,000 (end), over and over; each answer's event and delivery are on the disk
  before it leaves. `sparse` is a member who sees one object in a thousand of those.

Prints medians of --rounds with their range and what a page costs in CPU; writes
bench/results/hub.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from machine import commit, describe

from stillwatch.share import content, refusals
from stillwatch.share.catalogue import CATALOGUE
from stillwatch.share.hub import Office, make_home
from stillwatch.share.words import TOKEN_KINDS

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "bench" / "results" / "hub.json"
sys.path.insert(0, str(ROOT / "tests" / "fixtures"))

TAXII = "application/taxii+json;version=2.1"
CONNECTIONS = 4
PAGE = 100
INGESTED = 20_000
ENVELOPE = 500
NEXT = re.compile(rb'^\{"more":true,"next":"([A-Za-z0-9_-]+)"')
GROW = """
INSERT INTO version (collection, added, object_id, type, spec, version, version_text, version_key,
                     owner, audience, digest, body)
SELECT v.collection, c.last_added + row_number() OVER (), 'indicator--' || made.id,
       v.type, v.spec, v.version, v.version_text, v.version_key, v.owner,
       CASE WHEN copy % 1000 = 7 THEN $2::bigint ELSE v.audience END, v.digest,
       replace(v.body, v.object_id, 'indicator--' || made.id)
FROM (SELECT copy, gen_random_uuid() AS id FROM generate_series(1, $1::bigint) AS copy) AS made
JOIN (SELECT *, row_number() OVER (ORDER BY added) AS n FROM version WHERE type = 'indicator') v
  ON v.n = 1 + copy % $3::bigint
CROSS JOIN collection c WHERE c.pk = v.collection
"""


def indicators(rng: random.Random, by: str, now: datetime, count: int) -> list[dict[str, Any]]:
    """Return lawful indicators of about 1.1 kB, as a member's client would send them.

    The client asks the guard before it sends: of random tokens about one in 1,700 spells something.
    """
    made: list[dict[str, Any]] = []
    while len(made) < count:
        one = content.indicator(
            rng.choice(TOKEN_KINDS),
            f"{rng.getrandbits(256):064x}",
            by=by,
            since=now - timedelta(days=1),
            epoch=f"{now:%Y-%m}",
        )
        if not refusals(one, now=now):
            made.append(one)
    return made


def markings() -> list[Mapping[str, Any]]:
    """Return the marking definitions that the indicators refer to: they are submitted first."""
    return [one for one in CATALOGUE.values() if one["type"] == "marking-definition"]


class Wire:
    """One connection that is kept; sends a request, reads the answer, and costs little itself."""

    def __init__(self, port: int, token: str) -> None:
        self.port = port
        self.head = f"Host: hub\r\nAuthorization: Bearer {token}\r\nAccept: {TAXII}\r\n"

    async def __aenter__(self) -> Wire:
        self.reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port, limit=1 << 24
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def ask(self, method: str, path: str, body: bytes = b"") -> tuple[dict[str, str], bytes]:
        more = f"Content-Type: {TAXII}\r\nContent-Length: {len(body)}\r\n" if body else ""
        self.writer.write(f"{method} {path} HTTP/1.1\r\n{self.head}{more}\r\n".encode() + body)
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        status, *lines = head.split("\r\n")
        headers = dict(line.split(": ", 1) for line in lines if ": " in line)
        content = await self.reader.readexactly(int(headers["content-length"]))
        if status.split()[1] not in {"200", "202"}:
            raise RuntimeError(f"{method} {path}: {status} {content[:300]!r}")
        return headers, content


async def ingest(port: int, token: str, path: str, objects: Sequence[Mapping[str, Any]]) -> float:
    """Return objects per second.

    Raises RuntimeError where the hub refuses one: it says how many, and the first reason.
    """
    bodies = [
        json.dumps({"objects": objects[k : k + ENVELOPE]}).encode()
        for k in range(0, len(objects), ENVELOPE)
    ]

    async def send() -> None:
        async with Wire(port, token) as wire:
            while bodies:
                _, told = await wire.ask("POST", path, bodies.pop())
                status = json.loads(told)
                if status["failure_count"]:
                    reason = status["failures"][0]["message"]
                    raise RuntimeError(f"{status['failure_count']} objects were refused: {reason}")

    begin = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(CONNECTIONS)))
    return len(objects) / (time.perf_counter() - begin)


async def page(
    port: int, token: str, path: str, seconds: float, start: str = ""
) -> dict[str, float]:
    """Return pages per second and milliseconds of the median and 99th percentile."""
    base = f"{path}?limit={PAGE}" + (f"&added_after={start}" if start else "")
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def read() -> None:
        cursor = ""
        async with Wire(port, token) as wire:
            while time.perf_counter() < end:
                begin = time.perf_counter()
                _, body = await wire.ask("GET", base + cursor)
                took.append(time.perf_counter() - begin)
                found = NEXT.match(body)
                cursor = f"&next={found[1].decode()}" if found else ""

    begin = time.perf_counter()
    await asyncio.gather(*(read() for _ in range(CONNECTIONS)))
    wall = time.perf_counter() - begin
    cuts = statistics.quantiles(took, n=100)
    return {
        "pages": len(took),
        "pages_per_s": len(took) / wall,
        "p50_ms": 1e3 * statistics.median(took),
        "p99_ms": 1e3 * cuts[98],
    }


def cpu_s(hub: int) -> dict[str, float]:
    """Return seconds of CPU that the hub's processes and PostgreSQL's for it have used."""
    used = {"hub": 0.0, "postgres": 0.0}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            command = (folder / "cmdline").read_bytes()
        except OSError:  # it has ended
            continue
        spent = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        if hub in {int(folder.name), int(fields[1])}:
            used["hub"] += spent
        elif command.startswith(b"postgres: hub bench "):
            used["postgres"] += spent
    return used


def serve(home: Path, workers: int) -> tuple[subprocess.Popen[bytes], int]:
    """Start the hub and wait for it."""
    from ports import free_port

    port = free_port()
    words = ["--home", str(home), "--port", str(port), "--workers", str(workers)]
    process = subprocess.Popen([sys.executable, "-m", "stillwatch.cli", "hub", "serve", *words])
    for _ in range(1_200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health/")
            return process, port
        except OSError:
            time.sleep(0.1)
    process.terminate()
    process.wait(30)
    raise RuntimeError("the hub did not start within two minutes")


async def grow(url: str, objects: int) -> str:
    """Fill the collection by SQL; return where its last 10,000 objects begin."""
    connection = await asyncpg.connect(url)
    sparse = await connection.fetchval(
        "INSERT INTO audience (key, tier, listed) VALUES ('bench', 0, false) RETURNING pk"
    )
    have = await connection.fetchval("SELECT count(*) FROM version")
    models = await connection.fetchval("SELECT count(*) FROM version WHERE type = 'indicator'")
    if objects > have:
        await connection.execute(GROW, objects - have, sparse, models)
        await connection.execute(
            "UPDATE collection SET last_added = (SELECT max(added) FROM version)"
        )
    await connection.execute("VACUUM ANALYZE version")
    added = await connection.fetchval(
        "SELECT added FROM version ORDER BY added DESC OFFSET 10000 LIMIT 1"
    )
    await connection.close()
    instant = datetime.fromtimestamp(added // 1_000_000, UTC).replace(microsecond=added % 1_000_000)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def rounds(of: Any, times: int) -> dict[str, Any]:
    """Return the median and range of each number over several rounds."""
    found = [asyncio.run(of()) for _ in range(times)]
    return {
        name: {
            "median": round(statistics.median(f[name] for f in found), 1),
            "range": [round(min(f[name] for f in found), 1), round(max(f[name] for f in found), 1)],
        }
        for name in found[0]
    }


def measure(postgres: Any, home: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Return all results."""
    url = postgres.database("bench")
    make_home(home, title="Bench", database=url)
    office, now = Office(home), datetime.now(UTC)
    office.migrate()
    office.add_root("api", title="Bench", max_content_length=100 << 20)
    shelf = office.add_collection("api", title="Bench", now=now, tier="observer")
    most = 10**12
    quotas = {"objects_per_day": most, "reads_per_day": most, "now": now}
    name, writer = office.add_member("writer", **quotas)
    _, reader = office.add_member("reader", **quotas)
    _, observer = office.add_member("observer", tier="observer", **quotas)
    path = f"/api/collections/{shelf}/objects/"
    process, port = serve(home, options.workers)
    try:
        rng, by = random.Random(options.objects), office.identity(name)
        given = [indicators(rng, by, now, INGESTED) for _ in range(options.rounds)]
        asyncio.run(ingest(port, writer, path, markings()))
        before = cpu_s(process.pid)
        speeds = [asyncio.run(ingest(port, writer, path, objects)) for objects in given]
        after = cpu_s(process.pid)
        sent = INGESTED * options.rounds
        result: dict[str, Any] = {
            "objects": options.objects,
            "ingest_objects_per_s": {
                "median": round(statistics.median(speeds)),
                "range": [round(min(speeds)), round(max(speeds))],
            },
            "ingest_cpu_us_per_object": {
                who: round(1e6 * (after[who] - before[who]) / sent) for who in after
            },
        }
        start = asyncio.run(grow(url, options.objects))
        for name, token, place in (
            ("start", reader, ""),
            ("end", reader, start),
            ("sparse", observer, ""),
        ):
            before = cpu_s(process.pid)
            result[name] = rounds(
                lambda token=token, place=place: page(port, token, path, options.seconds, place),
                options.rounds,
            )
            pages = result[name].pop("pages")["median"] * options.rounds
            after = cpu_s(process.pid)
            result[name]["cpu_ms_per_page"] = {
                who: round(1e3 * (after[who] - before[who]) / pages, 1) for who in after
            }
        ratio = result["end"]["pages_per_s"]["median"] / result["start"]["pages_per_s"]["median"]
        return {**result, "end_over_start": round(ratio, 2)}
    finally:
        process.terminate()
        process.wait(30)


def main() -> None:
    """Measure, print, keep."""
    from postgres import Postgres

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--objects", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    sizes, results, machine = options.objects, [], describe()
    for size in sizes:
        options.objects = size
        postgres = Postgres()
        try:
            postgres.start()
            with tempfile.TemporaryDirectory() as folder:
                found = measure(postgres, Path(folder) / "hub", options)
        finally:
            postgres.remove()
        print(json.dumps(found, indent=1))
        results.append(found)
    kept = {
        "commit": commit(),
        "machine": machine,
        "workers": options.workers,
        "connections": CONNECTIONS,
        "page_objects": PAGE,
        "seconds": options.seconds,
        "rounds": options.rounds,
        "results": results,
    }
    RESULT.write_text(json.dumps(kept, indent=1) + "\n")
    print(f"kept in {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
