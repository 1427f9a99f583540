"""The report of the exchange: what each learned and what it did not, as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

__all__ = ["page"]

_HEAD: Final = """<!doctype html><html lang="en"><meta charset="utf-8">
<title>Three providers and a hub</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:56rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #999;padding:.25rem .6rem;
text-align:left;vertical-align:top}code{font-size:.9em}</style>
"""


def _table(head: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    def line(cells: Iterable[object], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{escape(str(c))}</{tag}>" for c in cells) + "</tr>\n"

    return "<table>" + line(head, "th") + "".join(line(r, "td") for r in rows) + "</table>\n"


def _said(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {standing}" for standing, n in sorted(counts.items())) or "none"


def _learned(one: Mapping[str, Any]) -> str:
    shared = one["shared"]
    contributors = sorted({row["contributor"] for row in shared})
    points = [
        f"It pulled {len(one['indicators'])} fingerprints in force of other members.",
        f"{len({row['account_id'] for row in shared})} of its own accounts carry some of them, "
        f"shared by {', '.join(contributors) or 'nobody'}.",
        f"Accounts of the campaign (only the simulator knows which) alone: "
        f"{_said(one['alone']['campaign'])}; with the indicators: "
        f"{_said(one['together']['campaign'])}.",
        f"All other accounts alone: {_said(one['alone']['others'])}; with the indicators: "
        f"{_said(one['together']['others'])}.",
        "It did not learn: which provider stands under the pseudonym, whose accounts carried the "
        "fingerprints there, how many exactly, what they asked, or what anybody did about them.",
    ]
    if not one["accused_alone"]:
        points.append("Alone it accused nobody, so it had nothing that may be released.")
    return "<ul>" + "".join(f"<li>{escape(p)}</li>" for p in points) + "</ul>\n"


def page(result: Mapping[str, Any]) -> str:
    """Return the page; every value in it is escaped."""
    wire = result["wire"]
    leaks = len(wire["identifiers_found"]) + len(wire["passages_found"])
    verdict = "None of them is in it." if not leaks else f"{leaks} ARE IN IT."
    parts = [
        _HEAD,
        "<h1>Three providers and a hub</h1>\n",
        f"<p>Simulated: {result['exchanges']:,} exchanges of {result['accounts']:,} accounts, seed "
        f"{result['seed']}; one campaign, divided. Took {result['seconds']} s.</p>\n",
        _table(
            ("provider", "accounts", "of the campaign", "accused campaigns alone",
             "released by two persons", "fingerprints pulled"),
            ((p["name"], p["accounts"], p["of_the_campaign"], p["accused_alone"], p["released"],
              len(p["indicators"])) for p in result["providers"]),
        ),
    ]  # fmt: skip
    for one in result["providers"]:
        parts += [f"<h2>What {escape(one['name'])} learned</h2>\n", _learned(one)]
    parts += [
        "<h2>What went over the wire</h2>\n",
        f"<p>{wire['bytes']:,} bytes, both ways, kept in <code>wire/</code>. They were searched "
        f"for {wire['identifiers']:,} identifiers (plain, escaped, in hex, in Base64, hashed with "
        f"SHA-256 or MD5) and for every passage of 24 characters of {wire['texts']:,} prompts, "
        f"answers and tool definitions. <strong>{verdict}</strong> That the search can find "
        f"something: of {wire['fingerprints']} shared fingerprints it finds "
        f"{wire['fingerprints_found']}.</p>\n",
        "<p>A fingerprint is a 64-bit hash of a text: whoever has the text recognizes it.</p>\n",
        "<h2>What the hub recorded</h2>\n",
        _table(("event", "times"), sorted(result["events"].items())),
    ]
    return "".join(parts) + "</html>\n"
