"""Pages through a large collection with taxii2-client while writers add: none lost, none doubled.

    .venv/bin/python perf/taxii_pages.py [--objects N]

A PostgreSQL cluster of its own, `hub serve` with two workers, and a collection of 100,000 objects:
2,000 come through the hub, the rest are copies under new ids by one SQL statement (`perf/hub.py`).
The client is another project's: `taxii2client.v21.as_pages`, a thousand objects a page. While it
pages, four writers add envelopes of twenty, until it has read all that was there. What it read is
compared with what there was and with what the hub acknowledged. Writes
bench/results/taxii-pages.json.
Ends with 1 where an object was lost or came twice, or the order is not that of the dates added.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from machine import commit, describe

from hub import TAXII, grow, indicators, ingest, markings, serve
from stillwatch.share.hub import Office, make_home

with warnings.catch_warnings():  # it imports a module of the standard library that is to go
    warnings.simplefilter("ignore")
    import taxii2client.v21 as taxii
    from taxii2client.common import TokenAuth

RESULT = Path(__file__).parents[1] / "bench" / "results" / "taxii-pages.json"
FIRST = 2_000
WRITERS = 4
GIVEN = 800  # objects of a writer, at most
ENVELOPE = 20
PAGE = 1_000
MOST = 10**12


class Writer(threading.Thread):
    """Adds envelopes until it is told to end; ``taken``: the ids that the hub acknowledged."""

    def __init__(self, url: str, token: str, by: str, seed: int, ended: threading.Event) -> None:
        super().__init__()
        self.url, self.token, self.ended, self.taken = url, token, ended, list[str]()
        now = datetime.now(UTC)
        self.given = indicators(random.Random(seed), by, now, GIVEN)

    def run(self) -> None:
        head = {"Authorization": f"Bearer {self.token}", "Accept": TAXII, "Content-Type": TAXII}
        with httpx.Client(headers=head, timeout=60) as client:
            while self.given and not self.ended.is_set():
                sent, self.given = self.given[:ENVELOPE], self.given[ENVELOPE:]
                answer = client.post(self.url, content=json.dumps({"objects": sent}).encode())
                answer.raise_for_status()
                self.taken += [one["id"] for one in answer.json()["successes"]]
                self.ended.wait(0.1)  # so that they last as long as the reader reads


async def ids_of(url: str) -> list[str]:
    """Return the ids of all objects in the database in the order of their dates added."""
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT object_id FROM version ORDER BY added")
    await connection.close()
    return [row["object_id"] for row in rows]


def measure(postgres: Any, home: Path, objects: int) -> dict[str, Any]:
    """Return what was read, lost and doubled."""
    url, now = postgres.database("bench"), datetime.now(UTC)
    make_home(home, title="Bench", database=url)
    office = Office(home)
    office.migrate()
    office.add_root("api", title="Bench", max_content_length=100 << 20)
    shelf = office.add_collection("api", title="Bench", now=now)
    name, token = office.add_member("writer", now=now, objects_per_day=MOST, reads_per_day=MOST)
    by = office.identity(name)
    path = f"/api/collections/{shelf}/objects/"
    process, port = serve(home, 2)
    try:
        asyncio.run(ingest(port, token, path, markings()))
        given = indicators(random.Random(objects), by, now, min(FIRST, objects))
        asyncio.run(ingest(port, token, path, given))
        asyncio.run(grow(url, objects))
        before = asyncio.run(ids_of(url))
        ended = threading.Event()
        where = f"http://127.0.0.1:{port}{path}"
        writers = [Writer(where, token, by, 7_000 + k, ended) for k in range(WRITERS)]
        collection = taxii.Collection(where.removesuffix("objects/"), auth=TokenAuth(token))
        began = time.perf_counter()
        for writer in writers:
            writer.start()
        seen: list[str] = []
        pages = 0
        for page in taxii.as_pages(collection.get_objects, per_request=PAGE):
            seen += [one["id"] for one in page.get("objects", [])]
            pages += 1
            if len(seen) >= len(before) and not ended.is_set():
                ended.set()  # what they had sent until now has still to come
                for writer in writers:
                    writer.join()
        seconds = time.perf_counter() - began
        ended.set()
        for writer in writers:
            writer.join()
        after = asyncio.run(ids_of(url))
    finally:
        process.terminate()
        process.wait(30)
    taken = [one for writer in writers for one in writer.taken]
    twice = [one for one, n in Counter(seen).items() if n > 1]
    return {
        "objects": len(before), "added_meanwhile": len(taken), "pages": pages, "read": len(seen),
        "doubled": len(twice), "lost": len({*before, *taken} - set(seen)),
        "in_order": seen == after, "seconds": round(seconds, 1), "writers": WRITERS,
        "page_objects": PAGE,
    }  # fmt: skip


def main() -> int:
    """Measure, print, keep."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fixtures"))
    from postgres import Postgres

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=100_000)
    options = parser.parse_args()
    machine, postgres = describe(), Postgres()
    try:
        postgres.start()
        with tempfile.TemporaryDirectory() as folder:
            found = measure(postgres, Path(folder) / "hub", options.objects)
    finally:
        postgres.remove()
    print(json.dumps(found, indent=1))
    kept = {"commit": commit(), "machine": machine, **found}
    RESULT.write_text(json.dumps(kept, indent=1) + "\n")
    fine = found["in_order"] and not found["doubled"] and not found["lost"]
    return 0 if fine and found["added_meanwhile"] else 1


if __name__ == "__main__":
    sys.exit(main())
