"""A week made of published prompt corpora: nothing in it was written for this project.

    STILLWATCH_DATA=../shared/data python perf/real_text.py --seed 1 --work bench/work/real

Honest: people (half of them draw from the whole pool, so they have no topics of their own), single
applications, public evaluations run by several, judges, strangers with one open-source prompt (some
use it for anything), courses, a hackathon, a tutorial's followers, two plug-ins on one clock.
Campaigns: real generation prompts, each item once, dealt in turn to accounts behind a shared pool
of addresses. Prints standings by family, with the campaigns and without.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import os
import shutil
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from honest_groups import more_groups

DATA = Path(os.environ.get("STILLWATCH_DATA", "../shared/data")) / "prompts"
HOUR, DAY = 3_600_000_000, 86_400_000_000
START = int(datetime(2026, 11, 16, tzinfo=UTC).timestamp() * 1e6)
PEOPLE = ("instructionwild_v2", "sharegpt_sample", "alpaca_eval", "selfinstruct_user_oriented",
          "koala_test", "mt_bench")  # fmt: skip
APPLICATIONS = ("banking77", "cosqa_code_queries", "aider_chat_history")
EVALUATIONS = ("gsm8k", "bbh_cot", "mbpp_plus", "commonsense_evals", "evals_modelgraded",
               "alpaca_eval_judge")  # fmt: skip
CAMPAIGNS = {
    "wizardlm_evol_prompts": 100, "metamath_genprompts": 40, "halueval_genprompts": 200,
    "alpaca_selfinstruct_genprompts": 60, "codealpaca_selfinstruct_genprompts": 24,
    "prometheus_grading": 60, "toolbench_chatgpt": 30, "huatuo_llama_med_zh": 150,
    "plexpt_questions_zh": 120,
}  # fmt: skip
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

        The pool is small: drawn from it, hundreds of strangers would repeat each other's prompts far
        more often than people do.
        """
        words = " ".join(self.some(base)[-1]["content"] for _ in range(2)).split()
        size = int(self.rng.integers(12, 70))
        start = int(self.rng.integers(max(len(words) - size, 0) + 1))
        return {"role": "user", "content": " ".join(words[start : start + size])}

    def often(self, mean: float, spread: float) -> int:
        return int(self.rng.lognormal(mean, spread)) + 2


def honest(week: Week) -> None:
    """People and single applications."""
    rng = week.rng
    for k in range(900):
        one = week.account("people")
        base = int(rng.integers(len(week.pool))) if k % 2 else None
        for ts in week.human_times(one, week.often(1.8, 1) - 1):
            week.say(one, ts, week.some(base))
    for name in APPLICATIONS:
        asked = corpus(f"benign/{name}")
        for k in range(6):
            one = week.account("application")
            system = {"role": "system", "content": f"You serve shop {k}, {week.mark(name, k)}."}
            for ts in week.human_times(one, week.often(4, 0.7)):
                week.say(one, ts, [system, asked[rng.integers(len(asked))][-1]])
    together(week)


def together(week: Week) -> None:
    """Honest groups that share words: evaluations, judges, one public prompt, plug-ins."""
    rng = week.rng
    for name in EVALUATIONS:
        items = corpus(f"lookalike/{name}")
        items = [items[k] for k in rng.choice(len(items), min(80, len(items)), replace=False)]
        for _ in range(5):
            one, begin = week.account("evaluation"), START + int(rng.integers(6 * DAY))
            for k, item in enumerate(items):
                week.say(one, begin + k * 8_000_000, item)
    for name in ("lookalike/evals_modelgraded", "lookalike/alpaca_eval_judge"):
        asked = corpus(name)
        for _ in range(8):
            one = week.account("judges")
            for ts in week.human_times(one, week.often(3, 0.6)):
                week.say(one, ts, asked[rng.integers(len(asked))])
    published(week)
    courses(week)
    launches(week)
    hackathon(week)
    frame = "Summarise the text of our customer for a busy reader in two sentences.\n\n"
    for number in range(2):
        for _ in range(60):
            one, base = week.account("plug-in"), int(rng.integers(len(week.pool)))
            for hour in np.sort(rng.integers(0, 7 * 24, week.often(1.8, 0.6))).tolist():
                text = week.some(None if number else base)[-1]["content"]
                ts = START + hour * HOUR + int(rng.integers(90_000_000))
                week.say(one, ts, [{"role": "user", "content": frame + text}])


def published(week: Week) -> None:
    """Strangers with one published prompt, most of them for a purpose of their own."""
    rng = week.rng
    patterns = corpus("lookalike/fabric_patterns")
    for _ in range(8):
        pattern = {"role": "system", "content": patterns[rng.integers(len(patterns))][0]["content"]}
        for _ in range(14):
            one, base = week.account("template"), int(rng.integers(len(week.pool)))
            for ts in week.human_times(one, week.often(2.2, 0.7)):
                week.say(one, ts, [pattern, week.some(base)[-1]])
    common = {"role": "system", "content": patterns[rng.integers(len(patterns))][0]["content"]}
    for _ in range(150):  # who use it for anything: no topics of their own, and no prompt twice
        one = week.account("template for anything")
        for ts in week.human_times(one, week.often(1.8, 0.7)):
            week.say(one, ts, [common, week.some(None)[-1]])


def courses(week: Week) -> None:
    """Students of one course: signed up in one session, one network, one tutor, own questions."""
    rng = week.rng
    for number, (asked, size) in enumerate(
        ((corpus("benign/cosqa_code_queries"), 40), (corpus("benign/banking77"), 60),
         (week.pool, 40))
    ):  # fmt: skip
        begin = START + int(rng.integers(3, 30)) * HOUR
        network = week.address().rsplit(".", 1)[0]
        order = rng.permutation(len(asked)).tolist()
        tutor = f"You are the tutor of course {number}; answer the student briefly and kindly."
        for _ in range(size):
            one = week.account(
                "course", created=begin - DAY + int(rng.integers(2 * HOUR)),
                ips=[f"{network}.{rng.integers(1, 255)}"],
            )  # fmt: skip
            for session in range(3):
                for _ in range(int(rng.integers(2, 6))):
                    ts = begin + session * 33 * HOUR + int(rng.integers(2 * HOUR))
                    item = asked[order.pop()] if order else week.some(None)
                    week.say(one, ts, [{"role": "system", "content": tutor}, item[-1]])


def hackathon(week: Week) -> None:
    """Two nights without sleep in one hall: one starter prompt, and everything tried on it."""
    rng = week.rng
    begin = START + DAY + int(rng.integers(3 * DAY))
    hall = week.address().rsplit(".", 1)[0]
    starter = {"role": "system", "content": "You help a team of hackers. Be quick and concrete."}
    for _ in range(50):
        created = begin - int(rng.integers(4 * HOUR))
        one = week.account("hackathon", created=created, ips=[f"{hall}.{rng.integers(1, 255)}"])
        for _ in range(int(rng.lognormal(2.3, 0.5)) + 2):
            ts = begin + int(rng.integers(42 * HOUR))
            week.say(one, ts, [starter, week.some(None)[-1]])


def launches(week: Week) -> None:
    """Strangers who sign up within hours of a tutorial and try its template on anything."""
    rng = week.rng
    for number, size in enumerate((200, 60)):
        day = START + DAY + int(rng.integers(3 * DAY))
        frame = f"Be my oracle number {number} and answer in the voice of an old sailor: "
        for _ in range(size):
            created = day + int(rng.exponential(5) * HOUR)
            one = week.account("launch", created=created)
            for _ in range(int(rng.lognormal(1.3, 0.8)) + 1):
                ts = min(created + int(rng.exponential(30) * HOUR), START + 7 * DAY - 1)
                text = frame + week.some(None)[-1]["content"]
                week.say(one, ts, [{"role": "user", "content": text}])


def campaign(week: Week, name: str, size: int) -> None:
    rng = week.rng
    items = corpus(f"distill/{name}")
    prefixes = [week.address().rsplit(".", 1)[0] for _ in range(30)]

    def exits(n: int) -> list[str]:
        return [f"{rng.choice(prefixes)}.{rng.integers(1, 255)}" for _ in range(n)]

    members = []
    for k in range(size):
        created = START + 2 * DAY - int(rng.random() * 20 * DAY)
        card = {"card": week.mark(name, k // 4)} if k % 5 == 0 else {}
        ips = exits(int(rng.integers(1, 3)))
        members.append(week.account(name, "core", created=created, ips=ips, **card))
    times = np.sort(START + 2 * DAY + rng.integers(0, 5 * DAY - HOUR, len(items))).tolist()
    rounds = -(-len(items) // size)
    turns = np.concatenate([rng.permutation(size) for _ in range(rounds)]).tolist()
    order = rng.permutation(len(items)).tolist()
    for ts, turn, item in zip(times, turns, order, strict=False):
        week.say(members[turn], ts, items[item])
    for _ in range(10):
        one = week.account("customers of its proxy", ips=exits(1))
        for ts in week.human_times(one, week.often(2, 0.8)):
            week.say(one, ts, week.some(None))


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, default=Path("bench/work/real"))
    asked = parser.parse_args()
    from stillwatch import scan

    for name, campaigns in (("without", {}), ("with campaigns", CAMPAIGNS)):
        week = Week(asked.seed)
        honest(week)
        more_groups(week)
        for corpus_name, size in campaigns.items():
            campaign(week, corpus_name, size)
        shutil.rmtree(asked.work, ignore_errors=True)
        write(week, asked.work / "world")
        result = scan(
            [asked.work / "world" / "exchanges"], accounts=asked.work / "world" / "accounts.csv",
            out=asked.work / "run",
        )  # fmt: skip
        standing = dict(
            zip(
                result.accounts["account_id"].to_pylist(),
                result.accounts["standing"].to_pylist(), strict=True,
            )
        )  # fmt: skip
        told: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        for account, family in week.family.items():
            told[family][standing.get(account, "unseen")] += 1
        print(f"{name}: {len(week.rows):,} exchanges, exit code {result.exit_code}")
        for (role, family), counts in sorted(told.items()):
            print(f"  {role:7} {family:36} {dict(counts)}")


if __name__ == "__main__":
    main()
