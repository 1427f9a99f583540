"""Prevalence over time by uPlot: values by mouse and keys, both schemes, and the SVG without it."""

from __future__ import annotations

import pytest
from console_visits import AXE, inside, until

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_hashes")]

FIRST = "[aria-label='Prevalence over time']"
SEGMENTS = "[aria-label='Prevalence: by product (segment)']"
INK = """q => { const c = document.querySelector(q), p = c.getContext('2d');
  const d = p.getImageData(0, 0, c.width, c.height).data, seen = new Set();
  for (let i = 0; i < d.length; i += 4) {
    if (d[i + 3] === 255) seen.add(`${d[i]},${d[i + 1]},${d[i + 2]}`);
  }
  return [...seen]; }"""


def overview(page, served) -> None:
    page.goto(f"{served.address}/overview")
    page.wait_for_selector(".charted canvas")


def plain(words: str) -> str:
    return words.replace("\N{NO-BREAK SPACE}", " ")


def told(page) -> str:
    return plain(page.locator(f"{FIRST} .chart .told").inner_text())


@pytest.mark.parametrize(("size", "scheme"), [("desk", "dark"), ("phone", "light")])
def test_they_are_drawn_quietly_fit_and_axe_finds_nothing(browser, full, size, scheme):
    with inside(browser, full, size=size, color_scheme=scheme) as (page, seen):
        overview(page, full)
        assert page.locator(".charts").count() == 4  # in all, by model, by segment, by method
        assert page.locator(".charts canvas").count() == 1 + 3 + 3 + 2
        wide, room = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= room
        for box in page.locator(".charts canvas").all():
            assert box.bounding_box()["width"] > 200
        assert page.locator(".charted svg[role=img]").count() >= 9  # still there to be read aloud
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [v["id"] for v in found["violations"]] == []
        assert seen == []


def test_the_pointer_and_the_keys_tell_what_the_table_says(browser, full):
    with inside(browser, full) as (page, seen):
        overview(page, full)
        hint = told(page)
        assert "arrow keys" in hint
        slider = page.locator(f"{FIRST} [role=slider]")
        slider.focus()
        page.keyboard.press("Home")
        first = told(page)
        assert first.startswith("2 Mar 2026: ")
        assert slider.get_attribute("aria-valuenow") == "0"
        assert plain(slider.get_attribute("aria-valuetext")) == first
        rows = page.locator(f"{FIRST} .numbers tbody tr")
        week = [plain(t) for t in rows.nth(0).locator("td").all_text_contents()]
        assert f"this week {week[2]} corrected, up to {week[3]} not excluded" in first
        page.keyboard.press("PageDown")  # a page is a week; down is back: it stays at the first
        assert told(page) == first
        page.keyboard.press("PageUp")
        assert told(page).startswith("9 Mar 2026: ")
        page.keyboard.press("ArrowRight")
        assert told(page).startswith("10 Mar 2026: ")
        assert "Campaign A" in told(page)
        page.keyboard.press("End")
        assert told(page).startswith("29 Mar 2026: ")
        assert slider.get_attribute("aria-valuenow") == slider.get_attribute("aria-valuemax")
        page.keyboard.press("Escape")
        assert told(page) == hint
        box = page.locator(f"{FIRST} .u-over").bounding_box()
        for day in (3, 14, 27):  # a day's bar, from its first pixel to its last
            for part in (0.1, 0.9):
                page.mouse.move(box["x"] + box["width"] * (day + part) / 28, box["y"] + 20)
                assert told(page).startswith(f"{2 + day} Mar 2026: ")
        page.mouse.move(5, 5)
        assert told(page) == hint
        assert seen == []


def test_small_charts_follow_one_pointer(browser, full):
    with inside(browser, full) as (page, _):
        overview(page, full)
        page.locator(f"{SEGMENTS} [role=slider]").focus()
        page.keyboard.press("Home")
        words = [plain(t) for t in page.locator(f"{SEGMENTS} .chart .told").all_inner_texts()]
        names = page.locator(f"{SEGMENTS} .chart .name").all_inner_texts()
        assert names == ["pro/api", "team/api", "free/web"]
        assert all(w.startswith("Week of 2 Mar 2026: ") and "corrected" in w for w in words)
        assert len(set(words)) == 3
        slider = page.locator(f"{SEGMENTS} [role=slider]")
        spoken = plain(slider.get_attribute("aria-valuetext"))
        for name, word in zip(names, words, strict=True):
            assert f"{name}: {word}" in spoken


def test_a_model_of_later_is_not_there_before(browser, full):
    models = "[aria-label='Prevalence: by model']"
    with inside(browser, full) as (page, _):
        overview(page, full)
        page.locator(f"{models} [role=slider]").focus()
        page.keyboard.press("Home")
        names = page.locator(f"{models} .chart .name").all_inner_texts()
        words = page.locator(f"{models} .chart .told").all_inner_texts()
        assert dict(zip(names, words, strict=True))["nova-2"] == "not sent to yet"


def test_the_colours_follow_the_scheme_and_the_width_the_window(browser, full):
    with inside(browser, full, color_scheme="light") as (page, seen):
        overview(page, full)
        canvas = f"{FIRST} canvas"
        light = page.evaluate(INK, canvas)
        assert "0,114,178" in light  # the first campaign's hue
        page.emulate_media(color_scheme="dark")
        until(page, f"!({INK})(it[0]).includes(it[1])", [canvas, "0,114,178"])
        assert "61,155,212" in page.evaluate(INK, canvas)
        page.set_viewport_size({"width": 420, "height": 800})
        until(page, "document.querySelector(it).clientWidth < 420", canvas)
        assert page.locator(canvas).count() == 1  # the one before is gone
        assert [s for s in seen if "getImageData" not in s] == []  # this test reads pixels


def test_on_paper_and_without_scripts_the_svg_stands(browser, full):
    shown = f"{FIRST} svg.only-wide"
    with inside(browser, full) as (page, _):
        overview(page, full)
        assert page.locator(shown).is_visible()  # not away, but clipped
        assert page.locator(f"{FIRST} .picture").bounding_box()["width"] <= 1
        page.emulate_media(media="print")
        assert page.locator(f"{FIRST} .picture").bounding_box()["width"] > 600
        assert not page.locator(f"{FIRST} .charts").is_visible()
    with inside(browser, full, java_script_enabled=False) as (page, _):
        page.goto(f"{full.address}/overview")
        assert page.locator(f"{FIRST} .picture").bounding_box()["width"] > 600
        assert page.locator(".charts").count() == 0


def test_where_the_library_does_not_load_the_svg_stands(browser, full):
    with inside(browser, full) as (page, _):
        page.route("**/uplot*.js", lambda route: route.abort())
        page.goto(f"{full.address}/overview")
        until(page, "document.readyState === 'complete'")
        assert page.locator(f"{FIRST} .picture").bounding_box()["width"] > 600
        assert page.locator(".charts, .charted").count() == 0


def test_what_a_log_calls_its_models_stays_text(browser, hostile):
    with inside(browser, hostile) as (page, seen):
        overview(page, hostile)
        page.locator("[aria-label='Prevalence: by model'] [role=slider]").focus()
        page.keyboard.press("Home")
        assert page.locator(".charts script, .charts img, .charts a").count() == 0
        assert seen == []
