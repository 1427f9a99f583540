"""The appendix: signals, reference, prevalence's recall, value, permits, and how to run again."""

from __future__ import annotations

from typing import Any, Final

from stillwatch.report.facts import Facts, at, listed, recommended, records, said
from stillwatch.report.numbers import (
    count,
    counted,
    number,
    plain,
    share,
    share_range,
    usd,
    usd_range,
)
from stillwatch.report.pictures.value import entered
from stillwatch.report.sentence import permits_told
from stillwatch.report.svg import Table
from stillwatch.schema import pricing

__all__ = [
    "ASSUMPTIONS",
    "again",
    "calibration_table",
    "contamination_table",
    "permits_table",
    "recall_table",
    "rest_table",
    "run_table",
    "signals_table",
    "value_table",
]

ASSUMPTIONS: Final = {
    "input_usd_per_mtok": "list price of a million input tokens, US$",
    "output_usd_per_mtok": "list price of a million output tokens, US$",
    "cost_share": "cost of serving, share of the list price",
    "paid_share": "share of the harvest that was paid for",
    "research_usd": "what the harvested behaviour cost to build, US$",
    "exposed_usd_per_year": "revenue a year that an imitation could displace, US$",
    "displaced_share": "share of it that would be displaced",
}
_MOST_IDS: Final = 3
_VALUES = (
    ("harvest_list_price_usd", "Harvest {pricing}: what the accused used"),
    ("serving_loss_usd", "Serving loss: what serving it cost beyond what was paid"),
    ("training_spend_avoided_usd", "Training spend that the operator may have avoided"),
    ("revenue_scenario_usd", "Revenue a year that an imitation could displace"),
)


def signals_table(facts: Facts) -> tuple[Table | None, str]:
    """Return every signal: evaluable or not, and which column was missing."""
    signals = records(facts.summary.get("signals"))
    if not signals:
        return None, "Which signals could be evaluated was not recorded"
    good = sum(bool(s.get("evaluable")) for s in signals)
    rows = [
        (
            said(s.get("title"), said(s.get("name"))),
            said(s.get("name")),
            said(s.get("claim")),
            "evaluated" if s.get("evaluable") else "not evaluable",
            ", ".join(map(str, listed(s.get("missing")))) or "—",
            said(s.get("null"), "—"),
        )
        for s in sorted(signals, key=lambda s: (bool(s.get("evaluable")), str(s.get("name"))))
    ]
    title = f"{good:,} of {counted(len(signals), 'signal')} could be evaluated"
    if good < len(signals):
        title += "; a signal that could not says nothing, not “clean”"
    return (
        Table(("Signal", "Name", "Claim", "State", "Missing columns", "Null hypothesis"), rows),
        title,
    )


def calibration_table(facts: Facts) -> tuple[Table | None, str]:
    """Return claimed error rates beside those measured on benign cohorts, with intervals."""
    measured = records(at(facts.summary, "reference", "achieved"))
    if not measured:
        return None, ""
    rows = [
        (
            said(m.get("what")),
            share(m.get("claimed")),
            f"{share(m.get('value'))} ({count(m.get('passed'))} of {count(m.get('cohorts'))})",
            share_range(m.get("low"), m.get("high")),
            count(m.get("runs")),
        )
        for m in measured
    ]
    first = measured[0]
    title = (
        f"At a claimed {share(first.get('claimed'))} the test “extractive” passes "
        f"{share(first.get('value'))} of {count(first.get('cohorts'))} benign cohorts"
    )
    note = (
        "p-values of the claim “extractive”. A level whose interval reaches far above it is "
        "bounded by this many cohorts, not shown to hold. Error rates of the whole pipeline on "
        "your traffic are not measured by one run."
    )
    return (
        Table(
            ("Measured on", "Claimed", "Achieved", "95 % interval", "Worlds or runs"),
            rows,
            frozenset({1, 2, 3, 4}),
            note,
        ),
        title,
    )


def contamination_table(facts: Facts) -> tuple[Table | None, str]:
    """Return the weakest selected campaign's local p-value under a contaminated baseline."""
    steps = records(at(facts.summary, "reference", "contamination"))
    if not steps:
        return None, ""
    rows = [
        (f"{plain(s.get('trimmed_percent'))} %", plain(s.get("p_value")))
        for s in steps
        if number(s.get("p_value")) is not None
    ]
    worst = max((number(s.get("p_value")) or 0.0 for s in steps), default=0.0)
    return (
        Table(("Of the baseline a campaign's", "Local p-value"), rows, frozenset({0, 1})),
        f"If up to 5 % of the baseline were campaigns, the weakest campaign here has p ≤ "
        f"{plain(worst)}",
    )


def recall_table(facts: Facts) -> tuple[Table | None, str]:
    """Return the recall by rung of hiding behind the corrected prevalence."""
    rungs = records(at(facts.summary, "prevalence", "recall"))
    if not rungs:
        return None, ""
    rows = [
        (
            said(r.get("rung")),
            said(r.get("text")),
            share(r.get("recall")),
            share_range(r.get("low"), r.get("high")),
            count(r.get("spikes")),
        )
        for r in rungs
    ]
    measured = [r for r in rungs if number(r.get("recall")) is not None]
    title = "Which part of the campaigns spiked into this log was found, by how well they hide"
    if measured:
        told = [f"{share(r['recall'])} on rung {said(r.get('rung'))}" for r in measured]
        title = f"Of the campaigns spiked into this log were found {', '.join(told)}"
    worst = number(at(facts.summary, "prevalence", "worst_recall"))
    note = "" if worst is None else f"The worst recall stated, for not excluded: {share(worst)}."
    return (
        Table(
            ("Rung", "How it hides", "Recall", "Interval", "Spiked"),
            rows,
            frozenset({2, 3, 4}),
            note,
        ),
        title,
    )


def value_table(facts: Facts) -> tuple[Table | None, str]:
    """Return value at risk; the four figures overlap and are never added."""
    value = facts.summary.get("value_at_risk")
    nobody = number(facts.summary.get("accused_accounts")) == 0
    if not isinstance(value, dict) or not value or nobody:  # four times nothing
        return None, ""
    harvest = at(value, "harvest_list_price_usd")
    prices = pricing(harvest) if isinstance(harvest, dict) else ""
    rows = [
        (title, "not entered", "not entered")
        if key == "revenue_scenario_usd" and not entered(value)
        else (
            title.format(pricing=prices),
            usd(at(value, key, "mid")),
            usd_range(at(value, key, "low"), at(value, key, "high")),
        )
        for key, title in _VALUES
    ]
    rows += [
        (
            f"Moved by: {ASSUMPTIONS.get(name, name)}",
            f"{usd(m.get('effect_usd'))} from end to end",
            "—",
        )
        for m in records(value.get("most_sensitive"))
        if number(m.get("effect_usd")) and (name := said(m.get("assumption")))
    ]
    title = "What it may be worth"
    if number(at(harvest, "low")) is not None:
        title += f": {usd_range(at(harvest, 'low'), at(harvest, 'high'))} {prices}"
    note = said(value.get("text"), "The figures overlap: never add them.").replace("`", "")
    return Table(("Figure", "Middle", "Interval"), rows, frozenset({1, 2}), note), title


def permits_table(facts: Facts) -> tuple[Table | None, str]:
    """Return what permits covered, and what went beyond them."""
    permits = records(facts.summary.get("permits"))
    others = records(at(facts.summary, "permits_read", "not_used"))
    if not permits and not others:
        return None, ""
    beyond = sum(p.get("kind") != "inside" for p in permits)
    rows = [
        (
            said(p.get("permit_id")),
            said(p.get("kind")).replace("_", " "),
            count(p.get("accounts")),
            count(p.get("exchanges")),
            said(p.get("text")),
        )
        for p in permits
    ]
    for text in dict.fromkeys(said(p.get("text")) for p in others):
        alike = [p for p in others if said(p.get("text")) == text]
        ids = [said(p.get("permit_id")) for p in alike]
        more = f" and {len(ids) - _MOST_IDS:,} more" if len(ids) > _MOST_IDS else ""
        accounts = sum(int(number(p.get("accounts")) or 0) for p in alike)
        named = ", ".join(ids[:_MOST_IDS]) + more
        rows.append((named, "not used", count(accounts), "—", text))
    title = "Permits: all permitted traffic stayed inside its agreement"
    if beyond:
        title = f"Permits: {counted(beyond, 'finding')} beyond what was agreed"
    elif not permits:
        title = permits_told(facts).rstrip(".")
    read = number(at(facts.summary, "permits_read", "read")) or 0
    hidden = int(read) - len(permits) - len(others) if read else 0
    note = f"{counted(hidden, 'more permit')} not used and not listed." if hidden > 0 else ""
    return (
        Table(("Permit", "Scope", "Accounts", "Exchanges", "What"), rows, frozenset({2, 3}), note),
        title,
    )


def rest_table(facts: Facts) -> tuple[Table | None, str]:
    """Return the campaigns that got no chapter."""
    if not facts.rest:
        return None, ""
    rows = [
        (
            said(c.get("campaign_id")),
            said(c.get("standing")),
            count(c.get("accounts")),
            count(c.get("exchanges")),
            count(c.get("output_tokens")),
            plain(c.get("e_value")),
            recommended(c),
        )
        for c in facts.rest
    ]
    headers = ("Campaign", "Standing", "Accounts", "Exchanges", "Output tokens", "e", "Recommended")
    return (
        Table(headers, rows, frozenset({2, 3, 4, 5})),
        f"{counted(len(rows), 'more campaign')} without a chapter here",
    )


def again(facts: Facts) -> str:
    """Return the command that gives this run again, with names for what a report must not hold."""
    s = facts.summary
    parts = ["stillwatch scan INPUT…"]
    parts += [
        f"--{name} {at(s, 'parameters', name)}"
        for name in ("since", "until")
        if isinstance(at(s, "parameters", name), str)
    ]
    parts += ["--baseline RUN" for _ in listed(at(s, "reference", "baseline"))]
    return " ".join([*parts, f"--alpha {said(s.get('alpha'), '0.01')}", "--out DIR"])


def run_table(facts: Facts) -> Table:
    """Return parameters, digests and versions."""
    s = facts.summary
    held = s.get("versions")
    versions = held if isinstance(held, dict) else {}
    formats = ", ".join(map(str, listed(at(s, "inputs", "formats"))))
    rows: list[tuple[str, Any]] = [
        ("Rows read", count(s.get("rows_in"))),
        ("Rows kept", count(s.get("rows_kept"))),
        ("Rows rejected", count(s.get("rejected"))),
        ("Duplicates dropped", count(s.get("duplicates"))),
        ("Times without a zone, taken as UTC", count(s.get("zone_less_times"))),
        ("Accounts", count(s.get("accounts"))),
        ("Accounts in the accounts table", count(s.get("described"))),
        ("Subjects judged", count(s.get("subjects"))),
        ("Organizations", count(s.get("organizations"))),
        ("Look", count(s.get("look"))),
        ("Alpha", plain(s.get("alpha"))),
        ("Alpha spent", plain(s.get("alpha_spent"))),
        ("Cohorts tested", count(s.get("cohorts_tested"))),
        ("Cohorts selected", count(s.get("cohorts_selected"))),
        ("e needed to accuse", plain(s.get("needed_e"))),
        ("Largest e that the reference can give", plain(at(s, "reference", "largest_e"))),
        ("Reference", said(at(s, "reference", "name"), "not recorded")),
        ("Reference cohorts", count(at(s, "reference", "cohorts"))),
        ("Null worlds", count(at(s, "reference", "worlds"))),
        ("Reference limits", said(at(s, "reference", "limits"), "not recorded")),
        ("Drift", said(at(s, "drift", "text"), "not recorded")),
        ("Input formats", formats or "not recorded"),
        ("Digest of the rows", said(at(s, "inputs", "rows_digest"), "not recorded")),
    ]
    held = s.get("parameters")
    parameters = held if isinstance(held, dict) else {}
    rows += [
        (f"Setting {name.replace('_', ' ')}", said(value, "not set"))
        for name, value in sorted(parameters.items())
        if name not in ("alpha", "look")
    ]
    rows += [
        (f"Version of {name.replace('_', ' ')}", said(value))
        for name, value in sorted(versions.items())
    ]
    return Table(("Parameter", "Value"), rows)
