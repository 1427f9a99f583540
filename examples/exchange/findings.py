"""The report of the exchange: what each learned and what it did not, as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any, Final

__all__ = ["page", "summary"]

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
    shared, alone, together = one["shared"], one["alone"], one["together"]
    if one["accused_alone"]:
        points = [
            f"Its own log alone was enough; of the campaign's accounts: "
            f"{_said(alone['campaign'])}. "
            "Two persons released the campaign, and it left as fingerprints of templates, methods "
            "and counts in bands.",
        ]
    else:
        points = [
            f"Its own log alone was not enough; of the campaign's accounts: "
            f"{_said(alone['campaign'])}. It accused nobody, so it had nothing that may be "
            "released.",
        ]
    if one["indicators"]:
        who = ", ".join(sorted({row["contributor"] for row in shared})) or "nobody"
        points += [
            f"From the hub it pulled {len(one['indicators'])} fingerprints; "
            f"{len({row['account_id'] for row in shared})} of its own accounts carry some of them. "
            f"The contributor's name is a pseudonym: {who}.",
            f"Scanned again with them, the campaign's accounts are: {_said(together['campaign'])}. "
            "A partner's word puts accounts on watch for a person to look at; it accuses nobody.",
        ]
    else:
        points.append("From the hub it pulled nothing: the others had nothing to tell.")
    points += [
        f"All its other accounts: {_said(alone['others'])} alone, {_said(together['others'])} with "
        "what was shared.",
        "It did not learn: which provider stands under a pseudonym, whose accounts carried the "
        "fingerprints there, how many exactly, what they asked, or what anybody did about them.",
    ]
    return "<ul>" + "".join(f"<li>{escape(p)}</li>" for p in points) + "</ul>\n"


_EVENTS: Final = {
    "submit": "a member handed in objects",
    "refuse": "the hub's rules refused objects",
    "deny": "a request was denied",
    "read": "a member read, and nothing was handed out",
    "release": "objects were handed to a member",
}


def summary(result: Mapping[str, Any]) -> list[str]:
    """Return what came of it, in four sentences."""
    told = [p for p in result["providers"] if p["accused_alone"]]
    others = [p for p in result["providers"] if not p["accused_alone"]]
    seen = sum(p["together"]["campaign"].get("watch", 0) for p in others)
    there = sum(sum(p["together"]["campaign"].values()) for p in others)
    alone = sum(sum(p["alone"]["campaign"].values()) for p in others) - sum(
        p["alone"]["campaign"].get("clear", 0) for p in others
    )
    harmed = sum(
        _told_of(p["together"]["others"]) - _told_of(p["alone"]["others"])
        for p in result["providers"]
    )
    wire = result["wire"]
    leaks = len(wire["identifiers_found"]) + len(wire["passages_found"])
    return [
        f"{_names(told)} saw enough of the campaign in its own log to accuse it.",
        f"{_names(others)} saw too little: alone, {alone} of the campaign's {there} accounts there "
        "stood out.",
        f"With what was shared, {seen} of those {there} are on watch there, and {harmed} accounts "
        "of honest customers more than before.",
        f"{wire['bytes']:,} bytes went over the wire; identifiers of customers and passages of "
        f"their texts in them: {leaks}.",
    ]


def _told_of(counts: Mapping[str, int]) -> int:
    return sum(n for standing, n in counts.items() if standing != "clear")


def _names(providers: Iterable[Mapping[str, Any]]) -> str:
    names = [str(p["name"]) for p in providers]
    return " and ".join(names) if names else "Nobody"


def page(result: Mapping[str, Any]) -> str:
    """Return the page; every value in it is escaped."""
    wire = result["wire"]
    leaks = len(wire["identifiers_found"]) + len(wire["passages_found"])
    verdict = "None of them is in it." if not leaks else f"{leaks} ARE IN IT."
    parts = [
        _HEAD,
        "<h1>Three providers and a hub</h1>\n",
        "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in summary(result)) + "</ul>\n",
        f"<p>Simulated: {result['exchanges']:,} exchanges of {result['accounts']:,} accounts, seed "
        f"{result['seed']}; one campaign of "
        f"{sum(p['of_the_campaign'] for p in result['providers'])} accounts, divided among the "
        f"three. Took {result['seconds']} s. Only the simulator knows which accounts are the "
        "campaign's; below they are counted apart to show who saw what. <em>Accused</em>: a "
        "finding that the provider may act upon. <em>Watch</em>: a person may look, nothing is "
        "done. <em>Clear</em>: nothing was found.</p>\n",
        _table(
            ("provider", "accounts that sent requests", "of them the campaign's",
             "campaigns accused from its own log", "campaigns released by two persons",
             "fingerprints pulled from others"),
            ((p["name"], sum(sum(side.values()) for side in p["alone"].values()),
              sum(p["alone"]["campaign"].values()), p["accused_alone"], p["released"],
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
        _table(
            ("event", "times", "that is"),
            ((name, n, _EVENTS.get(name, "")) for name, n in sorted(result["events"].items())),
        ),
    ]
    return "".join(parts) + "</html>\n"
