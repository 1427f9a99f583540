"""Accounts of the cohort share payment instruments, devices, numbers, sign-up addresses, exits."""

from __future__ import annotations

import math

import numpy as np

from stillwatch.schema import CohortTest, Finding, Null
from stillwatch.signals.data import Cohort, Population, codes_by_owner
from stillwatch.signals.hours import ORDINARY
from stillwatch.signals.verdicts import evaluated, not_enough
from stillwatch.stats import Holdings, SharingResult, shared_value_test

__all__ = ["ACCOUNT_TEST", "EXIT_TEST", "find_account_values", "find_exits", "upper"]

ACCOUNT_TEST = CohortTest(
    name="shared_account_values",
    title="Shared payment, number or e-mail address",
    claim="coordinated",
    null="organizations share such values as often as random organizations do",
    needs=(
        "accounts.payment_hash",
        "accounts.phone_hash",
        "accounts.email_hash",
    ),
    own=True,
)
EXIT_TEST = CohortTest(
    name="shared_exits",
    title="Leaving through the same address prefixes",
    claim="coordinated",
    null="organizations leave through the same prefixes as often as random organizations do",
    needs=("ip",),
)
_WORDS = {
    "payment_hash": "a payment instrument",
    "device_hash": "a device",
    "phone_hash": "a telephone number",
    "email_hash": "an e-mail address",
    "signup_ip": "a sign-up address prefix",
}
_KIND = {"payment_hash": "payment", "device_hash": "device", "phone_hash": "phone",
         "email_hash": "email", "signup_ip": "signup_ip"}  # fmt: skip
_MIN = 4


def find_account_values(cohort: Cohort, population: Population) -> Finding:
    """Test each kind of value apart, then take the best with Bonferroni over the kinds.

    Null: the cohort's organizations are a random sample of all organizations. What had suggested
    the cohort in the first place is left out (where a template found it, whoever sends that is in
    it, whatever else had suggested them), and so are devices and sign-up addresses, which
    people at one place and accounts that a vendor's script opened share. One account per
    organization counts.
    """
    best: tuple[float, str, SharingResult] | None = None
    tried = 0
    for kind, codes in population.codes.items():
        if kind in ORDINARY or (_KIND[kind] in cohort.found_by and not cohort.by_text):
            continue
        result = _test(cohort, population, codes, population.held[kind])
        if result is None:
            continue
        tried += 1
        if best is None or result.p_value < best[0]:
            best = (float(result.p_value), kind, result)
    if best is None:
        return not_enough(ACCOUNT_TEST, 0, "no such values, or they had suggested the cohort")
    p_value, kind, result = best
    return evaluated(
        ACCOUNT_TEST,
        float(result.n_shared),
        min(1.0, p_value * tried),
        int(result.n_present),
        Null("random organizations", float(result.expected_shared), 0.0,
             upper(float(result.expected_shared))),
        f"{result.n_shared} of {result.n_present} accounts share {_WORDS[kind]} with an account of "
        f"another organization in the cohort; random ones would give "
        f"{result.expected_shared:.2g}",
    )  # fmt: skip


def find_exits(cohort: Cohort, population: Population) -> Finding:
    """Test whether the cohort's organizations leave through common prefixes, in part B."""
    if "exit_prefix" in cohort.found_by and not cohort.by_text:
        return not_enough(EXIT_TEST, 0, "the shared prefix had suggested the cohort")
    result = _test(cohort, population, population.exit_code, population.held["exit"])
    if result is None:
        return not_enough(EXIT_TEST, 0, "fewer than four known prefixes")
    return evaluated(
        EXIT_TEST,
        float(result.n_shared),
        float(result.p_value),
        int(result.n_present),
        Null("random organizations", float(result.expected_shared), 0.0,
             upper(float(result.expected_shared))),
        f"{result.n_shared} of {result.n_present} accounts leave through a prefix that another "
        f"organization of the cohort uses; random ones would give {result.expected_shared:.2g}",
    )  # fmt: skip


def _test(
    cohort: Cohort, population: Population, codes: np.ndarray, held: Holdings
) -> SharingResult | None:
    mine = codes_by_owner(population.org, codes, cohort.senders)
    if len(mine) < _MIN:
        return None
    return shared_value_test(mine, held)


def upper(expected: float) -> float:
    """Return where the null's band of a count of shared values ends, for the picture."""
    return expected + 2 * math.sqrt(expected) + 1
