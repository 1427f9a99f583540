"""Fits the arrivals of clients to published serving traces and compares worlds with them.

    STILLWATCH_DATA=../shared/data python perf/fit_arrivals.py fit      # writes arrivals.json
    STILLWATCH_DATA=../shared/data python perf/fit_arrivals.py compare  # prints docs' table

Source: ServeGen (alibaba/ServeGen, Apache-2.0): the rate of 213 clients in windows of 600 s, over
14 days ("language": programs for the most part) or one day ("reason", "multimodal": people), with
the fitted law of gaps in each window; Azure's 2023 traces (CC BY 4.0) and Mooncake's
(Apache-2.0), an hour of single requests each, for the whole stream.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from stillwatch.simulate import load_plan, simulate
from stillwatch.simulate.arrivals import WINDOW_S, FittedClock, parameters

DATA = Path(os.environ.get("STILLWATCH_DATA", "../shared/data")) / "traffic"
TARGET = Path(__file__).parents[1] / "src" / "stillwatch" / "simulate" / "arrivals.json"
QUANTILES = np.linspace(0.05, 0.95, 10)
KINDS = {"people": ("reason", "multimodal"), "programs": ("language",)}
Rates = NDArray[np.float64]


def clients(kind: str) -> list[Rates]:
    """Return the rates (requests per second, by window) of every client of a kind."""
    table = duckdb.sql(
        f"SELECT category, model, client_id, list(rate ORDER BY start_s) AS rates "
        f"FROM '{DATA}/servegen_trace.parquet' WHERE category IN {KINDS[kind]!r} GROUP BY ALL "
        "ORDER BY ALL".replace(",)", ")")
    ).fetchall()
    found = [np.asarray(rates, dtype=float) for *_, rates in table]
    return [rates for rates in found if rates.sum() > 0]


def runs(active: NDArray[np.bool_]) -> tuple[float, float]:
    """Return the mean length, in windows, of busy and of idle stretches."""
    change = np.flatnonzero(np.diff(active.astype(np.int8)))
    lengths = np.diff(np.concatenate([[0], change + 1, [len(active)]]))
    busy = lengths[0::2] if active[0] else lengths[1::2]
    idle = lengths[1::2] if active[0] else lengths[0::2]
    return float(busy.mean()) if len(busy) else 0.0, float(idle.mean()) if len(idle) else 0.0


def amplitude(rates: Rates) -> float:
    """Return the daily harmonic's amplitude over the mean rate, whole days only."""
    per_day = 86_400 // WINDOW_S
    whole = rates[: len(rates) // per_day * per_day]
    if whole.sum() == 0:
        return float("nan")
    turn = np.exp(2j * np.pi * np.arange(len(whole)) / per_day)
    return float(2 * abs((whole * turn).sum()) / whole.sum())


def steady(rates: Rates) -> bool:
    """Say whether a client is busy half of the time: of others a burst would pass for a day."""
    return bool((rates > 0).mean() >= 0.5)


def hill(volumes: Rates, share: float = 0.2) -> float:
    """Return Hill's tail index of the largest ``share`` of volumes (small: heavy tail)."""
    top = np.sort(volumes[volumes > 0])[::-1]
    k = max(5, int(len(top) * share))
    return float(1 / np.mean(np.log(top[:k] / top[k])))


def _noise(rates: Rates) -> tuple[float, float]:
    """Return (sigma of the log rate in busy windows, its correlation from window to window)."""
    busy = rates > 0
    logs = np.log(np.where(busy, rates, 1.0))
    pairs = busy[1:] & busy[:-1]
    sigma = float(logs[busy].std()) if busy.sum() > 5 else float("nan")
    if pairs.sum() < 10:
        return sigma, float("nan")
    return sigma, float(np.corrcoef(logs[1:][pairs], logs[:-1][pairs])[0, 1])


def fit_kind(kind: str) -> dict[str, Any]:
    """Return the parameters of one kind of client; lists are quantiles at 5 %, 15 % … 95 %."""
    found = clients(kind)
    volumes = np.array([r.sum() * WINDOW_S / (len(r) * WINDOW_S / 86_400) for r in found])
    noise = np.array([_noise(r) for r in found])
    lengths = np.array([runs(r > 0) for r in found])
    names = repr(KINDS[kind]).replace(",)", ")")
    cv = duckdb.sql(
        f"SELECT cv FROM '{DATA}/servegen_trace.parquet' WHERE rate > 0.02 AND cv > 0 "
        f"AND category IN {names}"
    ).fetchnumpy()["cv"]

    def quantiles(values: Rates) -> list[float]:
        return [round(float(q), 4) for q in np.nanquantile(values, QUANTILES)]

    return {
        "clients": len(found),
        "volume_sigma": round(float(np.log(volumes[volumes > 0]).std()), 3),
        "volume_hill": round(hill(volumes), 3),
        "active": quantiles(np.array([(r > 0).mean() for r in found])),
        "busy_windows": quantiles(lengths[:, 0]),
        "rate_sigma": quantiles(noise[:, 0]),
        "rate_correlation": round(float(np.nanmedian(noise[:, 1])), 3),
        "gap_cv": quantiles(cv),
        "day_amplitude": quantiles(np.array([amplitude(r) for r in found if steady(r)])),
    }


def fit() -> None:
    fitted = {
        "source": "alibaba/ServeGen @ f891d1189eb3, Apache-2.0; perf/fit_arrivals.py",
        "window_s": WINDOW_S,
        "quantiles": [round(float(q), 2) for q in QUANTILES],
    }
    TARGET.write_text(json.dumps(fitted | {k: fit_kind(k) for k in KINDS}, indent=1) + "\n")
    print(TARGET.read_text())


def simulated(kind: str, n: int, days: int, count: int) -> tuple[list[Rates], Rates]:
    """Return the rates of ``count`` simulated clients of ``n`` requests, and the CVs of windows."""
    clock, rng = FittedClock(parameters()), np.random.default_rng(0)
    end = days * 86_400_000_000
    habits = ("office", "evening", "allday")
    rates, cvs = [], []
    for i in range(count):
        times = (
            clock.human(rng, n, 0, end, 0.0, habits[i % 3])
            if kind == "people"
            else clock.steady(rng, n, 0, end)
        )
        cells = times // (WINDOW_S * 1_000_000)
        rates.append(np.bincount(cells, minlength=days * 86_400 // WINDOW_S) / WINDOW_S)
        gaps = np.diff(times)[np.diff(cells) == 0]
        at = cells[1:][np.diff(cells) == 0]
        for cell in np.unique(at):
            inside = gaps[at == cell]
            if len(inside) >= 12:
                cvs.append(inside.std() / inside.mean())
    return rates, np.array(cvs)


def compare() -> None:
    """Print the table of docs/worlds.md: traces beside as many simulated clients."""
    print("| clients | what | traces | simulated |\n|---|---|---|---|")
    for kind, days in (("people", 1), ("programs", 14)):
        real = clients(kind)
        made, cvs = simulated(kind, 3_000 * days, days, 150)
        fitted = parameters()[kind]
        rows = {
            "share of busy 10-minute windows, median": ([(r > 0).mean() for r in real],
                                                        [(r > 0).mean() for r in made]),
            "cv of the rate between windows, median": ([r.std() / r.mean() for r in real],
                                                       [r.std() / r.mean() for r in made]),
            "day-cycle amplitude of those busy half of the time, median": (
                [amplitude(r) for r in real if steady(r)],
                [amplitude(r) for r in made if steady(r)]),
        }  # fmt: skip
        for what, (a, b) in rows.items():
            print(f"| {kind} | {what} | {np.median(a):.2f} | {np.median(b):.2f} |")
        print(
            f"| {kind} | cv of gaps within a window, median | {np.median(fitted['gap_cv']):.2f} | "
            f"{np.median(cvs):.2f} |"
        )
    whole()


def whole() -> None:
    """Compare volumes of clients, and the whole stream, of a world with the traces."""
    with tempfile.TemporaryDirectory() as folder:
        made = simulate(load_plan("benign"), seed=1, out=folder)
        tables = [pq.read_table(p, columns=["account_id", "ts"]) for p in made.files["parquet"]]
    counts = np.concatenate([t["account_id"].to_numpy() for t in tables])
    _, volumes = np.unique(counts, return_counts=True)
    real = np.concatenate([[r.sum() / len(r) for r in clients(k)] for k in KINDS])
    print(f"| all | tail index (Hill) of clients' volumes | {hill(real):.2f} | "
          f"{hill(volumes.astype(float)):.2f} |")  # fmt: skip
    ts = np.sort(np.concatenate([pc.cast(t["ts"], "int64").to_numpy() for t in tables]))
    hours = ts // 3_600_000_000
    busiest = np.bincount((hours - hours[0]).astype(int)).argmax() + hours[0]
    gaps = np.diff(ts[hours == busiest]) / 1e6
    azure = {
        name: np.diff(np.sort(pc.cast(pq.read_table(DATA / f"{name}.parquet")["TIMESTAMP"], "int64")
                              .to_numpy() / 1e6))
        for name in ("azure_llm_2023_conv", "azure_llm_2023_code")
    }  # fmt: skip
    told = ", ".join(f"{n[-4:]} {g.mean():.2f}" for n, g in azure.items())
    print(f"| whole stream, one hour | mean gap, s | {told} | {gaps.mean():.2f} |")
    told = ", ".join(f"{n[-4:]} {g.std() / g.mean():.2f}" for n, g in azure.items())
    print(f"| whole stream, one hour | cv of gaps | {told} | {gaps.std() / gaps.mean():.2f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", choices=("fit", "compare"))
    {"fit": fit, "compare": compare}[parser.parse_args().what]()


if __name__ == "__main__":
    main()
