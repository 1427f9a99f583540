"""The first screen in words: the sentence, the strip, the warnings."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from stillwatch.report.facts import Facts, at, listed, records, said, standing_of
from stillwatch.report.numbers import (
    NB,
    count,
    counted,
    day_range,
    number,
    parse,
    plain,
    share,
    share_range,
    usd_range,
    word,
)
from stillwatch.report.svg import El, el
from stillwatch.schema import pricing

__all__ = [
    "Answer",
    "answer",
    "apart",
    "keep_intervals",
    "permits_told",
    "standing_counts",
    "strip",
    "watched_because",
]

_MOST_KNOWN = 0.95


@dataclass(frozen=True)
class Answer:
    """The sentence in parts: what it comes down to, the numbers, what stands beside it."""

    mood: str  # accused | clear | cannot
    lead: str
    sentence: str
    warnings: tuple[tuple[str, str], ...]


def standing_counts(facts: Facts) -> dict[str, int]:
    """Return how many campaigns have each standing, those that are not drawn included."""
    out = {"accused": 0, "permitted": 0, "watch": 0}
    for data in [c.data for c in facts.shown] + facts.rest:
        out[standing_of(data)] += 1
    return out


def answer(facts: Facts) -> Answer:
    """Return the sentence of the run, its numbers those of summary.json."""
    s = facts.summary
    accused = standing_counts(facts)["accused"]
    tokens = at(s, "prevalence", "output_tokens")
    bound = number(at(tokens, "not_excluded", "high"))
    bound = number(at(tokens, "not_excluded", "value")) if bound is None else bound
    if accused:
        lead = f"{word(accused).capitalize()}{NB}campaign{'s' if accused > 1 else ''}: "
        parts = [f"{count(s.get('accused_accounts'))} of {counted(s.get('accounts'), 'account')}"]
        detected = number(at(tokens, "detected", "value"))
        if detected is not None:
            parts[0] += f", {share(detected)} of output tokens (detected)"
        low, high = at(tokens, "corrected", "low"), at(tokens, "corrected", "high")
        if number(low) is not None and number(high) is not None:
            parts.append(f"{share_range(low, high)} (corrected)")
        if bound is not None:
            parts.append(f"up to {share(bound)} cannot be excluded")
        sentence = "; ".join(parts) + "."
        price = at(s, "value_at_risk", "harvest_list_price_usd")
        cost = usd_range(at(price, "low"), at(price, "high"))
        if number(at(price, "low")) is not None:
            sentence += f" Harvest {pricing(price)} {cost}."
        return Answer("accused", lead, sentence, _warnings(facts))
    tail = "" if bound is None else f" Up to {share(bound)} of output tokens cannot be excluded."
    if bound is None and number(at(tokens, "detected", "value")) is not None:
        tail = " How much was missed is not known."
    read = (
        f"{counted(s.get('accounts'), 'account')} and "
        f"{counted(s.get('rows_kept'), 'exchange')} were read"
    )
    if s.get("cannot_accuse"):
        return Answer(
            "cannot",
            "This run cannot accuse. ",
            f"{read}; nothing was accused, and with this "
            f"{'log' if _unseen(s) else 'reference'} nothing could have been. "
            f"That is not an all-clear.{tail}",
            _warnings(facts),
        )
    if at(s, "drift", "alarm"):
        return Answer(
            "cannot",
            "Nothing is accused, because the traffic has drifted. ",
            f"{read}; {at(s, 'drift', 'text')}. That is not an all-clear.{tail}",
            _warnings(facts),
        )
    if s.get("cohorts_tested") == 0:
        return Answer(
            "cannot",
            "Nothing was accused, and nothing was tested. ",
            f"{read}; no group of accounts had enough in common to be tested. "
            f"That is not an all-clear.{tail}",
            _warnings(facts),
        )
    return Answer(
        "clear",
        "Nothing was accused. ",
        f"{read}; no campaign reached the level asked for.{tail}",
        _warnings(facts),
    )


def _unseen(summary: dict[str, Any]) -> str:
    """Return, for a sentence, the columns for want of which no harvest shows; empty: none."""
    tests = [t for t in records(summary.get("signals")) if t.get("claim") == "extractive"]
    missing = {
        str(name) for t in tests if not t.get("evaluable") for name in listed(at(t, "missing"))
    }
    return ", ".join(sorted(missing))


def _warnings(facts: Facts) -> tuple[tuple[str, str], ...]:
    s = facts.summary
    out = []
    largest, needed = at(s, "reference", "largest_e"), s.get("needed_e")
    unseen = _unseen(s)
    if s.get("cannot_accuse") and unseen:
        out.append(
            (
                "Cannot accuse",
                "Whether traffic is extractive is not evaluable, and nothing is accused without "
                f"it. The log lacks {unseen}: docs/formats.md says what to switch on at its "
                "source.",
            )
        )
    elif s.get("cannot_accuse"):
        out.append(
            (
                "Cannot accuse",
                f"The largest e-value that the reference can give is {plain(largest)}; an "
                f"accusation needs {plain(needed)}. More benign reference cohorts "
                "from a baseline of your own raise it.",
            )
        )
    known, seen = number(s.get("described")), number(s.get("accounts"))
    if known is not None and seen is not None and known < _MOST_KNOWN * seen:
        out.append(
            (
                "The accounts table is of other accounts"
                if not known
                else "Accounts not described",
                f"It tells of {count(known)} of {count(seen)} accounts. Whose organization is not "
                "known counts as one of its own, so that a team may look like strangers who act "
                "together. Were identifiers hashed alike in both files?",
            )
        )
    rate = number(at(s, "parameters", "sampling_rate"))
    if rate is not None:
        out.append(
            (
                "This log is a sample",
                f"It holds {share(rate)} of the requests. Counts are of the sample, the value at "
                "risk and use of permits are scaled. What is not found may lie in what was not "
                "logged: an account without findings is not cleared by it.",
            )
        )
    if not s.get("calibrated_on_your_traffic"):
        name = at(s, "reference", "name")
        used = f" The shipped reference ({name}) was used." if name else ""
        out.append(
            (
                "Not calibrated on your traffic",
                f"Error rates hold as far as your honest traffic resembles the reference.{used} "
                "Give earlier runs as the baseline.",
            )
        )
    if at(s, "drift", "alarm"):
        out.append(
            ("Drift alarm: watch only", said(at(s, "drift", "text"), "Traffic has changed."))
        )
    return tuple(out)


def strip(facts: Facts) -> list[dict[str, Any]]:
    """Return the strip's cells: label, value, and a second line."""
    s = facts.summary
    signals = records(s.get("signals"))
    good = [x for x in signals if x.get("evaluable")]
    bad = [x for x in signals if not x.get("evaluable")]
    missing = sorted({str(m) for x in bad for m in listed(x.get("missing"))})
    lacks = f"missing: {', '.join(missing[:3])}" if missing else ""
    if len(missing) > 3:
        lacks += f" and {len(missing) - 3} more"
    since, until = parse(s.get("since")), parse(s.get("until"))
    if until is not None:  # the end is exclusive: midnight belongs to the day before
        until -= timedelta(microseconds=1)
    rejected = f"{count(s.get('rejected') or 0)} rejected"
    if number(s.get("duplicates")):
        rejected += f", {counted(s.get('duplicates'), 'duplicate')}"
    calibrated = bool(s.get("calibrated_on_your_traffic"))
    groups = number(s.get("organizations"))
    return [
        {"label": "Window", "value": day_range(since, until), "more": "UTC"},
        {"label": "Exchanges", "value": count(s.get("rows_kept")), "more": rejected},
        {
            "label": "Accounts",
            "value": count(s.get("accounts")),
            "more": counted(groups, "organization") if groups else "",
        },
        {
            "label": "Signals evaluated",
            "value": f"{len(good)} of {len(signals)}" if signals else "not known",
            "more": lacks or ("all columns present" if signals else ""),
        },
        {
            "label": "Calibrated on your traffic",
            "value": "yes" if calibrated else "no",
            "more": "" if calibrated else "shipped reference",
            "warn": not calibrated,
        },
        {
            "label": "Look · error level",
            "value": f"{count(s.get('look'))} · {plain(s.get('alpha'))}",
            "more": f"{plain(s.get('alpha_spent'))} spent here" if s.get("alpha_spent") else "",
        },
    ]


def apart(facts: Facts) -> str:
    """Return what is shown and not accused, or nothing."""
    counts, s = standing_counts(facts), facts.summary
    parts = []
    if counts["permitted"]:
        parts.append(
            f"{word(counts['permitted'])} permitted campaign{'s' * (counts['permitted'] > 1)}"
        )
    if counts["watch"]:
        parts.append(f"{word(counts['watch'])} campaign{'s' * (counts['watch'] > 1)} to watch")
    if not parts:
        return ""
    told = f"Shown apart, and not accused: {' and '.join(parts)}."
    if number(s.get("permitted_accounts")):
        told += f" Permitted: {counted(s.get('permitted_accounts'), 'account')}."
    if number(s.get("watch_accounts")):
        told += (
            f" On watch: {counted(s.get('watch_accounts'), 'account')}, worth an analyst’s look; "
            "nothing acts on them."
        )
    return told


def watched_because(facts: Facts) -> list[tuple[str, int]]:
    """Return why campaigns are on watch, each reason with how many have it, frequent first."""
    tally = Counter(
        said(data.get("standing_reason"), "")
        for data in [c.data for c in facts.shown] + facts.rest
        if standing_of(data) == "watch"
    )
    tally.pop("", None)
    return sorted(tally.items(), key=lambda item: (-item[1], item[0]))


def permits_told(facts: Facts) -> str:
    """Return what became of the permits that were read; nothing where none was, or not recorded."""
    held = facts.summary.get("permits_read")
    read = number(at(held, "read"))
    if not read:
        return ""
    named, used, exceeded = (number(at(held, k)) or 0 for k in ("named", "used", "exceeded"))
    told = f"{counted(read, 'permit')} {'was' if read == 1 else 'were'} read"
    if not named:
        return f"{told}: none names an account seen here. Are identifiers spelled as in the log?"
    whole = "all" if named == read and read > 1 else count(named)
    told += f": {whole} {'names' if named == 1 else 'name'} an account seen here, "
    if not used:
        return f"{told}and none was needed, because nobody whom they name would be accused."
    return f"{told}{count(used)} {'was' if used == 1 else 'were'} used, {count(exceeded)} exceeded."


def keep_intervals(sentence: str) -> El:
    """Return the sentence with every interval a–b kept on one line."""
    parts: list[Any] = []
    for i, piece in enumerate(sentence.split(" ")):
        if i:
            parts.append(" ")
        parts.append(el("span", piece, cls="nowrap") if "–" in piece else piece)
    return el("span", *parts)
