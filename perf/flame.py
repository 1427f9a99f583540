"""A flame graph of a whole scan, native code with it, and what it spends most on.

    make profile [COPIES=13], or perf/flame.py --spy build/profile/bin/py-spy [--copies 13] [--keep]

py-spy looks at every thread of a scan of the world "demo", copied, twenty times a second, and
counts those that run. 13 copies are a million exchanges, 127 ten million: samples are kept in
bench/work/flame and not taken anew, so that a drawing can be changed without a scan. ``--keep``
writes docs/scan-flame.svg and bench/results/flame.json.

A sample belongs to the deepest function of stillwatch on its stack. Shares are of samples; their
error is at most one over the root of the number of samples. py-spy knows threads that run Python:
what DuckDB does on threads of its own is not in it, so that SQL has more of the whole than shown.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any, Final

from machine import commit, describe
from plan_runs import WORK, logs_of

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "scan-flame.svg"
RESULT = ROOT / "bench" / "results" / "flame.json"
RATE: Final = 20
_DEEPEST: Final = 48
_BEGINS, _IMPORTING = "main (scan_steps.py", "<frozen importlib"
_WIDTH, _ROW, _LEAST, _LETTER = 1200, 16, 0.004, 6.2
_FRAME = re.compile(r"^(?P<name>.*) \((?P<file>[^()]*)\)$")
_PYTHON = re.compile(r"\.py(:\d+)?\)$")
_TEMPLATE = re.compile(r"<[^<>]*>")
# By what code a frame is of: ours, other Python, native.
_COLOURS: Final = {"ours": "#f2b35d", "python": "#9fc5e8", "native": "#c9c9c9"}

Stacks = Counter[tuple[str, ...]]


def sampled(spy: Path, copies: int, raw: Path) -> None:
    """Scan under py-spy and keep its folded stacks. Raises CalledProcessError."""
    logs, accounts = logs_of(f"x{copies}")
    out = raw.with_suffix(".run")
    shutil.rmtree(out, ignore_errors=True)
    told = {"logs": logs, "accounts": accounts, "out": out, "memory": "4GB", "threads": 2}
    words = [spy, "record", "--native", "--function", "--rate", RATE, "--format", "raw",
             "--output", raw.with_suffix(".part"), "--", sys.executable, "-P",
             ROOT / "perf" / "scan_steps.py", json.dumps(told, default=os.fspath)]  # fmt: skip
    done = subprocess.run(
        [str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True
    )
    (steps,) = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    summary = json.loads((out / "summary.json").read_text())
    told = {"rows": summary["rows_in"], "accounts": summary["accounts"],
            "cpu_s_by_step": {step: round(s, 2) for step, s in steps.items()}}  # fmt: skip
    raw.with_suffix(".json").write_text(json.dumps(told))
    shutil.rmtree(out)
    raw.with_suffix(".part").replace(raw)


def stacks_of(raw: Path) -> Stacks:
    """Return samples by stack, outermost frame first, each as "name (file)" without a folder."""
    found: Stacks = Counter()
    for line in raw.read_text("utf-8").splitlines():
        stack, _, count = line.rpartition(" ")
        frames = [frame for frame in map(named, stack.split(";")) if _IMPORTING not in frame]
        begins = [k for k, frame in enumerate(frames) if frame.startswith(_BEGINS)]
        found[tuple(frames[begins[-1] if begins else 0 :][:_DEEPEST])] += int(count)
    return found


def named(frame: str) -> str:
    """Return a frame's name without the folders of this machine and the arguments of templates."""
    match = _FRAME.match(frame.strip())
    name, file = (match["name"], match["file"]) if match else (frame.strip(), "")
    if name.startswith("0x"):
        name = "?"  # an address, which is another one in each run
    while not name.startswith("<") and (shorter := _TEMPLATE.sub("", name)) != name:
        name = shorter
    inside = re.search(r"(stillwatch/.*)$", file)
    return f"{name} ({inside[1] if inside else Path(file).name})" if file else name


def kind(frame: str) -> str:
    if "(stillwatch/" in frame:
        return "ours"
    return "python" if _PYTHON.search(frame) else "native"


def owner(stack: tuple[str, ...]) -> str:
    """Return the deepest function of stillwatch on a stack."""
    for frame in reversed(stack):
        if "(stillwatch/" in frame:
            return frame
    return "other"


@dataclass
class Node:
    """A frame and what was called from it."""

    count: int = 0
    below: dict[str, Node] = field(default_factory=dict)


def tree(stacks: Stacks) -> Node:
    root = Node()
    for stack, count in stacks.items():
        at = root
        at.count += count
        for frame in stack:
            at = at.below.setdefault(frame, Node())
            at.count += count
    return root


def drawn(stacks: Stacks, title: str) -> str:
    """Return the flame graph as SVG; frames under 0.4 % of all samples are left out."""
    root = tree(stacks)
    boxes: list[str] = []
    deepest = 0

    def draw(name: str, node: Node, left: float, depth: int) -> None:
        nonlocal deepest
        share = node.count / root.count
        if share < _LEAST:
            return
        deepest = max(deepest, depth)
        width, y = share * _WIDTH, depth * _ROW
        letters = int((width - 4) / _LETTER)
        text = name if len(name) <= letters else name[: letters - 1] + "…"
        words = f'<text x="3" y="12">{escape(text)}</text>' if letters > 3 else ""
        boxes.append(
            f'<g transform="translate({left:.1f} {y})"><title>{escape(name)}: {share:.1%}</title>'
            f'<rect width="{max(width - 0.5, 0.5):.1f}" height="{_ROW - 1}" rx="1" '
            f'fill="{_COLOURS[kind(name)]}"/>{words}</g>'
        )
        for child, under in sorted(node.below.items()):
            draw(child, under, left, depth + 1)
            left += under.count / root.count * _WIDTH

    left = 0.0
    for name, node in sorted(root.below.items()):
        draw(name, node, left, 0)
        left += node.count / root.count * _WIDTH
    height = (deepest + 1) * _ROW + 24
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'font-family="monospace" font-size="10"><title>{escape(title)}</title>'
        f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/><text x="3" y="14">{escape(title)}'
        f'</text><g transform="translate(0 22)">{"".join(boxes)}</g></svg>\n'
    )


def hottest(stacks: Stacks) -> list[dict[str, Any]]:
    """Return whose samples are most, with their share: the ten first."""
    every = sum(stacks.values())
    shares: Counter[str] = Counter()
    for stack, count in stacks.items():
        shares[owner(stack)] += count
    return [{"what": what, "share": round(count / every, 3)}
            for what, count in shares.most_common(10)]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spy", type=Path, required=True, help="the program py-spy")
    parser.add_argument("--copies", type=int, default=13)
    parser.add_argument("--keep", action="store_true")
    asked = parser.parse_args()
    raw = WORK / "flame" / f"x{asked.copies}.folded"
    raw.parent.mkdir(parents=True, exist_ok=True)
    if not raw.is_file():
        sampled(asked.spy, asked.copies, raw)
    stacks = stacks_of(raw)
    told = json.loads(raw.with_suffix(".json").read_text())
    samples = sum(stacks.values())
    within: Counter[str] = Counter()
    for stack, count in stacks.items():
        within.update(dict.fromkeys(set(stack), count))
    result = {
        "command": f"make profile COPIES={asked.copies}",
        "commit": commit(),
        "machine": describe(),
        **told,
        "samples": samples,
        "rate_per_s": RATE,
        "hottest": hottest(stacks),
        "with_what_they_call": [
            {"what": what, "share": round(count / samples, 3)}
            for what, count in within.most_common(60)
            if "(stillwatch/" in what
        ],
    }
    picture = drawn(stacks, f"a scan of {told['rows']:,} exchanges, {samples:,} samples")
    (PICTURE if asked.keep else raw.with_suffix(".svg")).write_text(picture, "utf-8")
    (RESULT if asked.keep else raw.with_suffix(".result.json")).write_text(
        json.dumps(result, indent=1) + "\n"
    )
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
