"""The antitrust rules: each with a sentence in plain English, its source and where it is checked.

docs/antitrust.md is written from this table, and a test demands a test for every rule.
"""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["RULES", "Rule"]


class Rule(NamedTuple):
    """One rule: what it demands, why (the source), the module that applies it, and its test."""

    sentence: str
    source: str
    where: str
    test: str = "test_guard.py::test_what_breaks_a_rule_is_refused_by_its_name"


_DOJ = "DOJ and FTC, Antitrust Policy Statement on Sharing of Cybersecurity Information (2014)"
_ZONE = "the safety zone that DOJ and FTC withdrew in 2023, kept as a floor: no shelter, a prudence"
_101 = "Article 101 TFEU and the EU guidelines on horizontal co-operation (2023), chapter 6"
_CISA = "Cybersecurity Information Sharing Act of 2015, sunset on 2026-09-30: lapsed unless renewed"
_RULE = "[sharing](sharing.md#seven-rules), rule"

RULES: Final[dict[str, Rule]] = {
    "closed-shape": Rule(
        "Only listed kinds of objects with listed fields may pass; an unknown field, extension or "
        "kind is refused at every depth.",
        f"{_RULE} 1; {_DOJ}", "objects",
    ),
    "closed-values": Rule(
        "A field holds one of its listed values or a fixed format, nothing else.",
        f"{_RULE} 1", "objects",
    ),
    "no-free-text": Rule(
        "Names of members and operators, patterns and corrections are computed from the other "
        "fields; anything else is refused, and so is prose that tells of a hash of an identifier.",
        f"{_RULE} 5; {_101}", "texts, prose",
    ),
    "closed-prose": Rule(
        "A description is computed, or prose that nobody needs to read first: one plain writing, "
        "words of a closed vocabulary of the trade, numbers in listed forms only.",
        f"{_RULE} 5; {_101}", "prose",
    ),
    "no-advice": Rule(
        "Nobody says what somebody should do, whom to serve, or who did what about an account; "
        "each provider decides alone.",
        f"{_RULE} 4; {_101}", "prose",
    ),
    "no-commerce": Rule(
        "Prices, costs, capacity, roadmaps, customers' names and terms, volumes and training plans "
        "are not exchanged, in no language, spelling or encoding.",
        f"{_RULE} 5; {_DOJ}; {_101}", "commercial",
    ),
    "needs-a-person": Rule(
        "What a rule cannot judge is held back for a person; it never passes by itself.",
        f"{_RULE} 5", "antitrust",
    ),
    "log-bands": Rule(
        "Counts are told as log bands, never exactly.",
        f"{_RULE} 1; {_101}", "objects",
    ),
    "rounded-times": Rule(
        "Times are rounded: activity to the hour, sightings and validity to the day, versions to "
        "the second (versions and validity of objects of the standard alone as written); none "
        "lies in the future or before 2020.",
        f"{_RULE} 3", "antitrust",
    ),
    "plain-ids": Rule(
        "An id follows from the object's content; random are only a member's own, of which it has "
        "three at most, and those of objects of the standard alone. No id is made of a value that "
        "somebody could guess, and none that a sender could "
        "have chosen spells a message.",
        f"{_RULE} 1; STIX 2.1, sections 2.9 and 3.4", "antitrust",
    ),
    "fixed-formats": Rule(
        "A fingerprint or token has a fixed length and spells no message.",
        f"{_RULE} 2", "antitrust",
    ),
    "fixed-objects": Rule(
        "Technical measures, markings and extensions are the same objects for all, compared whole; "
        "there is no step against a customer among them. A technique is one of them, or described "
        "in an object of the standard alone.",
        f"{_RULE} 4; {_101}", "catalogue",
        test="test_guard.py::test_fixed_objects",
    ),
    "typed-links": Rule(
        "A relationship joins only kinds of objects for which it means something.",
        "STIX 2.1, appendix B", "antitrust",
    ),
    "marked": Rule(
        "Everything carries exactly one TLP 2.0 marking; TLP:RED never leaves. An object of the "
        "standard alone may have one of TLP 1, or none: then its collection's level holds.",
        "FIRST, TLP 2.0; STIX 2.1, section 7.2.1.4", "antitrust, standard",
    ),
    "released-actor": Rule(
        "An operator is claimed only with a confidence, a basis and counsel's release, under a "
        "pseudonym; natural persons are never named. No relationship, report or "
        "note of the standard alone names one; an opinion without words may be of one alone.",
        f"{_RULE} 7; [cases](cases.md)", "objects, standard",
        test="test_guard.py::test_released_actor",
    ),
    "sightings-of-campaigns": Rule(
        "A sighting is of a campaign, in bands and days; never of a token, an address or a card.",
        f"{_RULE} 3", "objects",
        test="test_guard.py::test_sightings_of_campaigns",
    ),
    "short-lived": Rule(
        "An indicator is valid for at most 180 days, also where it does not say until when.",
        f"{_RULE} 7", "antitrust",
    ),
    "aggregate-lane": Rule(
        "Figures about several contributors come from at least five, none over 25 percent, and are "
        "at least 90 days old.",
        f"{_RULE} 5; {_ZONE}", "antitrust, lanes",
    ),
    "no-differencing": Rule(
        "No sum of published figures of the same months, with any factors, is about fewer than "
        "five contributors; at most four groups of contributors are published of them.",
        f"{_RULE} 5", "lanes",
        test="test_lanes_and_law.py::test_no_differencing",
    ),
    "one-writing": Rule(
        "A value is written in one way only: no repeated keys, no deep nesting, no oversize; the "
        "order of keys, lists and spaces is not kept.",
        f"{_RULE} 1", "antitrust",
        test="test_guard.py::test_one_writing",
    ),
    "purpose": Rule(
        "Each read and each release names one of the listed purposes.",
        f"{_RULE} 6", "legal",
        test="test_lanes_and_law.py::test_purpose",
    ),
    "legal-basis": Rule(
        "Nothing leaves without a legal basis that counsel dated and that has not run out.",
        f"{_RULE} 6; {_CISA}", "legal",
        test="test_lanes_and_law.py::test_legal_basis_fails_closed",
    ),
    "two-persons": Rule(
        "Two different persons release what leaves, and their release runs out.",
        f"{_RULE} 2", "client",
        test="test_release.py::test_two_different_persons_release",
    ),
}  # fmt: skip
