"""The console as people use it: a real server, a real browser, mouse and keyboard."""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from console_visits import AXE, PATIENCE_S, choose, inside, ready, served, until, whole
from playwright.sync_api import Error

from stillwatch.cases import (
    Order,
    add_note,
    appeal,
    attach,
    decide,
    read_attachments,
    read_decisions,
    undo,
)
from stillwatch.console import make_administrator
from stillwatch.console.entry import set_email
from stillwatch.console.telling import Post
from stillwatch.schema.mailing import Relay

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_hashes")]


def test_the_first_hour_from_the_printed_password_to_the_queue(browser, full):
    secret = make_administrator(full.desk.home, "Ada L.", now=full.desk.clock())
    context = browser.new_context()
    context.set_default_timeout(PATIENCE_S * 1_000)
    page = context.new_page()
    page.goto(full.address)
    assert page.url.endswith("/login")
    until(page, "document.activeElement.id === 'login'")  # the first field gets the focus
    page.keyboard.type("Ada L.")
    page.keyboard.press("Tab")
    page.keyboard.type(secret)
    page.keyboard.press("Enter")
    page.wait_for_url("**/password")
    for field, value in (("old", secret), ("new", "a phrase of mine 7"),
                         ("again", "a phrase of mine 7")):  # fmt: skip
        page.fill(f"#{field}", value)
    page.keyboard.press("Enter")
    page.wait_for_selector("#rows table")
    (cookie,) = context.cookies()
    assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Strict")
    page.click(".me summary")
    page.click("text=Log out")
    page.wait_for_url("**/login")
    page.wait_for_selector("#login")
    assert context.cookies() == []
    context.close()


PAGES = ["queue", "case", "requests", "overview", "top", "tests", "account", "decisions", "people",
         "reads", "pack", "password", "login"]  # fmt: skip


@pytest.fixture(scope="module")
def seats(browser, full):
    """Pages of people who look on, one of a size and scheme: each logs in once."""
    with ExitStack() as stack:
        taken = {}

        def seat(size, scheme, outside):
            key = size, scheme, outside
            if key not in taken:
                held = inside(browser, full, size=size, outside=outside, color_scheme=scheme)
                taken[key] = stack.enter_context(held)
            return taken[key]

        yield seat


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_fits_and_axe_finds_nothing(full, seats, name, size, scheme):
    case = full.largest()
    index = full.desk.index
    ref = index.ref(index.members(full.desk.line(case).campaign_id)[0][0]["account_id"])
    paths = {
        "queue": "/",
        "case": f"/cases/{case}",
        "pack": f"/cases/{case}/pack",
        "requests": f"/cases/{case}/requests",
    }
    path = {**paths, "account": f"/accounts/{ref}"}.get(name, f"/{name}")
    page, seen = seats(size, scheme, name == "login")
    seen.clear()
    page.goto(full.address + path)
    whole(page)
    page.evaluate("document.querySelectorAll('main details').forEach(d => { d.open = true; })")
    wide, room = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert wide <= room
    # uPlot places what it draws by the object model, which the policy allows
    assert page.evaluate("document.querySelectorAll('[style]:not(.charts *)').length") == 0
    assert seen == []
    page.evaluate(AXE)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert len(found["passes"]) > 12  # it did look
    assert [(v["id"], [n["target"] for n in v["nodes"][:3]]) for v in found["violations"]] == []


@pytest.fixture(scope="module")
def lived(tmp_path_factory, quick_hashes):
    """A case with a decision that was undone, one in force, an appeal, a note and files; people are
    told by e-mail."""
    with served(tmp_path_factory.mktemp("lived"), "small") as held:
        desk, case, now = held.desk, held.largest(), datetime.now(UTC)
        for verdict in ("watch", "throttle"):
            order = Order(case, None, verdict, "relay", "Ana", None, "")
            made = decide(desk.book, order, terms=desk.terms, now=now)
            if verdict == "watch":
                undo(desk.book, [made.id], by="Ana", remark="too little", now=now)
        appeal(desk.book, made.id, made.accounts[0], by="E. M.", terms=desk.terms, now=now)
        add_note(desk.book, case, text="the same proxy as @Apo saw", by="Ana", now=now)
        for name in ("a letter.pdf", "w" * 110 + ".html"):
            attach(desk.book, case, name=name, data=name.encode(), by="Ana", now=now)
        desk.second_factor = frozenset({"counsel"})
        desk.post = Post(Relay("127.0.0.1", 25, "console@provider.example", "none"))
        set_email(desk.home, "ana", "ana.with.a.long.name@department.provider.example")
        yield held


@pytest.mark.parametrize(("size", "scheme"), [("desk", "dark"), ("phone", "light")])
def test_a_case_that_has_lived_fits_and_axe_finds_nothing(browser, lived, size, scheme):
    with inside(browser, lived, size=size, color_scheme=scheme) as (page, seen):
        for path in (f"/cases/{lived.largest()}", "/", "/decisions", "/people",
                     "/password"):  # fmt: skip
            page.goto(lived.address + path)
            whole(page)
            page.evaluate("document.querySelectorAll('main details').forEach(d => d.open = true)")
            wide, room = page.evaluate(
                "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
            )
            assert wide <= room, path
            page.evaluate(AXE)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert [v["id"] for v in found["violations"]] == [], path
        assert seen == []


def test_axe_would_find_a_violation(browser, full):
    with inside(browser, full) as (page, _):
        page.goto(full.address)
        page.evaluate("document.querySelector('#filter').previousElementSibling.remove()")
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert "label" in [v["id"] for v in found["violations"]]


def test_from_the_queue_to_a_recorded_decision_by_keyboard_alone(browser, tmp_path):
    with served(tmp_path, "small") as small, inside(browser, small) as (page, seen):
        page.goto(small.address)
        page.keyboard.press("j")
        first = page.evaluate("document.activeElement.textContent")
        page.keyboard.press("j")
        page.keyboard.press("k")
        assert page.evaluate("document.activeElement.textContent") == first
        page.keyboard.press("Enter")
        page.wait_for_url(f"**/cases/{first}")
        page.keyboard.press("d")
        until(page, "document.activeElement.id === 'verdict'")
        choose(page, "throttle")
        for _ in range(17):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.textContent").startswith("Weigh"):
                break
        page.keyboard.press("Enter")
        page.wait_for_selector(".weighed")
        assert read_decisions(small.desk.book) == []
        page.keyboard.press("Tab")
        assert "record it as Ana" in page.evaluate("document.activeElement.textContent")
        page.keyboard.press("Enter")
        page.wait_for_selector(".state.in-force")
        (made,) = read_decisions(small.desk.book)
        assert (made.verdict, made.by, made.case_id) == ("throttle", "Ana", first)
        assert seen == []


def test_bulk_triage_by_keyboard_weighed_recorded_and_undone(browser, tmp_path):
    with served(tmp_path, "full") as big, inside(browser, big) as (page, seen):
        page.goto(f"{big.address}/?least=1")
        rows = page.locator("tr[data-row]").count()
        page.keyboard.press("X")
        until(page, f"document.querySelector('#marked').textContent === '{rows} marked'")
        page.keyboard.press("v")
        until(page, "document.activeElement.id === 'bulk-verdict'")
        choose(page, "throttle")
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Weigh it"
        page.keyboard.press("Enter")
        page.wait_for_selector("text=nothing is recorded yet")
        assert read_decisions(big.desk.book) == []
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [v["id"] for v in found["violations"]] == []
        page.click("text=record it as Ana")
        page.wait_for_selector(f"h1:has-text('{rows}\u00a0decisions recorded')")
        assert len(read_decisions(big.desk.book)) == rows
        page.fill("#remark", "a class after all")
        page.keyboard.press("Enter")
        page.wait_for_selector(f"h1:has-text('{rows}\u00a0decisions undone')")
        assert seen == []


def test_the_next_case_is_taken_passed_over_and_a_view_kept_by_keyboard(browser, tmp_path):
    with served(tmp_path, "full") as big, inside(browser, big) as (page, seen):
        page.goto(big.address)
        page.keyboard.press("t")
        page.wait_for_url("**/cases/*")
        taken = page.url.rsplit("/", 1)[1]
        assert next(x for x in big.desk.lines() if x.case_id == taken).assigned_to == "Ana"
        page.keyboard.press("s")
        page.wait_for_url(lambda url: not url.endswith(taken))
        page.goto(big.address)
        page.select_option("#who", "me")
        page.wait_for_url("**who=me**")
        until(page, "document.querySelectorAll('tr[data-row]').length === 1")
        page.click("text=Save this view")
        page.fill("#view-name", "mine")
        page.keyboard.press("Enter")
        page.wait_for_selector(".view a:has-text('mine')")
        page.goto(big.address)
        page.click(".view a:has-text('mine')")
        page.wait_for_url("**who=me**")
        until(page, "document.querySelectorAll('tr[data-row]').length === 1")
        assert seen == []


def test_the_overview_for_paper_opens_from_the_disk_and_asks_for_nothing(browser, full, tmp_path):
    with inside(browser, full) as (page, seen):
        page.goto(f"{full.address}/overview")
        with page.expect_download() as got:
            page.click("text=This page as one file")
        file = tmp_path / "overview.html"
        got.value.save_as(file)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        seen.clear()
        page.goto(file.as_uri())
        assert page.locator("h1").count() == 1
        size = page.evaluate("getComputedStyle(document.body).fontSize")
        assert size == "15px"  # its style holds
        assert [a for a in asked if not a.startswith(("file:", "data:"))] == []
        assert [s for s in seen if s.startswith(("console", "error"))] == []


def test_why_two_chosen_members_are_linked(browser, full):
    with inside(browser, full) as (page, seen):
        case = max(full.desk.lines(), key=lambda line: line.accused)
        thing = full.desk.index.objects(case.campaign_id, 1)[0][0][0]
        one, other = full.desk.index.holders(case.campaign_id, thing, 2)
        page.goto(f"{full.address}/cases/{case.case_id}")
        whole(page)
        page.click("text=Why are two of them linked?")
        page.fill("#pair-one", one)
        page.fill("#pair-other", other)
        page.click(".chosen-pair button")
        page.wait_for_selector("#pair svg[role=img]")
        assert "between these two" in page.inner_text("#pair")
        assert seen == []


def test_two_people_deny_a_large_case_and_one_of_them_undoes_it(browser, tmp_path):
    with served(tmp_path, "full") as big:
        case = f"{big.address}/cases/{big.largest()}"
        with inside(browser, big) as (page, seen):
            page.goto(case)
            page.select_option("#verdict", "deny")
            page.click("text=Weigh it")
            page.wait_for_selector("text=A second person must approve")
            page.click("text=record it as Ana")
            page.wait_for_selector(".state.waits-for-a-second-person")
            assert page.locator("button:has-text('Approve')").count() == 0
            assert seen == []
        with inside(browser, big, "Apo") as (page, seen):
            page.goto(big.address)
            assert page.locator(".why.pending").count() == 1
            page.goto(case)
            page.click("button:has-text('Approve deny')")
            page.wait_for_selector(".state.in-force")
            page.click("summary:has-text('Undo')")
            page.fill("input[id^=undo-]", "one explanation survives after all")
            page.click("button:has-text('Undo decision')")
            page.wait_for_selector(".state.undone")
            assert "No decision is in force" in page.inner_text("#decisions-h")
            assert seen == []


def test_filters_marks_and_pages_change_the_list_and_freeze_nothing(browser, full):
    with inside(browser, full) as (page, seen):
        page.goto(full.address)
        rows = page.locator("tr[data-row]").count()
        assert rows >= 4
        page.check("#w-new")
        page.wait_for_url("**why=new**")
        page.fill("#filter", full.largest())
        page.wait_for_url(f"**find={full.largest()}**")
        until(page, "document.querySelectorAll('tr[data-row]').length === 1")
        page.check("tr[data-row] input")
        until(page, "document.querySelector('#marked').textContent === '1 marked'")
        page.reload()
        assert page.locator("tr[data-row]").count() == 1  # the address holds the filter
        page.goto(f"{full.address}/cases/{full.largest()}")
        whole(page)
        one = page.inner_text("#member-rows tbody tr:first-child th")
        page.click("#member-rows .pager a:has-text('Next')")
        until(page, "document.querySelector('#member-rows tbody th')?.innerText !== it", one)
        assert seen == []


def held_back(page, waiting: list) -> None:
    """Wait until a route has caught a request: the page shows that it asks before we hear of it."""
    end = time.monotonic() + PATIENCE_S
    while not waiting:
        assert time.monotonic() < end, "nothing was asked for"
        page.wait_for_timeout(25)


def test_a_mark_made_while_the_list_arrives_stays_and_one_that_left_it_does_not(browser, full):
    with inside(browser, full) as (page, seen):
        page.goto(full.address)
        rows = page.locator("tr[data-row] input").count()
        waiting: list = []
        page.route(
            "**/?why=*", lambda route: waiting.append(route)
        )  # the answer is held back until we say so
        page.check("#w-new")
        held_back(page, waiting)
        until(page, "document.querySelector('.htmx-request')")
        page.locator(f"input[name=case][value={full.largest()}]").check()
        assert len(waiting) == 1
        waiting.pop().continue_()
        ready(page)
        assert page.is_checked(f"input[name=case][value={full.largest()}]")
        assert page.inner_text("#marked") == "1 marked"
        page.unroute("**/?why=*")
        page.fill("#filter", "no case is called that")
        until(page, "!document.querySelector('tr[data-row]')")
        until(page, "document.querySelector('#marked').textContent === '0 marked'")
        page.fill("#filter", "")
        until(page, "document.querySelectorAll('tr[data-row]').length === it", rows)
        ready(page)
        assert page.locator("input[name=case]:checked").count() == 0
        assert seen == []


@pytest.mark.parametrize(
    ("first", "second", "told"),
    [("#whatif input[name=no-frame]", "#whatif input[name^=no-]:not([name=no-frame])",
      "**/whatif?*"),
     ("#rq-model", "#rq-status", "**/requests?*")],
)  # fmt: skip
def test_a_tick_made_while_the_answer_to_another_arrives_is_not_lost(
    browser, full, first, second, told
):
    with inside(browser, full) as (page, seen):
        page.goto(f"{full.address}/cases/{full.largest()}")
        whole(page)

        def tick(field: str) -> None:
            if page.locator(field).first.get_attribute("type") == "checkbox":
                page.locator(field).first.check()
            else:
                page.locator(field).select_option(index=1)

        waiting: list = []
        held = True
        page.route(told, lambda route: waiting.append(route) if held else route.continue_())
        tick(first)
        held_back(page, waiting)
        tick(second)
        page.wait_for_timeout(150)
        held = False  # what is asked for from now on passes: nothing may wait for ever
        for route in waiting:
            route.continue_()
        page.unroute(told)
        ready(page)
        for field in (first, second):
            one = page.locator(field).first
            ticked = one.get_attribute("type") == "checkbox"
            assert one.is_checked() if ticked else one.input_value(), field
        asked = [text for text in seen if not text.startswith("console: ")]
        assert asked == []


def test_marks_on_another_page_of_members_go_with_the_decision(browser, full):
    with inside(browser, full) as (page, seen):
        page.goto(f"{full.address}/cases/{full.largest()}")
        page.wait_for_selector("#member-rows tbody input")
        page.check("#member-rows tbody tr:nth-child(1) input")
        page.check("#member-rows tbody tr:nth-child(2) input")
        one = page.inner_text("#member-rows tbody tr:first-child th")
        page.click("#member-rows .pager a:has-text('Next')")
        until(page, "document.querySelector('#member-rows tbody th')?.innerText !== it", one)
        until(page, "document.querySelector('#carried').innerText.startsWith('2 marked')")
        page.check("#member-rows tbody tr:nth-child(1) input")
        page.click("text=Weigh it")
        page.wait_for_selector(".weighed h3:has-text('3 accounts')")
        page.click("#carried button")
        page.click("text=Weigh it")
        page.wait_for_selector(".weighed h3:has-text('1 account')")
        page.click("#member-rows .pager a:has-text('Previous')")
        until(page, "document.querySelector('#member-rows tbody th')?.innerText === it", one)
        assert page.locator("#member-rows tbody input:checked").count() == 0
        assert seen == []


def test_the_drawer_opens_beside_the_case_and_gives_the_focus_back(browser, full):
    with inside(browser, full) as (page, seen):
        page.goto(f"{full.address}/cases/{full.largest()}")
        page.wait_for_selector("#member-rows tbody a")
        ready(page)  # a link that is clicked before it is bound opens the page
        link = page.locator("#member-rows tbody a").first
        name = link.inner_text()
        link.click()
        page.wait_for_selector("#drawer h1")
        assert name.split("…")[0] in page.inner_text("#drawer h1")
        assert "Why it stands as it does" in page.inner_text("#drawer")
        until(page, "document.activeElement.textContent === 'Close'")
        page.keyboard.press("Escape")
        assert not page.locator("#drawer").is_visible()
        assert page.evaluate("document.activeElement.innerText") == name
        assert seen == []


def test_dragging_across_the_raster_zooms_and_back(browser, full):
    with inside(browser, full) as (page, seen):
        page.goto(f"{full.address}/cases/{full.largest()}")
        whole(page)  # what comes later would move the picture under the hand
        page.evaluate("document.querySelector('.brush').scrollIntoView()")
        before = page.input_value("#since")
        area = page.locator(".brush svg[role=img]").bounding_box()
        y = area["y"] + area["height"] / 2
        page.mouse.move(area["x"] + area["width"] * 0.4, y)
        page.mouse.down()
        page.mouse.move(area["x"] + area["width"] * 0.6, y, steps=4)
        page.mouse.up()
        page.wait_for_selector("text=Whole span")
        since, end = page.input_value("#since"), page.input_value("#until-t")
        assert before < since < end
        page.click("text=Whole span")
        until(page, "document.querySelector('#since')?.value === it", before)
        assert seen == []


def test_a_kind_of_link_is_hidden_with_its_edges_and_left_out_of_what_remains(browser, full):
    with inside(browser, full) as (page, seen):
        page.goto(f"{full.address}/cases/{full.largest()}")
        whole(page)
        assert "Not shown:" in page.inner_text("#links figure")
        nodes = page.locator("#links .web svg[role=img] .thing, #links .web svg[role=img] .account")
        assert 20 < nodes.count() <= 300
        things = page.locator("#links .web svg[role=img] .k0")
        assert things.first.is_visible()
        page.click("#k0")
        assert not things.first.is_visible()
        page.click("#links .list a >> nth=0")
        page.wait_for_selector("#holders li")
        page.check("#whatif input[name=no-frame]")
        page.wait_for_selector("text=all that are marked")
        assert "Without “same prompt template" in page.inner_text("#whatif h3")
        assert seen == []


def test_single_requests_are_filtered_paged_and_opened_from_the_case(browser, full):
    with inside(browser, full) as (page, seen):
        page.goto(f"{full.address}/cases/{full.largest()}")
        whole(page)
        rows = page.locator("#requests tbody tr")
        assert rows.count() == 25
        before = page.inner_text("#requests .pager span")
        newest = page.inner_text("#requests tbody tr:first-child td:first-child")
        page.click("#requests .pager a:has-text('Next')")
        until(page, "document.querySelector('#requests .pager span')?.innerText !== it", before)
        assert page.inner_text("#requests tbody tr:first-child td:first-child") <= newest
        page.select_option("#rq-template", "1")
        until(page, "document.querySelector('#requests .pager span')?.innerText.startsWith('1–')")
        models = page.locator("#requests tbody tr td:nth-child(3)").all_inner_texts()
        assert {text.split()[0] for text in models} == {"lumen-5"}
        page.click("#requests a:has-text('2 alike') >> nth=0")  # with the one without template:
        until(page, "document.querySelectorAll('#requests tbody tr').length === 1")
        page.select_option("#rq-template", "")
        until(page, "document.querySelectorAll('#requests tbody tr').length === 2")
        page.click("#requests tbody tr:first-child th a")
        page.wait_for_selector("#drawer h1")
        page.evaluate("document.querySelector('#drawer .lazy')?.scrollIntoView()")
        page.wait_for_selector("#drawer .requests tbody tr")
        ready(page)
        assert page.locator("#drawer .requests tbody tr").count() == 3
        assert page.locator("#requests tbody tr").count() == 2, "the case's own list stays"
        page.select_option("#rq-of-status", "refused")
        until(page, "document.querySelectorAll('#drawer .requests tbody tr').length === 1")
        assert seen == []


def test_a_file_is_attached_taken_as_a_download_and_removed(browser, tmp_path):
    letter = tmp_path / "page.html"
    letter.write_bytes(b"<script>document.title = 'ran'</script>")
    with served(tmp_path, "small") as small:
        case = f"{small.address}/cases/{small.largest()}"
        with inside(browser, small) as (page, seen):
            page.goto(case)
            page.locator("#file").set_input_files(letter)
            page.fill("#file-remark", "what the customer sent")
            page.keyboard.press("Enter")
            page.wait_for_selector("#attachments tbody tr")
            assert page.url == f"{case}#attachments"
            with page.expect_download() as got:
                page.click("#attachments tbody a")
            assert got.value.suggested_filename == "page.html.attached"
            assert Path(got.value.path()).read_bytes() == letter.read_bytes()
            assert page.locator("#attachments summary").count() == 0, "Ana attached it"
            large = tmp_path / "large.zip"
            large.write_bytes(b"\0" * (small.desk.most_attached + 1))
            page.locator("#file").set_input_files(large)
            page.click("#attachments button:has-text('Attach')")
            told = page.evaluate("document.querySelector('#file').validationMessage")
            assert told == "Larger than 20 MB"
            assert seen == []
        with inside(browser, small, "Apo") as (page, seen):
            page.goto(case)
            page.click("#attachments summary")
            page.fill("#attachments input[name=reason]", "of another case")
            page.keyboard.press("Enter")
            page.wait_for_selector("#attachments tr.gone")
            assert "Apo removed it: of another case" in page.inner_text("#attachments")
            # also while a part of the page is still being fetched
            page.evaluate("document.querySelector('main').classList.add('htmx-request')")
            page.evaluate(AXE)
            found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
            assert [v["id"] for v in found["violations"]] == []
            assert seen == []


def test_a_file_opened_by_its_address_is_saved_and_a_large_one_refused_without_scripts(
    browser, full, tmp_path
):
    drawing = tmp_path / "chart.svg"
    drawing.write_text('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>')
    large = tmp_path / "large.bin"
    large.write_bytes(b"\0" * (full.desk.most_attached + 1_000_000))
    with inside(browser, full, java_script_enabled=False) as (page, seen):
        for file in (drawing, large):
            page.goto(f"{full.address}/cases/{full.largest()}")
            page.locator("#file").set_input_files(file)
            page.click("#attachments button:has-text('Attach')")
        assert "larger than 20 MB" in page.inner_text("main")
        assert [text.split()[0] for text in seen if not text.startswith("console")] == ["413"]
    held = read_attachments(full.desk.book, full.largest())
    with inside(browser, full) as (page, seen):
        with page.expect_download() as got, suppress(Error):  # a page does not come of it
            page.goto(f"{full.address}/attachments/{held[-1].id}")
        assert got.value.suggested_filename == "chart.svg.attached"
        assert seen == []


def test_it_works_without_scripts(browser, full):
    with inside(browser, full, java_script_enabled=False) as (page, seen):
        missing: list[str] = []
        page.on("response", lambda got: missing.append(got.url) if got.status == 404 else None)
        page.goto(full.address)
        page.click("tr[data-row] a >> nth=0")
        page.click("text=Weigh it")
        assert "record it as Ana" in page.inner_text("main")
        page.click("text=Not now")
        page.goto(f"{full.address}/cases/{full.largest()}/members")
        assert "members" in page.inner_text("body")
        page.goto(f"{full.address}/cases/{full.largest()}/requests?status=refused")
        page.select_option("#rq-model", "lumen-4")
        page.click("main form button")
        assert "model=lumen-4" in page.url
        assert page.locator("tbody tr").count() > 2
        assert missing == []
        assert seen == []


def test_hostile_text_runs_nothing_and_asks_nothing(browser, hostile):
    with inside(browser, hostile) as (page, seen):
        index = hostile.desk.index
        members = [m["account_id"] for c in index.heads for m in index.members(c)[0]]
        account = next(name for name in members if "<script>" in name)
        paths = ["/", "/overview", f"/accounts/{index.ref(account)}"]
        paths += [f"/cases/{line.case_id}" for line in hostile.desk.lines()]
        for path in paths:
            page.goto(hostile.address + path)
            whole(page)
        page.fill("#find-account", account)
        assert seen == []
