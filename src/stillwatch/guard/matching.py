"""The deterministic rules: what of a campaign's a request carries. O(1), nothing is changed."""

from __future__ import annotations

from typing import Final

from stillwatch.guard.request import Request
from stillwatch.guard.seen import Seen
from stillwatch.guard.table import Table
from stillwatch.schema.snapshot import EVIDENCE

__all__ = ["exclusive_bits", "match", "may_match", "named_kinds"]

_BIT: Final = EVIDENCE
_NAMES: Final = {bit: name for name, bit in EVIDENCE.items()}
_MOST_ORGS: Final = 4  # a conversation, blob or prompt of more organizations is a public one


def may_match(seen: Seen, table: Table, request: Request) -> bool:
    """Return whether `match` can find anything; nearly every honest request ends here."""
    return bool(
        not table.marks.isdisjoint(request.frames)
        or not table.marks.isdisjoint(request.bands)
        or request.h_prefix in table.marks
        or request.prefix_before in seen.conversations
        or request.h_previous in seen.conversations
        or request.h_blob in seen.blobs
        or request.h_payload in seen.prompts
        or (request.links and table.links and table.shares(request.links))
    )


def match(seen: Seen, request: Request) -> dict[int, int]:
    """Return campaign → bits of the deterministic rules that a request matches.

    The account's own accusation is not among them. The campaign's client, and that an account was
    made in its burst, speak only beside something else: a client is a library that anybody has.
    """
    table = seen.table
    found: dict[int, int] = {}
    _match_text(table, request, found)
    mark = table.prefixes.get(request.h_prefix)
    if mark is not None:
        found[mark.campaign] = found.get(mark.campaign, 0) | _BIT["exit_prefix"]
    for kind, held in request.links.items():
        mark = table.link(kind, held)
        if mark is not None:
            found[mark.campaign] = found.get(mark.campaign, 0) | _BIT[kind]
    _match_books(seen, request, found)
    mark = table.clients.get(request.h_client)
    if mark is not None and mark.campaign in found:
        found[mark.campaign] |= _BIT["client"]
    for campaign in list(found) if request.created_us else ():
        burst = table.pursuits[campaign].burst_us
        if burst is not None and burst[0] <= request.created_us < burst[1]:
            found[campaign] |= _BIT["signup_burst"]
    return found


def exclusive_bits(table: Table, request: Request, campaign: int, bits: int) -> int:
    """Return *frame* where the request carries a template of the campaign's own, else 0.

    From an address of the campaign's it may be one that a few others carry, none of whom came from
    there: what must be the campaign's own is the template at that address.

    A near-duplicate is none: who copies a victim's template makes near-duplicates of the
    victim's prompts. An end user of a channel account shows none either: the channel has a
    history, and its operator, not the end user, chose template and address. Nor does an account
    that was there long before the campaign: it may be whom the campaign copies, silent in the log.
    """
    if not bits & _BIT["frame"] or table.is_channel(request.account_id):
        return 0
    if table.is_established(campaign, request.created_us):
        return 0
    for nodes, value in zip(table.nodes, request.frames, strict=True):
        for node in nodes.get(value, ()):
            template = table.templates[node.template]
            apart = template.elsewhere if bits & _BIT["exit_prefix"] else 0
            own = table.exclusive(template.inside, template.outside - apart)
            if template.campaign == campaign and own:
                return _BIT["frame"]
    return 0


def named_kinds(bits: int) -> tuple[str, ...]:
    """Return the names of kinds of evidence."""
    return tuple(name for bit, name in _NAMES.items() if bits & bit)


def _match_text(table: Table, request: Request, found: dict[int, int]) -> None:
    if not table.marks.isdisjoint(request.frames):
        places: dict[int, int] = {}
        alone: set[int] = set()
        for nodes, value in zip(table.nodes, request.frames, strict=True):
            for node in nodes.get(value, ()):
                places[node.template] = places.get(node.template, 0) | node.position
                if node.alone:
                    alone.add(node.template)
        for template, place in places.items():
            if template in alone or place & (place - 1):
                campaign = table.templates[template].campaign
                found[campaign] = found.get(campaign, 0) | _BIT["frame"]
    if not table.marks.isdisjoint(request.bands):
        for value in request.bands:
            mark = table.bands.get(value)
            if mark is not None:
                found[mark.campaign] = found.get(mark.campaign, 0) | _BIT["near_text"]


def _match_books(seen: Seen, request: Request, found: dict[int, int]) -> None:
    table = seen.table
    window = table.ladder.book_window_s * 1_000_000
    retry = table.ladder.retry_window_s * 1_000_000
    for book, value, kind, most, own_clears in (
        (seen.conversations, request.prefix_before, "handoff", window, True),
        (seen.conversations, request.h_previous, "handoff", window, True),
        (seen.blobs, request.h_blob, "blob_replay", window, True),
        (seen.prompts, request.h_payload, "retry", retry, False),
    ):
        if not value or value not in book:
            continue
        org = table.org(request.account_id, request.org_id)
        held = book.holders(value)
        # One's own is one's own however long ago it was: only of others' must it be lately.
        if own_clears and any(h.org == org for h in held):
            continue
        holders = [h for h in held if abs(request.ts_us - h.ts_us) <= most]
        if len(holders) > _MOST_ORGS:
            continue
        for holder in holders:
            if holder.campaign in table.pursuits and holder.org != org:
                found[holder.campaign] = found.get(holder.campaign, 0) | _BIT[kind]
