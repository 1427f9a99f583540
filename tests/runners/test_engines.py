"""Sail and Spark leave the bytes that one process leaves, also where an executor is killed."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from environments import environment, without_stillwatch
from ports import end, free_port, wait_for

from stillwatch.pipeline import FEATURES, features
from stillwatch.profiles import EXCHANGES_STEP, PEOPLE_STEP, REPEATS_STEP
from stillwatch.runners import LocalRunner
from stillwatch.scanner import ScanResult
from stillwatch.schema import Settings
from stillwatch.schema.arrow import ACCOUNT, EXCHANGE, ORGANIZATION
from stillwatch.simulate import SimulatedWorld

from .conftest import Scan, Scanned, scanned

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
QUIET = {"SPARK_LOCAL_IP": "127.0.0.1", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def python() -> Path:
    return environment("engines") / "python"


@pytest.fixture
def begin(python: Path, world: SimulatedWorld, tmp_path: Path) -> Any:
    """Return what starts a scan on an engine, of the world's own files where no other is given."""

    def start(
        engine: str, *words: Any, logs: Path | None = None, workers: Path = python
    ) -> subprocess.Popen[str]:
        sides = ("--accounts", world.accounts_csv, "--permits", world.permits_csv,
                 "--ownership", world.ownership_csv)  # fmt: skip
        command = (python, "-m", "stillwatch.cli", "scan", logs or world.out / "exchanges", *sides,
                   "--out", tmp_path / "run", "--engine", engine, "--quiet", *words)  # fmt: skip
        env = {**os.environ, **QUIET}
        if engine.startswith("spark://"):  # a master's workers take the python that they are told
            env["PYSPARK_PYTHON"] = str(workers)
        return subprocess.Popen(
            [str(word) for word in command], text=True, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    return start


def ended(process: subprocess.Popen[str], code: int) -> str:
    """Wait for a scan and return what it said on its standard error."""
    _, said = process.communicate(timeout=900)
    assert process.returncode == code, said[-3000:]
    return said


def of_run(folder: Path) -> Scanned:
    return scanned(ScanResult(folder))


@contextlib.contextmanager
def sail_server(python: Path) -> Iterator[str]:
    """Run Sail as a process of its own and yield its address."""
    port = free_port()
    command = [python.parent / "sail", "spark", "server", "--ip", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(port, server)
        yield f"sc://127.0.0.1:{port}"
    finally:
        end(server, signal.SIGINT)


def test_sail_leaves_the_same_bytes(begin: Any, plain: Scanned, tmp_path: Path) -> None:
    ended(begin("sail"), 3)
    assert plain.differing(of_run(tmp_path / "run")) == []
    assert json.loads((tmp_path / "run" / "timing.json").read_text())["engine"] == "sail"


def with_broken_rows(source: Path, folder: Path) -> Path:
    """Cut a log of JSON lines into five files, each with a line that is no JSON; add an empty."""
    folder.mkdir()
    lines = source.read_bytes().splitlines(keepends=True)
    for k in range(5):
        (folder / f"{k}.jsonl").write_bytes(b"".join([*lines[k::5], b'{"broken": \n']))
    (folder / "empty.jsonl").touch()
    return folder


def test_what_is_rejected_is_the_same_over_spark_connect(
    begin: Any, python: Path, world: SimulatedWorld, scan_of: Scan, tmp_path: Path
) -> None:
    """Ledgers of many tasks become one, also in rejected.jsonl, which names files and lines."""
    logs = with_broken_rows(world.out / "litellm.jsonl", tmp_path / "logs")
    here = scan_of(logs)
    with sail_server(python) as address:
        ended(begin(address, logs=logs), 3)
    there = of_run(tmp_path / "run")
    assert here.differing(there) == []
    assert there.summary["rejected"] == 5
    assert len(there.files["rejected.jsonl"].splitlines()) == 5


def test_a_damaged_file_stops_the_scan_with_its_name_and_nothing_is_left_of_the_tasks(
    begin: Any, world: SimulatedWorld, tmp_path: Path
) -> None:
    logs = tmp_path / "logs"
    shutil.copytree(world.out / "exchanges", logs / "deep")
    one = sorted((logs / "deep").iterdir())[2]
    whole = one.read_bytes()
    one.write_bytes(whole[: len(whole) // 2] + bytes(2_000) + whole[len(whole) // 2 + 2_000 :])
    said = ended(begin("sail", logs=logs), 2)
    assert f"{one.name}:" in said
    assert "damaged" in said
    assert not (tmp_path / "run" / "stages" / "spill").exists()


def test_a_scan_that_is_killed_after_reading_goes_on_without_the_engine(
    begin: Any, plain: Scanned, tmp_path: Path
) -> None:
    process = begin("sail")
    stages = tmp_path / "run" / "stages"
    while process.poll() is None and not (stages / "exchanges.parquet").exists():
        time.sleep(0.005)
    process.kill()
    process.communicate()
    assert (stages / "features.parts" / "whole.json").exists()
    ended(begin("local", "--resume"), 3)
    kept = json.loads((tmp_path / "run" / "timing.json").read_text())["kept"]
    assert {"features", "repeats", "exchanges"} <= set(kept)
    assert plain.differing(of_run(tmp_path / "run")) == []


def descendants(root: int, word: bytes) -> list[int]:
    """Return the process ids of the Java programs below a process in whose command a word is."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
                parents[int(folder.name)] = int(stat[1])
    found = []
    for pid in parents:
        above = pid
        while above in parents and above != root:
            above = parents[above]
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            if above == root and word in words and b"java" in words:
                found.append(pid)
    return found


def kill_an_executor(process: subprocess.Popen[str], parts: Path) -> bool:
    """Kill an executor of Spark as soon as there is a part; return whether there was one to kill.

    It is looked for before it is needed: the other parts may come while /proc is read.
    """
    victims: list[int] = []
    while process.poll() is None and not list(parts.glob("*.parquet")):
        victims = victims or descendants(process.pid, b"CoarseGrainedExecutorBackend")
        time.sleep(0.005)
    if victims:
        os.kill(victims[0], signal.SIGKILL)
    return bool(victims)


def test_spark_leaves_the_same_bytes_though_an_executor_is_killed(
    begin: Any, plain: Scanned, tmp_path: Path
) -> None:
    """It is killed when the first part of the features is there and others are still to come."""
    process = begin("local-cluster[2,1,1024]")
    parts = tmp_path / "run" / "stages" / "features.parts"
    killed = kill_an_executor(process, parts)
    whole = (parts / "whole.json").exists()
    ended(process, 3)
    assert killed
    assert not whole
    assert plain.differing(of_run(tmp_path / "run")) == []


class ShuffleDisk:
    """Where Spark keeps its shuffles: a file system of its own, or a limit on executors' files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        words = ["mount", "-t", "tmpfs", "-o", "size=96m", "none", folder]
        self.mounted = not subprocess.run(words, capture_output=True).returncode

    def fill(self, scanning: int) -> None:
        """Take all that is left; without the right to mount, no executor may write a file more."""
        if self.mounted:
            with contextlib.suppress(OSError), (self.folder / "ballast").open("wb", 0) as out:
                while True:
                    out.write(bytes(65_536))
            return
        for pid in descendants(scanning, b"CoarseGrainedExecutorBackend"):
            subprocess.run(["prlimit", "--fsize=1:1", "--pid", str(pid)], check=True)


@pytest.fixture
def shuffle_disk(tmp_path: Path) -> Iterator[ShuffleDisk]:
    disk = ShuffleDisk(tmp_path / "shuffles")
    yield disk
    if disk.mounted:
        subprocess.run(["umount", "-l", disk.folder], check=True)


def test_a_full_shuffle_disk_is_told_and_the_scan_goes_on_where_there_is_room(
    begin: Any, shuffle_disk: ShuffleDisk, plain: Scanned, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """It is full, really, when the logs are read and the first shuffle is to come."""
    monkeypatch.setenv("SPARK_LOCAL_DIRS", str(shuffle_disk.folder))
    process = begin("local-cluster[2,1,1024]")
    whole = tmp_path / "run" / "stages" / "features.parts" / "whole.json"
    while process.poll() is None and not whole.exists():
        time.sleep(0.005)
    shuffle_disk.fill(process.pid)
    said = ended(process, 1)
    assert "a worker's disk is full" in said
    assert "--resume" in said
    assert "Traceback" not in said
    ended(begin("sail", "--resume"), 3)
    assert "features" in json.loads((tmp_path / "run" / "timing.json").read_text())["kept"]
    assert plain.differing(of_run(tmp_path / "run")) == []


@pytest.fixture(scope="session")
def stages(rows: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the tables of 50,000 mixed exchanges, some of them twice, with `exchanges` made here.

    Row groups of the features hold all times, so that they are dealt before they are read.
    """
    ids = rows["exchange_id"].to_pylist()
    place, kind = rows.schema.get_field_index("exchange_id"), EXCHANGE.field("exchange_id")
    copies = [rows.set_column(place, kind, pa.array([f"{i}-{k}" for i in ids])) for k in range(4)]
    copies.append(copies[0].slice(0, 500))
    every = pa.concat_tables(copies)
    order = np.random.default_rng(5).permutation(every.num_rows)
    mixed = every.take(pa.array(order)).select(EXCHANGE.names).cast(EXCHANGE)
    runner = LocalRunner(tmp_path_factory.mktemp("stages"), Settings(), threads=2)
    runner.map("features", features, mixed.combine_chunks().to_batches(6_000), FEATURES)
    runner.put("accounts", ACCOUNT.empty_table())
    runner.put("organizations", ORGANIZATION.empty_table())
    for step in (REPEATS_STEP, PEOPLE_STEP, dataclasses.replace(EXCHANGES_STEP, group_rows=2_048)):
        runner.run(step)
    runner.close()
    return runner.folder


def making(python: Path, engine: str, stages: Path, folder: Path) -> subprocess.Popen[str]:
    """Start making `exchanges` on an engine, in a folder with the tables before it."""
    folder.mkdir()
    for table in EXCHANGES_STEP.inputs:
        shutil.copy(stages / f"{table}.parquet", folder)
    return subprocess.Popen(
        [python, ROOT / "tests" / "runners" / "make_exchanges.py", engine, folder],
        text=True, env={**os.environ, **QUIET}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def same_exchanges(stages: Path, folder: Path) -> bool:
    here, there = (f / "exchanges.parquet" for f in (stages, folder))
    assert pq.read_metadata(here).num_row_groups > 20
    return here.read_bytes() == there.read_bytes()


def test_sail_makes_many_stretches_of_time_that_are_one_table(
    python: Path, stages: Path, tmp_path: Path
) -> None:
    ended(making(python, "sail", stages, tmp_path / "sail"), 0)
    assert same_exchanges(stages, tmp_path / "sail")
    assert not (tmp_path / "sail" / "spill").exists()


def test_spark_makes_the_same_table_though_an_executor_is_killed_among_its_stretches(
    python: Path, stages: Path, tmp_path: Path
) -> None:
    process = making(python, "local-cluster[2,1,1024]", stages, tmp_path / "spark")
    parts = tmp_path / "spark" / "spill" / "exchanges"
    killed = kill_an_executor(process, parts)
    made = (tmp_path / "spark" / "exchanges.parquet").exists()
    ended(process, 0)
    assert killed
    assert not made
    assert same_exchanges(stages, tmp_path / "spark")


@pytest.fixture
def standalone(python: Path) -> Iterator[tuple[int, str]]:
    """Run the example's master and two workers; process and address."""
    command = [python, ROOT / "examples" / "spark-standalone" / "standalone.py"]
    cluster = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert cluster.stdout is not None
    address = cluster.stdout.readline().strip()
    try:
        assert address, cluster.stderr.read()[-3000:] if cluster.stderr else ""
        yield cluster.pid, address
    finally:
        cluster.send_signal(signal.SIGINT)
        cluster.communicate(timeout=240)


def test_a_spark_master_leaves_the_same_bytes_though_a_worker_is_lost(
    begin: Any, standalone: tuple[int, str], plain: Scanned, tmp_path: Path
) -> None:
    """It is lost with its executor, when the first part of the features is there."""
    cluster, address = standalone
    workers = descendants(cluster, b"deploy.worker.Worker")
    assert len(workers) == 2
    process = begin(address)
    parts = tmp_path / "run" / "stages" / "features.parts"
    while process.poll() is None and not list(parts.glob("*.parquet")):
        time.sleep(0.005)
    os.kill(workers[0], signal.SIGKILL)
    whole = (parts / "whole.json").exists()
    ended(process, 3)
    assert not whole
    assert plain.differing(of_run(tmp_path / "run")) == []
    timing = json.loads((tmp_path / "run" / "timing.json").read_text())
    assert timing["engine"] == address


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python for workers that has every library and no stillwatch."""
    made = without_stillwatch("engines", tmp_path_factory.mktemp("bare") / "python")
    asked = subprocess.run(
        [made, "-c", "import duckdb, pyspark, stillwatch"], capture_output=True, text=True
    )
    assert "No module named 'stillwatch'" in asked.stderr
    return made


def test_a_spark_master_whose_workers_have_no_stillwatch_is_sent_it(
    begin: Any, bare: Path, standalone: tuple[int, str], plain: Scanned, tmp_path: Path
) -> None:
    """The kernel is compiled: it is unpacked there, and reads every exchange as it does here."""
    _, address = standalone
    ended(begin(address, workers=bare), 3)
    assert plain.differing(of_run(tmp_path / "run")) == []


@contextlib.contextmanager
def connect_server(python: Path, workers: Path, folder: Path) -> Iterator[str]:
    """Run a Spark Connect server with a cluster behind it; yield its address."""
    port = free_port()
    command = [
        python.parent / "spark-submit", "--master", "local-cluster[2,1,1024]",
        "--class", "org.apache.spark.sql.connect.service.SparkConnectServer",
        "--conf", f"spark.connect.grpc.binding.port={port}", "--conf", "spark.ui.enabled=false",
        "spark-internal",
    ]  # fmt: skip
    told = {"PYSPARK_PYTHON": str(workers), "SPARK_WORKER_DIR": str(folder)}
    server = subprocess.Popen(
        command, env={**os.environ, **QUIET, **told}, cwd=folder,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_for(port, server)
        yield f"sc://127.0.0.1:{port}"
    finally:
        end(server, signal.SIGTERM)


def test_a_server_of_spark_connect_sends_it_on_to_workers_that_have_no_stillwatch(
    begin: Any, python: Path, bare: Path, plain: Scanned, tmp_path: Path
) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    with connect_server(python, bare, folder) as address:
        ended(begin(address), 3)
    assert plain.differing(of_run(tmp_path / "run")) == []


def test_nobody_at_the_address_is_told(begin: Any) -> None:
    said = ended(begin("sc://127.0.0.1:9"), 1)
    assert "nobody listens there" in said
