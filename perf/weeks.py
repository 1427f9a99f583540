"""A week of accounts and exchanges out of published prompt corpora, and the truth about them."""

from __future__ import annotations

import csv
import hashlib
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DATA = Path(os.environ.get("STILLWATCH_DATA", "../shared/data")) / "prompts"
HOUR, DAY = 3_600_000_000, 86_400_000_000
START = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp() * 1e6)
PEOPLE = ("instructionwild_v2", "sharegpt_sample", "alpaca_eval", "selfinstruct_user_oriented",
          "koala_test", "mt_bench")  # fmt: skip
Messages = list[dict[str, str]]


def corpus(name: str) -> list[Messages]:
    """Return what was sent first in each row: everything up to the first user message."""
    found = []
    for row in pq.read_table(DATA / f"{name}.parquet")["messages"].to_pylist():
        users = [k for k, m in enumerate(row) if m["role"] == "user"]
        if users:
            part = row[: users[0] + 1]
            found.append([{"role": m["role"], "content": m["content"] or ""} for m in part])
    return found


class Week:
    """Accounts and exchanges as they are made up, and the truth about them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        self.rows: list[dict[str, Any]] = []
        self.accounts: list[dict[str, Any]] = []
        self.family: dict[str, tuple[str, str]] = {}
        self.pool = [m for name in PEOPLE for m in corpus(f"benign/{name}")]

    def mark(self, *parts: object) -> str:
        said = "|".join(map(str, (self.seed, *parts)))
        return hashlib.blake2b(said.encode(), digest_size=8).hexdigest()

    def address(self) -> str:
        a, b, c, d = self.rng.integers(1, 255, 4)
        return f"{20 + a % 200}.{b}.{c}.{d}"

    def account(self, family: str, role: str = "honest", **known: Any) -> dict[str, Any]:
        name = "acct_" + self.mark(family, len(self.accounts))
        old = START - DAY - int(self.rng.exponential(120) * DAY)
        self.accounts.append(
            {
                "account_id": name, "org_id": known.get("org", "org_" + self.mark(name)),
                "created_at": known.get("created", old), "plan": "api",
                "closed_at": known.get("closed"), "closed_reason": known.get("reason"),
                "payment_hash": known.get("card", self.mark("card", name)),
                "signup_ip": self.address(),
            }
        )  # fmt: skip
        self.family[name] = (role, family)
        return {
            "id": name, "org": self.accounts[-1]["org_id"],
            "ips": known.get("ips", [self.address()]),
            "client": str(self.rng.choice(["python", "node", "web", "curl"])),
            "zone": int(self.rng.integers(-10, 11)),
        }  # fmt: skip

    def human_times(self, account: dict[str, Any], n: int) -> list[int]:
        day, hour = self.rng.integers(0, 7, n), (self.rng.normal(14, 3, n) - account["zone"]) % 24
        return np.sort(START + day * DAY + (hour * HOUR).astype(np.int64)).tolist()

    def say(
        self, account: dict[str, Any], ts: int, messages: Messages, status: str = "ok"
    ) -> str:  # fmt: skip
        """Add an exchange and return its answer; what is refused has none."""
        length = sum(len(m["content"]) for m in messages)
        answer = "Answer " + self.mark(len(self.rows)) if status == "ok" else ""
        self.rows.append(
            {
                "exchange_id": f"ex_{len(self.rows)}", "ts": int(ts), "account_id": account["id"],
                "model": "m-1", "org_id": account["org"], "channel": "api",
                "client": account["client"], "messages": messages, "status": status,
                "output_text": answer,
                "input_tokens": length // 4 + 1,
                "output_tokens": int(self.rng.lognormal(5, 1)),
                "ip": str(self.rng.choice(account["ips"])),
            }
        )  # fmt: skip
        return answer

    def some(self, base: int | None) -> Messages:
        """Return a prompt of the whole pool, or of one corner of it."""
        size = len(self.pool)
        k = int(self.rng.integers(size if base is None else 80))
        return self.pool[k if base is None else (base + k) % size]

    def fresh(self, base: int | None) -> dict[str, str]:
        """Return a user's message that nobody sends again, out of two prompts of `some`'s choice.

        The pool is small: drawn from it, hundreds of strangers would repeat each other's prompts
        far more often than people do.
        """
        words = " ".join(self.some(base)[-1]["content"] for _ in range(2)).split()
        size = int(self.rng.integers(12, 70))
        start = int(self.rng.integers(max(len(words) - size, 0) + 1))
        return {"role": "user", "content": " ".join(words[start : start + size])}

    def often(self, mean: float, spread: float) -> int:
        return int(self.rng.lognormal(mean, spread)) + 2


def write(week: Week, folder: Path) -> None:
    (folder / "exchanges").mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(sorted(week.rows, key=lambda row: row["ts"]))
    ts = table["ts"].cast(pa.timestamp("us", tz="UTC"))
    table = table.set_column(table.schema.get_field_index("ts"), "ts", ts)
    pq.write_table(table, folder / "exchanges" / "week.parquet")
    with (folder / "accounts.csv").open("w", newline="") as file:
        lines = csv.DictWriter(file, list(week.accounts[0]))
        lines.writeheader()
        for one in week.accounts:
            lines.writerow(one | {name: moment(one[name]) for name in ("created_at", "closed_at")})


def moment(us: int | None) -> str:
    since = datetime(1970, 1, 1, tzinfo=UTC)
    return "" if us is None else (since + timedelta(microseconds=us)).isoformat()
