"""The example of the exchange end to end: three providers and a hub as processes on loopback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "exchange"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exchange") / "out"
    words = [str(EXAMPLE / "exchange.py"), "--out", str(out), "--scale", "0.1"]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "birch pulled" in done.stdout, "it says what it does while it does it"
    assert "identifiers of customers and passages of their texts in them: 0." in done.stdout
    assert done.stdout.endswith(f"{out / 'report.html'}\n")
    return out


@pytest.mark.slow
def test_what_each_provider_learned_and_what_it_did_not(played):
    told = json.loads((played / "result.json").read_text())
    first, *others = told["providers"]
    assert first["accused_alone"] == first["released"] == 1
    assert first["alone"]["campaign"] == {"accused": 20}
    for one in others:
        assert one["alone"]["campaign"] == {"clear": 3}, "too thin a slice to see anything"
        assert one["together"]["campaign"] == {"watch": 3}, "rule 4: watched, never accused"
        assert {row["contributor"] for row in one["shared"]} == {first["contributor"]}
    assert all(set(p["together"]["others"]) == {"clear"} for p in others)
    assert first["together"] == first["alone"], "what it shared comes back to nobody's harm"
    assert "accused" not in first["together"]["others"]
    assert told["events"] == {"release": 3, "submit": 1}


@pytest.mark.slow
def test_the_wire_holds_fingerprints_and_no_customer(played):
    wire = json.loads((played / "result.json").read_text())["wire"]
    assert wire["identifiers"] > 5_000
    assert wire["texts"] > 5_000
    assert (wire["identifiers_found"], wire["passages_found"]) == ([], [])
    assert wire["fingerprints"] == wire["fingerprints_found"] > 0


@pytest.mark.slow
def test_the_page_says_so_and_names_nobody(played):
    page = (played / "report.html").read_text()
    for name in ("alder", "birch", "cedar"):
        assert f"What {name} learned" in page
    assert "It did not learn:" in page
    assert "alone, 0 of the campaign&#x27;s 6 accounts there stood out" in page
    assert "6 of those 6 are on watch there, and 0 accounts of honest customers more" in page
    assert "None of them is in it." in page
    accounts = (played / "world" / "accounts.csv").read_text().splitlines()[1:]
    assert not [line for line in accounts if line.split(",")[0] in page]


@pytest.mark.slow
def test_another_folder_is_not_emptied(tmp_path):
    (tmp_path / "mine.txt").write_text("kept")
    words = [str(EXAMPLE / "exchange.py"), "--out", str(tmp_path)]
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "holds other things" in done.stderr
    assert (tmp_path / "mine.txt").read_text() == "kept"
