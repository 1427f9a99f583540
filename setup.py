"""Builds the C kernel; everything else stands in pyproject.toml.

The extension is optional: without a compiler the package installs and uses the slow reference.
It is one abi3 wheel for CPython 3.11 and later.
"""

import sys
from pathlib import Path

from setuptools import Extension, setup

C_FOLDER = "src/stillwatch/kernel/c"

setup(
    ext_modules=[
        Extension(
            "stillwatch.kernel._kernel",
            sources=sorted(str(path) for path in Path(C_FOLDER).glob("*.c")),
            depends=sorted(str(path) for path in Path(C_FOLDER).glob("*.h")),
            define_macros=[("Py_LIMITED_API", "0x030B0000")],
            py_limited_api=True,
            extra_compile_args=[] if sys.platform == "win32" else ["-O3", "-std=c11"],
            optional=True,
        )
    ],
    options={"bdist_wheel": {"py_limited_api": "cp311"}},
)
