"""A wheel with the kernel, and a source package that installs where there is no compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
FROM_HERE = ["--no-deps", "--no-build-isolation", "--no-index"]
FEATURES = """
import warnings
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    from stillwatch import kernel
    row = kernel.one({"messages": [{"role": "user", "content": "Rate this: step by step."}]})
print(kernel.__file__)
print(row)
print([str(w.message) for w in said])
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of what a package is made of, without anything that was built in place."""
    copy = tmp_path_factory.mktemp("tree") / "stillwatch"
    built = shutil.ignore_patterns("*.so", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", copy / "src", ignore=built)
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, copy / name)
    return copy


def imported(folder: Path) -> tuple[str, str, str]:
    """Return where the kernel lies, features of one exchange, and what was warned of."""
    told = subprocess.run(
        [sys.executable, "-c", FEATURES],
        env=os.environ | {"PYTHONPATH": str(folder)}, cwd=folder,
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    where, row, warned = told.stdout.splitlines()
    return where, row, warned


def test_the_wheel_holds_one_kernel_for_every_python(tree: Path, tmp_path: Path) -> None:
    subprocess.run([*PIP, "wheel", *FROM_HERE, "-w", str(tmp_path), str(tree)], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert "-cp311-abi3-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert "stillwatch/kernel/_kernel.abi3.so" in names
    assert "stillwatch/py.typed" in names
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    where, _, warned = imported(tmp_path / "site")
    assert where.startswith(str(tmp_path))
    assert warned == "[]"


def test_the_source_package_installs_without_a_compiler(tree: Path, tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "setup.py", "-q", "sdist", "-d", str(tmp_path)], cwd=tree, check=True
    )
    (packed,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(packed) as source:
        names = {n.split("/", 1)[1] for n in source.getnames() if "/" in n}
    sources = (ROOT / "src" / "stillwatch" / "kernel" / "c").iterdir()
    assert {f"src/stillwatch/kernel/c/{p.name}" for p in sources} <= names
    site = tmp_path / "site"
    subprocess.run(
        [*PIP, "install", *FROM_HERE, "--target", str(site), str(packed)],
        env=os.environ | {"CC": "/no/such/compiler"}, check=True,
    )  # fmt: skip
    assert not list(site.rglob("*.so"))
    where, row, warned = imported(site)
    assert where.startswith(str(site))
    assert "kernel is not built" in warned
    from stillwatch import kernel

    exchange = {"messages": [{"role": "user", "content": "Rate this: step by step."}]}
    assert row == str(kernel.one(exchange))
