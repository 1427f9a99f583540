"""Frames: beginnings and ends of prompts that strangers carry around other payloads."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import Final

import numpy as np
import pyarrow as pa

from stillwatch.schema import TEMPLATE_COLUMNS, TEMPLATE_LENGTHS, Desk, Settings, Step

__all__ = ["CARRIED_STEP", "FRAMES_STEP", "HITS_STEP", "NODES_STEP", "nodes_sql"]

_LEADER_JACCARD: Final = 0.5
_MIN_DISTINCT: Final = 0.5
_MIN_PAYLOADS: Final = 2
_MIN_SHARE: Final = 0.1
_SAME_CARRIERS: Final = 0.9
_INNER_SHARE: Final = 0.5
_TOGETHER: Final = 0.5
_APART: Final = 0.1
_PASSES: Final = 8
_REST: Final = 0.1
_BY_CHANCE: Final = 2.0
_LEAST_CHANCE: Final = 5.0
_BY_LUCK: Final = 3.0


Key = tuple[int, int, int]
# Position and length of each of TEMPLATE_COLUMNS.
_PLACES: Final = [*((pos, n) for pos in (0, 1) for n in TEMPLATE_LENGTHS), (2, 0)]
_LONGEST: Final = TEMPLATE_LENGTHS[-1]


def _unnested(columns: str, where: str) -> str:
    """Return SQL of one row per exchange and frame hash: position 0 head, 1 tail, 2 system.

    The exchanges are read once, not once a column.
    """
    places = (
        f"unnest([{', '.join(f'CAST({number} AS UTINYINT)' for number in numbers)}]) AS {name}"
        for name, numbers in zip(("pos", "len"), zip(*_PLACES, strict=True), strict=True)
    )
    return (
        f"SELECT * FROM (SELECT {columns}, {', '.join(places)}, "
        f"unnest([{', '.join(TEMPLATE_COLUMNS)}]) AS h FROM exchanges WHERE {where}) WHERE h <> 0"
    )


def nodes_sql(settings: Settings) -> str:
    """Return the nodes of the template trie that enough organizations carry in part A.

    A subject carries a node when it sent it around at least two different payloads and in at
    least a tenth of its requests (less is a common phrase); a node is kept when
    ``min_subjects`` subjects of ``min_organizations`` organizations carry it and its payloads are
    mostly different. A conversation repeats its own beginning at every turn, so a beginning
    counts only where nothing was said before. Counts are exact.

    Most hashes are one subject's: ``wide`` leaves them out before anything is counted by subject,
    with states of fixed size, which the engine can put on disk.
    """
    fresh = "part = 'A' AND prefix_before_last_user = 0"
    return f"""
    WITH wide AS (
      SELECT pos, len, h FROM ({_unnested("sid", fresh)}) GROUP BY pos, len, h
      HAVING min(sid) <> max(sid)
         AND count(*) >= {_MIN_PAYLOADS * settings.min_subjects}),
    per_payload AS (
      SELECT u.pos, u.len, u.h, u.sid, u.h_payload, count(*) AS n
      FROM ({_unnested("sid, h_payload", fresh)}) u
      SEMI JOIN wide w ON u.h = w.h AND u.pos = w.pos AND u.len = w.len
      GROUP BY u.pos, u.len, u.h, u.sid, u.h_payload),
    owner AS (SELECT sid, any_value(org) AS org FROM exchanges GROUP BY sid),
    volume AS (SELECT sid, count(*) AS n FROM exchanges WHERE {fresh} GROUP BY sid),
    sums AS (
      SELECT pos, len, h, sid, CAST(sum(n) AS BIGINT) AS n, count(*) AS payloads
      FROM per_payload GROUP BY pos, len, h, sid HAVING count(*) >= {_MIN_PAYLOADS}),
    per_subject AS (
      SELECT s.*, o.org FROM sums s JOIN volume v ON s.sid = v.sid JOIN owner o ON s.sid = o.sid
      WHERE s.n >= {_MIN_SHARE} * v.n)
    SELECT pos, len, h, count(*) AS subjects, count(DISTINCT org) AS organizations,
           CAST(sum(n) AS BIGINT) AS exchanges, CAST(sum(payloads) AS BIGINT) AS payloads
    FROM per_subject GROUP BY pos, len, h
    HAVING count(*) >= {settings.min_subjects}
       AND count(DISTINCT org) >= {settings.min_organizations}
       AND sum(payloads) >= {_MIN_DISTINCT} * sum(n)
    """


NODES_STEP = Step(
    name="frame_nodes",
    inputs=("exchanges",),
    output="frame_nodes",
    sql=nodes_sql,
    order_by=("pos", "len", "h"),
)


def hits_sql(settings: Settings) -> str:
    """Return which exchange carries which kept node, over the whole window.

    What is asked of nodes again and again, read once of all hashes. ``opens``: nothing was said
    before; ``to_len``, ``to_h``: what of the next length stands at the same position, 0 after the
    longest, whether it is a kept node or not.
    """
    del settings
    longer = [(n > 0 and n < _LONGEST) for _, n in _PLACES]
    lengths = [TEMPLATE_LENGTHS[TEMPLATE_LENGTHS.index(n) + 1] if on else 0
               for (_, n), on in zip(_PLACES, longer, strict=True)]  # fmt: skip
    hashes = [TEMPLATE_COLUMNS[k + 1] if on else "0" for k, on in enumerate(longer)]
    columns = (
        "rid, sid, part, prefix_before_last_user = 0 AS opens, "
        f"unnest([{', '.join(f'CAST({n} AS UTINYINT)' for n in lengths)}]) AS to_len, "
        f"unnest([{', '.join(hashes)}]) AS to_h"
    )
    return f"""
    SELECT u.rid, u.sid, u.part, u.opens, u.pos, u.len, u.h, u.to_len, u.to_h
    FROM ({_unnested(columns, "true")}) u
    JOIN frame_nodes k ON u.pos = k.pos AND u.len = k.len AND u.h = k.h
    """


HITS_STEP = Step(
    name="node_hits",
    inputs=("exchanges", "frame_nodes"),
    output="node_hits",
    sql=hits_sql,
    passing=True,
)
# Kept nodes as they were sent where nothing was said before, each with what comes after it.
_GOES_ON: Final = "c.pos = n.pos AND c.len = n.to_len AND c.h = n.to_h"
_OPENING: Final = "n.part = 'A' AND n.opens AND n.to_len > 0"


def _longer_sql() -> str:
    """Return how subjects go on from each kept node, by how often they send it.

    Of ``subjects`` that sent it ``sent`` times each: ``longer`` exchanges of theirs carry a kept
    node of the next length too, ``squares`` is the sum of its squares by subject, and ``always``
    the subjects all of whose do. Integers, of a size that knows no number of subjects.
    """
    return f"""
        WITH each AS (
          SELECT n.pos, n.len, n.h, n.sid, count(*) AS sent, count(c.h) AS longer
          FROM node_hits n LEFT JOIN frame_nodes c ON {_GOES_ON}
          WHERE {_OPENING} GROUP BY n.pos, n.len, n.h, n.sid)
        SELECT e.pos, e.len, e.h, any_value(p.exchanges) AS exchanges, e.sent,
               count(*) AS subjects, CAST(sum(e.longer) AS BIGINT) AS longer,
               CAST(sum(e.longer * e.longer) AS BIGINT) AS squares,
               count(*) FILTER (e.longer = e.sent) AS always
        FROM each e JOIN frame_nodes p ON p.pos = e.pos AND p.len = e.len AND p.h = e.h
        GROUP BY e.pos, e.len, e.h, e.sent ORDER BY e.pos, e.len, e.h, e.sent"""


def _ends(desk: Desk) -> tuple[set[Key], set[Key]]:
    """Return the nodes that only lead to longer ones, and those that are no template's but words.

    A node leads on where half of its exchanges carry longer kept nodes too. Not so where a tenth
    and more do not and everybody's do alike (`_alike`): the template ends there, and what
    follows are the commonest first words of its payloads (twelve words and "What is").
    """
    branching: set[Key] = set()
    ending: set[Key] = set()
    rows = desk.query(_longer_sql()).to_pylist()
    for key, group in groupby(rows, key=itemgetter("pos", "len", "h")):
        of_size = list(group)
        sent = np.array([r["sent"] for r in of_size], dtype=np.float64)
        told = {
            name: np.array([r[name] for r in of_size], dtype=np.float64)
            for name in ("subjects", "longer", "squares", "always")
        }
        longer, total = float(told["longer"].sum()), float((sent * told["subjects"]).sum())
        if 0 < longer <= (1 - _REST) * total and _alike(sent, **told):
            ending.add(key)
        elif longer >= max(_INNER_SHARE * of_size[0]["exchanges"], 1):
            branching.add(key)
    words = _after(desk, ending)
    return branching - words, words


def _after(desk: Desk, ending: set[Key]) -> set[Key]:
    """Return the kept nodes that go on from these, at any length."""
    after: dict[Key, list[Key]] = {}
    if ending:
        pairs = desk.query(
            f"""SELECT DISTINCT n.pos, n.len, n.h, n.to_len, n.to_h
                FROM node_hits n JOIN frame_nodes c ON {_GOES_ON}
                WHERE {_OPENING} ORDER BY ALL"""
        )
        for row in pairs.to_pylist():
            after.setdefault((row["pos"], row["len"], row["h"]), []).append(
                (row["pos"], row["to_len"], row["to_h"])
            )
    words: set[Key] = set()
    ahead = [child for key in sorted(ending) for child in after.get(key, ())]
    while ahead:
        key = ahead.pop()
        if key not in words:
            words.add(key)
            ahead.extend(after.get(key, ()))
    return words


def _alike(
    sent: np.ndarray, subjects: np.ndarray, longer: np.ndarray, squares: np.ndarray,
    always: np.ndarray,
) -> bool:  # fmt: skip
    """Return whether each subject goes on as often as all do, give or take chance.

    By how often the node was sent, as in `_longer_sql`. Of those that sent it twice and more: the
    squared deviations are at most twice the binomial ones, and who always goes on are at most three
    more than three times as many as by chance (a few who send a longer template, and nothing
    else, among many who open alike). False where there is too little of them to say so.
    """
    share = float(longer.sum() / (sent * subjects).sum())
    often = sent >= _MIN_PAYLOADS
    s, n, to, square = sent[often], subjects[often], longer[often], squares[often]
    by_chance = float((n * s * share * (1 - share)).sum())
    seen = float((square - 2 * share * s * to + n * (s * share) ** 2).sum())
    sure = float((n * share**s).sum())
    return (
        by_chance >= _LEAST_CHANCE
        and seen <= _BY_CHANCE * by_chance
        and float(always[often].sum()) <= _BY_LUCK * (1 + sure)
    )


def _leaders(desk: Desk) -> pa.Table:
    """Return the kept nodes, longest first, each with its leader.

    Nodes are visited from the longest and widest; a node whose carriers agree with a leader's
    (Jaccard ≥ 0.5) joins it, else it leads. Leaders, not chains: single linkage would join
    strangers through their common openings. A node *speaks* for its frame when it ends its
    branch of the trie (two templates may open with the same dozen words) and its carriers are
    the leader's: who sends only a common closing phrase is no carrier. First words of payloads
    are left out (`_ends`).

    A node whose carriers are not the leader's, and that is never sent with it, is another template
    of much the same senders: such nodes are compared among each other in a further pass. The rest
    (a closing phrase that others use too) stays silent.

    A node *needs company* when most of its exchanges carry another position of the frame too: a
    template is all that its senders send together, and a stranger's closing words are not it.
    """
    nodes = desk.query(
        "SELECT pos, len, h, subjects, exchanges, payloads FROM frame_nodes "
        "ORDER BY (pos = 2) DESC, len DESC, subjects DESC, pos, h"
    )
    branching, words = _ends(desk)
    told = zip(*(nodes[c].to_pylist() for c in ("pos", "len", "h")), strict=True)
    nodes = nodes.filter(pa.array([key not in words for key in told], pa.bool_()))
    carriers = desk.query(
        "SELECT DISTINCT pos, len, h, sid FROM node_hits WHERE part = 'A' ORDER BY ALL"
    )
    keys = list(zip(*(nodes[c].to_pylist() for c in ("pos", "len", "h")), strict=True))
    sets = _grouped(carriers)
    frame = np.zeros(len(keys), dtype=np.int32)
    speaks = np.array([key not in branching for key in keys], dtype=bool)
    left, first = np.arange(len(keys)), 0
    for _ in range(_PASSES):
        led, alike, count = _led([sets[keys[row]] for row in left.tolist()])
        frame[left] = first + led
        silenced = left[speaks[left] & ~alike]
        speaks[silenced] = False
        first += count
        placed = nodes.append_column("frame", pa.array(frame)).append_column(
            "speaks", pa.array(speaks)
        )
        left = silenced[_sent_apart(desk, placed, silenced)] if len(silenced) else silenced
        if not len(left):
            break
        speaks[left] = True
    nodes = nodes.append_column("frame", pa.array(frame))
    nodes = nodes.append_column("speaks", pa.array(speaks))
    return nodes.append_column("company", pa.array(_needs_company(desk, nodes)))


def _led(sets: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Return each set's leader, whether it shares the leader's carriers, and how many lead."""
    leaders: list[np.ndarray] = []
    by_subject: dict[int, list[int]] = {}
    led = np.zeros(len(sets), dtype=np.int32)
    alike = np.ones(len(sets), dtype=bool)
    for row, mine in enumerate(sets):
        best, shared, jaccard = _closest(mine, leaders, by_subject)
        if jaccard >= _LEADER_JACCARD:
            led[row] = best
            alike[row] = shared >= _SAME_CARRIERS * len(mine)
            continue
        led[row] = len(leaders)
        for sid in mine.tolist():
            by_subject.setdefault(sid, []).append(len(leaders))
        leaders.append(mine)
    return led, alike, len(leaders)


def _sent_apart(desk: Desk, nodes: pa.Table, rows: np.ndarray) -> np.ndarray:
    """Return which nodes' exchanges hardly ever carry a node that speaks for the same frame."""
    asked = nodes.take(pa.array(rows)).append_column(
        "place", pa.array(range(len(rows)), pa.int32())
    )
    counted = desk.query(
        """WITH sent AS (
              SELECT f.frame, f.speaks, a.place, u.rid
              FROM node_hits u
              JOIN placed_nodes f ON u.pos = f.pos AND u.len = f.len AND u.h = f.h
              LEFT JOIN asked a ON a.pos = f.pos AND a.len = f.len AND a.h = f.h
              WHERE u.part = 'A' AND f.frame IN (SELECT frame FROM asked)),
            spoken AS (SELECT DISTINCT frame, rid FROM sent WHERE speaks)
            SELECT s.place, count(l.rid) / count(*) AS share
            FROM sent s LEFT JOIN spoken l ON l.frame = s.frame AND l.rid = s.rid
            WHERE s.place IS NOT NULL GROUP BY s.place ORDER BY s.place""",
        asked=asked,
        placed_nodes=nodes,
    )
    apart = np.zeros(len(rows), dtype=bool)
    places, share = counted["place"].to_numpy(), counted["share"].to_numpy()
    apart[places[share < _APART]] = True
    return apart


def _needs_company(desk: Desk, nodes: pa.Table) -> np.ndarray:
    """Return for each node whether half of its exchanges carry another position of its frame."""
    counted = desk.query(
        """WITH sent AS (
              SELECT f.frame, f.pos, f.len, f.h, u.rid
              FROM node_hits u
              JOIN placed_nodes f ON u.pos = f.pos AND u.len = f.len AND u.h = f.h AND f.speaks
              WHERE u.part = 'A'),
            places AS (
              SELECT frame, rid, count(DISTINCT pos) AS places FROM sent GROUP BY frame, rid)
            SELECT s.pos, s.len, s.h, count(*) AS n, count(*) FILTER (p.places >= 2) AS together
            FROM sent s JOIN places p ON p.frame = s.frame AND p.rid = s.rid
            GROUP BY s.pos, s.len, s.h""",
        placed_nodes=nodes,
    )
    wanting = {
        (row["pos"], row["len"], row["h"])
        for row in counted.to_pylist()
        if row["together"] >= _TOGETHER * row["n"]
    }
    keys = zip(*(nodes[c].to_pylist() for c in ("pos", "len", "h")), strict=True)
    return np.array([key in wanting for key in keys], dtype=bool)


def _closest(
    mine: np.ndarray, leaders: list[np.ndarray], by_subject: dict[int, list[int]]
) -> tuple[int, int, float]:
    """Return the leader of the highest Jaccard index, the carriers it shares, and the index."""
    overlap: dict[int, int] = {}
    for sid in mine.tolist():
        for leader in by_subject.get(sid, ()):
            overlap[leader] = overlap.get(leader, 0) + 1
    best, common, top = -1, 0, 0.0
    for leader, shared in sorted(overlap.items()):
        jaccard = shared / (len(mine) + len(leaders[leader]) - shared)
        if jaccard > top:
            best, common, top = leader, shared, jaccard
    return best, common, top


def _grouped(carriers: pa.Table) -> dict[tuple[int, int, int], np.ndarray]:
    pos, length, h, sid = (carriers[c].to_numpy() for c in ("pos", "len", "h", "sid"))
    if not len(sid):
        return {}
    cut = np.flatnonzero((np.diff(pos) != 0) | (np.diff(length) != 0) | (np.diff(h) != 0)) + 1
    starts = np.concatenate([[0], cut])
    return {
        (int(pos[s]), int(length[s]), int(h[s])): part
        for s, part in zip(starts, np.split(sid, cut), strict=True)
    }


FRAMES_STEP = Step(
    name="frames",
    inputs=("node_hits", "frame_nodes"),
    output="frames",
    function=_leaders,
)


def carried_sql(settings: Settings) -> str:
    """Return which exchange carries which frame, over the whole window (parts A, B and gaps).

    ``template`` tells the variants of one frame apart: the nodes carried, as one number.
    """
    del settings
    return """
    WITH found AS (
      SELECT f.frame, u.rid, bit_xor(u.h) AS template FROM node_hits u
      JOIN frames f ON u.pos = f.pos AND u.len = f.len AND u.h = f.h AND f.speaks
      GROUP BY f.frame, u.rid
      HAVING count(DISTINCT f.pos) >= 2 OR NOT bool_and(f.company))
    SELECT f.frame, f.rid, e.sid, e.org, e.part, f.template
    FROM found f JOIN exchanges e ON e.rid = f.rid
    """


CARRIED_STEP = Step(
    name="carried",
    inputs=("node_hits", "exchanges", "frames"),
    output="carried",
    sql=carried_sql,
    order_by=("frame", "rid"),
)
