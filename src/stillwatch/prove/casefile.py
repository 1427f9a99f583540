"""The case file: a chain of claims, each with its error rate, hash-chained and signed.

1. Claims stand in the order traffic, canary, lineage, agreement, identity, profiles, equality,
   guardrails, value; what is absent is listed.
2. Each claim is one entry of a hash chain, with the digests of the files it was made from.
3. The elements of a "model extraction attack" in H.R. 8283 are mapped to claims; an element that
   no claim carries says what would be needed. Purpose and authorisation are for people to judge.
4. The whole is one DSSE envelope. `verify_case` needs the file and a public key, nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch import __version__
from stillwatch.errors import ConfigError, EvidenceError, InputError
from stillwatch.prove.claims import ORDER, Claim, claim_of, traffic_claim, value_claim
from stillwatch.prove.results import file_digest, plain, read_result
from stillwatch.seal import Link, append, canonical, open_sealed, seal, verify_chain

__all__ = ["ELEMENTS", "Checked", "build_case", "read_campaign", "seal_case", "verify_case"]

KIND: Final = "case-file"
_OF_CAMPAIGN: Final = ("traffic", "value")


ELEMENTS_OF: Final = (
    "the bill H.R. 8283 as reported on 2026-04-22, in our words: counsel compares them with the "
    "text in force"
)


@dataclass(frozen=True)
class Element:
    """One element of the definition, the claims that speak to it, and what else it needs."""

    element: str
    claims: tuple[str, ...]
    otherwise: str


ELEMENTS: Final = (
    Element(
        "capabilities of a closed-source model were extracted",
        ("canary", "lineage"),
        "a canary or lineage result on the suspect model",
    ),
    Element(
        "by circumventing controls, by fraudulent credentials, or against explicit terms that "
        "forbid training",
        (),
        "account records (false credentials, evaded blocks) and the terms in force at the time: "
        "counsel adds them",
    ),
    Element(
        "volume, structure, pattern, coordination and timing of requests; what purpose they show "
        "is for people to judge",
        ("traffic",),
        "an accused campaign from `stillwatch scan`",
    ),
    Element(
        "requests concentrate on particular capabilities",
        (),
        "the methods and topics of the campaign, read by a person: they are hints, not tests",
    ),
    Element("accounts act together", ("traffic",), "an accused campaign from `stillwatch scan`"),
    Element(
        "timing fits the development of another model",
        (),
        "the dates of the suspect's release and of the campaign, from outside sources",
    ),
    Element(
        "the training was not authorised",
        (),
        "that no permit covers the traffic and nobody granted one otherwise: counsel states it",
    ),
)


@dataclass(frozen=True)
class Checked:
    """What `verify_case` found: the case, and which of the files laid beside it agree."""

    case: Mapping[str, Any]
    claims: int
    matching: tuple[str, ...]
    differing: tuple[str, ...]
    absent: tuple[str, ...]


def read_campaign(path: Path, campaign_id: str) -> dict[str, Any]:
    """Return a campaign from a campaigns.jsonl.

    Raises:
        InputError: the file cannot be read, or it has no such campaign.
    """
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                value = json.loads(line)
                if value.get("campaign_id") == campaign_id:
                    return dict(value)
    except (OSError, ValueError, AttributeError) as error:
        raise InputError("cannot be read as campaigns", where=path.name) from error
    raise InputError("no such campaign in it", where=path.name, hint="see the report's list")


def build_case(
    *,
    title: str,
    suspect: str,
    results: Sequence[Path],
    now: datetime,
    campaigns: Path | None = None,
    campaign_id: str | None = None,
) -> dict[str, Any]:
    """Return the case: claims as a hash chain, what is missing, the weakest link, the elements.

    Args:
        title: of the case, for its readers.
        suspect: name of the suspect model.
        results: files that the tests of `prove` wrote, at most one of a kind.
        now: time of the case, UTC.
        campaigns: campaigns.jsonl of a scan.
        campaign_id: the campaign in it that is charged.

    Raises:
        ConfigError: campaigns without a campaign, or the other way round.
        InputError: a file cannot be read, two results are of one kind or have one file name, or a
            result is about another suspect.
    """
    if (campaigns is None) != (campaign_id is None):
        raise ConfigError("give a run and the campaign in it, or neither", where="campaign")
    names = [path.name for path in results]
    if len(set(names)) != len(names):
        raise InputError("two results have one file name", where="results", hint="rename one")
    made: list[tuple[Claim, dict[str, str]]] = []
    if campaigns is not None and campaign_id is not None:
        campaign = read_campaign(campaigns, campaign_id)
        source = {campaigns.name: file_digest(campaigns)}
        value = value_claim(campaign)
        made += [(c, source) for c in (traffic_claim(campaign), value) if c is not None]
    for path in results:
        result = read_result(path)
        told = result["result"].get("suspect")
        if told != suspect:
            raise InputError("the result is about another suspect model", where=path.name)
        claim = _of_campaign(claim_of(result), result["result"], campaign_id)
        made.append((claim, {path.name: file_digest(path)}))
    names = [claim.name for claim, _ in made]
    if len(set(names)) != len(names):
        raise InputError("two results make the same claim", where="results")
    made.sort(key=lambda pair: ORDER.index(pair[0].name))
    links: list[Link] = []
    for claim, sources in made:
        entry: dict[str, Any] = {"claim": plain(claim), "sources": sources}
        if claim.name in _OF_CAMPAIGN:
            entry["campaign"] = campaign_id
        links.append(append(entry, links[-1] if links else None))
    claims = [claim for claim, _ in made]
    return {
        "title": title,
        "suspect": suspect,
        "at": now.isoformat(),
        "stillwatch": __version__,
        "chain": [asdict(link) for link in links],
        "missing": [name for name in ORDER if name not in names],
        "weakest": _weakest(claims),
        "elements_of": ELEMENTS_OF,
        "elements": [_element(element, claims) for element in ELEMENTS],
        "reading": "Each claim stands alone with its own error rate; the rates are neither "
        "multiplied nor added. Lineage is consistent with training, never proof of an amount.",
    }


def _of_campaign(claim: Claim, result: Mapping[str, Any], campaign_id: str | None) -> Claim:
    """Return a canary claim with what joins it to the campaign that is charged, if names differ."""
    if claim.name != "canary" or campaign_id is None:
        return claim
    planted = result["scores"][0]["campaign"]
    if planted == campaign_id:
        return claim
    joined = f"what the plan calls {planted} is campaign {campaign_id} of the traffic claim"
    return replace(claim, assumptions=(*claim.assumptions, joined))


def _weakest(claims: Sequence[Claim]) -> str:
    failed = [claim for claim in claims if not claim.holds]
    if failed:
        return f"{failed[0].name}: the evidence does not hold at a level set beforehand"
    rated = [claim for claim in claims if claim.error_rate is not None]
    unrated = [c for c in claims if c.error_rate is None and c.name != "value"]
    if unrated:
        return f"{unrated[0].name}, no error rate: {unrated[0].weakest_link}"
    if not rated:
        return "there is no claim with an error rate"
    worst = max(rated, key=lambda claim: claim.error_rate or 0.0)
    return f"{worst.name}, error rate {worst.error_rate:.3g}: {worst.weakest_link}"


def _element(element: Element, claims: Sequence[Claim]) -> dict[str, Any]:
    carried = [c.name for c in claims if c.name in element.claims and c.holds]
    return {
        "element": element.element,
        "carried_by": carried,
        "missing": "" if carried else element.otherwise,
    }


def seal_case(case: Mapping[str, Any], keys: Sequence[Ed25519PrivateKey]) -> bytes:
    """Return the signed case file, ready to be written."""
    return canonical(seal(canonical(dict(case)), KIND, keys)) + b"\n"


def verify_case(
    sealed: bytes, keys: Sequence[Ed25519PublicKey], beside: Path | None = None
) -> Checked:
    """Return the case once its signature and every link of its chain hold, with no network.

    Args:
        sealed: what `seal_case` returned.
        keys: the keys that are trusted.
        beside: a folder with the files the claims were made from; their digests are compared.

    Raises:
        EvidenceError: not signed by a trusted key, changed, the chain does not hold, an element
            rests on a claim that does not, or a claim is not what the result beside it says.
        InputError: no such folder.
    """
    if beside is not None and not beside.is_dir():
        raise InputError("no such folder", where=beside.name, hint="give where the results lie")
    try:
        case = json.loads(open_sealed(sealed, KIND, keys))
    except EvidenceError as error:
        raise EvidenceError(
            error.message,
            where="case",
            hint="one changed byte is enough: take the file and the public key from who signed it",
        ) from error
    try:
        links = [Link(**link) for link in case["chain"]]
        sources = {name: d for link in links for name, d in link.value["sources"].items()}
        holding = {link.value["claim"]["name"] for link in links if link.value["claim"]["holds"]}
        carried = {name for element in case["elements"] for name in element["carried_by"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise EvidenceError("the case has another form than expected", where="case") from error
    count = verify_chain(links)
    if unheld := ", ".join(sorted(carried - holding)):
        raise EvidenceError(
            f"an element rests on a claim that does not hold: {unheld}", where="case"
        )
    found: dict[str, list[str]] = {"matching": [], "differing": [], "absent": []}
    for name, told in sorted(sources.items()):
        path = beside / Path(name).name if beside is not None else None
        if path is None or not path.is_file():
            found["absent"].append(name)
        else:
            found["matching" if file_digest(path) == told else "differing"].append(name)
    if beside is not None:
        _compare(links, beside, found["matching"])
    return Checked(case, count, *(tuple(found[k]) for k in ("matching", "differing", "absent")))


def _compare(links: Sequence[Link], beside: Path, matching: Sequence[str]) -> None:
    """Refuse a claim that says something else than its result: who signs writes both.

    Wording may change between versions; name, verdict and error rate may not. Cases of before name
    no campaign in their entries, so there a claim from one is not compared.
    """
    for link in links:
        claim, campaign_id = link.value["claim"], link.value.get("campaign")
        for name in link.value["sources"]:
            path = beside / Path(name).name
            if name not in matching or (claim["name"] in _OF_CAMPAIGN and campaign_id is None):
                continue
            if claim["name"] in _OF_CAMPAIGN:
                campaign = read_campaign(path, campaign_id)
                make = traffic_claim if claim["name"] == "traffic" else value_claim
                own = plain(make(campaign)) or {}
            else:
                own = plain(claim_of(read_result(path)))
            if any(own.get(k) != claim.get(k) for k in ("name", "holds", "error_rate")):
                raise EvidenceError("a claim is not what its result says", where=name)
