"""A run may lack anything optional: whatever is taken away, a page comes out."""

from __future__ import annotations

import copy
import json
import random
from typing import Any

import pytest

from stillwatch.report import write_report


def places(value: Any, path: tuple = ()) -> list[tuple]:
    out = []
    if isinstance(value, dict):
        for key, inner in value.items():
            out.append((*path, key))
            out += places(inner, (*path, key))
    elif isinstance(value, list) and len(value) <= 20:
        for i, inner in enumerate(value):
            out += places(inner, (*path, i))
    return out


def change(value: Any, path: tuple, new: Any) -> None:
    for step in path[:-1]:
        value = value[step]
        if not isinstance(value, dict | list):
            return
    if new is KeyError:
        if isinstance(value, dict):
            value.pop(path[-1], None)
    else:
        value[path[-1]] = copy.deepcopy(new)


@pytest.mark.parametrize("new", [None, KeyError, [], {}], ids=["null", "absent", "list", "dict"])
def test_any_field_may_be_missing(new, builder, tmp_path):
    run = builder.write_run(tmp_path / "run", "small")
    summary = json.loads((run / "summary.json").read_text())
    campaigns = [json.loads(x) for x in (run / "campaigns.jsonl").read_text().splitlines()]
    rng = random.Random(11)
    keep = {("campaign_id",), ("standing",)}
    one, two = places(summary), [p for p in places(campaigns[0]) if p not in keep]
    for _ in range(25):
        s, c = json.loads(json.dumps(summary)), json.loads(json.dumps(campaigns))
        for path in rng.sample(one, 8):
            with_new(s, path, new)
        for path in rng.sample(two, 8):
            with_new(c[0], path, new)
        (run / "summary.json").write_text(json.dumps(s))
        (run / "campaigns.jsonl").write_text("\n".join(map(json.dumps, c)))
        page = write_report(run).read_text(encoding="utf-8")
        assert "None" not in page.replace("None of", "")
        assert "nan" not in page.replace("inance", "")


def with_new(value: Any, path: tuple, new: Any) -> None:
    try:
        change(value, path, new)
    except (KeyError, IndexError, TypeError):
        return  # an earlier change took the place away


@pytest.mark.parametrize(
    "name",
    [
        "links.parquet",
        "stages/raster.parquet",
        "stages/clock.parquet",
        "stages/volume.parquet",
        "stages/coverage.parquet",
        "stages/frames.jsonl",
    ],
)
def test_any_table_may_be_missing(name, builder, tmp_path):
    run = builder.write_run(tmp_path / "run", "small")
    (run / name).unlink()
    page = write_report(run).read_text(encoding="utf-8")
    assert "One\u00a0campaign" in page
    if "links" in name:
        assert "the run kept no table of links" in page
    if "coverage" in name:
        assert "too few requests of this campaign, or of the log, for a curve" in page
    if "raster" in name:
        assert "the run kept no data for this picture" in page
