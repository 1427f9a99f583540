"""What the benchmark sends is what the hub accepts: `make bench-hub` measures a real ingest."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime

import pytest

import hub as bench


@pytest.fixture
def competitors(new_hub):
    server = new_hub(rules="antitrust")
    server.start()
    return server


def test_the_writer_of_the_benchmark_is_lawful_and_its_pages_come_back(competitors, make_shelf):
    shelf, login = make_shelf(competitors), competitors.login()
    by = competitors.office.identity(login.pseudonym)
    sent = bench.indicators(random.Random(5), by, datetime.now(UTC), 120)
    for objects in (bench.markings(), sent):
        assert asyncio.run(bench.ingest(competitors.port, login.token, shelf.objects, objects)) > 0
    told = asyncio.run(bench.page(competitors.port, login.token, shelf.objects, 0.3))
    assert told["pages"] >= 2
    found = set(shelf.ids(login, limit=1_000, **{"match[type]": "indicator"}))
    assert found == {one["id"] for one in sent}


def test_the_benchmark_says_why_objects_were_refused(competitors, make_shelf, make_indicator):
    shelf, login = make_shelf(competitors), competitors.login()
    objects = [make_indicator(description="list price 12 USD")]
    with pytest.raises(RuntimeError, match=r"1 objects were refused: .*no-commerce"):
        asyncio.run(bench.ingest(competitors.port, login.token, shelf.objects, objects))
