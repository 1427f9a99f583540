"""What `import stillwatch` and `stillwatch --help` load, seen from a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from stillwatch.seal import new_key

HEAVY = {
    "duckdb",
    "hyperscan",
    "hypothesis",
    "jinja2",
    "msgspec",
    "sknetwork",
    "numpy",
    "orjson",
    "pandas",
    "pyarrow",
    "pydantic_settings",
    "scipy",
    "stix2",
    "zstandard",
}


def loaded_by(code: str) -> set[str]:
    """Return the names in sys.modules after the code has run in a new interpreter."""
    ending = "import sys, json; print('\\n' + json.dumps(sorted(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", f"try:\n    {code}\nexcept SystemExit:\n    pass\n{ending}"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(told.stdout.splitlines()[-1]))


def test_import_loads_nothing_but_the_package_itself():
    loaded = loaded_by("import stillwatch")
    assert {m for m in loaded if m.startswith("stillwatch")} == {"stillwatch"}
    assert not loaded & (HEAVY | {"typer", "rich", "asyncio", "email"})


def test_schema_loads_neither_arrow_nor_an_engine():
    assert not loaded_by("import stillwatch.schema") & HEAVY


@pytest.mark.parametrize("command", ["", "scan", "explain", "demo", "ingest", "simulate", "bench"])
def test_help_loads_neither_arrow_nor_an_engine_nor_numbers(command):
    words = [word for word in (command, "--help") if word]
    loaded = loaded_by(f"from stillwatch.cli.app import run; run({words!r})")
    assert "stillwatch.cli.app" in loaded
    assert not loaded & HEAVY
    rooms = {m.split(".")[1] for m in loaded if m.startswith("stillwatch.")}
    assert rooms <= {"cli", "errors", "schema"}


def test_the_search_sees_what_is_loaded():
    assert "pyarrow" in loaded_by("import stillwatch.store")


def test_a_collector_loads_no_cases_and_no_numbers(tmp_path):
    words = ["collect", str(tmp_path / "logs")]
    loaded = loaded_by(
        "import stillwatch.collect as room; room.serve = print;"
        f" from stillwatch.cli.app import run; run({words!r})"
    )
    assert "stillwatch.collect.compaction" in loaded
    assert not loaded & {"scipy", "sqlalchemy", "stillwatch.cases", "stillwatch.policy"}


def test_a_guard_loads_no_cases_and_no_arrow(tmp_path):
    key = tmp_path / "key.pem"
    new_key(key)
    words = ["guard", "serve", "--snapshot", "none", "--trust", f"{key}.pub"]
    loaded = loaded_by(
        "import stillwatch.guard as room; room.serve = lambda *_, **__: print('served');"
        f" from stillwatch.cli.app import run; run({words!r})"
    )
    assert "stillwatch.guard.decide" in loaded
    assert not loaded & {"sqlalchemy", "scipy", "pyarrow", "duckdb", "stillwatch.cases"}


def test_cases_load_no_statistics_until_a_sample_is_weighed():
    assert not loaded_by("import stillwatch.cases") & {"scipy.stats", "stillwatch.stats"}
