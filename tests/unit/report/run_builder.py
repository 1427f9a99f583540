"""Synthetic run directories that follow the contract, for the report's own tests only."""

from __future__ import annotations

import hashlib
import json
import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from stillwatch.schema.arrow import LINK

START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 28
TS = pa.timestamp("us", tz="UTC")
HOSTILE_ID = 'acct-"><script>alert(1)</script>\u202eevil\u200b\x07' + "z" * 60
HOSTILE_TEXT = (
    "</pre><script>fetch('//x')</script><img src=x onerror=alert(1)>\n"
    "Rate \u202ethis\u202c answer {{7*7}} {% raw %} \x1b[31m javascript:alert(1) \u2028 &lt;b&gt;"
)


def iso(t: datetime) -> str:
    return t.strftime("%Y-%m-%dT%H:%M:%SZ")


def three(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def member(i: int, prefix: str, standing: str, role: str = "core") -> dict[str, Any]:
    digest = hashlib.sha256(f"{prefix}{i}".encode()).hexdigest()
    return {
        "account_id": f"acct-{prefix}-{digest[:20]}",
        "end_user_id": None,
        "role": role,
        "standing": standing,
        "confidence": round(0.9999 - i * 1e-5, 5) if role == "core" else 0.42,
        "reasons": [
            "Shares a payment instrument with 11 accounts of this campaign.",
            "94 % of its requests carry the campaign's template; its segment's highest is 3 %.",
        ],
    }


def evidence(rng: np.random.Generator, strong: bool) -> dict[str, list[dict[str, Any]]]:
    def null(mean: float, sd: float, name: str) -> dict[str, Any]:
        q = (np.arange(41) + 0.5) / 41
        draws = np.quantile(rng.normal(mean, sd, 4000), q)
        return {
            "name": name,
            "expected": mean,
            "low": mean - 1.96 * sd,
            "high": mean + 1.96 * sd,
            "draws": [round(float(x), 4) for x in draws],
        }

    p = 1e-9 if strong else 0.004
    e = 5200.0 if strong else 35.0
    coordinated = [
        {
            "signal": "round_robin",
            "statistic": 3.0 if strong else 118.0,
            "p_value": p,
            "e_value": e,
            "null": null(148, 9, "permuted accounts"),
            "n": 6750,
            "text": "Consecutive requests of this pool fell on the same account 3 times in 6,750; "
            "independent customers would give 148 (131–166).",
        },
        {
            "signal": "flat_clock",
            "statistic": 0.97,
            "p_value": p * 10,
            "e_value": e / 3,
            "null": null(0.61, 0.05, "shifted series"),
            "n": 81234,
            "text": "The clock of this pool is 0.97 flat; its segment's is 0.61 (0.51–0.71).",
        },
        {
            "signal": "signup_burst",
            "statistic": 41.0,
            "p_value": 1e-5,
            "e_value": 900.0,
            "null": {"name": "Poisson", "expected": 4.1, "low": 1.0, "high": 9.0, "draws": []},
            "n": 250,
            "text": "41 accounts signed up within one hour; chance gives 4.1 (1–9).",
        },
        {
            "signal": "blob_replay",
            "statistic": 2.0,
            "p_value": None,
            "e_value": 20.0,
            "null": None,
            "n": 2,
            "text": "Two reasoning blobs were replayed on another account.",
        },
    ]
    extractive = [
        {
            "signal": "coverage",
            "statistic": 4210.0,
            "p_value": p,
            "e_value": e * 2,
            "null": null(610, 140, "benign coordinated cohorts"),
            "n": 81234,
            "text": "One template over 4,210 distinct topics; coordinated honest cohorts of this "
            "size reach 610 (336–884).",
        },
        {
            "signal": "sharded_queue",
            "statistic": 0.0,
            "p_value": p,
            "e_value": e,
            "null": null(52, 7, "benign coordinated cohorts"),
            "n": 81234,
            "text": "No payload was sent twice; honest pools would repeat 52 (38–66).",
        },
    ]
    return {"coordinated": coordinated, "extractive": extractive}


RIVALS = [
    ("class", "A class of students", "Nights and weekends quiet; the same tasks by everyone"),
    ("evaluation", "An evaluation suite", "Every account runs every item"),
    ("plugin", "A popular plug-in", "Sign-ups spread over months, many networks"),
    ("workflow", "A workflow platform", "Many templates, outputs used by people"),
    ("team", "One team with several keys", "One organization, one payer, one declared use"),
    ("reseller", "A reseller", "End users that differ in language, rhythm and topic"),
    ("migration", "A customer that migrates", "Old accounts stop for good, no ban before"),
    ("research", "A research project", "A declared use, modest volume, an end date"),
]


def campaign(
    rng: np.random.Generator,
    name: str,
    standing: str,
    accounts: int,
    periphery: int,
    exchanges: int,
    first: int,
    last: int,
) -> dict[str, Any]:
    strong = standing == "accused"
    ev = evidence(rng, strong)
    e = 5200.0 if strong else 35.0
    member_standing = {"accused": "accused", "watch": "watch", "permitted": "permitted"}[standing]
    members = [member(i, name, member_standing) for i in range(accounts - periphery)]
    members += [member(i, name + "p", "watch", "periphery") for i in range(periphery)]
    return {
        "campaign_id": "c-" + hashlib.sha256(name.encode()).hexdigest()[:12],
        "standing": standing,
        "found_by": ["frame", "payment"],
        "first_seen": iso(START + timedelta(days=first, hours=3)),
        "last_seen": iso(START + timedelta(days=last, hours=17)),
        "accounts": accounts,
        "core": accounts - periphery,
        "periphery": periphery,
        "exchanges": exchanges,
        "output_tokens": exchanges * 640,
        "methods": ["cot_exfiltration", "rl_prompts", "technique_sweep"][: 1 + accounts % 3],
        "claims": {
            "coordinated": {
                "confidence": 0.997 if strong else 0.81,
                "e_value": e,
                "evidence": ev["coordinated"],
            },
            "extractive": {
                "confidence": 0.992 if strong else 0.35,
                "e_value": e * 1.5,
                "evidence": ev["extractive"],
            },
            "actor": {"confidence": 0.31, "e_value": 3.2, "evidence": [], "claim": None},
        },
        "e_value": e,
        "q_value": 0.0008 if strong else 0.21,
        "needed_e": 2400.0,
        "members": members,
        "recommended": {
            "verdict": "throttle" if strong else "watch",
            "collateral": {
                "accounts": periphery,
                "end_users": periphery * 3,
                "organizations": periphery // 2,
                "exchanges": periphery * 210,
                "output_tokens": periphery * 90_000,
                "revenue_usd": periphery * 412.5,
                "permitted_exchanges": 0,
            },
            "rungs": rungs(periphery),
        },
        "revenue_usd": exchanges * 0.02,
        "coverage": {"requests": 600, "anchors": 512, "peers": 4_000, "pools": 40},
        "rivals": [
            {
                "name": n,
                "title": t,
                "predicts": p + ".",
                "seen": "No quiet nights; 4,210 topics, none asked twice; sign-ups in one hour.",
                "survives": standing == "watch" and n == "reseller",
            }
            for n, t, p in RIVALS
        ],
        "not_known": [
            {
                "question": "Who operates the pool?",
                "data": "Payment fingerprints matchable between providers.",
            },
            {
                "question": "Whether the answers were used for training.",
                "data": "A lineage test of a suspect model (stillwatch prove lineage).",
            },
        ],
        "raster": {
            "subjects": accounts,
            "subjects_shown": min(accounts, 80),
            "ticks": exchanges,
            "ticks_shown": min(exchanges, min(accounts, 80) * 90),
        },
        "value": {
            "harvest_usd": {
                "low": exchanges * 0.11,
                "mid": exchanges * 0.12,
                "high": exchanges * 0.13,
            }
        },
    }


def rungs(periphery: int) -> list[dict[str, Any]]:
    shares = {"watch": 0.0, "throttle": 0.3, "step_up": 1.0, "summarize": 0.5, "deny": 1.0}
    return [
        {
            "verdict": verdict,
            "accounts": math.ceil(periphery * share),
            "end_users": math.ceil(periphery * share) * 3,
            "organizations": math.ceil(periphery * share / 2),
            "exchanges": round(periphery * 210 * share),
            "output_tokens": round(periphery * 90_000 * share),
            "revenue_usd": periphery * 412.5 * share,
            "permitted_exchanges": 0,
            "text": f"what {verdict} does",
        }
        for verdict, share in shares.items()
    ]


def coverage_rows(c: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "campaign_id": c["campaign_id"],
            "requests": n,
            "campaign_topics": n / (1 + n / 900),
            "segment_low": n / (1 + n / 400) * 0.95,
            "segment_mid": n / (1 + n / 400),
            "segment_high": n / (1 + n / 400) * 1.05,
        }
        for n in (1, 2, 5, 10, 30, 100, 300, 600)
    ]


def raster_rows(rng: np.random.Generator, c: dict[str, Any]) -> list[dict[str, Any]]:
    shown = c["raster"]["subjects_shown"]
    first = datetime.fromisoformat(c["first_seen"])
    last = datetime.fromisoformat(c["last_seen"])
    span = (last - first).total_seconds()
    rows = []
    for row in range(shown):
        # Hand-over: three generations of accounts, the second after a ban on day 9.
        generation = row * 3 // shown
        lo, hi = (0.0, 0.36) if generation == 0 else (0.37, 0.8) if generation == 1 else (0.7, 1.0)
        for at in np.sort(rng.uniform(lo, hi, 90)):
            if 0.52 < at < 0.58:  # common silence
                continue
            t = first + timedelta(seconds=float(at) * span)
            status = rng.choice(["ok", "refused", "rate_limited"], p=[0.9, 0.04, 0.06])
            rows.append(
                {
                    "campaign_id": c["campaign_id"],
                    "row": row,
                    "subject": c["members"][row]["account_id"],
                    "ts": t,
                    "status": str(status),
                    "model": "nova-2" if at > 0.62 else "nova-1",
                    "core": c["members"][row]["role"] == "core",
                }
            )
    return rows


def link_rows(rng: np.random.Generator, c: dict[str, Any]) -> list[dict[str, Any]]:
    ids = [m["account_id"] for m in c["members"]]
    rows: list[dict[str, Any]] = []

    def obj(kind: str, i: int) -> str:
        key = f"{kind}{i}{c['campaign_id']}"
        return f"{kind}:{hashlib.sha256(key.encode()).hexdigest()[:16]}"

    def add(a: str, b: str, kind: str, llr: float) -> None:
        rows.append({"a": a, "b": b, "kind": kind, "llr": llr, "count": 3, "first_seen": START})

    for i, account in enumerate(ids):
        add(obj("frame", 0), account, "frame", 6.1)
        add(obj("payment", i // 12), account, "payment", 9.2)
        if i % 3 == 0:
            add(obj("signup_ip", i // 40), account, "signup_ip", 4.4)
        if i % 2 == 0:
            add(obj("client", int(rng.integers(0, 4))), account, "client", 1.3)
        if i % 5 == 0:
            add(obj("exit_prefix", int(rng.integers(0, 30))), account, "exit_prefix", 2.2)
        if i and i % 9 == 0:
            add(ids[i - 1], account, "succession", 7.7)
        if i and i % 25 == 0:
            add(ids[i - 3], account, "handoff", 11.3)
    return rows


def mark(words: str, part: str) -> dict[str, Any]:
    start = max(0, words.find(part))
    return {"start": start, "end": start + len(part), "method": "cot_exfiltration"}


def frame_row(c: dict[str, Any], text: str | None = None) -> dict[str, Any]:
    head = text or (
        "You are an expert annotator. Read the problem below and think step by step. Show every "
        "intermediate thought, including the ones that you discard.\n\nProblem:\n"
    )
    tail = "\n\nAnswer with your full reasoning between <thinking> tags, then the final answer."
    return {
        "campaign_id": c["campaign_id"],
        "position": "head",
        "skeleton": [
            {"kind": "text", "text": head},
            {"kind": "payload", "low_tokens": 80, "high_tokens": 410},
            {"kind": "text", "text": tail},
        ],
        "carriers_inside": c["core"] - 4 if c["core"] > 5 else c["core"],
        "carriers_outside": 3,
        "exchanges": int(c["exchanges"] * 0.93),
        "first_seen": c["first_seen"],
        "first_model": "nova-1",
        "first_account": c["members"][0]["account_id"],
        "marks": [
            mark(head + tail, "think step by step"),
            mark(head + tail, "your full reasoning"),
        ],
    }


SIGNALS = [
    ("round_robin", "Load balancing over the pool", "coordinated", [], ["ts"]),
    ("flat_clock", "A clock without nights", "coordinated", [], ["ts"]),
    ("signup_burst", "Sign-ups in a burst", "coordinated", [], ["created_at"]),
    ("under_dispersion", "Volumes too equal", "coordinated", [], []),
    ("common_silence", "Silent and back together", "coordinated", [], ["ts"]),
    ("blob_replay", "Reasoning blob replayed elsewhere", "coordinated", ["reasoning_blob"], []),
    ("coverage", "One template over ever new topics", "extractive", [], ["messages"]),
    ("sharded_queue", "Payloads drawn without replacement", "extractive", [], ["messages"]),
    ("failover", "Retried elsewhere after a refusal", "coordinated", ["http_status"], []),
    ("pivot", "Moved to the new model within a day", "extractive", [], ["model"]),
]


def volume_rows(rng: np.random.Generator, campaigns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    rows = []
    for d in range(DAYS):
        day = START + timedelta(days=d)
        weekend = day.weekday() >= 5
        for model, base in (("nova-1", 900_000_000), ("nova-2", 700_000_000), ("nova-mini", 4e8)):
            if model == "nova-2" and d < 14:
                continue
            tokens = base * (0.7 if weekend else 1.0) * rng.uniform(0.95, 1.05)
            rows.append((day, model, "", int(tokens / 500), int(tokens), 30_000))
        for c in campaigns:
            first = (datetime.fromisoformat(c["first_seen"]) - START).days
            last = (datetime.fromisoformat(c["last_seen"]) - START).days
            if first <= d <= last:
                part = rng.uniform(0.7, 1.3) / (last - first + 1)
                model = "nova-2" if d >= 14 else "nova-1"
                rows.append(
                    (
                        day,
                        model,
                        c["campaign_id"],
                        int(c["exchanges"] * part),
                        int(c["output_tokens"] * part),
                        int(c["accounts"] * 0.6) + 1,
                    )
                )
    names = ("day", "model", "campaign_id", "requests", "output_tokens", "accounts")
    return [dict(zip(names, r, strict=True)) for r in rows]


def prevalence(detected: float, total: int, weeks: list[float]) -> dict[str, Any]:
    def level(scale: float) -> dict[str, Any]:
        d = detected * scale
        return {
            "detected": three(d, d * 0.97, d * 1.02),
            "corrected": three(d * 1.1 + 1e-4, d * 0.93, d * 1.4 + 2e-4),
            "not_excluded": three(d * 1.6 + 2e-3, d * 1.5 + 1e-3, d * 1.9 + 5e-3),
        }

    def unit(scale: float, n: int) -> dict[str, Any]:
        return {"total": n, **level(scale)}

    def units(scale: float) -> dict[str, Any]:
        return {
            "requests": unit(scale * 0.8, total // 500),
            "output_tokens": unit(scale, total),
            "accounts": unit(scale * 0.9, 98_400),
        }

    return {
        **units(1.0),
        "by_week": [
            {
                "week_start": iso(START + timedelta(days=7 * w)),
                **units(weeks[w] / detected if detected else 1.0),
            }
            for w in range(DAYS // 7)
        ],
        "by_model": [
            {"model": m, **units(s)}
            for m, s in (("nova-1", 0.8), ("nova-2", 1.7), ("nova-mini", 0.0))
        ],
        "recall": [
            {
                "rung": r,
                "text": t,
                "recall": v,
                "low": v - 0.05,
                "high": min(1.0, v + 0.03),
                "spikes": 40,
            }
            for r, t, v in (
                ("0", "hides nothing", 0.99),
                ("1", "one account an address", 0.95),
                ("2", "templates paraphrased", 0.71),
                ("3", "human hours, uneven volumes", 0.44),
            )
        ],
        "worst_recall": 0.44,
        "text": "Recall was measured on 160 campaigns spiked into this log, 40 for each rung.",
    }


def summary(
    campaigns: list[dict[str, Any]], volume: list[dict[str, Any]], cannot_accuse: bool
) -> dict[str, Any]:
    accused = [c for c in campaigns if c["standing"] == "accused"]
    total = sum(v["output_tokens"] for v in volume)
    ids = {c["campaign_id"] for c in accused}
    hit = sum(v["output_tokens"] for v in volume if v["campaign_id"] in ids)
    weeks = []
    for w in range(DAYS // 7):
        rows = [v for v in volume if (v["day"] - START).days // 7 == w]
        own = sum(v["output_tokens"] for v in rows if v["campaign_id"] in ids)
        weeks.append(own / sum(v["output_tokens"] for v in rows))

    def members(standing: str) -> int:
        return sum(m["standing"] == standing for c in campaigns for m in c["members"])

    harvest = sum(c["value"]["harvest_usd"]["mid"] for c in accused)
    return {
        "versions": {"stillwatch": "0.1.0", "kernel_spec": "1.0", "schema": "1"},
        "inputs": {"rows_digest": "sha256:" + "ab" * 32, "formats": ["litellm", "parquet"]},
        "rows_in": 98_412_903,
        "rows_kept": 98_400_117,
        "rejected": 12_041,
        "duplicates": 745,
        "zone_less_times": 0,
        "accounts": 98_400,
        "described": 97_900,
        "subjects": 101_233,
        "organizations": 41_020,
        "since": iso(START),
        "until": iso(START + timedelta(days=DAYS)),
        "look": 3,
        "alpha": 0.01,
        "alpha_spent": 0.000675,
        "calibrated_on_your_traffic": False,
        "reference": {
            "name": "benign-2026-10",
            "cohorts": 4_812,
            "worlds": 60,
            "largest_e": 210.0 if cannot_accuse else 18_400.0,
            "limits": "Cohorts of 5 to 2,000 accounts; English, Chinese and Spanish worlds alike.",
            "achieved": [
                {
                    "what": "benign cohorts unseen by the fit",
                    "claimed": claimed,
                    "passed": passed,
                    "cohorts": 400,
                    "runs": 30,
                    "value": passed / 400,
                    "low": max(0.0, passed / 400 - 0.02),
                    "high": passed / 400 + 0.02,
                }
                for claimed, passed in ((0.05, 19), (0.01, 3))
            ],
            "contamination": [
                {"trimmed_percent": float(n), "p_value": 0.0004 * (n + 1)} for n in range(6)
            ],
        },
        "cannot_accuse": cannot_accuse,
        "cohorts_tested": 3_120,
        "cohorts_selected": len(accused),
        "needed_e": 2_400.0,
        "drift": {"alarm": False, "text": "No drift: the largest monthly change is 0.8 %."},
        "signals": [
            {
                "name": n,
                "title": t,
                "claim": c,
                "evaluable": not m,
                "missing": m,
                "null": "see docs",
                "needs": needs,
            }
            for n, t, c, m, needs in SIGNALS
        ],
        "campaigns": [
            {
                k: c[k]
                for k in (
                    "campaign_id",
                    "standing",
                    "accounts",
                    "core",
                    "exchanges",
                    "output_tokens",
                    "first_seen",
                    "last_seen",
                )
            }
            for c in campaigns
        ],
        "accused_accounts": members("accused"),
        "watch_accounts": members("watch"),
        "permitted_accounts": members("permitted"),
        "prevalence": prevalence(hit / total, total, weeks),
        "value_at_risk": {
            "harvest_list_price_usd": {
                "low": harvest * 0.96,
                "mid": harvest,
                "high": harvest * 1.04,
            },
            "serving_loss_usd": {"low": harvest * 0.3, "mid": harvest * 0.4, "high": harvest * 0.5},
            "training_spend_avoided_usd": None,
            "revenue_scenario_usd": {"low": 0.0, "mid": 210_000.0, "high": 1_400_000.0},
            "most_sensitive": [
                {"assumption": "share of churn caused by a rival model", "effect_usd": 610_000.0},
                {"assumption": "serving cost per million tokens", "effect_usd": 4_100.0},
            ],
            "assumptions": {"list_price_per_mtok_usd": 15.0, "draws": 10_000},
            "text": "Four figures that overlap: never add them.",
        }
        if accused
        else {},
        "permits": [
            {
                "permit_id": "permit-2026-014",
                "kind": "inside",
                "accounts": 12,
                "exchanges": 40_210,
                "text": "Inside the permit's methods, models and daily tokens.",
            },
            {
                "permit_id": "permit-2026-014",
                "kind": "excess",
                "accounts": 3,
                "exchanges": 1_204,
                "text": "Over the permit's daily tokens on four days.",
            },
        ],
        "events": [
            {"ts": iso(START + timedelta(days=14)), "kind": "model_first_seen", "label": "nova-2"},
            {"ts": iso(START + timedelta(days=9, hours=5)), "kind": "ban", "label": "38 accounts"},
            {"ts": iso(START + timedelta(days=17, hours=5)), "kind": "ban", "label": "21 accounts"},
        ],
    }


def write_run(path: Path, world: str = "full") -> Path:
    """Write a run directory: full, hostile, empty, cannot_accuse, small, bare or many."""
    rng = np.random.default_rng(7)
    campaigns: list[dict[str, Any]] = []
    if world in ("full", "hostile"):
        campaigns = [
            campaign(rng, "alpha", "accused", 250, 14, 812_340, 1, 26),
            campaign(rng, "beta", "accused", 43, 0, 104_110, 8, 27),
            campaign(rng, "gamma", "accused", 9, 1, 61_220, 15, 24),
            campaign(rng, "delta", "permitted", 12, 0, 40_210, 0, 27),
            campaign(rng, "epsilon", "watch", 31, 6, 22_040, 3, 20),
        ]
    elif world == "many":
        campaigns = [
            campaign(rng, f"m{i:02d}", "accused", 30 + 7 * (i % 30), i % 5, 9_000 + 811 * i, 2, 25)
            for i in range(50)
        ]
    elif world == "small":
        campaigns = [
            campaign(rng, "gamma", "accused", 9, 1, 61_220, 15, 24),
            campaign(rng, "epsilon", "watch", 6, 2, 22_040, 3, 20),
        ]
    elif world == "bare":
        campaigns = [campaign(rng, "bare", "accused", 3, 0, 900, 2, 5)]
    if world == "hostile":
        c = campaigns[0]
        c["members"][0]["account_id"] = HOSTILE_ID
        c["members"][0]["reasons"] = [HOSTILE_TEXT]
        c["found_by"] = ["<script>frame</script>"]
        c["methods"] = ['"onload="alert(1)']
        c["rivals"][0]["seen"] = HOSTILE_TEXT
        c["not_known"][0]["question"] = HOSTILE_TEXT
        c["claims"]["coordinated"]["evidence"][0]["text"] = HOSTILE_TEXT
        c["claims"]["actor"]["claim"] = HOSTILE_TEXT
    order = {"accused": 0, "permitted": 1, "watch": 2}
    campaigns.sort(key=lambda c: (order[c["standing"]], c["campaign_id"]))
    volume = volume_rows(rng, campaigns)
    data = summary(campaigns, volume, world == "cannot_accuse")
    if world == "hostile":
        data["events"][0]["label"] = HOSTILE_TEXT
        data["signals"][0]["title"] = HOSTILE_TEXT
        data["drift"] = {"alarm": True, "text": HOSTILE_TEXT}
        for row in volume:
            row["model"] = row["model"].replace("nova-1", "nova\u202e<b>1</b>")
    path.mkdir(parents=True, exist_ok=True)
    stages = path / "stages"
    stages.mkdir(exist_ok=True)
    if world == "bare":
        _bare(data, campaigns)
    (path / "summary.json").write_text(json.dumps(_finite(data)), encoding="utf-8")
    lines = "".join(json.dumps(_finite(c)) + "\n" for c in campaigns)
    (path / "campaigns.jsonl").write_text(lines, encoding="utf-8")
    (path / "timing.json").write_text('{"host": "secret-host"}', encoding="utf-8")
    if world == "bare":
        return path
    _tables(path, rng, campaigns, volume)
    frames = [
        frame_row(c, HOSTILE_TEXT if world == "hostile" and i == 0 else None)
        for i, c in enumerate(campaigns)
    ]
    if world == "hostile":
        frames[0]["marks"] = [{"start": -4, "end": 9999, "method": "<x>"}]
    text = "".join(json.dumps(f) + "\n" for f in frames)
    (stages / "frames.jsonl").write_text(text, encoding="utf-8")
    return path


def _bare(data: dict[str, Any], campaigns: list[dict[str, Any]]) -> None:
    """Take away everything that a run may lack."""
    for key in (
        "prevalence",
        "value_at_risk",
        "permits",
        "events",
        "signals",
        "reference",
        "drift",
    ):
        del data[key]
    for c in campaigns:
        for key in ("rivals", "not_known", "raster", "value", "recommended", "methods"):
            del c[key]
        c["claims"] = {"coordinated": {"confidence": None, "e_value": None, "evidence": []}}
        for m in c["members"]:
            m["confidence"] = None


def _tables(
    path: Path,
    rng: np.random.Generator,
    campaigns: list[dict[str, Any]],
    volume: list[dict[str, Any]],
) -> None:
    stages = path / "stages"
    raster = [r for c in campaigns for r in raster_rows(rng, c)]
    pq.write_table(
        pa.Table.from_pylist(
            raster,
            schema=pa.schema(
                [
                    ("campaign_id", pa.string()),
                    ("row", pa.int32()),
                    ("subject", pa.string()),
                    ("ts", TS),
                    ("status", pa.string()),
                    ("model", pa.string()),
                    ("core", pa.bool_()),
                ]
            ),
        ),
        stages / "raster.parquet",
    )
    clock = []
    for c in campaigns:
        for h in range(24):
            mid = (1 + 0.85 * math.sin((h - 9) / 24 * 2 * math.pi)) / 24
            clock.append(
                {
                    "campaign_id": c["campaign_id"],
                    "hour": h,
                    "campaign_share": float(rng.uniform(0.036, 0.047)),
                    "segment_low": mid * 0.8,
                    "segment_mid": mid,
                    "segment_high": mid * 1.25,
                }
            )
    clock_schema = pa.schema(
        [("campaign_id", pa.string()), ("hour", pa.int32())]
        + [
            (n, pa.float64())
            for n in ("campaign_share", "segment_low", "segment_mid", "segment_high")
        ]
    )
    pq.write_table(pa.Table.from_pylist(clock, schema=clock_schema), stages / "clock.parquet")
    coverage = [r for c in campaigns for r in coverage_rows(c)]
    coverage_schema = pa.schema(
        [("campaign_id", pa.string()), ("requests", pa.int64())]
        + [
            (n, pa.float64())
            for n in ("campaign_topics", "segment_low", "segment_mid", "segment_high")
        ]
    )
    pq.write_table(
        pa.Table.from_pylist(coverage, schema=coverage_schema), stages / "coverage.parquet"
    )
    volume_schema = pa.schema(
        [("day", TS), ("model", pa.string()), ("campaign_id", pa.string())]
        + [(n, pa.int64()) for n in ("requests", "output_tokens", "accounts")]
    )
    pq.write_table(pa.Table.from_pylist(volume, schema=volume_schema), stages / "volume.parquet")
    links = [r for c in campaigns for r in link_rows(rng, c)]
    pq.write_table(pa.Table.from_pylist(links, schema=LINK), path / "links.parquet")


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, float):
        return None if math.isnan(value) else value
    return value
