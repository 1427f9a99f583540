"""Other people's scripts that the console serves: whole, unchanged, licensed, and named.

To take a newer one: `npm pack NAME@VERSION`, copy file and licence under the new version,
change it in `paper.py`, the templates, `NOTICE` and here, and run the browser tests.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from pathlib import Path

import pytest

from stillwatch.console.paper import read_static, static_name

# SHA-256 of the files in the npm packages that NOTICE names
VENDORED = {
    "htmx-4.0.1.min.js": "a0abb04f2f45a1f89d1d4844023245537e5e6014c87b144553e0607b4cc32130",
    "sigma-3.0.3.min.js": "58e30383ab428f832068d9d16a5215c65ba12430d438ed091c5703f398de9e16",
    "graphology-0.26.0.umd.min.js":
        "dc337efa23903f61e064c8e7e7f93a429e6855dccfc2458802b4ed30c621c087",
    "uplot-1.6.32.min.js": "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f",
    "uplot-1.6.32.min.css": "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04",
}  # fmt: skip
STATIC = resources.files("stillwatch.console").joinpath("static")
NOTICE = Path(__file__).parents[3] / "NOTICE"


@pytest.mark.parametrize("name", VENDORED)
def test_it_is_what_its_package_holds(name):
    held, kind = read_static(static_name(name).removeprefix("/static/"))
    assert hashlib.sha256(held).hexdigest() == VENDORED[name]
    assert kind.startswith("text/css" if name.endswith(".css") else "text/javascript")


@pytest.mark.parametrize("name", VENDORED)
def test_its_licence_lies_beside_it_and_the_notice_names_it(name):
    stem = name.rpartition(".")[0].removesuffix(".min").removesuffix(".umd")
    licence = STATIC.joinpath(f"{stem}.LICENSE").read_text(encoding="utf-8")
    assert "Permission" in licence
    assert "AS IS" in licence.upper()
    assert name in NOTICE.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", VENDORED)
def test_it_asks_for_nothing_that_our_policy_forbids(name):
    text = STATIC.joinpath(name).read_text(encoding="utf-8")
    if not name.startswith("htmx"):  # htmx can, where it may; our policy lets it not
        assert "eval(" not in text
    assert "document.write" not in text
    if name.startswith("uplot"):  # what it draws is made of elements and styles of the object model
        assert "innerHTML" not in text
        assert "url(" not in text
        assert "@import" not in text


def test_every_script_of_others_is_in_the_list():
    ours = {"console.js", "charts.js", "graph.js", "graph-able.js", "console.css"}
    scripts = {f.name for f in STATIC.iterdir() if f.name.endswith((".js", ".css"))}
    assert scripts == ours | set(VENDORED)
