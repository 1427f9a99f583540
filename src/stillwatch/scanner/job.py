"""The main job: logs in; campaigns, accused accounts and a readable report out."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.campaigns import (
    Judgement,
    account_rows,
    campaign_lines,
    choose,
    clock_table,
    coverage_table,
    judge,
    link_table,
    load_assumptions,
    raster_table,
    signal_table,
    volume_table,
)
from stillwatch.enrich import read_accounts, read_ownership, read_permits
from stillwatch.errors import ConfigError, InputError
from stillwatch.pipeline import DISCOVERY, FEATURES, features
from stillwatch.policy import permits_from_rows
from stillwatch.report import write_report
from stillwatch.runners import SPILL, LocalRunner
from stillwatch.scanner.summary import Baseline, read_baseline, summarize
from stillwatch.scanner.templates import write_frames
from stillwatch.schema import (
    ACCOUNTS,
    CAMPAIGNS,
    EXIT_ACCUSED,
    EXIT_CLEAR,
    LINKS,
    REJECTED,
    REPORT,
    SIGNALS,
    STAGES,
    STIX,
    SUBJECTS,
    SUMMARY,
    TIMING,
    Settings,
)
from stillwatch.schema.arrow import ACCOUNT
from stillwatch.share import bundle
from stillwatch.signals import shipped_reference
from stillwatch.sources import Inputs, open_inputs
from stillwatch.store import open_run

__all__ = ["Progress", "ScanResult", "prepare", "scan"]

_STAGES_KEPT = ("exchanges", "subjects", "cohorts", "cohort_members", "cohort_scores", "findings",
                "frames", "spikes", "raster", "clock", "volume", "coverage")  # fmt: skip
_RUN_FILES = frozenset({SUMMARY, CAMPAIGNS, ACCOUNTS, SUBJECTS, SIGNALS, LINKS, TIMING, REJECTED,
                        REPORT, STIX})  # fmt: skip
_TABLES = {*_STAGES_KEPT, "features", "accounts", *(step.output for step in DISCOVERY)}
# A table written aside is named `table.part`, without the .parquet.
_STAGE_FILES = frozenset(
    {SPILL, "frames", "frames.jsonl", *_TABLES, *(f"{t}.parquet" for t in _TABLES)}
)


@dataclass(frozen=True)
class Progress:
    """Where a scan stands. ``total`` is None where it cannot be known."""

    stage: str
    done: int
    total: int | None
    unit: str


class ScanResult:
    """A finished scan: its folder, its summary, and its tables read on demand."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir
        self._run = open_run(run_dir)

    @property
    def summary(self) -> dict[str, Any]:
        return self._run.summary

    @property
    def campaigns(self) -> list[dict[str, Any]]:
        return self._run.campaigns

    @cached_property
    def accounts(self) -> pa.Table:
        return self._run.table("accounts")

    @cached_property
    def subjects(self) -> pa.Table:
        return self._run.table("subjects")

    @cached_property
    def signals(self) -> pa.Table:
        return self._run.table("signals")

    @cached_property
    def links(self) -> pa.Table:
        return self._run.table("links")

    @property
    def exit_code(self) -> int:
        """Return 3 when at least one campaign is accused, else 0."""
        accused = any(c["standing"] == "accused" for c in self.campaigns)
        return EXIT_ACCUSED if accused else EXIT_CLEAR

    def __repr__(self) -> str:
        accused = sum(c["standing"] == "accused" for c in self.campaigns)
        return (
            f"<ScanResult {accused} accused campaigns, {self.summary['accused_accounts']} of "
            f"{self.summary['accounts']} accounts>"
        )

    def _repr_html_(self) -> str:
        from html import escape  # a notebook asks for this, the command line never does

        rows = "".join(
            f"<tr><td>{escape(c['campaign_id'])}</td><td>{escape(c['standing'])}</td>"
            f"<td>{c['accounts']:,}</td><td>{c['exchanges']:,}</td>"
            f"<td>{escape(', '.join(c['methods']))}</td></tr>"
            for c in self.campaigns
        )
        return (
            f"<p>{escape(repr(self)[1:-1])}</p><table><thead><tr><th>campaign</th><th>standing</th>"
            f"<th>accounts</th><th>exchanges</th><th>methods</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )


@contextmanager
def prepare(
    folder: Path, inputs: Sequence[Path], accounts: Path, settings: Settings | None = None
) -> Iterator[LocalRunner]:
    """Run discovery and the tests only, and hand out the runner over their tables."""
    opened = open_inputs([str(p) for p in inputs])
    side = read_accounts(accounts)
    columns = opened.columns | {f"accounts.{c}" for c in side.columns}
    runner = LocalRunner(folder, settings or Settings(), columns=columns, threads=1)
    try:
        runner.map("features", features, opened.batches(), FEATURES)
        runner.put("accounts", side.table)
        for step in DISCOVERY:
            if step.name != "spikes":
                runner.run(step)
        yield runner
    finally:
        runner.close()


def scan(
    inputs: Sequence[str | Path],
    *,
    accounts: str | Path | None = None,
    permits: str | Path | None = None,
    ownership: str | Path | None = None,
    baseline: Sequence[str | Path] = (),
    format: str = "auto",
    since: datetime | None = None,
    until: datetime | None = None,
    alpha: float = 0.01,
    out: str | Path | None = None,
    memory: str = "4GB",
    threads: int | None = None,
    max_rejects: float = 0.01,
    value: str | Path | None = None,
    now: datetime | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ScanResult:
    """Scan logs for adversarial distillation and write a run directory.

    ``inputs``: files, globs, folders or ``-``. ``accounts``, ``permits``, ``ownership``: side
    tables. ``baseline``: earlier run directories, never of the window being judged.
    ``now``: UTC; rows more than a day later are refused, none when it is None.
    ``out``: a new or empty folder, or an earlier run's, whose results go when reading begins.

    Raises InputError (nothing readable, too many rejects), ConfigError (an option), SchemaError
    (a side table). What was rejected stays in the folder's rejected.jsonl.
    """
    started = time.monotonic()
    earlier = read_baseline([Path(p) for p in baseline])
    settings = Settings(alpha=alpha, since=since, until=until, look=earlier.look + 1)
    assumptions = load_assumptions(None if value is None else Path(value))
    side = read_accounts(accounts) if accounts else None
    allowed = permits_from_rows(read_permits(permits).to_pylist()) if permits else ()
    answers = _answers(ownership)
    opened = open_inputs([str(p) for p in inputs], format=format, max_rejects=max_rejects, now=now)
    run_dir = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="stillwatch-"))
    _claim(run_dir)
    columns = opened.columns | {f"accounts.{c}" for c in (side.columns if side else ())}
    tell = progress or (lambda _: None)
    runner = LocalRunner(
        run_dir / STAGES, settings, columns=columns, memory=memory, threads=threads
    )
    seconds: dict[str, float] = {}
    try:
        _read(runner, opened, run_dir, tell, seconds)
        runner.put("accounts", side.table if side else ACCOUNT.empty_table())
        for number, step in enumerate(DISCOVERY):
            tell(Progress(step.name, number, len(DISCOVERY), "steps"))
            began = time.monotonic()
            runner.run(step)
            seconds[step.name] = round(time.monotonic() - began, 3)
            if step.output == "exchanges":
                _refuse_empty(runner.path("exchanges"))
        began = time.monotonic()
        reference = shipped_reference()
        earlier.refuse_overlap(runner)
        choice = choose(
            earlier.calibrated(
                runner.query("SELECT * FROM cohort_scores ORDER BY cohort"), reference
            ),
            alpha=alpha, look=settings.look, largest=reference.largest_e,
        )  # fmt: skip
        drift = earlier.drift(runner, choice, reference)
        judgement = judge(runner, choice, allowed, accuse=not drift["alarm"])
        _write(runner, run_dir, judgement, choice, assumptions, answers, opened, earlier, drift)
        seconds["judge"] = round(time.monotonic() - began, 3)
        tell(Progress("report", 0, 1, "steps"))
        began = time.monotonic()
        write_frames(
            runner, run_dir, judgement,
            None if "-" in map(str, inputs) else [str(p) for p in inputs], format,
        )  # fmt: skip
        _atomically(run_dir / STIX, _json(_stix(run_dir)))
        write_report(run_dir)
        seconds["report"] = round(time.monotonic() - began, 3)
    finally:
        runner.close()
    for table in runner.folder.glob("*.parquet"):
        if table.stem not in _STAGES_KEPT:
            table.unlink()
    _atomically(run_dir / TIMING, _json(_timing(started, seconds, opened, memory, threads)))
    return ScanResult(run_dir)


def _answers(ownership: str | Path | None) -> dict[str, str]:
    if ownership is None:
        return {}
    table = read_ownership(ownership)
    return dict(zip(table["owner_entity_id"].to_pylist(), table["access"].to_pylist(), strict=True))


def _claim(run_dir: Path) -> None:
    """Make the folder ours: empty, or a run's (whole, failed or killed), its results now void.

    Raises ConfigError when it holds anything that no scan writes; then nothing is touched.
    """
    try:
        run_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(
            f"no folder can be made there ({type(error).__name__})",
            where="--out", hint="give another folder",
        ) from error  # fmt: skip
    stages = run_dir / STAGES
    ours = [p for p in run_dir.iterdir() if p.name != STAGES]
    inside = list(stages.iterdir()) if stages.is_dir() else []
    strange = sum(_finished_name(p.name) not in _RUN_FILES for p in ours)
    strange += sum(_finished_name(p.name) not in _STAGE_FILES for p in inside)
    if strange or (stages.exists() and not stages.is_dir()):
        raise ConfigError(
            f"the folder holds other things ({strange or 1})",
            where="--out", hint="give an empty folder or an earlier run's",
        )  # fmt: skip
    for path in (*ours, *inside):
        if path.name == SPILL:
            shutil.rmtree(path)
        else:
            path.unlink()


def _finished_name(name: str) -> str:
    """Return the name that a file written aside would have got."""
    return name.removeprefix(".").removesuffix(".partial").removesuffix(".part")


def _read(
    runner: LocalRunner, opened: Inputs, run_dir: Path, tell: Callable[[Progress], None],
    seconds: dict[str, float],
) -> None:  # fmt: skip
    began = time.monotonic()
    try:
        runner.map(
            "features", features, opened.batches(), FEATURES,
            lambda rows: tell(Progress("reading", rows, None, "exchanges")),
        )  # fmt: skip
    finally:
        opened.ledger.write(run_dir / REJECTED)
    seconds["features"] = round(time.monotonic() - began, 3)


def _refuse_empty(exchanges: Path) -> None:
    if not pq.read_metadata(exchanges).num_rows:
        raise InputError(
            "no exchanges in the window", where="--since, --until",
            hint="give a window that the logs cover",
        )  # fmt: skip


def _write(
    runner: LocalRunner, run_dir: Path, judgement: Judgement, choice: Any, assumptions: Any,
    answers: dict[str, str], opened: Inputs, earlier: Baseline, drift: dict[str, Any],
) -> None:  # fmt: skip
    rng = np.random.default_rng(runner.settings.seed)
    raster, shown = raster_table(runner, judgement)
    runner.put("raster", raster)
    runner.put("clock", clock_table(judgement))
    runner.put("volume", volume_table(runner, judgement))
    coverage, basis = coverage_table(runner, judgement)
    runner.put("coverage", coverage)
    lines = campaign_lines(runner, judgement, choice.needed, shown, basis, assumptions, rng)
    accounts, users = account_rows(runner, judgement, answers)
    summary = summarize(
        runner, judgement, choice, accounts, lines, opened, assumptions, earlier, drift, rng
    )
    span = runner.query("SELECT min(ts) AS low, max(ts) AS high FROM exchanges").to_pylist()[0]
    for name, table in (
        (ACCOUNTS, accounts), (SUBJECTS, users), (LINKS, link_table(runner)),
        (SIGNALS, signal_table(runner, span["low"], span["high"])),
    ):  # fmt: skip
        aside = run_dir / f"{name}.part"
        pq.write_table(table, aside, compression="zstd")
        aside.replace(run_dir / name)
    _atomically(run_dir / CAMPAIGNS, b"".join(_json(line, pretty=False) for line in lines))
    _atomically(run_dir / SUMMARY, _json(summary))


def _stix(run_dir: Path) -> dict[str, Any]:
    run = open_run(run_dir)
    return bundle(run.campaigns, run.summary["until"] or "1970-01-01T00:00:00Z")


def _json(value: Any, *, pretty: bool = True) -> bytes:
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


def _atomically(path: Path, data: bytes) -> None:
    aside = path.with_name(f"{path.name}.part")
    aside.write_bytes(data)
    aside.replace(path)


def _timing(
    started: float, seconds: dict[str, float], opened: Inputs, memory: str, threads: int | None
) -> dict[str, Any]:
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": {"total": round(time.monotonic() - started, 3), **seconds},
        "peak_memory_mb": round(peak_kb / 1024),
        "engine": "local",
        "memory": memory,
        "threads": threads or os.cpu_count(),
        "machine": {"python": platform.python_version(), "platform": platform.platform()},
        "files": [{"name": f.name, "bytes": f.size} for f in opened.files],
    }
