"""What analysts write, and objects with their words in them: all of it lawful."""

from __future__ import annotations

import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from stillwatch.share import content as make
from stillwatch.share.catalogue import ATLAS
from stillwatch.share.prose import LONGEST
from stillwatch.share.stix import campaign_objects
from stillwatch.share.words import CLEAR_KINDS, NOTICES, OPINIONS, SHARED_METHODS, TOKEN_KINDS

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
Obj = dict[str, Any]
Rng = random.Random
__all__ = ["NAMES", "NOW", "SHORT", "Obj", "Rng", "lawful", "lawful_text"]

# What analysts write, in pieces that go together.

WHO = (
    "A cluster of linked accounts",
    "A group of newly created accounts",
    "The operator",
    "A set of coordinated accounts",
    "An unknown actor",
    "Several accounts behind one proxy",
    "Automated clients",
    "Accounts with near-identical prompts",
    "This campaign",
    "A pool of rotating accounts",
    "A relay service",
    "Hundreds of accounts",
    "Accounts that were registered in one burst",
    "The same orchestrator",
    "Scripted accounts",
    "Accounts sharing one tool schema",
    "A small cohort of accounts",
    "The actor behind this campaign",
)
DOES = (
    "sent prompts that ask the model to write out its hidden reasoning step by step",
    "used a fixed template with a changing payload to collect synthetic training data",
    "asked the model to grade candidate answers against a rubric",
    "replayed encrypted reasoning blobs in unrelated conversations",
    "continued conversations that had begun on other accounts",
    "retried failed prompts from a different account within seconds",
    "rotated through residential proxies after every few requests",
    "spread the requests evenly so that no single account stood out",
    "took turns in strict order, which is consistent with load balancing",
    "requested translations of the working memory of earlier turns",
    "tried one jailbreak technique after another against the same question",
    "harvested chain-of-thought traces for mathematics and coding tasks",
    "submitted long lists of questions drawn from a common queue",
    "paraphrased the same instructions in many different ways",
    "relayed the questions of other people through one gateway",
    "combined a debugging persona with a fake system prompt to extract traces",
    "collected pairs of instructions and answers in JSON format",
    "showed no pause at night or on weekends",
    "stopped and resumed at the same moments",
    "moved to fresh accounts when the old ones went silent",
    "imitated ordinary chat sessions between the extraction prompts",
    "asked for critiques of reasoning traces that were produced elsewhere",
    "copied the system prompt of a popular application as camouflage",
    "queried every topic once and never repeated a question",
)
HOW = (
    "The user agent string and the TLS fingerprint are identical across the cluster.",
    "All of them share a payment method.",
    "The prompts begin with the same eight words.",
    "The exit addresses belong to one hosting network.",
    "Sign-ups arrived in a narrow window.",
    "Requests are spaced at regular intervals.",
    "The tool schema hash matches across accounts.",
    "Responses were truncated at the same length.",
    "Traffic was seen through several autonomous systems.",
    "Similarity of the templates is high although the wording varies.",
    "The frame fingerprint matches an indicator that was shared earlier.",
    "Most conversations consist of a single turn.",
    "Payloads are drawn from public benchmarks and from synthetic seeds.",
    "The accounts do not look like ordinary users of an application.",
    "HTTP 429 responses were followed by retries on neighbouring accounts.",
    "Rate limits were evaded by rotating credentials.",
    "Answers were requested as JSON records with an instruction, an input and an output.",
    "There is no overlap with known evaluation suites.",
    "The activity maps to AML.T0024.002.",
    "See also AML.T0040 and AML.T0012 of MITRE ATLAS.",
    "First observed on 2026-10-02.",
    "Last seen in October 2026.",
    "The pattern was stable between 2026-09-01 and 2026-10-15.",
    "We saw 100-300 accounts with this prefix.",
    "Between 1,000 and 3,000 exchanges carry it.",
    "About 3,000 to 10,000 exchanges were linked to the campaign.",
    "Our telemetry shows the same pattern.",
    "Confidence in the link is moderate.",
    "Attribution to an operator remains uncertain.",
    "No operator is claimed.",
    "A false positive cannot be ruled out, since a class may send similar prompts.",
    "Honest neighbours share the proxy, so an address alone proves nothing.",
    "The indicator supports a finding and is not proof by itself.",
    "The opening frame changed once during the campaign.",
    "Distinct payloads show that the template is used to sample many topics.",
    "The hash was computed over the normalised system prompt.",
    "The cluster vanished within 24 hours.",
    "Timing suggests a single scheduler.",
)
NAMES = (
    "Reasoning trace extraction through rotating proxies",
    "Template relay over residential exits",
    "Rubric grading cluster",
    "Coordinated prompt harvesting",
    "Blob replay across accounts",
    "Chain-of-thought exfiltration",
    "Round robin harvesting",
    "Shared system prompt cluster",
    "Synthetic data collection with one template",
    "Step-by-step Elicitation Cluster",
    "Jailbreak technique sweep",
    "Relay of questions through a gateway",
)
SHORT = (
    "Seen in our logs as well with the same prompt prefix.",
    "Matches a cluster we observed.",
    "The frame fingerprint also occurs in benign traffic.",
    "We could not reproduce this finding.",
    "The accounts are part of a known evaluation, so this is likely a false positive.",
    "Both share a tool schema and a user agent.",
    "The prompt template is the same.",
    "The evidence is weak because the prefix is common.",
    "Consistent with our observations.",
    "The campaign uses this technique to obtain reasoning traces.",
    "Same exit prefix and identical timing of requests.",
)


def lawful_text(rng: Rng) -> str:
    """Return a description as an analyst may write it."""
    parts = [f"{rng.choice(WHO)} {rng.choice(DOES)}."]
    parts += rng.sample(HOW, rng.randint(0, 3))
    text = " ".join(parts)
    return text if len(text) <= LONGEST else parts[0]


def _identity(rng: Rng) -> str:
    return f"identity--{uuid.UUID(int=rng.getrandbits(128), version=4)}"


def _campaign(rng: Rng, by: str, then: datetime) -> list[Obj]:
    first = then - timedelta(days=rng.randint(2, 50), minutes=rng.randint(0, 900))
    claim = {
        "confidence": rng.uniform(0.8, 1),
        "e_value": 1e5,
        "evidence": [{"signal": "harvest", "p_value": 1e-7}],
    }
    line = {
        "campaign_id": f"c-{rng.getrandbits(48):012x}",
        "standing": "accused",
        "first_seen": first.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "last_seen": (first + timedelta(hours=30)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "accounts": rng.randint(5, 9_000),
        "exchanges": rng.randint(200, 10**7),
        "methods": rng.sample(SHARED_METHODS, 2),
        "claims": {"coordinated": claim, "extractive": claim},
    }
    return campaign_objects(line, by=by, modified=then)


def lawful(rng: Rng) -> Obj:
    """Return an object with an analyst's words in it."""
    by, then = _identity(rng), NOW - timedelta(hours=rng.randint(1, 60))
    about = f"campaign--{uuid.uuid5(uuid.NAMESPACE_OID, str(rng.getrandbits(64)))}"
    kind = rng.choice(
        [
            "campaign",
            "campaign",
            "indicator",
            "indicator",
            "token",
            "infrastructure",
            "relationship",
            "sighting",
            "opinion",
            "note",
            "report",
            "actor",
        ]
    )
    if kind == "campaign":
        made = _campaign(rng, by, then)[0]
        made["description"] = lawful_text(rng)
        if rng.random() < 0.5:
            made["name"] = rng.choice(NAMES)
        return made
    if kind == "indicator":
        made = make.indicator(
            rng.choice(CLEAR_KINDS), f"{rng.getrandbits(64):016x}", by=by, since=then
        )
    elif kind == "token":
        made = make.indicator(
            rng.choice(TOKEN_KINDS),
            f"{rng.getrandbits(256):064x}",
            by=by,
            since=then,
            epoch=f"{NOW:%Y-%m}",
        )
    elif kind == "infrastructure":
        made = make.infrastructure("exit_addresses", "residential", 88, by=by, created=then)
    elif kind == "relationship":
        made = make.relationship(
            about, "uses", make.atlas_id(rng.choice(list(ATLAS))), by=by, created=then
        )
    elif kind == "sighting":
        made = make.sighting(about, 44, then - timedelta(days=3), then, by=by, created=then)
    elif kind == "opinion":
        made = make.opinion(about, rng.choice(OPINIONS), by=by, created=then)
        return made | {"explanation": rng.choice(SHORT)}
    elif kind == "note":
        made = make.note(rng.choice(list(NOTICES)), [about], by=by, created=then)
        return made | {"abstract": rng.choice(SHORT)}
    elif kind == "report":
        made = make.report([about], by=by, published=then)
        made["name"] = rng.choice(NAMES)
    else:
        made = make.actor(
            "threat-actor",
            80,
            ["harvest"],
            f"sha256:{rng.getrandbits(256):064x}",
            by=by,
            created=then,
        )
    made["description"] = rng.choice(SHORT) if rng.random() < 0.3 else lawful_text(rng)
    return made
