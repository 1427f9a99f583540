"""A session with an engine: Sail, Spark Connect, or a Spark master; two moves and no more.

Whatever an engine can do besides (its SQL, its readers, its functions) is not used: these differ
from engine to engine, and from DuckDB.
"""

from __future__ import annotations

import errno
import importlib.util
import os
import re
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import pyarrow as pa

from stillwatch.errors import ConfigError, RunnerError
from stillwatch.runners import shipped
from stillwatch.runners.tasks import DAMAGED, NOTE_DDL

__all__ = ["Cluster", "check_engine", "failure", "open_cluster"]

_ADDRESS: Final = re.compile(
    r"local|sail|sc://[^\s/]+.*|spark://[\w.:,\[\]-]+|local-cluster\[\d+,\s*\d+,\s*\d+\]"
)
_INSTALL: Final = "pip install 'stillwatch[{extra}]' (docs/scaling.md)"
_CONNECT_PORT: Final = 15_002
_MISSING: Final = re.compile(r"No module named '(\w+)")
# No room, over a quota, or over a limit of the worker's on the size of a file.
_FULL: Final = re.compile(
    "|".join(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
)
# Tasks name their parts uniquely, so that a second attempt beside a slow first one does no harm.
_SPARK: Final = {
    "spark.app.name": "stillwatch",
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    "spark.speculation": "true",
    "spark.sql.execution.pyspark.udf.simplifiedTraceback.enabled": "true",
}

Task = Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]


def check_engine(engine: str) -> None:
    """Raise ConfigError for an address of which it is not known that a scan runs there."""
    if not _ADDRESS.fullmatch(engine):
        raise ConfigError(
            "not an engine that a scan runs on", where="--engine",
            hint="local, sail, sc://HOST:PORT, spark://HOST:PORT or local-cluster[N,CORES,MB]",
        )  # fmt: skip


class Cluster:
    """Use `open_cluster`. Notes come back as (item, note as JSON, rows), in no order."""

    def __init__(
        self, session: Any, failures: tuple[type[Exception], ...],
        sent: shipped.Shipped | None = None,
    ) -> None:  # fmt: skip
        self._session = session
        self._failures = failures
        self._sent = sent

    def each(self, task: Task, tasks: int, what: str) -> list[tuple[int, str, bytes]]:
        """Run ``task`` on so many partitions, each with its number.

        Raises RunnerError where the engine gave up. ``what``: names the work in it.
        """
        with self._failing(what):
            numbers = self._session.range(0, tasks, 1, tasks)
            return _notes(numbers.mapInArrow(self._carried(task), NOTE_DDL))

    def by_key(
        self, read: Task, tasks: int, columns: str, key: str, parts: int, task: Task, what: str
    ) -> list[tuple[int, str, bytes]]:
        """Split what ``read`` yields (``columns`` as the engine declares them) by a key.

        Raises RunnerError where the engine gave up.
        """
        with self._failing(what):
            numbers = self._session.range(0, tasks, 1, tasks)
            rows = numbers.mapInArrow(self._carried(read), columns).repartition(parts, key)
            return _notes(rows.mapInArrow(self._carried(task), NOTE_DDL))

    def _carried(self, task: Task) -> Task:
        """Return a task that first looks for the package that was sent to the workers."""
        if self._sent is None:
            return task
        from pyspark import cloudpickle

        packed = cloudpickle.dumps(task)
        return partial(shipped.opened, packed, self._sent.folder, self._sent.machine)

    @contextmanager
    def _failing(self, what: str) -> Iterator[None]:
        try:
            yield
        except self._failures as error:
            raise failure(error, what) from error


def failure(error: Exception, what: str) -> RunnerError:
    """Return what a failure of the engine means: a library, room on a disk, or its own affair."""
    said = str(error)
    missing = _MISSING.search(said)
    if missing is not None:
        return RunnerError(
            f"the workers do not have {missing[1]}", where=what,
            hint="install it, in the node's version, where the engine's Python is "
            "(docs/scaling.md)",
        )  # fmt: skip
    if DAMAGED in said:
        return RunnerError(
            DAMAGED, where=what, hint="go on with --resume; if it happens again, begin without it"
        )
    if _FULL.search(said):
        return RunnerError(
            "a worker's disk is full", where=what,
            hint="make room where the engine's workers keep shuffles (spark.local.dir) and where "
            "--out is, then go on with --resume",
        )  # fmt: skip
    return RunnerError(
        f"the engine gave up ({type(error).__name__})", where=what,
        hint="read the engine's own log, then go on with --resume",
    )  # fmt: skip


def _notes(frame: Any) -> list[tuple[int, str, bytes]]:
    return [(row["item"], row["note"], bytes(row["rows"])) for row in frame.collect()]


@contextmanager
def open_cluster(engine: str) -> Iterator[Cluster]:
    """Open a session with an engine, and close it, and what was started for it, at the end.

    Raises ConfigError (no such kind of engine, its client or Java is not installed), RunnerError
    (nobody answers there).
    """
    check_engine(engine)
    _need("pyspark", "sail" if engine == "sail" else "spark")
    from pyspark.errors import PySparkException

    failures: tuple[type[Exception], ...] = (PySparkException,)
    if importlib.util.find_spec("py4j") is not None:
        from py4j.protocol import Py4JError

        failures += (Py4JError,)
    with ExitStack() as closing:
        folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="stillwatch-")))
        try:
            if engine == "sail":
                session = _connected(closing.enter_context(_sail()))
            elif engine.startswith("sc://"):
                _refuse_silence(engine)
                session = _connected(engine)
            else:
                session = _joined(engine)
            closing.callback(session.stop)
            sent = None  # the workers of Sail in this process are this process
            if engine != "sail":
                sent = _shipped(session, folder, by_connect=engine.startswith("sc://"))
        except failures as error:
            raise RunnerError(
                f"no session with the engine ({type(error).__name__})",
                where="--engine",
                hint="is it running there, and, for spark://, is there Java 17 or later here?",
            ) from error
        yield Cluster(session, failures, sent)


def _shipped(session: Any, folder: Path, *, by_connect: bool) -> shipped.Shipped | None:
    """Send this package to the workers; None where a server takes no archives, as Sail's does."""
    from pyspark import cloudpickle
    from pyspark.errors import UnsupportedOperationException

    sent = shipped.pack(folder)
    cloudpickle.register_pickle_by_value(shipped)
    archive = f"{sent.archive}#{sent.folder}"
    if not by_connect:
        session.sparkContext.addArchive(archive)
        return sent
    try:
        session.addArtifacts(archive, archive=True)
    except UnsupportedOperationException:
        return None
    return sent


def _need(package: str, extra: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"{package} is not installed", where="--engine", hint=_INSTALL.format(extra=extra)
        )


@contextmanager
def _sail() -> Iterator[str]:
    """Start Sail in this process and yield its address."""
    _need("pysail", "sail")
    os.environ.setdefault("RUST_LOG", "error")
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer(ip="127.0.0.1", port=0)
    server.start()
    try:
        yield f"sc://127.0.0.1:{server.listening_address[1]}"
    finally:
        server.stop()


def _refuse_silence(address: str) -> None:
    """Raise RunnerError where nobody listens: the client would try again for ten minutes."""
    parts = urlsplit(address.partition(";")[0])
    try:
        socket.create_connection((parts.hostname or "", parts.port or _CONNECT_PORT), 10).close()
    except OSError as error:
        raise RunnerError(
            f"nobody listens there ({error.strerror or type(error).__name__})", where="--engine",
            hint="is the server of Spark Connect running, and is the port open from here?",
        ) from error  # fmt: skip


def _connected(address: str) -> Any:
    from pyspark.sql import SparkSession

    session = SparkSession.builder.remote(address).create()
    session.range(1).collect()  # a client says nothing before it is asked something
    return session


def _joined(master: str) -> Any:
    from pyspark.sql import SparkSession
    from pyspark.util import is_remote_only

    if is_remote_only():
        raise ConfigError(
            "only a client of Spark Connect is installed", where="--engine",
            hint=_INSTALL.format(extra="spark") + ", or give sc://HOST:PORT",
        )  # fmt: skip
    if master.startswith("local-cluster"):  # its workers are of this machine
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.master(master)
    for name, value in _SPARK.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()
