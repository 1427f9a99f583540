"""What a judgement leaves in the run directory: tables, campaigns, the summary."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq

from stillwatch.campaigns import (
    Judgement,
    account_rows,
    campaign_lines,
    clock_table,
    coverage_table,
    link_table,
    raster_table,
    signal_table,
    volume_table,
)
from stillwatch.policy import Permit
from stillwatch.runners import LocalRunner
from stillwatch.scanner.baseline import Baseline
from stillwatch.scanner.feed import Feed
from stillwatch.scanner.reasons import explain_standings
from stillwatch.scanner.summary import summarize
from stillwatch.scanner.templates import methods_in_words
from stillwatch.schema import (
    ACCOUNTS,
    CAMPAIGNS,
    LINKS,
    SIGNALS,
    SUBJECTS,
    SUMMARY,
    write_whole,
)

__all__ = ["as_json", "write_run"]


def write_run(
    runner: LocalRunner, run_dir: Path, judgement: Judgement, choice: Any, assumptions: Any,
    answers: dict[str, str], feed: Feed, earlier: Baseline, drift: dict[str, Any],
    allowed: Sequence[Permit], frames: list[dict[str, Any]], spared: frozenset[int],
) -> None:  # fmt: skip
    """Write what was judged, every file aside and then renamed; the summary is the last.

    ``answers``: of ownership, by entity. ``allowed``: the permits that were read. ``frames``: the
    lines of frames.jsonl. ``spared``: cohorts that honest values alone hold together.
    """
    rng = np.random.default_rng(runner.settings.seed)
    raster, shown = raster_table(runner, judgement)
    runner.put("raster", raster)
    runner.put("clock", clock_table(judgement))
    runner.put("volume", volume_table(runner, judgement))
    coverage, basis = coverage_table(runner, judgement)
    runner.put("coverage", coverage)
    lines = campaign_lines(runner, judgement, choice.needed_of, shown, basis, assumptions, rng)
    for line in lines:
        line["hinted_methods"] = line["methods"]
        line["methods"] = methods_in_words(line, frames)
    explain_standings(lines, judgement, choice, drift, runner.settings.min_subjects)
    accounts, users = account_rows(runner, judgement, answers)
    summary = summarize(
        runner,
        judgement,
        choice,
        accounts,
        lines,
        feed,
        assumptions,
        earlier,
        drift,
        rng,
        allowed,
        spared,
    )
    span = runner.query("SELECT min(ts) AS low, max(ts) AS high FROM exchanges").to_pylist()[0]
    for name, table in (
        (ACCOUNTS, accounts), (SUBJECTS, users), (LINKS, link_table(runner)),
        (SIGNALS, signal_table(runner, span["low"], span["high"])),
    ):  # fmt: skip
        aside = run_dir / f"{name}.part"
        pq.write_table(table, aside, compression="zstd")
        aside.replace(run_dir / name)
    write_whole(run_dir / CAMPAIGNS, b"".join(as_json(line, pretty=False) for line in lines))
    write_whole(run_dir / SUMMARY, as_json(summary))


def as_json(value: Any, *, pretty: bool = True) -> bytes:
    """Return JSON with a newline, floats of nine digits, on one line unless ``pretty``."""
    options = orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY
    return orjson.dumps(_rounded(value), option=options | (orjson.OPT_INDENT_2 if pretty else 0))


def _rounded(value: Any) -> Any:
    """Round floats to nine significant digits, so that engines and machines agree in bytes."""
    if isinstance(value, dict):
        return {k: _rounded(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(v) for v in value]
    if isinstance(value, float):
        return float(f"{value:.9g}") if value == value else None
    return value
