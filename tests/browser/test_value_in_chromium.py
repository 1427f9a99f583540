"""The value at risk in pictures: they fit, nothing overlaps, they follow the assumptions."""

from __future__ import annotations

import pytest
from console_visits import AXE, inside, until

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("quick_hashes")]

TOKENS = {
    "input_tokens": 3_000_000_000, "output_tokens": 900_000_000, "cost_micro_usd": 400_000_000,
    "unpriced_input_tokens": 2_000_000_000, "unpriced_output_tokens": 600_000_000,
}  # fmt: skip
DRAWN = "#value svg[role=img]"
# Pairs of texts of one picture that lie on each other, and texts that leave their picture's room.
CLASHES = """() => [...document.querySelectorAll('#value svg[role=img]')].flatMap(svg => {
  const room = svg.getBoundingClientRect()
  const all = [...svg.querySelectorAll('text')].map(t => [t.textContent, t.getBoundingClientRect()])
  const out = all.filter(([, b]) => b.left < room.left - 2 || b.right > room.right + 2
    || b.bottom > room.bottom + 2 || b.right > innerWidth).map(([t]) => `outside: ${t}`)
  all.forEach(([s, a], i) => all.slice(i + 1).forEach(([t, b]) => {
    if (a.left < b.right - 1 && b.left < a.right - 1
      && a.top < b.bottom - 2 && b.top < a.bottom - 2)
      out.push(`${s} on ${t}`)
  }))
  return out
})"""


def shown(page) -> list[str]:
    return page.locator(f"{DRAWN} > title").all_text_contents()


@pytest.fixture
def priced(full, monkeypatch):
    """The world with the tokens of a harvest, which its run did not keep."""
    monkeypatch.setitem(full.desk.index.__dict__, "harvest", TOKENS)
    return full


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", ["desk", "phone"])
def test_the_pictures_follow_the_assumptions_and_fit(browser, priced, size, scheme):
    with inside(browser, priced, size=size, color_scheme=scheme) as (page, seen):
        page.goto(f"{priced.address}/overview")
        before = shown(page)
        assert len(before) == 2
        assert page.evaluate(CLASHES) == []
        if not page.locator("#value details").get_attribute("open"):
            page.click("#value summary")
        prices = {"input_usd_per_mtok": (1, 3, 5), "output_usd_per_mtok": (5, 15, 25),
                  "cost_share": (0.3, 0.5, 0.8), "paid_share": (0.4, 0.9, 1),
                  "research_usd": (0, 0, 0), "exposed_usd_per_year": (1e6, 2e6, 3e6),
                  "displaced_share": (0, 0.01, 0.05)}  # fmt: skip
        for name, triple in prices.items():
            for end, value in zip(("low", "mid", "high"), triple, strict=True):
                page.fill(f"[name={name}-{end}]", str(value))
        page.click("#value button.main")
        until(page, "document.querySelector('#value h2').textContent.includes('anew')")
        assert page.url.endswith("/overview")
        after = shown(page)
        assert after[0] != before[0]
        assert "List price of a million output tokens, US$, 5 to 25, most likely 15" in after[1]
        assert page.evaluate(CLASHES) == []
        overflow = "document.documentElement.scrollWidth <= innerWidth"
        assert page.evaluate(overflow)

        page.fill("[name=exposed_usd_per_year-high]", "90000000000")
        page.click("#value button.main")
        until(page, "document.querySelector('#value svg > desc').textContent.includes('logarith')")
        assert page.evaluate(CLASHES) == []
        assert page.evaluate(overflow)
        page.evaluate(AXE)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert [v["id"] for v in found["violations"]] == []
        assert seen == []
