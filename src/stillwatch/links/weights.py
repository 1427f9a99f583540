"""Links in nats: log m/u of Fellegi and Sunter, adjusted for how common the value is."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from stillwatch.schema import LINK_KINDS, Desk, Step

__all__ = ["WEIGHTS_STEP", "weight_nats"]


def weight_nats(m: float | np.ndarray, carriers: np.ndarray, population: int) -> np.ndarray:
    """Return log(m/u) with u = carriers/population, never below zero.

    ``m`` in (0, 1): share of true pairs that agree; ``carriers`` ≥ 2; the result lies in
    [0, log(m·population/2)]. A frequent value says nearly nothing *as a link*; it is never
    evidence of innocence, since a campaign's own template may be the most frequent of all.
    *Source*: Fellegi & Sunter (1969); term-frequency adjustment after Winkler (1990).
    """
    u = np.maximum(carriers.astype(np.float64), 2.0) / max(population, 2)
    return np.maximum(np.log(m / u), 0.0)


def _weights(desk: Desk) -> pa.Table:
    population = int(desk.query("SELECT count(*) AS n FROM subjects")["n"][0].as_py())
    cap = desk.settings.hub_cap
    objects = desk.query(
        f"SELECT kind, object, sid, n, first_seen, carriers FROM objects WHERE carriers <= {cap} "
        "ORDER BY kind, object, sid"
    )
    kinds = objects["kind"].to_pylist()
    m = np.array([LINK_KINDS[k].m for k in kinds]) if kinds else np.zeros(0)
    carriers = objects["carriers"].to_numpy()
    llr = weight_nats(m, carriers, population)
    shared = pa.table(
        {
            "kind": objects["kind"].cast(pa.string()),
            "object": objects["object"],
            "a": pa.nulls(len(kinds), pa.int32()),
            "b": objects["sid"],
            "llr": llr,
            "count": objects["n"],
            "first_seen": objects["first_seen"],
        }
    )
    pairs = desk.query(
        "SELECT kind, a, b, count(*) AS n, min(ts) AS first_seen FROM direct WHERE part = 'A' "
        "GROUP BY kind, a, b ORDER BY kind, a, b"
    )
    direct = pa.table(
        {
            "kind": pairs["kind"].cast(pa.string()),
            "object": pa.nulls(pairs.num_rows, pa.uint64()),
            "a": pairs["a"],
            "b": pairs["b"],
            "llr": np.log(
                np.array([LINK_KINDS[k].m for k in pairs["kind"].to_pylist()] or [1.0])
                * max(population, 2)
                / 2
            )[: pairs.num_rows],
            "count": pairs["n"],
            "first_seen": pairs["first_seen"],
        }
    )
    table = pa.concat_tables([shared, direct.cast(shared.schema)])
    return table.filter(pc.greater(table["llr"], 0.0))


WEIGHTS_STEP = Step(
    name="weights", inputs=("objects", "direct", "subjects"), output="weights", function=_weights
)
