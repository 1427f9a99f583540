"""A week made of published prompt corpora: nothing in it was written for this project.

    STILLWATCH_DATA=../shared/data python perf/real_text.py --seed 1 --work bench/work/real

Honest: people (half of them draw from the whole pool, so they have no topics of their own), single
applications, public evaluations run by several, judges, strangers with one open-source prompt (some
use it for anything), courses, a hackathon, a tutorial's followers, two plug-ins on one clock; and
two dozen further groups (`honest_groups.py`).
Campaigns: real generation prompts, each item once, dealt in turn or at random to accounts behind a
shared pool of addresses, on which they stay or rotate. Prints standings by family, with the
campaigns and without.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from honest_groups import more_groups
from machine import commit, describe
from weeks import DAY, HOUR, START, Week, corpus, write

APPLICATIONS = ("banking77", "cosqa_code_queries", "aider_chat_history")
EVALUATIONS = ("gsm8k", "bbh_cot", "mbpp_plus", "commonsense_evals", "evals_modelgraded",
               "alpaca_eval_judge")  # fmt: skip
CAMPAIGNS = {
    "wizardlm_evol_prompts": 100, "metamath_genprompts": 40, "halueval_genprompts": 200,
    "alpaca_selfinstruct_genprompts": 60, "codealpaca_selfinstruct_genprompts": 24,
    "prometheus_grading": 60, "toolbench_chatgpt": 30, "huatuo_llama_med_zh": 150,
    "plexpt_questions_zh": 120,
}  # fmt: skip


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


def campaign(week: Week, name: str, size: int, *, in_turn: bool, rotates: bool) -> None:
    """Deal each item of a corpus once, in turn or at random, behind thirty shared prefixes.

    ``rotates``: every request leaves through any of them, else an account stays on one or two.
    """
    rng = week.rng
    items = corpus(f"distill/{name}")
    prefixes = [week.address().rsplit(".", 1)[0] for _ in range(30)]

    def exits(n: int) -> list[str]:
        return [f"{rng.choice(prefixes)}.{rng.integers(1, 255)}" for _ in range(n)]

    members = []
    for k in range(size):
        created = START + 2 * DAY - int(rng.random() * 20 * DAY)
        card = {"card": week.mark(name, k // 4)} if k % 5 == 0 else {}
        ips = exits(30 if rotates else int(rng.integers(1, 3)))
        members.append(week.account(name, "core", created=created, ips=ips, **card))
    times = np.sort(START + 2 * DAY + rng.integers(0, 5 * DAY - HOUR, len(items))).tolist()
    rounds = -(-len(items) // size)
    turns = (
        np.concatenate([rng.permutation(size) for _ in range(rounds)])
        if in_turn
        else rng.integers(0, size, len(items))
    ).tolist()
    order = rng.permutation(len(items)).tolist()
    for ts, turn, item in zip(times, turns, order, strict=False):
        week.say(members[turn], ts, items[item])
    for _ in range(10):
        one = week.account("customers of its proxy", ips=exits(1))
        for ts in week.human_times(one, week.often(2, 0.8)):
            week.say(one, ts, week.some(None))


def standings(seed: int, campaigns: dict[str, int], work: Path) -> dict[str, dict[str, int]]:
    """Make a week, scan it, return how many of each role and family stand how."""
    from stillwatch import scan

    week = Week(seed)
    honest(week)
    more_groups(week)
    for k, (corpus_name, size) in enumerate(campaigns.items(), seed):
        campaign(week, corpus_name, size, in_turn=k % 2 == 0, rotates=k % 3 == 0)
    shutil.rmtree(work, ignore_errors=True)
    write(week, work / "world")
    result = scan(
        [work / "world" / "exchanges"], accounts=work / "world" / "accounts.csv", out=work / "run"
    )
    names, stand = (result.accounts[c].to_pylist() for c in ("account_id", "standing"))
    standing = dict(zip(names, stand, strict=True))
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for account, (role, family) in week.family.items():
        told[f"{role}: {family}"][standing.get(account, "unseen")] += 1
    return {family: dict(told[family]) for family in sorted(told)}


def summed(seeds: dict[str, dict[str, dict[str, dict[str, int]]]]) -> dict[str, dict[str, int]]:
    """Return the totals over weeks: campaigns found, honest accounts by standing."""
    found = {"in_all": 0, "half_and_more_accused": 0}
    honest_ones: Counter[str] = Counter()
    for weeks in seeds.values():
        for told in weeks.values():
            for family, counts in told.items():
                if family.startswith("honest"):
                    honest_ones.update(counts)
                else:
                    found["in_all"] += 1
                    found["half_and_more_accused"] += 2 * counts.get("accused", 0) >= sum(
                        counts.values()
                    )
    accounts = {"accounts": sum(honest_ones.values()), "accused": honest_ones["accused"]}
    return {"campaigns": found, "honest": accounts | {"watch": honest_ones["watch"]}}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--work", type=Path, default=Path("bench/work/real"))
    parser.add_argument("--keep", type=Path, help="a JSON file that takes the result")
    asked = parser.parse_args()
    seeds: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for seed in range(asked.seed, asked.seed + asked.seeds):
        for name, campaigns in (("without", {}), ("with campaigns", CAMPAIGNS)):
            told = seeds.setdefault(str(seed), {})[name] = standings(seed, campaigns, asked.work)
            print(f"seed {seed}, {name}")
            for family, counts in told.items():
                print(f"  {family:45} {counts}", flush=True)
    result = summed(seeds)
    print(json.dumps(result))
    if asked.keep:
        told_of = {"command": "make bench-weeks", "commit": commit(), "machine": describe()}
        asked.keep.write_text(json.dumps(told_of | result | {"seeds": seeds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
