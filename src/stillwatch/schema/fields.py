"""What the JSON files of a run directory hold: each field with a sentence. The written contract."""

from __future__ import annotations

from typing import Final

__all__ = ["CAMPAIGN_FIELDS", "FRAME_FIELDS", "RUN_FILES", "SHARED_FIELDS", "SUMMARY_FIELDS"]

RUN_FILES: Final = {
    "summary.json": "one page of numbers: counts, prevalence, calibration, what could be evaluated",
    "shared.jsonl": "an account and contributor a line: who carries what other providers shared; "
    "only of a scan with `--indicators`",
    "campaigns.jsonl": "a campaign a line, with claims, evidence, members, collateral, rivals",
    "accounts.parquet": "a row an account that was seen",
    "subjects.parquet": "the same columns a row for each end user of a channel account",
    "signals.parquet": "a row a test, evaluable or not",
    "links.parquet": "a row a link, between an object and an account or two accounts",
    "report.html": "the report: one file, no script, no request",
    "stix.json": "the campaigns as a STIX 2.1 bundle, without identifiers of customers",
    "rejected.jsonl": "rows that could not be read: place and reason, never content",
    "timing.json": "seconds, memory, machine: the only file that differs between two equal runs",
    "stages/": "what each step wrote, and the tables behind the report's pictures",
}

SHARED_FIELDS: Final = {
    "account_id": "the account that carries what was shared",
    "end_user_id": "the end user behind a channel account, else null",
    "standing": "of this account in this run: `watch`, if nothing else was said of it",
    "weight": "of all contributors together, at most 0.8; from 0.2 on the account is watched",
    "contributor": "the pseudonym of whoever shared it",
    "contributor_weight": "its record",
    "campaigns": "STIX ids of the campaigns that it named",
    "kinds": "kinds of fingerprints that matched",
    "exchanges": "most exchanges of the account that carry one of them",
}
SUMMARY_FIELDS: Final = {
    "versions": "of stillwatch, of the kernel's specification, of this contract",
    "inputs": "formats, a digest of the rows that does not depend on their order, of each table of "
    "Delta Lake or Iceberg also its name, kind and version",
    "parameters": "every setting that can change a result",
    "rows_in": "rows read",
    "rows_kept": "exchanges judged, after window and duplicates",
    "rejected": "rows that could not be read",
    "duplicates": "repeated exchange ids, dropped",
    "zone_less_times": "times without a zone, taken as UTC",
    "accounts": "accounts seen",
    "described": "those that `--accounts` or `--organizations` tell of, null without them; what "
    "reads a table that tells of none is not evaluable",
    "subjects": "accounts, and the end users of channel accounts: what is judged",
    "organizations": "organizations seen; an account without one is its own",
    "since": "the first exchange",
    "until": "the last exchange",
    "look": "the how-manyth look at this traffic: looks share one budget of alpha",
    "alpha": "tolerated share of false campaigns among those selected, by the looks that share it",
    "alpha_spent": "the part of alpha that this look may spend",
    "calibrated_on_your_traffic": "whether earlier runs gave enough local cohorts",
    "reference": "the benign cohorts that *extractive* is read against: size, limits, largest e, "
    "and `achieved`, claimed error rates beside measured ones",
    "cannot_accuse": "true when not even a perfect campaign could have been accused",
    "cohorts_tested": "hypotheses",
    "cohorts_selected": "hypotheses that e-BH selected",
    "needed_e": "the e-value of *extractive* that accounts whose acts speak needed",
    "drift": "whether benign cohorts moved away from the reference; then nothing is accused",
    "signals": "every test: evaluable or not, the columns it lacked, its null",
    "campaigns": "a line a campaign, short",
    "accused_accounts": "accounts accused",
    "watch_accounts": "accounts that an analyst may want to see; nothing acts on them",
    "permitted_accounts": "accounts that would be accused but for a permit",
    "prevalence": "detected, corrected, not excluded: of requests, output tokens, accounts; by "
    "week, model, segment and method; the recall behind the correction; null is not known",
    "value_at_risk": "four views of one loss, never added, with the assumptions behind them",
    "permits": "how each permit was used, and what exceeded it",
    "permits_read": "permits read, how many name an account seen here, were used, exceeded; "
    "`not_used`: up to 50 others, with why; null without permits",
    "events": "models first seen, and bans, as the pictures mark them",
}

CAMPAIGN_FIELDS: Final = {
    "campaign_id": "from a digest of its exchanges' ids: the same for every log format",
    "standing": "accused, permitted or watch",
    "standing_reason": "why, in one sentence",
    "found_by": "kinds of object that suggested it",
    "first_seen": "its first exchange",
    "last_seen": "its last exchange",
    "accounts": "accounts accused; of a campaign that is not accused, its core",
    "core": "accounts whose own behaviour fits",
    "periphery": "accounts whose own behaviour does not prove that they belong, or linked only",
    "exchanges": "of `accounts`",
    "output_tokens": "of `accounts`",
    "revenue_usd": "what `accounts` paid in the window, where the log has a cost",
    "methods": "what its exchanges hint at and its templates ask for; no part of the accusation",
    "hinted_methods": "those of them that permits are compared with: its exchanges hint at them",
    "claims": "coordinated, extractive, actor: each with confidence, e-value and evidence "
    "(signal, statistic, p, e, null, n, sentence, and whether it counts for an accusation or for "
    "watch alone); `note`: why strong tests do not count; never mixed",
    "e_value": "the smaller of the first two claims' e-values",
    "q_value": "the smallest alpha at which it is selected",
    "needed_e": "what selection needed of the claim that falls shorter",
    "members": "account, end user, role, standing, confidence, reasons",
    "recommended": "a verdict; `collateral`, whom it touches beside the accused; `rungs`, the same "
    "for every verdict of the ladder",
    "rivals": "honest explanations: what each predicts, what is seen, whether it survives",
    "not_known": "open questions, each with what would settle it, or why it could not be asked",
    "raster": "subjects and ticks, and how many of them stages/raster.parquet shows",
    "coverage": "requests, anchors, peers and pools behind stages/coverage.parquet",
    "value": "the harvest in US$: low, mid, high; `logged`, the part at the log's own cost; the "
    "rest is at list price",
}

FRAME_FIELDS: Final = {
    "campaign_id": "the campaign that carries the template",
    "position": "head or tail of the prompt, or system",
    "length": "of how many tokens at that end; 0 for the whole system prompt",
    "hash": "of those tokens, by which exchanges with it are found",
    "skeleton": "text that all sampled organizations sent alike; of payload its token counts only",
    "carriers_inside": "accounts of the campaign that sent it",
    "carriers_outside": "other accounts that sent it",
    "exchanges": "exchanges with it",
    "first_seen": "its first exchange",
    "first_model": "the model of that exchange",
    "first_account": "its account, where that is a member",
    "marks": "start, end and method, in characters of the joined text parts",
    "asks_for": "methods that its words ask for; of a system prompt those that stay masked, too",
}
