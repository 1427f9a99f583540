"""The main job: logs in; campaigns, accused accounts and a readable report out."""

from __future__ import annotations

import os
import platform
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.campaigns import (
    Assumptions,
    Choice,
    carriers_of_shared,
    choose,
    judge,
    load_assumptions,
    put_on_watch,
    shared_lines,
)
from stillwatch.enrich import read_accounts, read_labels
from stillwatch.errors import ConfigError, InputError
from stillwatch.pipeline import DISCOVERY, FEATURES, features
from stillwatch.report import write_report
from stillwatch.runners import (
    PARTS,
    EngineRunner,
    LocalRunner,
    check_engine,
    engine_bytes,
    holds,
    open_cluster,
)
from stillwatch.scanner.baseline import Baseline, read_baseline
from stillwatch.scanner.described import refuse_silence, refuse_unfilled
from stillwatch.scanner.disk import refuse_small_disk
from stillwatch.scanner.enrichment import Enrichment
from stillwatch.scanner.feed import Feed, Logs, StoredDays
from stillwatch.scanner.folder import (
    STAGES_KEPT,
    STEPS,
    check_ours,
    claimed,
    clear,
    settle,
)
from stillwatch.scanner.restored import take_out
from stillwatch.scanner.result import Progress, ScanResult
from stillwatch.scanner.resume import (
    KEY,
    asked,
    reading_of,
    refuse_other,
    save_reading,
    was_finished,
)
from stillwatch.scanner.sides import Sides, read_sides
from stillwatch.scanner.spread import SpreadLogs
from stillwatch.scanner.templates import write_frames
from stillwatch.scanner.warninglist import discounted, spared_cohorts
from stillwatch.scanner.written import as_json, write_run
from stillwatch.schema import (
    REJECTED,
    RESUME,
    SHARED,
    STAGES,
    STIX,
    TIMING,
    Settings,
    write_whole,
)
from stillwatch.schema.arrow import ACCOUNT, ORGANIZATION
from stillwatch.share import bundle
from stillwatch.signals import (
    SCORES_STEP,
    TESTS,
    registered_cohorts,
    registered_findings,
    shipped_references,
)
from stillwatch.sources import open_inputs
from stillwatch.store import open_run

__all__ = ["prepare", "scan"]

_SCORES = "SELECT * FROM cohort_scores ORDER BY cohort"


def _feed(
    inputs: Sequence[str | Path] | StoredDays, format: str, max_rejects: float,
    now: datetime | None, query: str | Path | None, engine: str,
) -> Feed:  # fmt: skip
    check_engine(engine)
    if isinstance(inputs, StoredDays):
        if engine != "local":
            raise ConfigError("days were read already", where="--engine", hint="leave it out")
        return inputs
    paths = [str(path) for path in inputs]
    opened = open_inputs(paths, format=format, max_rejects=max_rejects, now=now, query=query)
    if engine != "local":
        return SpreadLogs(opened, paths, format, now=now, max_rejects=max_rejects)
    return Logs(opened, paths, format, once=query is not None)


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
        runner.put("organizations", ORGANIZATION.empty_table())
        for step in DISCOVERY:
            if step.name != "spikes":
                runner.run(step)
        yield runner
    finally:
        runner.close()


def scan(
    inputs: Sequence[str | Path] | StoredDays,
    *,
    accounts: str | Path | None = None,
    organizations: str | Path | None = None,
    keys: str | Path | None = None,
    networks: Sequence[str | Path] = (),
    disposable: str | Path | None = None,
    permits: str | Path | None = None,
    ownership: str | Path | None = None,
    corrections: str | Path | None = None,
    indicators: str | Path | None = None,
    corroborated: str | Path | None = None,
    baseline: Sequence[str | Path] = (),
    format: str = "auto",
    since: datetime | None = None,
    until: datetime | None = None,
    alpha: float = 0.01,
    out: str | Path | None = None,
    memory: str = "4GB",
    threads: int | None = None,
    max_rejects: float = 0.01,
    sampling_rate: float = 1.0,
    value: str | Path | None = None,
    now: datetime | None = None,
    resume: bool = False,
    without: Sequence[str] = (),
    look: int = 1,
    looks: int | None = None,
    progress: Callable[[Progress], None] | None = None,
    query: str | Path | None = None,
    engine: str = "local",
) -> ScanResult:
    """Scan logs for adversarial distillation and write a run directory.

    ``inputs``: files, globs, folders, ``-``, or the address of a database, whose ``query`` is a
    file; or a window of a day store, read before, to which ``format``, ``max_rejects`` and ``now``
    were told. ``accounts``, ``organizations``, ``keys``, ``permits``, ``ownership``: side tables.
    ``networks``: ``KIND=LIST`` and ``….mmdb``, what kind of network a request came from;
    ``disposable``: e-mail domains, or ``package``; both explain and count for nothing.
    ``corrections``: accounts that appeals restored, which make no links, and what people found out
    about accounts, which calibrates with a ``baseline``.
    ``indicators``: what others shared; who carries it is watched at most, and judged no otherwise.
    ``corroborated``: templates that other providers proposed too (`share propose`): hypotheses that
    need less and are tested on the whole window, on this log alone (docs/adr/0016-registered.md).
    ``baseline``: earlier run directories, never of the window being judged.
    ``now``: UTC; rows more than a day later are refused, none when it is None.
    ``out``: a new or empty folder, or an earlier run's, whose results go when reading begins.
    ``resume``: go on where a run in ``out`` was stopped; the same bytes come out as of one that
    was not. Where nothing was finished it begins, where all was, nothing is done.
    ``sampling_rate``: the share of requests that the log holds, taken at random.
    ``without``: signals to switch off (docs/signals), for ablations; summary.json names them.
    ``look``: which look at this traffic it is, from 1, where no baseline tells a later one.
    ``looks``: how many looks share alpha evenly; None: all looks ever, each less than the last.
    ``engine``: who reads the logs and runs the steps that can be split (docs/scaling.md): this
    process (``local``), ``sail``, ``sc://…``, ``spark://…``, ``local-cluster[…]``; the same bytes.

    Raises InputError (nothing readable, too many rejects), ConfigError (an option; a resumed run
    that was asked for something else), SchemaError (a side table), RunnerError (a full disk).
    What was rejected stays in the folder's rejected.jsonl.
    """
    started = time.monotonic()
    engine_bytes(memory)  # what is wrong with it is told before an earlier run is touched
    labels = read_labels(corrections) if corrections and baseline else {}
    earlier = read_baseline([Path(p) for p in baseline], labels)
    settings = Settings(
        alpha=alpha,
        since=since,
        until=until,
        look=max(earlier.look + 1, look),
        looks=looks,
        without=_known(without),
        sampling_rate=sampling_rate,
    )
    assumptions = load_assumptions(None if value is None else Path(value))
    sides = read_sides(
        accounts=accounts, organizations=organizations, keys=keys, networks=networks,
        disposable=disposable, permits=permits, ownership=ownership, corrections=corrections,
        indicators=indicators, corroborated=corroborated, now=now,
    )  # fmt: skip
    feed = _feed(inputs, format, max_rejects, now, query, engine)
    if isinstance(feed, StoredDays | SpreadLogs) and (keys or networks):
        raise ConfigError(
            "keys and networks are joined to exchanges when this process reads these",
            where="--keys" if keys else "--networks",
            hint="scan the logs themselves, without --engine",
        )  # fmt: skip
    run_dir = Path(out) if out is not None else Path(tempfile.mkdtemp(prefix="stillwatch-"))
    tell = progress or (lambda _: None)
    seconds: dict[str, float] = {}
    key = asked(
        feed,
        {**sides.files, "value": value, "format": format if format.endswith(".toml") else None},
        {"format": format, "max_rejects": max_rejects, "--baseline": earlier.digest,
         "indicators in force": [one.indicator_id for one in sides.indicators or ()],
         **settings.as_dict()},
    )  # fmt: skip
    with claimed(run_dir), ExitStack() as closing:
        kept = _begin(run_dir, key, feed, resume=resume)
        if kept is None:
            return ScanResult(run_dir)
        if sides.corroborated is not None:
            # what a stopped run left may tell of the registered already
            kept -= {"findings", "cohort_scores"}
        columns = feed.columns | sides.columns
        runner = _runner(
            closing, engine, feed, run_dir / STAGES, settings, columns, memory, threads
        )
        try:
            _read(runner, feed, sides.enrichment, run_dir, key, kept, tell, seconds)
            people, owners = sides.accounts, sides.organizations
            runner.put("accounts", people.table if people else ACCOUNT.empty_table())
            runner.put("organizations", owners.table if owners else ORGANIZATION.empty_table())
            _discover(runner, kept, tell, seconds, sides)
            began = time.monotonic()
            _judge(runner, run_dir, feed, sides, earlier, assumptions, tell)
            seconds["judge"] = round(time.monotonic() - began, 3)
            tell(Progress("report", 0, 1, "steps"))
            began = time.monotonic()
            write_whole(run_dir / STIX, as_json(_stix(run_dir)))
            write_report(run_dir)
            seconds["report"] = round(time.monotonic() - began, 3)
        finally:
            runner.close()
        settle(run_dir)
        timing = _timing(started, seconds, feed, memory, threads, engine)
        write_whole(run_dir / TIMING, as_json({**timing, "kept": sorted(kept), KEY: key}))
        _tidy(run_dir)
    return ScanResult(run_dir)


def _runner(
    closing: ExitStack, engine: str, feed: Feed, folder: Path, settings: Settings,
    columns: frozenset[str], memory: str, threads: int | None,
) -> LocalRunner:  # fmt: skip
    if not isinstance(feed, SpreadLogs):
        return LocalRunner(folder, settings, columns=columns, memory=memory, threads=threads)
    feed.runner = EngineRunner(
        folder, settings, cluster=closing.enter_context(open_cluster(engine)),
        columns=columns, memory=memory, threads=threads,
    )  # fmt: skip
    return feed.runner


def _begin(
    run_dir: Path, key: dict[str, Any], feed: Feed, *, resume: bool
) -> frozenset[str] | None:
    """Make the folder ours and return the tables in it that hold; None where the run is finished.

    A table that exists is whole, and it holds when reading was finished for the same request.
    Raises ConfigError when the folder is somebody else's, or holds a run of another request.
    """
    check_ours(run_dir)
    kept: frozenset[str] = frozenset()
    if resume:
        if any(file.size < 0 for file in feed.files):
            raise ConfigError(
                "what comes through a pipe cannot be read again",
                where="--resume", hint="begin anew, or give files",
            )  # fmt: skip
        finished = was_finished(run_dir)
        if finished is not None:
            refuse_other(finished, key)
            _tidy(run_dir)
            return None
        read = reading_of(run_dir)
        if read is not None:
            refuse_other(read[0], key)
            feed.ledger.restore(read[1])
            tables = ("features", "context", *(step.output for step in STEPS))
            kept = frozenset(t for t in tables if holds(run_dir / STAGES, t))
    clear(run_dir, keep=kept)
    return kept


def _tidy(run_dir: Path) -> None:
    """Remove what only an unfinished run needs."""
    for path in (run_dir / STAGES).iterdir():
        if path.name.endswith(PARTS):
            shutil.rmtree(path)
        elif path.name == RESUME or (path.suffix == ".parquet" and path.stem not in STAGES_KEPT):
            path.unlink()


def _discover(
    runner: LocalRunner, kept: frozenset[str], tell: Callable[[Progress], None],
    seconds: dict[str, float], sides: Sides,
) -> None:  # fmt: skip
    for number, step in enumerate(STEPS):
        tell(Progress(step.name, number, len(STEPS), "steps"))
        began = time.monotonic()
        if step.output in kept:
            runner.adopt(step.output)
        else:
            runner.run(step)
        take_out(runner, step.output, sides.restored)
        if step.output == "people":
            refuse_silence(runner, sides.columns_told)
        if step.output == "exchanges":
            refuse_unfilled(runner)
        if step.output in kept:
            continue
        seconds[step.name] = round(time.monotonic() - began, 3)
        if step.output == "exchanges":
            _refuse_empty(runner.path("exchanges"))


def _judge(
    runner: LocalRunner, run_dir: Path, feed: Feed, sides: Sides, earlier: Baseline,
    assumptions: Assumptions, tell: Callable[[Progress], None],
) -> None:  # fmt: skip
    """Select, accuse and write the run's tables, from the findings that the runner has."""
    settings, references = runner.settings, shipped_references()
    earlier.refuse_overlap(runner)
    scores = runner.query(_SCORES)
    spared = spared_cohorts(runner, earlier.values)
    registered = _register(runner, sides.corroborated)
    anew = runner.query(_SCORES) if registered else scores.slice(0, 0)

    def chosen(base: Baseline, spared: frozenset[int]) -> tuple[Choice, dict[str, Any]]:
        others = discounted(base.calibrated(anew, references), spared)
        choice = choose(
            discounted(base.calibrated(scores, references), spared),
            alpha=settings.alpha, look=settings.look, looks=settings.looks,
            largest=references.largest_e,
            registered={
                row["cohort"]: min(row["e_coordinated"], row["e_extractive"])
                for row in others.to_pylist()
                if row["tested"] and row["cohort"] in registered
            },
        )  # fmt: skip
        return choice, base.drift(runner, choice, references)

    choice, drift = chosen(earlier, spared)
    tell(Progress("judge", 0, 1, "steps"))
    among = None
    if earlier.corrects:
        # A cohort may keep others from being accused that join its members, or are it seen through
        # another object. Where a correction takes it away they must not be accused in its place.
        first, moved = chosen(earlier.uncorrected(), frozenset())
        before = judge(runner, first, sides.permits, accuse=not moved["alarm"])
        among = frozenset(
            sid for sid, standing in before.standing.items() if standing in ("accused", "permitted")
        )
    judgement = judge(runner, choice, sides.permits, accuse=not drift["alarm"], among=among)
    if sides.indicators is not None:
        carriers = carriers_of_shared(runner, sides.indicators)
        judgement = put_on_watch(judgement, carriers)
        lines = shared_lines(judgement, carriers)
        write_whole(run_dir / SHARED, b"".join(as_json(x, pretty=False) for x in lines))
    frames = write_frames(runner, run_dir, judgement, feed)
    write_run(
        runner, run_dir, judgement, choice, assumptions, sides.answers, feed, earlier, drift,
        sides.permits, frames, spared,
    )  # fmt: skip


def _register(runner: LocalRunner, listed: pa.Table | None) -> frozenset[int]:
    """Test the hypotheses on the list over the whole window; return their cohorts.

    From here on `findings` and `cohort_scores` tell of them what those tests found.
    """
    registered = registered_cohorts(runner, listed) if listed is not None else frozenset()
    if registered:
        runner.put("findings", registered_findings(runner, registered))
        runner.run(SCORES_STEP)
    return registered


def _known(without: Sequence[str]) -> tuple[str, ...]:
    """Return the names of signals, sorted. Raises ConfigError for one that there is not."""
    names = {test.name for test in TESTS}
    for name in without:
        if name not in names:
            raise ConfigError(
                "no such signal", where="without", hint="choose from " + ", ".join(sorted(names))
            )
    return tuple(sorted(set(without)))


def _read(
    runner: LocalRunner, feed: Feed, enrichment: Enrichment, run_dir: Path, key: dict[str, Any],
    kept: frozenset[str], tell: Callable[[Progress], None], seconds: dict[str, float],
) -> None:  # fmt: skip
    if "features" in kept:
        feed.ledger.write(run_dir / REJECTED)
        runner.adopt("features")
        return
    began = time.monotonic()
    total = feed.rows()
    refuse_small_disk(run_dir, total)
    try:
        feed.fill(
            runner, enrichment.batches,
            lambda rows: tell(
                Progress("reading", rows, None if total is None else max(total, rows), "exchanges")
            ),
        )  # fmt: skip
    finally:
        feed.ledger.write(run_dir / REJECTED)
    context = enrichment.context()
    if context is not None:
        runner.put("context", context)
    save_reading(run_dir, key, feed)
    seconds["features"] = round(time.monotonic() - began, 3)


def _refuse_empty(exchanges: Path) -> None:
    if not pq.read_metadata(exchanges).num_rows:
        raise InputError(
            "no exchanges in the window", where="--since, --until",
            hint="give a window that the logs cover",
        )  # fmt: skip


def _stix(run_dir: Path) -> dict[str, Any]:
    run = open_run(run_dir)
    return bundle(run.campaigns, run.summary["until"] or "1970-01-01T00:00:00Z")


def _timing(
    started: float,
    seconds: dict[str, float],
    feed: Feed,
    memory: str,
    threads: int | None,
    engine: str,
) -> dict[str, Any]:
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": {"total": round(time.monotonic() - started, 3), **seconds},
        "peak_memory_mb": round(peak_kb / 1024),
        "engine": engine.partition("?")[0].partition(";")[0],
        "memory": memory,
        "threads": threads or os.cpu_count(),
        "machine": {"python": platform.python_version(), "platform": platform.platform()},
        "files": [{"name": f.name, "bytes": f.size} for f in feed.files],
    }
