"""What `--help` says beside the options: a line in a group's list, and a command to copy."""

from __future__ import annotations

from typing import Final

import typer

__all__ = ["EXAMPLES", "example_of", "teach"]

# By the words of the command. Lists have room for so much; a longer first sentence is cut there.
_LINES: Final = {
    "simulate world": "Write the labelled traffic of a made-up provider.",
    "simulate student": "Teach students with known truth, and test them.",
    "ownership answer": "Write the answers that `scan --ownership` takes.",
    "ownership why": "Print what every rule says of one entity.",
    "case open": "Bring a run's campaigns in as cases.",
    "case list": "List cases, what stands, appeals that wait.",
    "case approve": "Let a pending decision take effect.",
    "case undo": "Undo decisions.",
    "case appeal": "Enter an appeal; its clock starts now.",
    "case label": "Enter what a person found out about an account.",
    "case close": "Close a case.",
    "case effects": "Write what is in force and what was corrected.",
    "case key": "Make a key pair to sign evidence packs with.",
    "case export": "Write a case as a signed folder.",
    "case verify": "Check an evidence pack offline.",
    "case check": "Check the case database.",
    "case sample": "Draw a random sample of accounts for an audit.",
    "case rates": "Estimate error rates from a labelled sample.",
    "case refusals": "Enter what guards refused by ownership.",
    "guard keygen": "Make the key that signs snapshots and orders.",
    "guard compile": "Compile a run into the guard's signed snapshot.",
    "guard follow": "Compile each new run as it ends.",
    "guard rollback": "Exchange a snapshot for the one before it.",
    "guard publish": "Put snapshot, orders or effects into a depot.",
    "guard prune": "Remove old versions from a depot.",
    "guard pull": "Bring what a depot has in use into a folder.",
    "guard explain": "Show what a decision rests on.",
    "guard mode": "Switch a running guard: off, shadow, enforce.",
    "guard undo": "Take back what was decided.",
    "guard serve": "Answer gateways.",
    "hub verify": "Check the ledger from its beginning.",
    "hub transparency": "Print the transparency report of a period.",
    "share start": "Make your folder of the exchange.",
    "share keys": "Make a pair of keys for a person who releases.",
    "share prepare": "Put accused campaigns into the outbox.",
    "share wording": "Say whether a description may be shared.",
    "share review": "Sign a package as the first person.",
    "share release": "Sign as the second person, and send it.",
    "share import": "Add what a scan can match of a STIX file.",
    "share sight": "Say that you saw a campaign too.",
    "share revoke": "Take back what you sent.",
    "share audit": "Check your ledger and the hub's proofs.",
    "share pin": "Pin the matching keys of hub and witness.",
    "share tokens": "Make tokens of canonical values.",
    "share propose": "Vote for templates; ask what others suspect.",
    "prove lineage": "Rank teacher families; say if any is close.",
    "prove agreement": "Compare first tokens with a teacher's.",
    "prove identity": "Count whom the suspect says it is.",
    "prove profiles": "Compare habits of refusing and writing.",
    "prove equality": "Ask whether the suspect is the teacher itself.",
    "prove prompts": "Write prompts to ask: guardrails, identity.",
    "prove canary": "Trace planted marks to a campaign.",
    "prove canary plan": "Draw a secret seed and the marks.",
    "prove canary register": "Enter a plan or a suspect, signed.",
    "prove canary order": "Sign what the guard plants.",
    "prove canary likelihoods": "Read from open weights how likely facts are.",
    "prove canary audit": "Verify a registry offline.",
    "prove canary score": "Say whose marks a suspect shows.",
    "bench share": "Scan thin slices alone, and with an exchange.",
}

# What follows the command's own words.
EXAMPLES: Final = {
    "scan": "logs/ --accounts accounts.csv --permits permits.csv --out run",
    "watch": "logs/ --accounts accounts.csv --out watching --once",
    "explain": "acct_1 --run run",
    "export": "run --format csv --out tables",
    "demo": "--out demo",
    "ingest": "logs/*.jsonl.gz --check",
    "pseudonymize": "logs/ --key key.hex --accounts accounts.csv --out hashed",
    "collect": "received --port 4318",
    "corpora": "--corpora data",
    "purge": "--db cases.db --runs runs",
    "erase": "acct_1 --by 'Ada L.' --db cases.db --run run",
    "console": "--run run --book cases.db --administrator ada",
    "plan": "--rows-per-day 2e6 --accounts 100000 --days 7",
    "simulate world": "small --seed 3 --out world",
    "simulate student": "--out students --seed 7",
    "ownership answer": (
        "--statements owners.jsonl --rules rules.toml --at 2026-01-31 "
        "--accounts accounts.csv --out ownership.csv"
    ),
    "ownership why": "entity-1 --statements owners.jsonl --rules rules.toml --at 2026-01-31",
    "case open": "--run run --db cases.db",
    "case list": "--db cases.db",
    "case show": "case-0 --db cases.db",
    "case decide": (
        "case-0 --verdict throttle --reason coordinated_extraction --by 'Ada L.' --db cases.db"
    ),
    "case approve": "decision-7 --by 'Bo K.' --db cases.db",
    "case undo": "--since 2026-11-26 --by 'Bo K.' --db cases.db",
    "case notice": "decision-7 --account acct_1 --db cases.db",
    "case appeal": "decision-7 --account acct_1 --by 'their counsel' --db cases.db",
    "case resolve": (
        "appeal-9 --outcome upheld --reason 'a class of students' --by 'Cy M.' --db cases.db"
    ),
    "case label": (
        "case-0 --account acct_1 --verdict true --reason 'said so' --by 'Bo K.' --db cases.db"
    ),
    "case close": "case-0 --reason 'a class of students' --by 'Bo K.' --db cases.db",
    "case effects": "--db cases.db --out effects.json",
    "case key": "--out counsel.key",
    "case export": ("case-0 --level counsel --key counsel.key --run run --db cases.db --out pack"),
    "case verify": "pack --key counsel.key.pub",
    "case check": "--db cases.db",
    "case sample": "200 --run run --seed 1 --out audit",
    "case rates": "audit",
    "case refusals": (
        "--log decisions.jsonl --run run --snapshot snapshot.json --trust guard.key.pub "
        "--db cases.db"
    ),
    "guard keygen": "guard.key",
    "guard compile": "--run run --key guard.key --out snapshot.json",
    "guard follow": "runs --key guard.key --out snapshot.json",
    "guard rollback": "snapshot.json",
    "guard publish": "depot --key guard.key --by 'Ada L.' --snapshot snapshot.json",
    "guard prune": "depot --key guard.key --by 'Ada L.' --keep 1",
    "guard pull": "depot --trust guard.key.pub --to node",
    "guard preview": "c-1a2b3c4d5e6f --run run --days 7",
    "guard explain": "decision-1 --log decisions.jsonl",
    "guard mode": "shadow --orders orders.json --key guard.key",
    "guard undo": "--account acct_1 --by 'Ada L.' --orders orders.json --key guard.key",
    "guard serve": "--snapshot snapshot.json --trust guard.key.pub --port 8470",
    "hub init": "--home hub --title 'Our hub'",
    "hub serve": "--home hub --port 6100",
    "hub migrate": "--home hub",
    "hub verify": "--home hub",
    "hub checkpoint": "--home hub --witness https://witness.example",
    "hub transparency": "--home hub --since 2026-01-01 --until 2026-04-01",
    "hub events": "--home hub --since 2026-01-01",
    "hub received": "indicator--0f6b0c5e-0000-4000-8000-000000000000 --home hub",
    "hub figures": "figures.jsonl --first 2026-03 --last 2026-06 --as member-1 --home hub",
    "hub member add": "'provider one' --role contributor --home hub",
    "hub member list": "--home hub",
    "hub member token": "member-1 --home hub",
    "hub member disable": "member-1 --home hub",
    "hub collection list": "--home hub",
    "share start": "--home share",
    "share list": "--home share",
    "share pull": "--purpose detection --home share",
    "share import": "bundle.json --source 'a partner' --home share",
    "share audit": "--out audit.jsonl --home share",
    "share pin": "--home share",
    "share tokens": "values.jsonl --out tokens.jsonl --home share",
    "share propose": "run --home share",
    "prove collect": "--model openai:MODEL --prompts prompts.jsonl --out responses.parquet",
    "prove from-inspect": "log.eval --out responses.parquet",
    "prove lineage": "--suspect responses.parquet --references references --out lineage.json",
    "prove agreement": (
        "--suspect responses.parquet --references references --teacher NAME --out agreement.json"
    ),
    "prove identity": (
        "--suspect responses.parquet --references references --alias FAMILY=NAME,MAKER "
        "--out identity.json"
    ),
    "prove equality": ("--suspect responses.parquet --teacher teacher.parquet --out equality.json"),
    "prove guardrails": (
        "--teacher teacher.parquet --base base.parquet --suspect responses.parquet "
        "--out guardrails.json"
    ),
    "prove prompts": "--out prompts.jsonl",
    "prove report": (
        "--suspect NAME --run run --campaign c-1a2b3c4d5e6f --result lineage.json "
        "--key counsel.key --out case.json"
    ),
    "prove verify": "case.json --key counsel.key.pub --beside .",
    "prove canary plan": "--campaign c-1a2b3c4d5e6f --out plan",
    "prove canary register": (
        "--registry registry.jsonl --private-key counsel.key --plan plan/plan.json"
    ),
    "prove canary order": "--plan plan/plan.json --seed plan/seed.key --registry registry.jsonl "
    "--private-key counsel.key --out planting.json",
    "prove canary audit": "--registry registry.jsonl --public-key counsel.key.pub",
    "bench detect": "--suite smoke --out bench-smoke",
    "bench share": "--suite smoke --out share-smoke",
}


def example_of(words: str) -> str:
    """Return a command line to copy, or nothing where one alone would not teach."""
    said = EXAMPLES.get(words)
    return "" if said is None else f"stillwatch {words} {said}"


def teach(app: typer.Typer, before: str = "") -> None:
    """Give every command its line in lists and, below its options, its example."""
    for info in app.registered_commands:
        words = before + (info.name or getattr(info.callback, "__name__", "").replace("_", "-"))
        info.short_help = _LINES.get(words, info.short_help)
        if example := example_of(words):
            info.epilog = f"\b\nExample:\n  {example}"
    for group in app.registered_groups:
        words = f"{before}{group.name}"
        group.short_help = _LINES.get(words, group.short_help)
        if group.typer_instance is not None:
            teach(group.typer_instance, f"{words} ")
