"""The kernel gives the golden features on arm64 and without vectors: compiled for it and run.

arm64 needs Debian's gcc-aarch64-linux-gnu, libc6-dev-arm64-cross and qemu-user, which .ci/packages
installs.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

from stillwatch.kernel import Features, vectors

ROOT = Path(__file__).parents[2]
GOLDEN = json.loads((ROOT / "tests" / "golden" / "kernel_vectors.json").read_text())["vectors"]
NOT_TEXT = ("intents", "topic")  # intents come from the patterns, outside C

TARGETS = {
    "arm64": (["aarch64-linux-gnu-gcc", "-static"], ["qemu-aarch64"]),
    "this, base instructions": (["gcc"], []),
    "this, no vectors at all": (["gcc", "-U__SSE2__"], []),
}


def packed(text: str | bytes | None) -> bytes:
    if text is None:
        return struct.pack("<I", 0xFFFFFFFF)
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return struct.pack("<I", len(data)) + data


def packed_exchange(exchange: dict[str, Any]) -> bytes:
    messages = [m for m in exchange.get("messages") or () if m]
    tools = exchange.get("tools") or ()
    texts = ("tool_schema", "output_text", "reasoning_text", "reasoning_blob")
    parts = [struct.pack("<I", len(messages))]
    parts += [packed(m.get(field)) for m in messages for field in ("role", "content")]
    parts += [struct.pack("<I", len(tools)), *map(packed, tools)]
    return b"".join([*parts, *(packed(exchange.get(name)) for name in texts)])


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
def test_the_golden_features_come_out(target: str, tmp_path: Path) -> None:
    compiler, emulator = TARGETS[target]
    absent = [word for word in (compiler[0], *emulator) if shutil.which(word) is None]
    assert not absent, f"{absent[0]} is not installed: .ci/packages installs it"
    program = tmp_path / "golden"
    include = f"-I{ROOT / 'src' / 'stillwatch' / 'kernel' / 'c'}"
    source = Path(__file__).parent / "golden.c"
    flags = ["-O3", "-std=c11", "-Wall", "-Wextra", "-Werror", include]
    subprocess.run([*compiler, *flags, str(source), "-o", str(program)], check=True)
    exchanges = [vectors.decode_exchange(v["exchange"]) for v in GOLDEN.values()]
    told = subprocess.run(
        [*emulator, str(program)],
        input=b"".join(map(packed_exchange, exchanges)), check=True, capture_output=True,
    )  # fmt: skip
    lines = told.stdout.decode().splitlines()
    assert len(lines) == len(GOLDEN) > 10
    names = [name for name in Features._fields if name != "topic"]
    for (name, vector), line in zip(GOLDEN.items(), lines, strict=True):
        *numbers, topic = line.split()
        found = dict(zip(names, (int(n, 16) for n in numbers), strict=True))
        expected = {k: int(v, 16) for k, v in vector["features"].items() if k not in NOT_TEXT}
        assert {k: v for k, v in found.items() if k not in NOT_TEXT} == expected, name
        assert topic == vector["features"]["topic"], name
