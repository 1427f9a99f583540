"""The page as a whole: what it says, what it may hold, and that it is always the same."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import unicodedata
from collections import Counter
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest

from stillwatch.errors import InputError
from stillwatch.report import page as page_module
from stillwatch.report import write_report
from stillwatch.report.chapter import write_chapter
from stillwatch.report.page import MOST_BYTES

WORLDS = ("full", "hostile", "empty", "cannot_accuse", "small", "bare", "many")
VOID = {"meta", "link", "input", "rect", "path", "circle", "line", "br", "use"}
ALLOWED = {
    *("html", "head", "meta", "link", "title", "style", "body", "header", "main", "footer"),
    *("section", "article", "div", "p", "span", "a", "b", "strong", "small", "code", "pre"),
    *("h1", "h2", "h3", "h4", "ul", "li", "dl", "dt", "dd", "mark", "input", "label"),
    *("figure", "figcaption", "details", "summary"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
    *("svg", "defs", "pattern", "rect", "circle", "path", "line", "text", "g", "desc"),
}


class Tree(HTMLParser):
    """The page as (tag, attributes, depth) with text by element, parsed as a browser would."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[list[str]] = []
        self.parents: list[int] = []
        self._open: list[int] = []
        self.feed(page)
        self.close()
        assert self._open == [], "an element was not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append([])
        self.parents.append(self._open[-1] if self._open else -1)
        if tag not in VOID:
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.texts.append([])
        self.parents.append(self._open[-1] if self._open else -1)

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        assert self.elements[self._open[-1]][0] == tag, f"</{tag}> closes another element"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for place in self._open:
            self.texts[place].append(data)

    def all(self, tag: str) -> list[tuple[int, dict[str, str | None]]]:
        return [(i, a) for i, (t, a) in enumerate(self.elements) if t == tag]

    def text(self, place: int) -> str:
        return " ".join("".join(self.texts[place]).split())

    def ancestors(self, place: int) -> list[int]:
        out = []
        while (place := self.parents[place]) >= 0:
            out.append(place)
        return out


@pytest.fixture(scope="session")
def tree_of(page_of):
    made: dict[str, Tree] = {}

    def make(world: str) -> Tree:
        if world not in made:
            made[world] = Tree(page_of(world))
        return made[world]

    return make


def test_same_run_gives_same_bytes_whatever_the_timings(builder, tmp_path):
    pages = []
    for name, host in (("one", "alpha"), ("elsewhere/two", "beta")):
        run = builder.write_run(tmp_path / name, "full")
        (run / "timing.json").write_text(json.dumps({"host": host, "seconds": 3}))
        pages.append(write_report(run).read_bytes())
        assert write_report(run).read_bytes() == pages[-1]
    assert pages[0] == pages[1]
    assert str(tmp_path).encode() not in pages[0]


@pytest.mark.parametrize("world", WORLDS)
def test_no_timing_host_or_path_enters(world, page_of, run_of):
    page = page_of(world)
    assert "secret-host" not in page
    assert str(run_of(world)) not in page


def test_nothing_half_written_is_left(run_of):
    left = {p.name for p in run_of("full").iterdir()}
    assert "report.html" in left
    assert not any(name.endswith(".part") for name in left)


@pytest.mark.parametrize("world", WORLDS)
def test_policy_allows_this_style_sheet_and_nothing_else(world, page_of, tree_of):
    page, tree = page_of(world), tree_of(world)
    policies = [
        a["content"]
        for _, a in tree.all("meta")
        if a.get("http-equiv") == "Content-Security-Policy"
    ]
    assert len(policies) == 1
    styles = re.findall(r"<style>(.*?)</style>", page, flags=re.DOTALL)
    assert len(styles) == 1
    digest = base64.b64encode(hashlib.sha256(styles[0].encode()).digest()).decode()
    rules = dict(rule.strip().split(" ", 1) for rule in policies[0].split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["style-src"] == f"'sha256-{digest}'"
    assert rules["script-src"] == "'none'"
    assert rules["img-src"] == "data:"
    assert "unsafe" not in policies[0]
    # The policy must stand before the first thing that it governs.
    assert page.index("Content-Security-Policy") < page.index("<link")


@pytest.mark.parametrize("world", WORLDS)
def test_no_active_or_outside_content(world, tree_of):
    tree = tree_of(world)
    assert {t for t, _ in tree.elements} <= ALLOWED
    for tag, attrs in tree.elements:
        assert "style" not in attrs, tag
        assert not any(name.startswith("on") for name in attrs), tag
        for name in ("href", "src", "action", "xlink:href", "formaction"):
            value = attrs.get(name)
            assert value is None or value.startswith("#") or value == "data:,", value
    ids = {a.get("id") for _, a in tree.elements}
    for _, attrs in tree.all("a"):
        assert attrs["href"][1:] in ids


@pytest.mark.parametrize("world", WORLDS)
def test_no_hidden_character_reaches_the_page(world, page_of):
    bad = {c for c in page_of(world) if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")}
    assert bad <= {"\n"}


def test_hostile_text_is_shown_and_inert(page_of, tree_of, builder):
    page, tree = page_of("hostile"), tree_of("hostile")
    assert "<script" not in page.lower()
    assert "<img" not in page.lower()
    whole = tree.text(0)
    assert "⟨U+202E⟩" in whole
    assert "⟨U+001B⟩" in whole
    assert "⟨U+200B⟩" in whole
    assert "<script>fetch('//x')</script>" in whole  # readable, as text
    assert "{{7*7}}" in whole  # data is no template
    cells = [tree.text(i) for i, _ in tree.all("td")]
    full_id = builder.HOSTILE_ID.replace("\u202e", "⟨U+202E⟩").replace("\u200b", "⟨U+200B⟩")
    assert full_id.replace("\x07", "⟨U+0007⟩") in cells  # the whole id is in the table


@pytest.mark.parametrize("world", WORLDS)
def test_every_picture_has_words(world, tree_of):
    tree = tree_of(world)
    pictures = 0
    for place, attrs in tree.all("svg"):
        if attrs.get("aria-hidden") == "true":
            continue
        pictures += 1
        assert attrs["role"] == "img"
        inside = [i for i, p in enumerate(tree.parents) if p == place]
        named = {
            tree.elements[i][1].get("id"): tree.text(i)
            for i in inside
            if tree.elements[i][0] in ("title", "desc")
        }
        wanted = attrs["aria-labelledby"].split()
        assert len(wanted) == 2
        for ident in wanted:
            assert len(named[ident]) > 10
    assert pictures or world in ("bare",)


@pytest.mark.parametrize("world", WORLDS)
def test_every_figure_has_its_numbers(world, tree_of):
    tree = tree_of(world)
    inside: dict[int, set[str]] = {place: set() for place, _ in tree.all("figure")}
    for i, (tag, _) in enumerate(tree.elements):
        for place in inside.keys() & set(tree.ancestors(i)):
            inside[place].add(tag)
    for tags in inside.values():
        assert {"table", "figcaption"} <= tags


@pytest.mark.parametrize("world", WORLDS)
def test_structure_a_screen_reader_needs(world, tree_of):
    tree = tree_of(world)
    assert tree.elements[0] == ("html", {"lang": "en"})
    levels = [int(t[1]) for t, _ in tree.elements if re.fullmatch("h[1-6]", t)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in pairwise(levels))
    ids = [a["id"] for _, a in tree.elements if "id" in a]
    assert [i for i, n in Counter(ids).items() if n > 1] == []
    for _, attrs in tree.elements:
        for name in ("aria-labelledby", "for"):
            for ident in (attrs.get(name) or "").split():
                assert ident in ids
    assert tree.all("a")[0][1]["href"] == "#main"
    assert all(a.get("scope") in ("col", "row") for _, a in tree.all("th"))


def percent(value: float) -> str:
    return f"{value * 100:.1f}"


def test_sentence_says_what_summary_says(tree_of, run_of):
    summary = json.loads((run_of("full") / "summary.json").read_text())
    tree = tree_of("full")
    sentence = tree.text(tree.all("h1")[0][0])
    tokens = summary["prevalence"]["output_tokens"]
    harvest = summary["value_at_risk"]["harvest_list_price_usd"]
    assert sentence == (
        f"Three campaigns: {summary['accused_accounts']:,} of {summary['accounts']:,} accounts, "
        f"{percent(tokens['detected']['value'])} % of output tokens (detected); "
        f"{percent(tokens['corrected']['low'])}–{percent(tokens['corrected']['high'])} % "
        f"(corrected); up to {percent(tokens['not_excluded']['high'])} % cannot be excluded. "
        "Harvest (29 % at the log's own cost, the rest at list price) "
        f"${harvest['low'] / 1e3:.0f}–{harvest['high'] / 1e3:.0f}k."
    )


def test_strip_names_missing_columns_and_calibration(tree_of):
    tree = tree_of("full")
    header = " ".join(tree.texts[tree.all("header")[0][0]])
    header = " ".join(header.split())
    for words in (
        "98,400,117",
        "12,041 rejected",
        "8 of 10",
        "http_status",
        "reasoning_blob",
        "Calibrated on your traffic no",
        "2–29 Mar 2026",
    ):
        assert words in header


def test_watch_and_permitted_stand_apart(tree_of):
    tree = tree_of("full")
    chapters = Counter(a["class"].split()[-1] for _, a in tree.all("article"))
    assert chapters == {"accused": 3, "permitted": 1, "watch": 1}
    apart = next(i for i, a in tree.all("section") if a.get("id") == "apart")
    assert "✓ permitted" in tree.text(apart)
    assert "○ watch" in tree.text(apart)
    assert "nobody here is accused" in tree.text(apart)
    assert "Three campaigns" in tree.text(tree.all("h1")[0][0])  # not five


def test_run_without_campaigns_is_a_whole_page(tree_of):
    tree = tree_of("empty")
    h1, whole = tree.text(tree.all("h1")[0][0]), tree.text(0)
    assert h1.startswith("Nothing was accused.")
    assert "cannot be excluded" in h1
    assert "No account was accused" in whole
    assert "not evaluable" in whole
    assert not tree.all("article")


def test_run_that_cannot_accuse_does_not_say_clear(tree_of):
    tree = tree_of("cannot_accuse")
    h1, whole = tree.text(tree.all("h1")[0][0]), tree.text(0)
    assert h1.startswith("This run cannot accuse.")
    assert "not an all-clear" in h1
    assert "Nothing was accused." not in whole
    assert "210" in whole  # the largest attainable e-value
    assert "2,400" in whole  # against what an accusation needs


def test_more_than_twenty_campaigns_go_to_a_table_with_their_count(tree_of, page_of):
    tree = tree_of("many")
    assert len(tree.all("article")) == 20
    rest = next(i for i, a in tree.all("section") if a.get("id") == "rest")
    rows = [i for i, _ in tree.all("tr") if rest in tree.ancestors(i)]
    assert len(rows) == 1 + 30
    assert "30 more campaigns" in tree.text(rest)
    assert len(page_of("many").encode()) <= MOST_BYTES


@pytest.mark.parametrize(("times", "chapters"), [(1, 20), (4, 11)])
def test_a_page_that_would_be_too_large_draws_less_and_counts_the_rest(
    builder, tmp_path, monkeypatch, times, chapters
):
    drawn = Counter()

    def counting(facts, campaign):
        drawn[facts.budget, campaign.ident] += 1
        return write_chapter(facts, campaign)

    monkeypatch.setattr(page_module, "write_chapter", counting)
    run = builder.write_run(tmp_path / "run", "many")
    campaigns = [json.loads(x) for x in (run / "campaigns.jsonl").read_text().splitlines()]
    for c in campaigns:
        for claim in ("coordinated", "extractive"):
            c["claims"][claim]["evidence"] *= times
        c["claims"]["coordinated"]["evidence"][0]["text"] *= 60
    (run / "campaigns.jsonl").write_text("\n".join(map(json.dumps, campaigns)))
    page = write_report(run).read_text(encoding="utf-8")
    assert len(page.encode()) <= MOST_BYTES
    assert page.count("<article") == chapters
    assert set(drawn.values()) == {1}  # a chapter is drawn once for all pages of one budget
    assert f"{50 - chapters}\u00a0more campaigns without a chapter" in page
    listed = [tuple(map(int, m)) for m in re.findall(r"Members: (\d+) of (\d+)", page)]
    assert {shown for shown, _ in listed} == {3}  # the smallest budget
    for shown, held in listed:
        assert f"{held - shown}\u00a0members not listed" in page


def test_what_is_not_shown_is_counted(tree_of):
    whole = tree_of("full").text(0)
    assert "170 accounts" in whole  # of 250, 80 are drawn
    assert "Members: 40 of 250" in whole
    assert "210 members not listed" in whole


def test_payload_is_masked(tree_of):
    tree = tree_of("full")
    payloads = [tree.text(i) for i, a in tree.all("span") if a.get("class") == "payload"]
    assert payloads == ["payload masked · 80–410 tokens"] * 5
    marks = [tree.text(i) for i, _ in tree.all("mark")]
    assert any(m.startswith("think step by step") and "cot exfiltration" in m for m in marks)


def test_three_claims_are_never_mixed(tree_of):
    tree = tree_of("full")
    names = [
        a["class"].split()[1]
        for _, a in tree.all("section")
        if (a.get("class") or "").startswith("claim ")
    ]
    assert names == ["claim-coordinated", "claim-extractive", "claim-actor"] * 5
    assert "no actor is named" in tree.text(0)


def test_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"summary\.json"):
        write_report(tmp_path)
    assert list(Path(tmp_path).iterdir()) == []
