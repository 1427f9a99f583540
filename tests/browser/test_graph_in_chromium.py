"""The graph of links: by WebGL where the browser has it, as SVG of the same nodes where not."""

from __future__ import annotations

import base64
import json

import pytest
from console_visits import AXE, inside, ready, until, whole

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_hashes")]

DRAWN = "document.querySelector('.webgl')?.dataset.drawn"


def opened(page, served, end="yes") -> dict:
    """Open the largest case, wait for its graph, and return the graph's nodes and edges."""
    page.goto(f"{served.address}/cases/{served.largest()}")
    whole(page)
    until(page, f"{DRAWN} === it", end)
    page.evaluate("document.querySelector('#links').scrollIntoView()")
    return json.loads(page.get_attribute(".webgl", "data-graph"))


def spot(page, node: dict) -> dict[str, float]:
    """Return where a node of the whole graph is drawn on its stage."""
    box = page.locator(".stage").bounding_box()
    scale = min(box["width"] / 700, box["height"] / 460)
    return {"x": box["width"] / 2 + (node["x"] - 350) * scale,
            "y": box["height"] / 2 + (node["y"] - 230) * scale}  # fmt: skip


def colours(page) -> list[str]:
    """Return the colours of the stage as it is seen, the most frequent first."""
    picture = base64.b64encode(page.locator(".stage").screenshot()).decode()
    return page.evaluate(
        """async (data) => {
        const img = new Image();
        img.src = "data:image/png;base64," + data;
        await img.decode();
        const canvas = document.createElement("canvas");
        [canvas.width, canvas.height] = [img.width, img.height];
        const context = canvas.getContext("2d");
        context.drawImage(img, 0, 0);
        const at = context.getImageData(0, 0, img.width, img.height).data, counts = new Map();
        for (let i = 0; i < at.length; i += 4) {
          const c = "#" + [0, 1, 2].map((k) => at[i + k].toString(16).padStart(2, "0")).join("");
          counts.set(c, (counts.get(c) || 0) + 1);
        }
        return [...counts].sort((a, b) => b[1] - a[1]).map(([c]) => c);
        }""",
        picture,
    )


def shown(page) -> int:
    return int(page.get_attribute(".webgl", "data-shown"))


@pytest.mark.parametrize(("size", "scheme"), [("desk", "light"), ("phone", "dark")])
def test_it_is_drawn_by_webgl_quiet_fits_and_axe_finds_nothing(browser_gl, full, size, scheme):
    with inside(browser_gl, full, size=size, color_scheme=scheme) as (page, seen):
        graph = opened(page, full)
        assert 20 < len(graph["nodes"]) <= 300
        assert shown(page) == len(graph["nodes"])
        wide, room = page.evaluate(
            "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= room
        # the SVG cannot be seen, and is still what a screen reader meets
        assert page.locator("#links .web .picture").bounding_box()["width"] <= 1
        assert page.get_by_role("img", name="accounts are linked by").count() == 1
        assert page.evaluate("document.querySelectorAll('[style]:not(.stage *)').length") == 0
        found = colours(page)
        style = "getComputedStyle(document.documentElement).getPropertyValue"
        hues = {n["hue"] for n in graph["nodes"] if "hue" in n}
        for name in ("bg", "mute", *(f"h{n}" for n in hues)):
            assert page.evaluate(f"{style}('--{name}')").strip().replace("#fff", "#ffffff") in found
        page.evaluate(AXE)
        axe = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [(v["id"], [n["target"] for n in v["nodes"][:3]]) for v in axe["violations"]] == []
        assert seen == []


@pytest.mark.parametrize("scripts", [True, False])
def test_without_webgl_or_scripts_the_svg_is_shown(browser, full, scripts):
    with inside(browser, full, java_script_enabled=scripts) as (page, seen):
        asked: list[str] = []
        page.on("request", lambda r: asked.append(r.url))
        if scripts:
            opened(page, full, end="no")
        else:
            page.goto(f"{full.address}/cases/{full.largest()}/links")
        assert page.locator("figure svg[role=img] .thing").first.is_visible()
        assert not page.locator(".webgl").is_visible()
        assert [url for url in asked if "sigma" in url or "graphology" in url] == []
        assert seen == []


def test_from_node_to_node_by_keyboard(browser_gl, full):
    with inside(browser_gl, full) as (page, seen):
        said = {node["said"] for node in opened(page, full)["nodes"]}
        hint = page.inner_text("#graph-told")
        page.focus(".stage")
        met = []
        for key in ("ArrowDown", "ArrowRight", "ArrowLeft", "ArrowUp"):
            page.keyboard.press(key)
            met.append(page.inner_text("#graph-told"))
        assert set(met) <= said
        assert len(set(met)) > 1
        page.keyboard.press("Enter")
        page.wait_for_selector("#holders li a")
        ready(page)
        page.keyboard.press("Escape")
        assert page.inner_text("#graph-told") == hint
        page.keyboard.press("+")
        until(page, "document.querySelector('.webgl').dataset.ratio === '0.6'")
        page.keyboard.press("0")
        until(page, "document.querySelector('.webgl').dataset.ratio === '1'")
        assert "#links" not in page.url
        assert seen == []


def test_a_click_tells_who_has_a_thing_and_who_are_in_a_circle(browser_gl, full):
    with inside(browser_gl, full) as (page, seen):
        nodes = opened(page, full)["nodes"]
        thing = max((n for n in nodes if "kind" in n), key=lambda n: n["r"])
        many = max((n for n in nodes if "role" in n), key=lambda n: int(n["mark"] or 1))
        for node, words in ((thing, "have it"), (many, "with exactly the same links")):
            page.hover(".stage", position=spot(page, node))
            assert page.inner_text("#graph-told") == node["said"]
            page.locator(".stage").click(position=spot(page, node))
            until(page, "document.querySelector('#holders h4')?.innerText.includes(it)", words)
            ready(page)
        assert page.inner_text("#holders h4").startswith(many["mark"])
        page.click("#holders a >> nth=0")
        page.wait_for_selector("#drawer h1")
        assert seen == []


def test_what_is_filtered_out_goes_with_its_lines_and_with_those_who_have_no_other(
    browser_gl, full
):
    with inside(browser_gl, full) as (page, seen):
        graph = opened(page, full)
        nodes, edges = graph["nodes"], graph["edges"]

        def left(kind=None, least=2, roles=("core", "rim")) -> int:
            kept = [n.get("kind", -1) != kind and n.get("degree", 10) >= least
                    and n.get("role", "core") in roles for n in nodes]  # fmt: skip
            joined = {end for a, b, k, _, degree in edges
                      if kept[a] and kept[b] and k != kind and degree >= least
                      for end in (a, b)}  # fmt: skip
            return len(joined)

        kind = next(n["kind"] for n in nodes if "kind" in n)
        assert left(kind) < left()
        for toggle, count in ((f"k{kind}", left(kind)), (f"k{kind}", left()),
                              ("d10", left(least=10)), ("d2", left()),
                              ("rim", left(roles=("core",)))):  # fmt: skip
            page.locator(f"#{toggle}").evaluate("box => box.click()")
            assert shown(page) == count
        assert left(roles=("core",)) < left()
        assert seen == []


def test_the_page_scrolls_over_the_graph_and_motion_is_only_for_those_who_want_it(browser_gl, full):
    for motion, at_once in (("reduce", True), ("no-preference", False)):
        with inside(browser_gl, full, reduced_motion=motion) as (page, seen):
            opened(page, full)
            ratio = page.evaluate(
                "(document.querySelector('[data-graph-act=near]').click(),"
                " document.querySelector('.webgl').dataset.ratio)"
            )
            assert (ratio == "0.6") is at_once
            until(page, "document.querySelector('.webgl').dataset.ratio === '0.6'")
            taken = page.evaluate(
                """() => {
                const on = document.querySelector(".stage .sigma-mouse");
                const { left, top } = on.getBoundingClientRect();
                const at = { clientX: left + 9, clientY: top + 9 };
                const all = { bubbles: true, cancelable: true, ...at };
                const touch = (identifier) => new Touch({ identifier, target: on, ...all });
                const sent = (event) => !on.dispatchEvent(event);
                return [
                  sent(new WheelEvent("wheel", { ...all, deltaY: 90 })),
                  sent(new WheelEvent("wheel", { ...all, deltaY: 90, ctrlKey: true })),
                  sent(new TouchEvent("touchstart", { ...all, touches: [touch(1)] })),
                  sent(new TouchEvent("touchstart", { ...all, touches: [touch(1), touch(2)] })),
                ];
                }"""
            )
            assert taken == [False, True, False, True]
            assert seen == []


def test_a_context_that_is_lost_gives_the_svg_back(browser_gl, full):
    with inside(browser_gl, full) as (page, seen):
        opened(page, full)
        page.evaluate(
            "document.querySelector('.stage .sigma-nodes').getContext('webgl2')"
            ".getExtension('WEBGL_lose_context').loseContext()"
        )
        until(page, f"{DRAWN} === 'lost'")
        things = page.locator("#links .web svg[role=img] .k0")
        assert things.first.is_visible()
        assert not page.locator(".webgl").is_visible()
        page.click("#k0")  # the SVG is filtered as it was, and nothing of the graph is asked
        assert not things.first.is_visible()
        page.emulate_media(color_scheme="dark")
        page.set_viewport_size({"width": 900, "height": 700})
        page.wait_for_timeout(100)
        assert [text for text in seen if text.startswith("error:")] == []


LOSE = (
    "document.querySelector('.stage .sigma-nodes').getContext('webgl2')"
    ".getExtension('WEBGL_lose_context').loseContext()"
)


def test_who_is_on_the_graph_is_on_the_picture_when_its_context_is_lost(browser_gl, full):
    with inside(browser_gl, full) as (page, seen):
        opened(page, full)
        page.focus(".stage")
        page.evaluate(LOSE)
        until(page, f"{DRAWN} === 'lost'")
        assert page.evaluate("document.activeElement.matches('#links .web .picture')")
    with inside(browser_gl, full) as (page, seen):
        opened(page, full)
        page.focus("#k0")
        page.evaluate(LOSE)
        until(page, f"{DRAWN} === 'lost'")
        assert page.evaluate("document.activeElement.id") == "k0"
        assert [text for text in seen if text.startswith("error:")] == []


WATCHED = """
  window.counts = { contexts: [], sizes: 0, workers: 0 };
  const { getContext } = HTMLCanvasElement.prototype;
  HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
    const context = getContext.call(this, kind, ...rest);
    const counted = !kind.startsWith("webgl") || counts.contexts.includes(context);
    if (context && !counted) counts.contexts.push(context);
    return context;
  };
  const { observe, disconnect } = ResizeObserver.prototype;
  ResizeObserver.prototype.observe = function (...all) {
    counts.sizes++;
    observe.apply(this, all);
  };
  ResizeObserver.prototype.disconnect = function () { counts.sizes--; disconnect.call(this); };
  const Plain = Worker;
  window.Worker = class extends Plain { constructor(...all) { super(...all); counts.workers++; } };
"""
HELD = "[counts.contexts.filter((c) => !c.isContextLost()).length, counts.sizes, counts.workers]"


def test_a_graph_that_is_swapped_out_keeps_nothing(browser_gl, full):
    """Browsers allow about sixteen contexts: after that they take an older one away."""
    with inside(browser_gl, full) as (page, seen):
        page.add_init_script(WATCHED)
        opened(page, full)
        first = page.evaluate(HELD)
        drawn = page.locator(".stage canvas").evaluate_all(
            "all => all.filter((c) => counts.contexts.some((made) => made.canvas === c)).length"
        )
        assert drawn > 0
        assert first == [drawn, 1, 1], "no context is held but those of the graph that is shown"
        own = "HTMLCanvasElement.prototype.getContext.toString().includes('made')"
        assert page.evaluate(own) is False, "nothing is noted after the scripts were read"
        for n in range(3):
            page.evaluate(f"document.querySelector('.webgl').dataset.old = {n}")
            page.evaluate("htmx.ajax('GET', location.pathname, {target: 'main', select: 'main'})")
            until(page, "!document.querySelector('.webgl')?.dataset.old")
            until(page, f"{DRAWN} === 'yes'")
            assert page.evaluate(HELD) == first
        page.evaluate("htmx.ajax('GET', '/', {target: 'main', select: 'main'})")
        until(page, "!document.querySelector('.webgl')")
        until(page, f"{HELD}[1] === 0")
        assert page.evaluate(HELD)[0] == 0
        assert [text for text in seen if text.startswith("error:")] == []


@pytest.mark.parametrize("what", ["graphology", "sigma"])
def test_a_script_that_does_not_load_leaves_the_svg_and_is_asked_again(browser_gl, full, what):
    with inside(browser_gl, full) as (page, seen):
        page.add_init_script(
            "window.refused = []; addEventListener('unhandledrejection', (e) => refused.push(1))"
        )
        page.route(f"**/{what}*.js*", lambda route: route.abort())
        opened(page, full, end="failed")
        assert page.locator("#links .web svg[role=img] .thing").first.is_visible()
        assert not page.locator(".webgl").is_visible()
        assert page.evaluate("refused.length") == 0
        page.unroute(f"**/{what}*.js*")
        page.evaluate("htmx.ajax('GET', location.pathname, {target: 'main', select: 'main'})")
        until(page, f"{DRAWN} === 'yes'")
        assert [text for text in seen if text.startswith("error:")] == []


def test_what_the_pointer_passes_over_is_not_said_aloud(browser_gl, full):
    with inside(browser_gl, full) as (page, seen):
        node = max(opened(page, full)["nodes"], key=lambda n: n["r"])
        page.evaluate(
            """() => {
            const told = document.querySelector("#graph-told");
            window.writes = 0;
            const watch = new MutationObserver((all) => { writes += all.length; });
            watch.observe(told, { childList: true });
            }"""
        )
        at = spot(page, node)
        for n in range(6):
            page.hover(".stage", position={"x": at["x"] + n % 2, "y": at["y"]})
        assert page.inner_text("#graph-told") == node["said"]
        assert page.evaluate("writes") == 1
        assert page.get_attribute("#graph-told", "aria-live") == "off"
        page.focus(".stage")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        assert page.get_attribute("#graph-told", "aria-live") == "polite"
        assert seen == []


def test_hostile_names_are_text(browser_gl, hostile):
    with inside(browser_gl, hostile) as (page, seen):
        for line in hostile.desk.lines():
            page.goto(f"{hostile.address}/cases/{line.case_id}")
            whole(page)
            if page.locator(".webgl").count():
                until(page, f"{DRAWN} === 'yes'")
                page.focus(".stage")
                for key in ("ArrowDown", "ArrowRight", "ArrowLeft", "Enter"):
                    page.keyboard.press(key)
                    assert page.locator("#graph-told *").count() == 0
        assert seen == []
