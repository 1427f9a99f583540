"""A campaign of 100,000 accounts: it opens, its graph freezes nothing, and an account is at hand.

A machine that does much else makes everything slow at times: what is asked of a time is asked of
the best of a few. What a page reads of the index is counted, and that is the same on any machine.
"""

from __future__ import annotations

import orjson
import pytest
from console import clicked, name_of, opened, write_run
from console_visits import AXE, inside, serving, until, whole

pytestmark = [
    pytest.mark.browser, pytest.mark.slow, pytest.mark.usefixtures("quick_hashes")
]  # fmt: skip

ACCOUNTS, LARGEST = 101_000, 100_000
LONGEST = (
    "window.__longest = 0; new PerformanceObserver(l => l.getEntries().forEach(e => {"
    " window.__longest = Math.max(window.__longest, e.duration); }))"
    ".observe({type: 'longtask', buffered: true});"
)


@pytest.fixture(scope="module")
def large(tmp_path_factory, quick_hashes):
    folder = tmp_path_factory.mktemp("large")
    write_run(folder / "run", ACCOUNTS, 3, LARGEST)
    with serving(folder, folder / "run") as held:
        assert held.desk.line(held.largest()).accused > 0.97 * LARGEST
        yield held


def forget(served) -> None:
    """Let the server make everything anew, as for the first visitor."""
    served.desk._held.clear()


def test_it_opens_within_two_seconds_and_its_graph_holds_up_nobody(browser_gl, large):
    case = f"{large.address}/cases/{large.largest()}"
    with inside(browser_gl, large) as (page, seen):
        page.add_init_script(LONGEST)
        times, tasks = [], []
        for _ in range(3):
            forget(large)
            times.append(opened(page, case))
            whole(page)
            page.wait_for_selector(".webgl[data-drawn=yes]")
            until(page, "document.querySelector('#whatif')")
            page.wait_for_timeout(300)
            tasks.append(page.evaluate("window.__longest"))
        assert min(times) <= 2_000, times
        assert min(tasks) <= 200, tasks
        told = page.locator("#links").inner_text()
        assert "97,000 accounts and their links are not shown" in told.replace("\xa0", " ")
        assert seen == []


def test_a_click_on_an_account_takes_a_fifth_of_a_second(browser, large):
    with inside(browser, large) as (page, seen):
        page.goto(f"{large.address}/cases/{large.largest()}")
        page.wait_for_selector("#member-rows table")
        times = []
        for n in range(6):
            page.evaluate("n => document.querySelectorAll('#member-rows tbody a')[n].id = `b${n}`",
                          n)  # fmt: skip
            page.wait_for_timeout(100)
            times.append(clicked(page, f"#b{n}", "#drawer"))
            page.keyboard.press("Escape")
        assert min(times) <= 200, times
        assert seen == []


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_it_fits_and_axe_finds_nothing(browser, large, size, scheme):
    with inside(browser, large, size=size, color_scheme=scheme) as (page, seen):
        for path in (f"/cases/{large.largest()}", f"/cases/{large.largest()}/requests"):
            page.goto(large.address + path)
            whole(page)
            wide, room = page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert wide <= room, path
            page.evaluate(AXE)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert [v["id"] for v in found["violations"]] == [], path
        assert seen == []


def scans(node) -> list[tuple[str, int]]:
    """Return (table, bytes that came out of it) of every scan of a plan that was run."""
    table = str(node.get("extra_info", {}).get("Table", "")).rpartition(".")[2]
    mine = [(table, int(node["intermediate_size_bytes"]))] if table else []
    return mine + [one for child in node.get("children", ()) for one in scans(child)]


def test_what_an_account_is_told_from_is_found_without_reading_all_of_it(large, monkeypatch):
    """Its drawer once read every link and every request of its campaign: 0.5 s of a million."""
    index, asked = large.desk.index, []
    real = type(index)._table
    monkeypatch.setattr(type(index), "_table", lambda self, sql, held=None: (
        asked.append((sql, held)), real(self, sql, held))[1])  # fmt: skip
    who, campaign = name_of(500), large.desk.line(large.largest()).campaign_id
    part = index.about_account(who)
    assert len(part.links_of(who, part.campaigns)) == 3
    assert part.table("links").num_rows == 3
    held = type(index.requests)(index._table, index._numbers)
    assert sum(day["requests"] for day in held.days(campaign, who)) == 20
    read: dict[str, int] = {}
    with index._connection.cursor() as engine:
        for sql, given in asked:
            plan = engine.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}", given).fetchall()[0][1]
            for table, size in (s for n in orjson.loads(plan)["operator"] for s in scans(n)):
                read[table] = max(size, read.get(table, 0))
    assert {"links_by_account", "requests", "request_places"} <= read.keys()
    assert max(read.values()) < 3_000_000, read  # all links are 80 MB, all requests 10 MB
