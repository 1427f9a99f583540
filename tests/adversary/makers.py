"""Objects of STIX 2.1 as any tool makes them, with the library `stix2`: lawful ones, and smuggled.

None of them has an extension of ours. What their descriptions say was written without a look at the
vocabulary, in the manner of reports on model extraction.
"""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import stix2
import writers

__all__ = ["PLACES", "lawful", "smuggled"]

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
Obj = dict[str, Any]
Rng = random.Random

WHO = (
    "An automated operator", "A group of fraudulent accounts", "The adversary", "Threat actors",
    "A coordinated cluster of accounts", "Several API keys", "A botnet of worker accounts",
    "Unknown actors", "A relay network", "Scripted sessions",
)  # fmt: skip
DOES = (
    "queries the inference API to collect chain-of-thought traces",
    "submits templated prompts in order to harvest training pairs",
    "requests verbose step-by-step solutions to mathematical problems",
    "extracts tool-calling transcripts from agentic sessions",
    "replays encrypted reasoning content across unrelated conversations",
    "uses the model as a judge to rank candidate answers",
    "sends paraphrased variants of the same instruction",
    "attempts to bypass output filters by means of role-play",
    "enumerates topics from a fixed taxonomy",
    "asks the model to disclose its hidden system prompt",
    "collects paired completions for preference optimization",
    "probes the refusal boundary with adversarial suffixes",
)
HOW = (
    "through rotating residential proxies", "via a SOCKS5 gateway", "from cloud-hosted addresses",
    "with identical TLS fingerprints", "using a headless browser", "in round-robin order",
    "with a shared system prompt", "at constant intervals", "from newly registered accounts",
    "across multiple autonomous systems", "with stolen credentials", "in short bursts",
)  # fmt: skip
ALSO = (
    "The behavior is consistent with model extraction.",
    "Activity was first observed on 2026-09-14.",
    "The JA4 fingerprint is identical in all sessions.",
    "Prompts share a common prefix and differ only in the payload.",
    "No human interaction was observed.",
    "Confidence is moderate because the telemetry is incomplete.",
    "The technique maps to AML.T0024.002.",
    "Accounts were created in rapid succession with disposable email addresses.",
    "Similar activity was reported earlier.",
    "HTTP 429 responses were followed by a switch to another key.",
    "The payload is encoded in Base64 before submission.",
    "Topic coverage is broad and almost uniform.",
    "The requests contain the same JSON schema.",
    "Overlap with benign evaluation traffic cannot be excluded.",
)
NAMES = (
    "Chain-of-thought extraction via proxies", "Model extraction campaign",
    "Reasoning trace harvesting", "API distillation cluster", "Residential proxy network",
    "Prompt template reuse", "Tool schema extraction", "Coordinated account farm",
    "Knowledge distillation via public API", "Credential sharing cluster",
    "Automated dataset generation", "System prompt extraction", "Multi-account query rotation",
    "Encrypted reasoning replay", "Jailbreak-assisted extraction", "Logit extraction attempt",
)  # fmt: skip
SHORT = (
    "We observed the same template in our logs.",
    "The indicator produced false positives on evaluation traffic.",
    "Independent telemetry supports this assessment.",
    "The attribution is plausible but not conclusive.",
    "Timing and prompt structure match the earlier campaign.",
    "The hash could not be reproduced with the published normalization.",
    "Matching sessions were found in two subnets.",
    "This fingerprint also occurs in an open-source framework.",
)
LABELS = (
    "distillation", "model-extraction", "chain-of-thought", "llm", "api-abuse", "proxy",
    "residential-proxy", "prompt-injection", "jailbreak", "account-farm", "automation",
    "reasoning", "synthetic-data", "template-reuse", "credential-abuse", "exfiltration",
)  # fmt: skip
TECHNIQUES = {
    "AML.T0024.002": "Extract AI Model", "AML.T0040": "AI Model Inference API Access",
    "AML.T0012": "Valid Accounts", "AML.T0021": "Establish Accounts",
    "AML.T0054": "LLM Jailbreak", "AML.T0051": "LLM Prompt Injection",
}  # fmt: skip
TLP = (
    stix2.TLP_WHITE.id, stix2.TLP_GREEN.id, stix2.TLP_AMBER.id,
    "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb",
    "marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421",
)  # fmt: skip


def _id(kind: str, rng: Rng) -> str:
    return f"{kind}--{uuid.UUID(int=rng.getrandbits(128), version=4)}"


def description(rng: Rng) -> str:
    """Return one to three sentences."""
    first = f"{rng.choice(WHO)} {rng.choice(DOES)} {rng.choice(HOW)}."
    if first.split()[0] in ("Several", "Threat", "Unknown", "Scripted"):
        words = first.split()
        verb = next(w for w in words if w in {d.split()[0] for d in DOES})
        first = first.replace(verb, verb.removesuffix("s") if verb[-2:] != "es" or verb in (
            "queries", "replays", "uses", "probes", "enumerates") else verb[:-1], 1)  # fmt: skip
        first = first.replace("querie ", "query ")
    return " ".join([first, *rng.sample(ALSO, rng.randint(0, 2))])


def _common(kind: str, rng: Rng) -> Obj:
    created = NOW - timedelta(days=rng.randint(1, 60), milliseconds=rng.randint(0, 10**8))
    made: Obj = {
        "id": _id(kind, rng), "created": created, "modified": created,
        "created_by_ref": _id("identity", rng),
    }  # fmt: skip
    if rng.random() < 0.6:
        made["labels"] = rng.sample(LABELS, rng.randint(1, 3))
    if rng.random() < 0.6:
        made["confidence"] = rng.randint(0, 100)
    if rng.random() < 0.4:
        made["lang"] = "en"
    if rng.random() < 0.6:
        made["object_marking_refs"] = [rng.choice(TLP)]
    if rng.random() < 0.5:
        key = rng.choice(list(TECHNIQUES))
        made["external_references"] = [
            {"source_name": "mitre-atlas", "external_id": key}
            | ({"url": f"https://atlas.mitre.org/techniques/{key}"} if rng.random() < 0.5 else {})
        ]
    return made


def _chain(rng: Rng) -> Obj:
    if rng.random() < 0.5:
        return {}
    phase = rng.choice(("exfiltration", "collection", "ml-model-access", "resource-development"))
    return {"kill_chain_phases": [{"kill_chain_name": "mitre-atlas", "phase_name": phase}]}


def _hour(rng: Rng) -> str:
    return f"2026-{rng.randint(1, 10):02d}-{rng.randint(1, 28):02d}T{rng.randint(0, 23):02d}:00:00Z"


def lawful(rng: Rng) -> Obj:
    """Return an object as the library writes it, of any type that may be shared."""
    kinds = {
        "campaign": lambda: stix2.Campaign(
            name=rng.choice(NAMES), description=description(rng), first_seen=_hour(rng),
            **_common("campaign", rng),
        ),
        "indicator": lambda: stix2.Indicator(
            name=rng.choice(NAMES), description=description(rng), pattern_type="stix",
            pattern=f"[x-stillwatch-value:frame_head_8 = '{rng.getrandbits(64):016x}']",
            valid_from=NOW - timedelta(hours=rng.randint(1, 900), microseconds=7),
            indicator_types=["anomalous-activity"], **_chain(rng), **_common("indicator", rng),
        ),
        "infrastructure": lambda: stix2.Infrastructure(
            name=rng.choice(NAMES), description=description(rng),
            infrastructure_types=["anonymization"], **_common("infrastructure", rng),
        ),
        "attack-pattern": lambda: stix2.AttackPattern(
            name=rng.choice([*NAMES, *TECHNIQUES.values()]), description=description(rng),
            **_chain(rng), **_common("attack-pattern", rng),
        ),
        "note": lambda: stix2.Note(
            content=rng.choice([description(rng), *SHORT]), object_refs=[_id("campaign", rng)],
            **_common("note", rng),
        ),
        "opinion": lambda: stix2.Opinion(
            opinion=rng.choice(("agree", "disagree", "neutral")), explanation=rng.choice(SHORT),
            object_refs=[_id("indicator", rng)], **_common("opinion", rng),
        ),
        "sighting": lambda: stix2.Sighting(
            _id("campaign", rng), description=rng.choice(SHORT), **_common("sighting", rng)
        ),
        "relationship": lambda: stix2.Relationship(
            _id("campaign", rng), "uses", _id("attack-pattern", rng), **_common("relationship", rng)
        ),
        "report": lambda: stix2.Report(
            name=rng.choice(NAMES), description=description(rng), published=NOW,
            report_types=["campaign"], object_refs=[_id("campaign", rng), _id("indicator", rng)],
            **_common("report", rng),
        ),
    }  # fmt: skip
    made: Obj = json.loads(kinds[rng.choice(list(kinds))]().serialize())
    return made


# Where words may stand in such an object, and where none may.
PLACES = (
    "name", "description", "labels", "aliases", "objective", "content", "abstract", "explanation",
    "external_references", "source_name", "url", "kill_chain_phases", "pattern", "lang", "id",
    "created_by_ref", "unknown", "authors", "granular_markings", "extensions", "object_refs",
    "x509", "goals",
)  # fmt: skip


def smuggled(rng: Rng, count: int) -> Iterator[tuple[str, str, Obj]]:
    """Yield (place, text, object): a forbidden text in each place in turn."""
    for number in range(count):
        place = PLACES[number % len(PLACES)]
        text = rng.choice((*writers.PLAIN, *writers.VEILED, *writers.READ))
        made = lawful(rng)
        _put(made, place, text, rng)
        yield place, text, made


def _put(made: Obj, place: str, text: str, rng: Rng) -> None:
    data = (text.encode() + b" " * 16)[:16]
    if place == "labels":
        made[place] = rng.choice([[text], text.lower().rstrip(".").split()[:8],
                                  [text.lower().rstrip(".").replace(" ", "-")]])  # fmt: skip
    elif place == "aliases":
        made[place] = [text]
    elif place == "external_references":
        made[place] = [{"source_name": "mitre-atlas", "external_id": "AML.T0040",
                        "description": text}]  # fmt: skip
    elif place == "source_name":
        made["external_references"] = [{"source_name": text}]
    elif place == "url":
        made["external_references"] = [
            {"source_name": "mitre-atlas", "url": "https://atlas.mitre.org/" + text[:20]}
        ]
    elif place == "kill_chain_phases":
        made[place] = [{"kill_chain_name": text, "phase_name": "exfiltration"}]
    elif place == "pattern":
        made[place] = f"[x-stillwatch-value:tool_schema = '{data[:8].hex()}']"
    elif place == "id":
        made["id"] = f"{made['type']}--{uuid.UUID(bytes=data, version=4)}"
    elif place == "created_by_ref":
        made[place] = f"identity--{uuid.UUID(bytes=data, version=4)}"
    elif place == "object_refs":
        made[place] = [f"campaign--{uuid.UUID(bytes=data, version=4)}"]
    elif place == "granular_markings":
        made[place] = [{"lang": text, "selectors": ["name"]}]
    elif place == "extensions":
        made[place] = {_id("extension-definition", rng): {"extension_type": "property-extension",
                                                          "note": text}}  # fmt: skip
    else:
        made[place] = text
