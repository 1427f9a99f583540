"""What the pages of the formats show is what is read: every sample, every mapping file."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from stillwatch.cli.app import app
from stillwatch.errors import InputError
from stillwatch.sources import SHIPPED, SOURCES, open_inputs, shipped_text
from stillwatch.sources.shipped import resembles

PAGES = Path(__file__).parents[3] / "docs" / "sources"
TABLES = {"parquet", "arrow", "csv"}  # one page, canonical.md, with a sample in CSV
# Pages of places, not of formats; real servers and tables stand behind all but the last one.
PLACES = {"object-store", "postgresql", "tables", "warehouses"}
SAMPLED = sorted(path.stem for path in PAGES.glob("*.md") if path.stem not in PLACES)
NO_TEXTS, NO_ANSWERS = {"envoy"}, {"envoy", "vllm"}


def block(page: str, heading: str) -> str:
    """Return the first indented block below a heading of a page."""
    text = (PAGES / f"{page}.md").read_text("utf-8").split(f"\n## {heading}\n")[1]
    found = re.search(r"(?:^|\n)\n((?:    .*\n|\n(?=    ))+)", text)
    assert found is not None
    return re.sub(r"^    ", "", found[1], flags=re.M).rstrip() + "\n"


def format_of(page: str, folder: Path) -> str:
    if page == "mapping":
        (folder / "mapping.toml").write_text(block("mapping", "The file"), "utf-8")
        return str(folder / "mapping.toml")
    return page if page in SHIPPED else "auto"


def read(page: str, folder: Path) -> list[dict[str, Any]]:
    (folder / "log").write_text(block(page, "A sample"), "utf-8")
    inputs = open_inputs([folder / "log"], format=format_of(page, folder), max_rejects=0.0)
    rows = [row for batch in inputs.batches() for row in batch.to_pylist()]
    assert inputs.formats == ({"canonical": "csv"}.get(page, page),)
    assert not inputs.ledger.ignored_columns
    return rows


def test_every_format_has_a_page_with_a_sample() -> None:
    names = {source.name for source in SOURCES} - TABLES
    assert set(SAMPLED) == names | {"canonical", "mapping"} | set(SHIPPED)


@pytest.mark.parametrize("page", SAMPLED)
def test_a_pages_sample_is_read_as_it_stands(tmp_path: Path, page: str) -> None:
    (row,) = read(page, tmp_path)
    assert str(row["ts"]).startswith("2026-11-01 00:0")
    assert row["account_id"] in ("acct-1", "user-1", "t-9")
    assert row["model"]
    if page not in NO_TEXTS:
        assert [m["content"] for m in row["messages"]][-1].find("ello") > 0
    if page not in NO_ANSWERS:
        assert row["output_text"] == "Hello"
        assert row["status"] == "ok"


@pytest.mark.parametrize("page", SAMPLED)
def test_a_pages_sample_is_scanned_and_exported(tmp_path: Path, page: str) -> None:
    """The commands, as a newcomer gives them; one request accuses nobody."""
    (tmp_path / "log").write_text(block(page, "A sample"), "utf-8")
    out = tmp_path / "run"
    told("scan", tmp_path / "log", "--format", format_of(page, tmp_path), "--out", out)
    (account,) = pq.read_table(out / "accounts.parquet")["account_id"].to_pylist()
    assert account in ("acct-1", "user-1", "t-9")
    told("export", out, "--format", "csv", "--out", tmp_path / "csv")
    assert account in (tmp_path / "csv" / "accounts.csv").read_text("utf-8")


def told(*words: object) -> None:
    done = CliRunner().invoke(app, [*map(str, words)])
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("name", SHIPPED)
def test_a_page_shows_the_mapping_that_is_shipped(name: str) -> None:
    assert block(name, "The mapping") == shipped_text(name)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_page_of_what_was_not_tried_says_so(name: str) -> None:
    page = (PAGES / f"{name}.md").read_text("utf-8")
    assert "*Untested:*" in page
    assert "## Before you rely on it" in page
    assert "not tried against" in shipped_text(name)


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_mapping_is_offered_and_never_taken_unasked(tmp_path: Path, name: str) -> None:
    (tmp_path / "log").write_text(block(name, "A sample") * 2, "utf-8")
    with pytest.raises(InputError, match=f"looks like a log of {name}") as caught:
        open_inputs([tmp_path / "log"])
    assert caught.value.hint == f"read it with --format {name}"


@pytest.mark.parametrize("page", sorted(set(SAMPLED) - {"mapping"} - set(SHIPPED)))
def test_no_known_format_is_taken_for_a_shipped_one(page: str) -> None:
    assert resembles(block(page, "A sample").encode()) == ""
