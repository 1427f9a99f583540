"""Writes the documents that code knows: commands, schema, formats, antitrust, signals.

    python docs/generate.py [--check]

With ``--check`` nothing is written; it ends with 1 and names the documents that are out of date.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import typer

from stillwatch import schema
from stillwatch.cli.app import app
from stillwatch.cli.help_lines import example_of
from stillwatch.schema import arrow
from stillwatch.schema.fields import (
    CAMPAIGN_FIELDS,
    FRAME_FIELDS,
    RUN_FILES,
    SHARED_FIELDS,
    SUMMARY_FIELDS,
)
from stillwatch.share import RULES
from stillwatch.share.catalogue import CATALOGUE
from stillwatch.share.objects import EXTENSIONS, FREE_TYPES
from stillwatch.share.published import json_schema
from stillwatch.share.standard import STANDARD
from stillwatch.share.words import (
    BANDS,
    CLEAR_KINDS,
    NOTICES,
    PURPOSES,
    SHARED_METHODS,
    SIGNALS,
    TOKEN_KINDS,
)
from stillwatch.signals import (
    TESTS,
    ban_waves,
    crossed_cards,
    dealt_evenly,
    direct_evidence,
    even_volumes,
    harvest,
    one_fleet,
    one_source,
    rotating_exits,
    round_robin,
    shared_mix,
    shared_values,
    signup_burst,
    two_reasons,
)
from stillwatch.sources import SHIPPED, SOURCES
from stillwatch.sources.otlp_names import ACCOUNT, EXTENSION, INFERENCE, NAMES

HERE = Path(__file__).parent
REMARK = "<!-- Written by docs/generate.py: change the code, then run `make docs`. -->\n\n"
TABLES = {
    "Exchange": (arrow.EXCHANGE, "One row a request. What `scan` reads; logs are turned into it."),
    "Account": (arrow.ACCOUNT, "Side table `--accounts`. Hashes are the provider's own."),
    "Organization": (
        arrow.ORGANIZATION,
        "Side table `--organizations`: what its accounts' own rows leave empty "
        "([side tables](side-tables.md)).",
    ),
    "Key": (
        arrow.KEY,
        "Side table `--keys`: whose a key was at a time ([side tables](side-tables.md)).",
    ),
    "Permit": (arrow.PERMIT, "Side table `--permits`: distillation that is allowed."),
    "Ownership": (arrow.OWNER, "Side table `--ownership`. Sets `access` and nothing else."),
    "accounts.parquet": (arrow.ACCOUNT_RESULT, "One row an account that was seen."),
    "signals.parquet": (arrow.SIGNAL, "One row a test."),
    "links.parquet": (
        arrow.LINK,
        "One row a link: `a` is an object or an account, `b` an account, `llr` in nats.",
    ),
    "responses.parquet": (
        arrow.RESPONSE,
        "One row an answer of a model to a prompt. Tests of `prove` read it, `prove collect` "
        "writes it. Of several samples the lowest number counts.",
    ),
    "stages/context.parquet": (
        arrow.CONTEXT,
        "One row an account and kind of network that its requests came through, or "
        "`disposable_email`. It explains; `explain` alone reads it. Only where lists are given.",
    ),
    "stages/raster.parquet": (
        arrow.RASTER,
        "One row a tick of the raster: at most 120 subjects and 12,000 ticks of a campaign, evenly "
        "taken. `row` orders the subjects by their first request.",
    ),
    "stages/clock.parquet": (
        arrow.CLOCK,
        "One row a campaign and hour UTC: its share of the day, and the middle 90 % and median of "
        "groups of its segment.",
    ),
    "stages/coverage.parquet": (
        arrow.COVERAGE,
        "One row a campaign and number of requests: distinct topics among so many, and the middle "
        "90 % and median of random pools of its segment. Empty where too little is known.",
    ),
    "stages/volume.parquet": (
        arrow.VOLUME,
        "One row a day, model and accused campaign; an empty `campaign_id` is everything else.",
    ),
}
FIELDS = {
    "summary.json": (SUMMARY_FIELDS, "One object."),
    "campaigns.jsonl": (CAMPAIGN_FIELDS, "One object a line, accused first."),
    "stages/frames.jsonl": (FRAME_FIELDS, "One object a line, up to three templates a campaign."),
    "shared.jsonl": (SHARED_FIELDS, "One object a line, by account, then contributor."),
    "indicators.jsonl": (
        schema.INDICATOR_FIELDS,
        "One object a line: what `share pull` makes of the indicators of other providers.",
    ),
}
FINDERS: dict[str, Callable[..., Any]] = {
    "signup_burst": signup_burst.find,
    "shared_account_values": shared_values.find_account_values,
    "shared_exits": shared_values.find_exits,
    "crossed_cards": crossed_cards.find,
    "rotating_exits": rotating_exits.find,
    "round_robin": round_robin.find,
    "even_volumes": even_volumes.find,
    "dealt_evenly": dealt_evenly.find,
    "shared_mix": shared_mix.find,
    **dict.fromkeys(direct_evidence.TESTS, direct_evidence.find),
    "ban_waves": ban_waves.find,
    "one_fleet": one_fleet.find,
    "one_source": one_source.find,
    "harvest": harvest.score,
    "two_reasons": two_reasons.find,
}


def shapes(of: Mapping[str, Any]) -> list[str]:
    """Return a line for each shape: its name, and what must and what may be there."""
    return [
        row(f"`{name}`", *(", ".join(f"`{f}`" for f in part) for part in (shape.must, shape.may)))
        for name, shape in of.items()
    ]


def row(*cells: object) -> str:
    """Return one line of a table."""
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"


def commands() -> str:
    """Return every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    return (
        REMARK
        + "# Commands\n\n"
        + "".join(["".join(_command(name, held)) for name, held in _leaves(group)])
        + _exit_codes()
    )


def _leaves(group: Any, before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every command with its name; one of a group has the group's name before its own."""
    for name, held in group.commands.items():
        if hasattr(held, "commands"):
            yield from _leaves(held, f"{before}{name} ")
        else:
            yield f"{before}{name}", held


def _command(name: str, command: Any) -> Iterator[str]:
    arguments = [p for p in command.params if p.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option"]
    words = " ".join(f"{p.metavar}{'...' if p.nargs == -1 else ''}" for p in arguments)
    yield f"## stillwatch {name} {words}".rstrip() + "\n\n"
    yield " ".join(command.help.split()) + "\n\n"
    if example := example_of(name):
        yield f"    {example}\n\n"
    yield row("option", "default", "")
    yield row("---", "---", "---")
    for p in (*arguments, *options):
        if p.name == "help":
            continue
        typed = p.metavar if p in arguments else " ".join(filter(None, (p.opts[0], p.metavar)))
        yield row(f"`{typed}`", _default(p), p.help)
    yield "\n"


def _default(p: Any) -> str:
    if p.required:
        return "required"
    return "" if p.default in (None, False) else f"`{p.default}`"


def _exit_codes() -> str:
    return "## Exit codes\n\n" + "".join(
        [
            row("code", "meaning"),
            row("---", "---"),
            row(schema.EXIT_CLEAR, "nothing accused"),
            row(schema.EXIT_USAGE, "usage or configuration"),
            row(schema.EXIT_INPUT, "unreadable input"),
            row(schema.EXIT_ACCUSED, "at least one campaign accused"),
            row(130, "interrupted"),
        ]
    )


def tables() -> str:
    """Return the columns of every table, and the words that they hold."""
    parts = [REMARK, "# Tables\n\n", "Times are UTC. A column in bold must have a value.\n\n"]
    parts += ["## The run directory\n\n", row("file", ""), row("---", "---")]
    parts += [row(f"`{name}`", what) for name, what in RUN_FILES.items()]
    parts += ["\nA reader must expect further fields and tables: they are added, not changed.\n\n"]
    for name, (fields, what) in FIELDS.items():
        parts += [f"## {name}\n\n{what}\n\n", row("field", ""), row("---", "---")]
        parts += [row(f"`{field}`", meaning) for field, meaning in fields.items()]
        parts.append("\n")
    for name, (columns, what) in TABLES.items():
        parts += [f"## {name}\n\n{what}\n\n", row("column", "type"), row("---", "---")]
        parts += [_column(field) for field in columns]
        parts.append("\n")
    parts += [
        "## Links\n\n",
        row("kind", "", "an outsider can create it"),
        row("---", "---", "---"),
    ]
    parts += [
        row(f"`{kind.name}`", kind.title, "yes" if kind.others_can_create else "no")
        for kind in schema.LINK_KINDS.values()
    ]
    parts += ["\n## Words\n\n", row("of", "values"), row("---", "---")]
    parts += [
        row(name, ", ".join(f"`{value}`" for value in values))
        for name, values in (
            ("status of an exchange", schema.STATUSES),
            ("standing of an account or campaign", schema.STANDINGS),
            ("access of an account", schema.ACCESS),
            ("role of a member", schema.ROLES),
            ("verdict on a request", schema.VERDICTS),
            ("claim about a campaign", schema.CLAIMS),
            ("method of distillation", schema.METHODS),
        )
    ]
    return "".join(parts)


def _column(field: pa.Field) -> str:
    kind = str(field.type).replace("element: ", "").replace("timestamp[us, tz=UTC]", "time")
    return row(f"`{field.name}`" if field.nullable else f"**`{field.name}`**", f"`{kind}`")


def signals() -> str:
    """Return the list of tests."""
    parts = [
        REMARK,
        "# Signals\n\n",
        "A signal tests one candidate cohort, on blocks of time that did not suggest it. One whose "
        "columns a log lacks is *not evaluable*, never *clean*. Evidence that others can create "
        "for an account never suffices to accuse it. No signal reads a language, script or "
        "country.\n\n",
        row("signal", "claim", "needs", "others can create it"),
        row("---", "---", "---", "---"),
    ]
    parts += [
        row(
            f"[{test.title}]({test.name}.md)",
            test.claim,
            ", ".join(f"`{column}`" for column in test.needs),
            "no" if test.own else "yes",
        )
        for test in TESTS
    ]
    return "".join(parts)


FORMATS = {
    "parquet": "Parquet whose columns have the names of the [exchange table](schema.md#exchange); "
    "their types may differ: [what to give](sources/canonical.md).",
    "arrow": "Arrow IPC files, Feather and IPC streams with the same names.",
    "litellm": "LiteLLM's StandardLoggingPayload: JSON lines, an array, or one object a file: "
    "[what to switch on](sources/litellm.md).",
    "otlp": "OpenTelemetry GenAI in OTLP JSON: export requests (`resourceSpans`, `resourceLogs`) "
    "as the Collector's and the SDKs' file exporters write them, one a line, in an array or one "
    "a file; also bare spans and log records: [what to switch on](sources/otlp.md).",
    "spendlogs": "LiteLLM's table `LiteLLM_SpendLogs` as JSON lines or CSV: "
    "[how to export it](sources/spendlogs.md).",
    "batch": "Input, output, error and result files of the OpenAI and Anthropic batch APIs, beside "
    "their batch objects: [what to give](sources/batch.md).",
    "pairs": "Requests and responses of the OpenAI and Anthropic APIs in a wrapper record of your "
    "gateway: [its names](sources/pairs.md).",
    "vertex": "Google Vertex AI's request-response logs from BigQuery: "
    "[what to give](sources/vertex.md).",
    "bedrock": "Amazon Bedrock's model invocation logs from S3 or CloudWatch Logs: "
    "[what to give](sources/bedrock.md).",
    "helicone": "Helicone's requests, exported as JSON or CSV: [how](sources/helicone.md).",
    "langfuse": "Langfuse's observations and traces, of its API or its blob export: "
    "[what to give](sources/langfuse.md).",
    "envoy": "Access logs of Envoy AI Gateway, metadata alone: [their keys](sources/envoy.md).",
    "csv": "CSV with the same names in its first line, separated by commas, tabs or semicolons; "
    "lists and maps as JSON.",
}
SHIPPED_LOGS = {
    "kong": "the log object of Kong's AI plugins",
    "cloudflare": "logs of Cloudflare AI Gateway's API",
    "sglang": "SGLang's request log in JSON",
    "vllm": "vLLM's log of request bodies in JSON",
}
OTLP_RULES = """## OpenTelemetry

**What is an exchange.** A span whose `gen_ai.operation.name` is one of {operations}, or that names
a model and is neither a tool nor an agent; and the event
`gen_ai.client.inference.operation.details`. A span and the events of the same trace and span id
become one exchange, whichever files they stand in: give traces and logs together. Message events
(`gen_ai.user.message`, `gen_ai.choice` …) without their span are refused, since they tell neither
account nor model. An event alone gives the time at which it was written, which is when the request
ended, and no `latency_ms`.

**Whose it is.** `account_id` is the first of {accounts} on the span or event, else on its resource.
If it came from another name than `enduser.*`, the first of `enduser.id` and `enduser.pseudo.id` is
the end user. If your attribute has another name, let the Collector copy it to the first of these.
Let the gateway set these attributes, never the client.

**Columns without a name in the conventions.** `{extension}<column>` on the span, event or resource
fills that column and wins over any other name: `{extension}org_id`, `{extension}key_id`,
`{extension}channel` and so on. A span without content (`gen_ai.input.messages` …) is read; what
needs text is then not evaluable.

**Content** is read from `gen_ai.input.messages`, `gen_ai.output.messages` and
`gen_ai.system_instructions` (structured or JSON text), `gen_ai.prompt` and `gen_ai.completion` (on
the span or its events), numbered attributes (`gen_ai.prompt.0.content`), and message events.

Two instrumentations of one call (a framework and its client library) log two spans of it, and so
two exchanges: switch one of them off.

"""


def formats() -> str:
    """Return every log format, and the columns that it can fill."""
    parts = [
        REMARK,
        "# Log formats\n\nTold by content, never by name (the *untested* have to be named); "
        "plain, .gz or .zst. Every row is read or "
        "entered in `rejected.jsonl` with its line and the reason. JSON may be objects a line, "
        "one behind another or with commas between (as a stream's delivery to S3 leaves them), "
        "arrays (also several in a file), or pages: a list under `data`, `events`, "
        "`logEvents` or `requests`, and, where the file begins with one, under `items`, `logs`, "
        "`records`, `Records`, `results` or `rows`. Files that "
        "are blank or hold `[]` are noted; up to twenty lines of another kind may stand before the "
        "first record, and are refused or noted. Text may be UTF-8 or, with its mark, UTF-16; "
        "rows of `spendlogs`, `vertex`, `helicone`, `envoy` and `langfuse` may be Parquet or "
        "Arrow.\n\n",
        row("`--format`", ""),
        row("---", "---"),
    ]
    parts += [row(f"`{source.name}`", FORMATS[source.name]) for source in SOURCES]
    parts += [
        row(f"`{name}`", f"*Untested*, through a mapping file: {SHIPPED_LOGS[name]}: "
            f"[what to switch on](sources/{name}.md).")
        for name in SHIPPED
    ]  # fmt: skip
    parts.append(row("`….toml`", "Any other rows, through a [mapping file](sources/mapping.md)."))
    parts.append(
        "\nThe input may also be the result of a query "
        "([PostgreSQL](sources/postgresql.md); untested: "
        "[ClickHouse, BigQuery, Snowflake](sources/warehouses.md)), a "
        "[table of Delta Lake or Iceberg](sources/tables.md), or lie in an "
        "[object store](sources/object-store.md); and "
        "`stillwatch collect` receives LiteLLM's log and OTLP as they happen: "
        "[how](collect.md).\n\n"
    )
    parts.append(
        OTLP_RULES.format(
            operations=", ".join(f"`{name}`" for name in sorted(INFERENCE)),
            accounts=", ".join(f"`{name}`" for name in (f"{EXTENSION}account_id", *ACCOUNT)),
            extension=EXTENSION,
        )
    )
    lite = next(source for source in SOURCES if source.name == "litellm")
    parts += [
        "## Columns\n\nParquet, Arrow and CSV can fill all.\n\n",
        row("column", "LiteLLM", "OpenTelemetry, newest name first"),
        row("---", "---", "---"),
    ]
    parts += [
        row(f"`{name}`", "yes" if name in lite.columns else "no", _otlp_names(name))
        for name in arrow.EXCHANGE.names
    ]
    return "".join(parts)


def _otlp_names(column: str) -> str:
    said = {
        "exchange_id": "trace and span id, else `gen_ai.response.id`",
        "ts": "the span's start",
        "account_id": "see above",
        "end_user_id": "see above",
        "trace_id": "the trace id",
        "operation": "`gen_ai.operation.name`, `llm.request.type`",
        "client": "first word of the user agent",
        "tools": "`gen_ai.tool.definitions`, `llm.request.functions.0.name` …",
        "tool_schema": "`gen_ai.tool.definitions`, `llm.request.functions.0.parameters` …",
        "messages": "content, see above",
        "output_text": "content, see above",
        "reasoning_text": "parts of type `reasoning`",
        "status": "`error.type`, the span's status, the finish reason",
        "http_status": "`http.response.status_code`, else by `error.type`",
        "finish_reason": "`gen_ai.response.finish_reasons`, the first",
        "latency_ms": "the span's end and start",
    }
    names = [f"`{name}`" for name in NAMES.get(column, ())]
    return said.get(column) or ", ".join(names) or f"`{EXTENSION}{column}`"


def signal_page(test: schema.CohortTest) -> str:
    """Return the page of one test: its claim, its null, how it is computed."""
    find = FINDERS[test.name]
    module = inspect.getmodule(find)
    about = (inspect.getdoc(module) or "").split("\n\n")[0].replace("\n", " ")
    file = "/".join(find.__module__.split("."))
    needs = ", ".join(f"`{column}`" for column in test.needs)
    others = (
        "No: nobody else can make it true of an account."
        if test.own
        else "Yes: it never suffices to accuse an account."
    )
    return (
        f"{REMARK}# {test.title}\n\n{about}\n\n"
        + row("", "")
        + row("---", "---")
        + row("name", f"`{test.name}`")
        + row("claim", test.claim)
        + row("null hypothesis", test.null)
        + row("needs", f"{needs}; without them *not evaluable*, never *clean*")
        + row("can others create it?", others)
        + row("code", f"[{file}.py](../../src/{file}.py)")
        + f"\n## How\n\n{_plain(inspect.getdoc(find) or '')}\n\n[All signals](README.md)\n"
    )


def _plain(text: str) -> str:
    return text.replace("Return how", "How", 1).replace("``", "`")


ANTITRUST = """# What may be said, and what not

Competitors exchange warnings here, so what they say is closed: there is a list of objects, each
with a list of fields, each with a list of values or a fixed format, and what is not on the list
is refused. Texts are computed, or prose of a closed vocabulary. The same code
(`stillwatch.share.refusals`) runs at the member before release and at the hub before acceptance,
and again on what comes in. It is not legal advice, and none of the sources makes an exchange
lawful by itself: counsel decides, dates the legal basis and can export everything that was said.

**Two lanes.** *Technical*: fingerprints, techniques and claims about accused campaigns, as they
are found. *Aggregate*: figures about several contributors, old and thick enough that nobody's own
can be told. There is no third lane: prices, costs, capacity, roadmaps, customers and their terms,
volumes and training plans have no field, and whom to serve is each provider's own decision.

**A refusal** names the rule and the field and never repeats what it refused. What a refused text
seems to tell of is looked for in ten languages and under its disguises (look-alike letters, hidden
characters, base64, hex, percent and HTML escapes, rot13, character codes, Morse …), so that a
person sees why. Nothing passes by way of this search: it tells why, and never that it is lawful.

**Two forms.** What `share prepare` makes has extensions of the project's with bands and claims,
and ids that follow from its content. What any other STIX tool makes, of the standard alone, may be
shared too, by a table of its own (below): a random id (UUID version 4), no extension, prose,
labels that each name a thing of the trade, references to listed ids of MITRE and CVE with their
own pages (two of CVE at most in an object, none in a name), phases of listed kill chains, a pattern
with one of the kernel's fingerprints that travel in the clear. It has no hash of a file or of
anything else: nobody can tell that it is none of a customer's identifier, which whoever has a list
of them would find. Nothing is counted in it; addresses and other identifiers, operators and links
to them, members and measures have no such form. An indicator without an end is taken until 180
days after its beginning. A scan matches fingerprints of the first form alone; people read the
second, and its opinions and sightings count.

**Prose** may stand in descriptions, in an opinion's explanation, in a correction's abstract and
in the names of campaigns, indicators, infrastructure and reports; in objects of the standard alone
also in aliases, objectives, labels, notes and the names of techniques. It passes only if nobody
needs to read it:

1. One plain writing: printable ASCII, single spaces, capitals where a sentence or an acronym
   begins.
2. Every word is listed in `stillwatch/share/vocabulary.toml` or, English that says nothing of
   trade, `english.toml`. A word with two meanings is read as the one that listed words beside it
   give it: a client that reconnects is a script, and what to look for is read as what was observed.
   One ambiguous word (schedule, need, block) may stand in a sentence that names no provider,
   account, model, offer, number or time. So the lists hold English, and the words of this
   trade. Names, numbers in words, what will be, what somebody should do and all commerce are left
   out on purpose. A word that alone could be a customer, a rate or a load stands only beside
   listed ones with which it is a thing of machines (client library, rate limiter, load balancer),
   with a space or a hyphen between.
3. Numbers stand only in listed forms: log bands with what they count, past dates and months, a
   dozen at most of what a template or a method consists of, rough shares of prompts, seconds and
   minutes between requests, spans of days, ids of MITRE and CVE, status codes, versions of
   standards. A month without its year is this one or one of the five
   before; it and a span of time stand only beside a listed verb in the past, and beside no
   listed word for what a provider offers or defends with.
4. Each sentence names a thing of the trade, or points at one.
5. No sentence tells, in lawful words, of a provider's growth, volume, plans or conduct; none is
   an order or advice; "we" and "I" only observe. No letters at the beginnings or ends of words
   spell anything; and where the letters that words begin with are likelier to be text than to be
   what words begin with, they are held, whatever they say.
6. Words stand in an order that English has and do not repeat themselves, and no eight of them
   follow each other without an article, a preposition or the like: words that were drawn for their
   letters, or two words for 0 and 1, are a code.

What fails is refused, at the client and at the hub, with `needs-a-person`: the refusal says which
rule it was and how many words are not listed, and its author writes it in other words, or tells
it by other means after counsel has read it. No operator can wave a text through: all who receive
it apply the same rules.

**What the hub adds.** It keeps one writing of an object, with keys and lists in order, so that no
order comes through that a sender chose. Figures of the aggregate lane come from its operator
alone, by a command that holds them against what was published. It takes no reference to an object
that it has not: thousands of ids that name nothing would be a letter. Fixed objects are
everybody's, whoever submitted them first. Nobody speaks in another's name: an identity that
another member has stands under no object of yours. With a `[[legal_basis]]` of its own it accepts
and releases nothing once that has run out.

**Ids.** Random bytes read as a message once in about 1,100 ids, so ids are judged by what a
sender could have chosen. (a) An id that follows from the object's content is recomputed: nobody
chose it, and it is never read. Whoever tries out contents until the id has b wanted bits needs
2^b tries, and may as well say it by the times and bands that were tried. (b) A reference to what
is there (in the bundle, in the package, pulled before, in the hub) names one of those things, and
is never read either. The hub refuses a reference to what it has not, so a chosen one is refused
there, whatever it looks like. (c) Whom an object is by is the sender's free choice, 122 bits of
it, and no test tells random bits from secret ones. So a pseudonymous member has the identity that
the hub gave it, and another three in a collection for good: 366 bits, once. Of these only what
anybody would read is refused (none of 150,000 random ones). (d) An id that names nothing known,
as the guard alone sees it, is read strictly, and of random ones 9 in 10,000 are refused there.
(e) So is the random id of an object of the standard alone, wherever it is judged: it is a free
choice of 122 bits, as a fingerprint is one of 64, and what was said of these holds of it.

**What stays open.** A fingerprint has 64 bits and a token 256 that the guard cannot recompute.
Those that spell something, in any script, are refused; a sender and a receiver who agree on a
secret code beforehand could still hide some bits in them, in when they send and in which order.
The ledger keeps who sent what. The same holds for the choice among lawful words. What lawful
words tell together is looked for by a list of patterns, not understood: somebody who has read the
list and means it will find a sentence. Two persons read what leaves, and counsel can export all
of it.

**How well it judges.** Lawful sentences that were written before words were added for them: 25 of
60 passed at first (twenty at a time: 8, 8, 9), so an author has to rewrite more often than not;
`share wording` names the words. Forbidden ones in innocent words, written to pass: of 60 in three
tries 8 did, until patterns were added. A third hand wrote 200: of 130 in a first batch 14 passed,
of 70 in a second, after patterns were added for the first, 9; of 68 lawful ones 51 passed. What
passed is kept as tests (`tests/unit/share/sentences.toml`). Whoever writes new ones must expect
one in ten to pass, more of those that aim at a form which was just widened, and every third of the
plainest (below): that is what the two persons are for. A fourth hand wrote 233 lawful sentences and
190 forbidden ones, in ten languages: of the lawful ones 118 passed at first, and of the last 50,
judged before words were added for them, 36 (29 without the words added for the others). Of 40
more, for which no word was added, 29 pass (28 before all of it): an author still rewrites more
than every fourth sentence.
What carries no prose of an author's own, as `share prepare` makes it, is not concerned: of 12,006
such objects 19 were refused, for ids and fingerprints that read as text by chance. Of the
forbidden ones 3 passed at first and none does now. Of 60 more that used what was widened 18 passed
(5 under the rules before), until patterns were added and times were bound to what a campaign does;
of the last 20, judged once, 2, the same 2 as before. That did not suffice: about half of 70
sentences that a reviewer wrote against the new forms (months, spans, small numbers, opinions)
passed until these were narrowed. 39 of that kind are tests now; what another reviewer would find
was not measured. By the narrowing the lawful sentences that pass fell from 331 to 311 of 393.

Another set of 150 lawful texts, as analysts of four providers would write them, and 150 forbidden
ones was written before reading the vocabulary, and half of each kept apart
(`tests/unit/share/fresh.toml`). At first 46 of 75 and 46 of 75 lawful ones passed, and 1 of 75 and
1 of 75 forbidden ones. With words added for the first half and for 130 other sentences, 53 of the
75 apart passed when they were judged, once, and 1 forbidden one. Of 40 lawful and 25 forbidden ones
that were written last, 29 and none passed (28 and none by the rules before all of it): an author
still rewrites every fourth sentence. With what was added afterwards 69 and 66 of the two halves
pass, none of the forbidden ones, and of the 393 above 317. Of 171 forbidden sentences that aimed at
what had just been widened 44 passed, until patterns were added; none does now. Of 15 that a
reviewer wrote against the same all passed, and of 22 written after patterns were added for these,
8, until others were; these are tests as well. Objects as the library stix2 makes them, with
descriptions put together of short phrases of the kind, pass: of 3 times 1,000 995, 997 and 998
(`tests/adversary/makers.py`); 840 of 1,000 did before words were added for its phrases. Of 12,000
that held a forbidden text in one of 23 places none passed.

A further hand wrote 310 lawful texts and 170 forbidden ones. Of the first 120 lawful ones 70 passed
at first; general English, senses of ambiguous words and forms of times were added for what held the
others, by classes of reasons. Of 100 that were judged once afterwards 60 passed (52 by the rules
before), and after their reasons were read, of 50 more 42 (36 before), and of 40 more 33: an author
still rewrites every sixth text. Of 80 forbidden ones 2 passed at first; of 60 that aimed at what
was widened 10 (5 before), of 30 more 5 (3 before), until patterns were added; these are tests too.

A reviewer wrote 153 more that tell or hint at what is forbidden, short and in plain words. Of 79
there passed 26, among them that a hub refuses a template, that a region is full, and what accounts
are asked for; of 44 after patterns were added for these 18, and of 30 after these 11. So of what is
written by someone who tries, in words that are listed, every third may pass; 54 of the 55 are
tests now (one says nothing forbidden), and of 24 new lawful ones the same 19 pass as before.

An outside hand wrote 150 lawful texts and 150 forbidden ones (`tests/unit/share/outside.toml`). At
first 112 lawful ones passed and 4 forbidden ones. Rules were widened for what held one half of the
lawful ones; of the other half, judged once more, the same 50 of 75 passed as before: what holds a
text is mostly a word that could tell of commerce too, and each is used in its own way. After that
half was read as well 140 pass. Of 40 lawful ones that were written last 24 passed (22 by the rules
before all of it), and of 40 forbidden ones that aimed at what was widened 5 (2 before). So
somebody new still rewrites every third or fourth text, and nobody should expect that 99 of 100
texts of free prose pass; of objects as programs make them that share is reached. Of 59
further forbidden texts that one more reader aimed at what had been widened 11 passed (5 by the
rules before all of it), and 2 do since patterns were added for them; those who try will find more.

Of rows of words of the vocabulary that were drawn for the letters they begin with, 73 of 1,256
pass with 8 to 11 letters and 6 of 1,210 with 12 to 20 (393 of 1,225 and 142 of 1,212 before words
in a row had to be joined); drawn from honest sentences 153 of 1,270 and 30 of 1,234. Of rows of 5
to 7, which hold a word at most, every third or second passes unless the letters make a word that
is looked for. A reader sees at once that such rows say nothing.

"""


def antitrust() -> str:
    """Return the rules of sharing: each with its sentence, source, place and test."""
    lines = [REMARK, ANTITRUST, "## The rules\n\n", row("rule", "", "source", "applied in", "test")]
    lines.append(row(*["---"] * 5))
    for name, rule in RULES.items():
        test = f"`{rule.test.replace('::', ' ')}`"
        lines.append(row(f"`{name}`", rule.sentence, rule.source, rule.where, test))
    lines += ["\n## Objects and fields\n\n",
              "The whole list as JSON Schema: `stillwatch/share/schema.json`.\n\n",
              row("object", "fields that must be there", "fields that may"),
              row("---", "---", "---")]  # fmt: skip
    lines += shapes(FREE_TYPES)
    lines += ["\n## Objects of the standard alone\n\n",
              "With a random id (UUID version 4) and no extension, as any tool makes them.\n\n",
              row("object", "fields that must be there", "fields that may"),
              row("---", "---", "---")]  # fmt: skip
    lines += shapes(STANDARD)
    lines += ["\n## Extensions\n\n", row("extension", "fields that must be there",
              "fields that may"), row("---", "---", "---")]  # fmt: skip
    lines += shapes(EXTENSIONS)
    lines += ["\n## Fixed objects\n\n", row("type", "name"), row("---", "---")]
    lines += [
        row(f"`{one['type']}`", one["name"]) for one in CATALOGUE.values()
        if one["type"] != "extension-definition"
    ]  # fmt: skip
    lines += ["\n## Words\n\n", row("of", "values"), row("---", "---")]
    lines += [
        row(what, ", ".join(f"`{value}`" for value in values))
        for what, values in (
            ("band of a count", BANDS), ("fingerprint in the clear", CLEAR_KINDS),
            ("value that travels as a token", TOKEN_KINDS), ("purpose", PURPOSES),
            ("method", SHARED_METHODS), ("signal that a claim rests on", SIGNALS),
            ("correction", tuple(NOTICES)),
        )
    ]  # fmt: skip
    return "".join(lines)


def sharing_schema() -> str:
    """Return the JSON Schema of what may be shared, as it is shipped."""
    return json.dumps(json_schema(), indent=1, sort_keys=True) + "\n"


DOCUMENTS: dict[str, Callable[[], str]] = {
    "commands.md": commands,
    "schema.md": tables,
    "formats.md": formats,
    "antitrust.md": antitrust,
    "../src/stillwatch/share/schema.json": sharing_schema,
    "signals/README.md": signals,
    **{f"signals/{test.name}.md": partial(signal_page, test) for test in TESTS},
}


def main() -> int:
    """Write the documents, or name those that differ."""
    check, stale = "--check" in sys.argv[1:], []
    for file in (HERE / "signals").glob("*.md"):
        if f"signals/{file.name}" not in DOCUMENTS:  # the page of a signal that is no more
            stale.append(f"signals/{file.name}")
            if not check:
                file.unlink()
    for name, text in DOCUMENTS.items():
        file, made = HERE / name, text()
        if file.is_file() and file.read_text(encoding="utf-8") == made:
            continue
        stale.append(name)
        if not check:
            file.parent.mkdir(exist_ok=True)
            file.write_text(made, encoding="utf-8")
    if stale and check:
        print(f"out of date: {', '.join(stale)}; run `make docs`")
    return int(bool(stale) and check)


if __name__ == "__main__":
    sys.exit(main())
