"""A Spark master and two workers on loopback, and a scan that runs on them.

    python examples/spark-standalone/standalone.py
    python examples/spark-standalone/standalone.py -- stillwatch scan logs/ --out run

The first prints its address and ends with Ctrl-C. In the second, what follows ``--`` is run with
``--engine spark://…`` added; the cluster ends with it, and the exit code is the command's. Needs
Java 17 and `pip install 'stillwatch[spark]'`. Each worker has one core and 1.5 GB, of which an
executor takes 1 GB. There is no authentication: loopback only.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from urllib.request import ProxyHandler, build_opener

_HOST = "127.0.0.1"
_DEPLOY = "org.apache.spark.deploy"
_PATIENCE_S = 240.0
_NO_PROXY = build_opener(ProxyHandler({}))


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((_HOST, 0))
        return int(listener.getsockname()[1])


def _spark_class() -> Path:
    """Return the program that starts Spark's daemons. Raises SystemExit where it is not there."""
    found = find_spec("pyspark")
    if found is None or found.origin is None:
        raise SystemExit("pyspark is not installed: pip install 'stillwatch[spark]'")
    program = Path(found.origin).parent / "bin" / "spark-class"
    if not program.exists():
        raise SystemExit(
            "this pyspark is a client of Spark Connect alone: install pyspark[connect]"
        )
    return program


def _alive(page: int) -> int:
    """Return how many workers the master knows, 0 while it does not answer."""
    where = f"http://{_HOST}:{page}/json/"
    with contextlib.suppress(OSError, ValueError), _NO_PROXY.open(where, timeout=2) as answer:
        return int(json.load(answer)["aliveworkers"])
    return 0


@contextlib.contextmanager
def standalone(workers: int = 2, *, cores: int = 1, memory: str = "1500m") -> Iterator[str]:
    """Start a master and so many workers, yield ``spark://HOST:PORT``, and stop them at the end.

    Raises SystemExit where one of them ends or they do not find each other within four minutes;
    what they said is printed then.
    """
    start, port, page = _spark_class(), _free_port(), _free_port()
    address = f"spark://{_HOST}:{port}"
    with tempfile.TemporaryDirectory(prefix="spark-") as folder, contextlib.ExitStack() as closing:
        env = os.environ | {"SPARK_LOCAL_IP": _HOST, "SPARK_WORKER_DIR": folder}
        said = closing.enter_context((Path(folder) / "said").open("w+"))

        def begin(*words: object) -> subprocess.Popen[bytes]:
            job = subprocess.Popen(
                [str(word) for word in (start, *words)], env=env, stdout=said, stderr=said
            )
            closing.callback(_end, job)
            return job

        words = ("--host", _HOST, "--webui-port")
        jobs = [begin(f"{_DEPLOY}.master.Master", *words, page, "--port", port)]
        words = (*words, "0", "--cores", str(cores), "--memory", memory)
        jobs += [begin(f"{_DEPLOY}.worker.Worker", *words, address) for _ in range(workers)]
        until = time.monotonic() + _PATIENCE_S
        while _alive(page) < workers:
            if any(job.poll() is not None for job in jobs) or time.monotonic() > until:
                said.seek(0)
                raise SystemExit(f"the cluster did not start:\n{said.read()[-3000:]}")
            time.sleep(0.1)
        yield address


def _end(job: subprocess.Popen[bytes]) -> None:
    job.send_signal(signal.SIGTERM)
    try:
        job.wait(20)
    except subprocess.TimeoutExpired:
        job.kill()
        job.wait()


def main(words: Sequence[str]) -> int:
    """Run a command on a cluster of one's own, or keep the cluster until Ctrl-C or SIGTERM."""
    command = list(words[1:] if words[:1] == ["--"] else words)
    # a shell starts its background jobs with SIGINT ignored
    for how in (signal.SIGINT, signal.SIGTERM):
        signal.signal(how, signal.default_int_handler)
    with standalone() as address:
        if not command:
            print(address, flush=True)
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()
            return 0
        env = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": _HOST} | os.environ
        return subprocess.run([*command, "--engine", address], env=env).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
