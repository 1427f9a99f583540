"""An environment with Spark and Sail below build/, made once; their pins stand nowhere else."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import stillwatch

ROOT = Path(__file__).parents[2]
PINS = ("pysail==0.7.2", "pyspark[connect]==4.2.0", "pandas<3")


def engines_python() -> Path:
    """Return the Python that has the engines and, by a path file, everything that tests have."""
    folder = ROOT / "build" / "engines"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / ".engines.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "bin" / "sail").exists():
            subprocess.run([sys.executable, "-m", "venv", folder], check=True)
            python = folder / "bin" / "python"
            asked = "import sysconfig; print(sysconfig.get_path('purelib'))"
            site = subprocess.run([python, "-c", asked], check=True, capture_output=True, text=True)
            seen = [str(Path(stillwatch.__file__).parents[1])]
            seen += [path for path in sys.path if path.endswith("site-packages")]
            (Path(site.stdout.strip()) / "stillwatch-tests.pth").write_text("\n".join(seen) + "\n")
            pip = [python, "-m", "pip", "-q", "--disable-pip-version-check"]
            subprocess.run([*pip, "install", "--no-compile", *PINS], check=True)
    return folder / "bin" / "python"
