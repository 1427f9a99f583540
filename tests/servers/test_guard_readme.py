"""The page beside the guard's examples, read by a newcomer who types what it says."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conversations import SAID
from ports import free_port

from .conftest import EXAMPLES, must_have

PAGE = (EXAMPLES / "README.md").read_text("utf-8")
WAIT = "for k in $(seq 300); do curl -s -o /dev/null {} && break; sleep 0.2; done"


def test_every_example_is_on_the_page_and_everything_it_names_is_there():
    names = {path.name for path in EXAMPLES.iterdir() if path.is_file()} - {"README.md", "keys.py"}
    assert {
        name for name in names if name not in PAGE and name.removesuffix(".py") not in PAGE
    } == set()
    placed = re.search(r'sed -i ".*" (.*)', PAGE)[1].split()
    assert all((EXAMPLES / name).is_file() for name in placed)
    holding = {
        p.name for p in EXAMPLES.iterdir() if p.is_file() and "bad-1" in p.read_text("utf-8")
    }
    assert holding - {"README.md", "traefik.toml"} <= set(placed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["nginx", "Caddy", "no gateway"])
def test_the_page_can_be_followed(kind, tmp_path):
    must_have("nginx" if kind == "no gateway" else kind.lower())
    ports = {"8080": free_port(), "8470": free_port(), "9000": free_port()}
    for path in EXAMPLES.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
            for old, new in ports.items():
                text = (tmp_path / path.name).read_text("utf-8")
                text = text.replace(old, str(new)).replace("200ms", "30s").replace("50ms", "30s")
                (tmp_path / path.name).write_text(text, encoding="utf-8")
    page = (tmp_path / "README.md").read_text("utf-8")
    start = re.search(rf"\| {kind}.*\| `(.*)` \|", page)[1]
    typed = [line[4:] for line in page.splitlines() if line.startswith("    ")]
    script = ["trap 'kill $(jobs -p)' EXIT"]
    for line in typed:
        given = line.replace("guard serve", f"guard serve --port {ports['8470']}")
        if given.startswith("curl") and "sk-good" in given:
            script += [
                f"{start} &",
                *(WAIT.format(f"http://127.0.0.1:{p}") for p in ports.values()),
            ]
        script.append(given + (" -w '\\n%{http_code}\\n'" if given.startswith("curl") else ""))
    bins = f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin"
    done = subprocess.run(
        ["bash", "-c", "\n".join(script)], cwd=tmp_path, capture_output=True, text=True,
        timeout=300, env={**os.environ, "PATH": bins}, check=False,
    )  # fmt: skip
    answers = re.findall(r"^(\{.*\})\n(\d{3})$", done.stdout, re.MULTILINE)
    assert [status for _, status in answers] == ["200", "403"], done.stdout + done.stderr
    good, bad = (json.loads(body) for body, _ in answers)
    said = "You said When does the tide turn?." if kind == "no gateway" else SAID
    assert good["choices"][0]["message"]["content"] == said
    assert "may not use the model. Reference node-0-" in bad["error"]["message"]
