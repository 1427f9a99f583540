"""A flame graph: widths are shares, names tell nothing of the machine, samples have an owner."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import flame
import pytest

FOLDED = """\
0x7f12 (libc.so.6);main (scan_steps.py:45);scan (/home/someone/src/stillwatch/scanner/job.py:9);\
run<std::vector<int>, char> (/opt/x/_duckdb.cpython-311-x86_64-linux-gnu.so) 30
main (scan_steps.py:45);_find_and_load (<frozen importlib._bootstrap>:1);\
<module> (/home/someone/src/stillwatch/stats/coins.py:1) 10
duckdb::TaskScheduler::ExecuteForever (/opt/x/_duckdb.cpython-311-x86_64-linux-gnu.so) 59
0x7f13 (libc.so.6) 1
"""


@pytest.fixture
def stacks(tmp_path: Path) -> flame.Stacks:
    (tmp_path / "a.folded").write_text(FOLDED)
    return flame.stacks_of(tmp_path / "a.folded")


def test_stacks_begin_with_the_scan_and_name_no_folder(stacks: flame.Stacks) -> None:
    library = "(_duckdb.cpython-311-x86_64-linux-gnu.so)"
    main, scan = "main (scan_steps.py:45)", "scan (stillwatch/scanner/job.py:9)"
    assert stacks == {
        (main, scan, f"run {library}"): 30,
        (main, "<module> (stillwatch/stats/coins.py:1)"): 10,
        (f"duckdb::TaskScheduler::ExecuteForever {library}",): 59,
        ("? (libc.so.6)",): 1,
    }


def test_samples_belong_to_our_deepest_function(stacks: flame.Stacks) -> None:
    assert flame.hottest(stacks) == [
        {"what": "other", "share": 0.6},
        {"what": "scan (stillwatch/scanner/job.py:9)", "share": 0.3},
        {"what": "<module> (stillwatch/stats/coins.py:1)", "share": 0.1},
    ]


def test_a_frame_is_as_wide_as_its_share_and_lies_within_its_caller(stacks: flame.Stacks) -> None:
    picture = flame.drawn(stacks, "a scan & more")
    spans = {}
    for group in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}g"):
        title, box = (group.find(f"{{http://www.w3.org/2000/svg}}{t}") for t in ("title", "rect"))
        if title is not None and box is not None:
            left, top = map(float, re.findall(r"[\d.]+", group.attrib["transform"]))
            spans[title.text] = (left, left + float(box.attrib["width"]), top)
    main = spans["main (scan_steps.py:45): 40.0%"]
    scan = spans["scan (stillwatch/scanner/job.py:9): 30.0%"]
    assert main[1] - main[0] == pytest.approx(0.4 * 1200, abs=1)
    assert scan[1] - scan[0] == pytest.approx(0.3 * 1200, abs=1)
    assert main[0] <= scan[0] < scan[1] <= main[1]
    assert main[2] < scan[2]
    assert "/home/" not in picture
