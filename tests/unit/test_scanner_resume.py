"""A scan that was stopped, however, is finished by --resume to the bytes of one that was not."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from stillwatch.errors import ConfigError
from stillwatch.scanner import Progress, scan
from stillwatch.scanner.folder import STEPS, claimed
from stillwatch.simulate import SimulatedWorld, simulate

KILLS = 3  # perf/kills.py does fifty


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SimulatedWorld:
    return simulate("tiny", seed=5, out=tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def whole_run(tiny: SimulatedWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "run"
    go(tiny, out)
    return out


@pytest.fixture(scope="module")
def whole(whole_run: Path) -> dict[str, bytes]:
    """Return the bytes of a run that nothing disturbed."""
    return contents(whole_run)


@pytest.fixture(scope="module")
def half_run(tiny: SimulatedWorld, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run that was stopped before the objects."""
    out = tmp_path_factory.mktemp("half") / "run"
    with pytest.raises(Stop):
        go(tiny, out, progress=stop_at("objects"))
    return out


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture
def half(half_run: Path, out: Path) -> Path:
    """Return a copy of the run that was stopped, to go on with."""
    return shutil.copytree(half_run, out)


@pytest.fixture
def finished(whole_run: Path, out: Path) -> Path:
    """Return a copy of the run that nothing disturbed."""
    return shutil.copytree(whole_run, out)


def go(world: SimulatedWorld, out: Path, **options: Any) -> Any:
    given = {"accounts": world.accounts_csv, "permits": world.permits_csv} | options
    return scan([world.out / "exchanges"], out=out, **given)


def contents(folder: Path) -> dict[str, bytes]:
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "timing.json"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def differing(one: dict[str, bytes], other: dict[str, bytes]) -> list[str]:
    return sorted(n for n in one.keys() | other.keys() if one.get(n) != other.get(n))


def kept(out: Path) -> set[str]:
    return set(json.loads((out / "timing.json").read_text())["kept"])


class Stop(Exception):
    """Raised by a listener to progress, to stop a scan at a stage."""


def stop_at(stage: str) -> Callable[[Progress], None]:
    def listen(now: Progress) -> None:
        if now.stage == stage:
            raise Stop

    return listen


def command(world: SimulatedWorld, out: Path) -> list[str]:
    words = ["scan", world.out / "exchanges", "--accounts", world.accounts_csv,
             "--permits", world.permits_csv, "--out", out, "--quiet", "--resume"]  # fmt: skip
    return [sys.executable, "-m", "stillwatch.cli", *map(str, words)]


# Kills


def killed(words: list[str], after_s: float) -> bool:
    """Start a scan and kill it ``after_s`` later; say whether it was still running."""
    with subprocess.Popen(words, stdout=subprocess.DEVNULL) as job:
        try:
            job.wait(after_s)
        except subprocess.TimeoutExpired:
            job.send_signal(signal.SIGKILL)
            return True
    return False


@pytest.mark.slow
def test_kills_at_random_moments_change_no_byte(
    tiny: SimulatedWorld, whole: dict[str, bytes], tmp_path: Path
) -> None:
    began = time.monotonic()
    subprocess.run(command(tiny, tmp_path / "timed"), check=False, stdout=subprocess.DEVNULL)
    usual_s = time.monotonic() - began
    seed = random.SystemRandom().randrange(10**9)
    rng = random.Random(seed)
    for number in range(KILLS):
        out = tmp_path / f"run-{number}"
        until_s = usual_s  # a machine that got faster ends before the kill: aim earlier, start anew
        while not killed(command(tiny, out), rng.uniform(0, until_s)):
            until_s /= 2
            shutil.rmtree(out)
        killed(command(tiny, out), rng.uniform(0, usual_s))  # a run that is itself a resumed one
        go(tiny, out, resume=True)
        assert differing(contents(out), whole) == [], f"seed {seed}, run {number}"


@pytest.mark.parametrize("where", ["reading", "exchanges", "objects", "spikes", "judge", "report"])
def test_what_was_finished_is_kept_and_the_rest_is_done(
    where: str, tiny: SimulatedWorld, whole: dict[str, bytes], out: Path
) -> None:
    with pytest.raises(Stop):
        go(tiny, out, progress=stop_at(where))
    go(tiny, out, resume=True)
    assert differing(contents(out), whole) == []
    names = [step.name for step in STEPS]
    done = names[: names.index(where)] if where in names else names
    outputs = {step.output for step in STEPS if step.name in done}
    assert kept(out) == (set() if where == "reading" else {"features", *outputs})


def test_ctrl_c_says_how_to_go_on_and_that_works(
    tiny: SimulatedWorld, whole: dict[str, bytes], out: Path
) -> None:
    words = [w for w in command(tiny, out) if w != "--quiet"]
    # who runs the tests in the background ignores Ctrl-C, and children would inherit that
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=heard
    ) as job:
        assert job.stderr is not None
        while not job.stderr.readline().startswith(b"objects"):
            assert job.poll() is None
        job.send_signal(signal.SIGINT)
        _, told = job.communicate(timeout=240)
    assert job.returncode == 130
    assert b"--resume" in told
    go(tiny, out, resume=True)
    assert {"features", "exchanges"} <= kept(out)
    assert differing(contents(out), whole) == []


@pytest.mark.parametrize(
    ("reached", "size"), [("reading", 40_000), ("objects", 5_000), ("report", 20_000)]
)
def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(
    reached: str, size: int, tiny: SimulatedWorld, whole: dict[str, bytes], out: Path
) -> None:
    """No file may grow beyond ``size`` bytes: the system refuses the write as on a full disk."""
    with pytest.raises(Stop):
        go(tiny, out, progress=stop_at(reached))
    limited = subprocess.run(
        command(tiny, out),
        check=False, capture_output=True, text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )  # fmt: skip
    assert limited.returncode == 1
    assert "Traceback" not in limited.stderr
    assert "Next: free disk space" in limited.stderr
    assert "--resume" in limited.stderr
    for table in (out / "stages").glob("*.parquet"):
        pq.read_table(table)
    go(tiny, out, resume=True)
    assert ("features" in kept(out)) == (reached != "reading")
    assert differing(contents(out), whole) == []


# What is taken for whole


def test_what_a_half_written_step_leaves_is_not_taken(
    tiny: SimulatedWorld, whole: dict[str, bytes], half: Path
) -> None:
    stages = half / "stages"
    (stages / "objects.part").write_bytes(b"PAR1 and no more")
    (stages / "spill").mkdir(exist_ok=True)
    (stages / "spill" / "half").write_bytes(b"x")
    go(tiny, half, resume=True)
    assert "features" in kept(half)
    assert "objects" not in kept(half)
    assert differing(contents(half), whole) == []


def test_tables_without_a_note_that_reading_was_finished_are_made_anew(
    tiny: SimulatedWorld, whole: dict[str, bytes], half: Path
) -> None:
    (half / "stages" / "resume.json").unlink()
    go(tiny, half, resume=True)
    assert kept(half) == set()
    assert differing(contents(half), whole) == []


def test_without_resume_everything_is_done_again(
    tiny: SimulatedWorld, whole: dict[str, bytes], half: Path
) -> None:
    go(tiny, half)
    assert kept(half) == set()
    assert differing(contents(half), whole) == []


def test_a_finished_run_is_left_as_it_is(tiny: SimulatedWorld, finished: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in finished.rglob("*")}
    told: list[Progress] = []
    result = go(tiny, finished, resume=True, progress=told.append)
    assert {p: p.stat().st_mtime_ns for p in finished.rglob("*")} == before
    assert told == []
    assert result.summary["rows_kept"] == tiny.exchanges


def test_a_run_killed_between_its_last_file_and_tidying_is_tidied(
    tiny: SimulatedWorld, whole: dict[str, bytes], finished: Path
) -> None:
    (finished / "stages" / "features.parquet").write_bytes(b"left over")
    go(tiny, finished, resume=True)
    assert differing(contents(finished), whole) == []


# What is refused


def other_alpha(world: SimulatedWorld) -> dict[str, Any]:
    return {"alpha": 0.02}


def no_accounts(world: SimulatedWorld) -> dict[str, Any]:
    return {"accounts": None}


@pytest.mark.parametrize("how_far", ["half_run", "whole_run"])
@pytest.mark.parametrize(("change", "named"), [(other_alpha, "alpha"), (no_accounts, "--accounts")])
def test_another_request_is_refused_by_name_and_nothing_is_touched(
    change: Callable[[SimulatedWorld], dict[str, Any]], named: str, how_far: str,
    tiny: SimulatedWorld, out: Path, request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    shutil.copytree(request.getfixturevalue(how_far), out)
    before = contents(out)
    with pytest.raises(ConfigError, match=f"asked for something else: {named} Next") as refused:
        go(tiny, out, resume=True, **change(tiny))
    assert refused.value.where == "--resume"
    assert contents(out) == before


@pytest.mark.parametrize("how", ["a byte", "the time", "a file more"])
def test_a_changed_log_is_refused(how: str, tmp_path: Path, out: Path) -> None:
    world = simulate("tiny", seed=6, out=tmp_path / "world")
    with pytest.raises(Stop):
        go(world, out, progress=stop_at("objects"))
    log = world.files["parquet"][0]
    times = log.stat().st_mtime_ns
    if how == "a byte":
        held = bytearray(log.read_bytes())
        held[len(held) // 2] ^= 1
        log.write_bytes(held)
        os.utime(log, ns=(times, times))
    elif how == "the time":
        os.utime(log, ns=(times + 1, times + 1))
    else:
        (log.parent / "more.parquet").write_bytes(log.read_bytes())
    with pytest.raises(ConfigError, match="asked for something else: input "):
        go(world, out, resume=True)


def test_another_version_is_refused(
    tiny: SimulatedWorld, half: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stillwatch.__version__", "9.9.9")
    with pytest.raises(ConfigError, match="version of stillwatch"):
        go(tiny, half, resume=True)


def test_a_pipe_is_refused(tiny: SimulatedWorld, out: Path) -> None:
    words = ["scan", "-", "--format", "csv", "--out", str(out), "--resume", "--quiet"]
    told = subprocess.run(
        [sys.executable, "-m", "stillwatch.cli", *words],
        check=False, capture_output=True, text=True, input="exchange_id,ts,account_id,model\n",
    )  # fmt: skip
    assert told.returncode == 1
    assert "a pipe cannot be read again" in told.stderr


def test_two_scans_do_not_write_to_one_folder(tiny: SimulatedWorld, out: Path) -> None:
    with claimed(out), pytest.raises(ConfigError, match="another scan writes to this folder"):
        go(tiny, out)
    go(tiny, out)  # the lock went with its holder


def test_a_folder_with_other_things_is_refused_when_resuming_too(
    tiny: SimulatedWorld, out: Path
) -> None:
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="other things"):
        go(tiny, out, resume=True)
    assert contents(out) == {"notes.txt": b"mine"}
