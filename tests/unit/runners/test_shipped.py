"""The package as it is sent to workers: whole, the same every time, its kernel compiled."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

from stillwatch.runners import shipped

ASKED = """
import sys
sys.path.insert(0, sys.argv[1])
import stillwatch
from stillwatch.kernel import one
from stillwatch.kernel.implementation import native
assert one({"messages": [{"role": "user", "content": "a prompt"}]}) is not None
print(stillwatch.__file__, native().__file__, sep="\\n")
"""


def test_what_is_packed_runs_its_compiled_kernel_where_it_is_unpacked(tmp_path: Path) -> None:
    sent = shipped.pack(tmp_path)
    assert sent.archive == tmp_path / f"{sent.folder}.zip"
    place = tmp_path / sent.folder
    with zipfile.ZipFile(sent.archive) as archive:
        archive.extractall(place)
    done = subprocess.run(
        [sys.executable, "-P", "-c", ASKED, place], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    package, kernel = done.stdout.splitlines()
    assert Path(package) == place / "stillwatch" / "__init__.py"
    assert Path(kernel).parent == place / "stillwatch" / "kernel"


def test_the_same_package_is_the_same_archive(tmp_path: Path) -> None:
    """A cluster that was sent it before knows it by its name."""
    first = shipped.pack(tmp_path)
    held = first.archive.read_bytes()
    first.archive.unlink()
    assert shipped.pack(tmp_path) == first
    assert first.archive.read_bytes() == held
