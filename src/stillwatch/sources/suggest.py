"""Proposes a mapping file for a log from a sample of it: names and kinds, never a value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from stillwatch.errors import InputError
from stillwatch.schema.arrow import REQUIRED_EXCHANGE_COLUMNS
from stillwatch.sources.any_rows import read_rows
from stillwatch.sources.bodies import BODY_COLUMNS
from stillwatch.sources.csv_rows import csv_header
from stillwatch.sources.files import find_files, open_file
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.sample import Seen, survey
from stillwatch.sources.strangers import by_magic

__all__ = ["Suggestion", "suggest", "suggest_mapping"]


class _Rule(NamedTuple):
    """How a column is recognised: words in its path, best first; a kind its values must have."""

    words: tuple[str, ...]
    kind: str = ""


_RULES: Final[dict[str, _Rule]] = {
    "ts": _Rule(("ts", "timestamp", "start time", "started at", "request created at",
                 "request time", "created at", "created", "time", "date", "logging time",
                 "at"), "time"),
    "account_id": _Rule(("account id", "account", "customer id", "tenant id", "consumer custom id",
                         "consumer id", "subscriber id", "client id", "customer", "tenant",
                         "consumer", "project id", "user id", "uid", "user")),
    "exchange_id": _Rule(("exchange id", "request id", "call id", "x request id", "id", "uuid",
                          "rid", "log id", "event id")),
    "model": _Rule(("model", "request model", "model name", "model id", "deployment", "engine")),
    "org_id": _Rule(("org id", "organization id", "organisation id", "org", "organization",
                     "workspace org", "company id")),
    "workspace_id": _Rule(("workspace id", "team id", "project id", "workspace", "team")),
    "key_id": _Rule(("key id", "api key id", "key hash", "api key hash", "token id", "key alias")),
    "end_user_id": _Rule(("end user id", "end user", "enduser", "user id", "request user id")),
    "conversation_id": _Rule(("conversation id", "session id", "thread id", "conversation",
                              "session")),
    "trace_id": _Rule(("trace id", "trace")),
    "provider": _Rule(("provider", "provider name", "vendor", "backend")),
    "messages": _Rule(("messages", "prompt", "input messages", "input", "request messages",
                       "question", "query", "text")),
    "output_text": _Rule(("output text", "completion", "answer", "output", "response text",
                          "response", "generated text", "reply"), "text"),
    "ip": _Rule(("client ip", "remote ip", "source ip", "ip", "ip address", "remote addr",
                 "x forwarded for", "client address", "address"), "address"),
    "user_agent": _Rule(("user agent", "useragent", "agent", "ua"), "text"),
    "ja4": _Rule(("ja4", "tls ja4", "fingerprint"), "ja4"),
    "country": _Rule(("country", "country code", "geo country")),
    "asn": _Rule(("asn", "as number"), "whole"),
    "http_status": _Rule(("http status", "status code", "response status", "response code",
                          "code", "status"), "code"),
    "status": _Rule(("status", "outcome", "result", "state"), "text"),
    "finish_reason": _Rule(("finish reason", "stop reason")),
    "input_tokens": _Rule(("input tokens", "prompt tokens", "tokens in", "n input tokens",
                           "prompt token count", "usage input"), "whole"),
    "output_tokens": _Rule(("output tokens", "completion tokens", "tokens out", "n output tokens",
                            "candidates token count", "usage output"), "whole"),
    "reasoning_tokens": _Rule(("reasoning tokens", "thinking tokens"), "whole"),
    "cached_tokens": _Rule(("cached tokens", "cache read tokens", "prompt cache read tokens",
                            "cache read input tokens"), "whole"),
    "cost_usd": _Rule(("cost usd", "cost", "total cost", "spend", "price"), "number"),
    "latency_ms": _Rule(("latency ms", "duration ms", "delay ms", "response time ms",
                         "llm latency", "latency", "duration", "elapsed ms", "took ms", "ms"),
                        "number"),
    "stream": _Rule(("stream", "streaming", "is streaming"), "bool"),
    "temperature": _Rule(("temperature",), "number"),
    "top_p": _Rule(("top p",), "number"),
    "max_tokens": _Rule(("max tokens", "max completion tokens", "max output tokens"), "whole"),
    "seed": _Rule(("seed",), "whole"),
    "n": _Rule(("n", "num completions"), "whole"),
    "tags": _Rule(("tags", "labels", "request tags"), "object"),
}  # fmt: skip
_BESIDE_BODIES = frozenset({"ts", "exchange_id", "model", "http_status", "end_user_id",
                            "conversation_id"})  # fmt: skip
_WHOLE = frozenset({"ms"})  # no end of a name: a time to the first token is one in ms, too
_BY_VALUE = {"ts": "time", "model": "model"}
_OTHERWISE = re.compile(r"\b(id|end|ended|expires?|updated|type|mime|agent|path|route|ur[il])\b")
_NO_TEXT = (b"{", b"[", b"PAR1", b"ARROW1", b"\xff\xff\xff\xff")
_BEFORE = b"\xef\xbb\xbf \t\r\n"
_LONGEST_NAME = 64
_MOST_WORDS = 4
_VALUE = re.compile(r"[{}<>?!@]|://|^[\d.:TZ+/ -]+$")
_FIRST_LINE = "its first line names no columns"
_NAMES = "put the names of the columns on the first line, or give JSON, Parquet or Arrow"
_SHOWN_OTHERS = 3
_SHOWN_UNUSED = 30
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SPLIT = re.compile(r"[^A-Za-z0-9]+")
_WHY_NOT = {
    "ts": "a time: ISO 8601, or seconds, milliseconds … since 1970",
    "account_id": "who is billed and could be banned; without it nobody can be told apart",
    "model": "the model that was asked for; [constants] model = \"…\" if there is only one",
}  # fmt: skip


class Suggestion(NamedTuple):
    """``text``: the mapping file. ``missing``: required columns that nothing was found for."""

    text: str
    missing: tuple[str, ...]


def suggest_mapping(paths: Iterable[str | os.PathLike[str]], rows: int = 2_000) -> Suggestion:
    """Return a mapping file for a log, proposed from its first rows.

    Raises InputError when there is no file, no row that can be read, or a first line of a CSV file
    that is no line of names: what stands there would be proposed, and may be a prompt.
    """
    ledger = Ledger()
    found: list[dict[str, Any]] = []
    files = find_files(paths, tables=True)
    text = False
    for file in files:
        with open_file(file) as (handle, head):
            known = by_magic(head)
            if known is not None:
                raise InputError(f"not a log: {known[0]}", where=file.name, hint=known[1])
            if head and not head.lstrip(_BEFORE).startswith(_NO_TEXT):
                text = True
                if _headless(head):
                    raise InputError(_FIRST_LINE, where=file.name, hint=_NAMES)
            for records in read_rows(handle, file.name, ledger) if head else ():
                found += records.objects
                if len(found) >= rows:
                    break
        if len(found) >= rows:
            break
    if not found:
        why = f": {ledger.rejected[0].reason}" if ledger.rejected else ""
        raise InputError(
            f"no row that can be read{why}",
            where=files[0].name,
            hint="rows may be JSON, CSV with a header, Parquet or Arrow",
        )
    seen, count = survey(found[:rows])
    made = suggest(seen, count, files[0].name)
    if text and not {"ts", "account_id", "model"} - set(made.missing):
        raise InputError(_FIRST_LINE, where=files[0].name, hint=_NAMES)
    return made


def _headless(head: bytes) -> bool:
    """Tell whether a text's first line is a row rather than names: no content may be proposed."""
    return any(
        len(cell) > _LONGEST_NAME or len(cell.split()) > _MOST_WORDS or _VALUE.search(cell)
        for cell in csv_header(head)
    )


def suggest(seen: list[Seen], rows: int, log: str) -> Suggestion:
    """Return a mapping file for a log whose sample held ``seen`` in ``rows`` rows."""
    bodies = {kind: _body(seen, kind) for kind in ("request", "response")}
    covered = [one.path for one in bodies.values() if one]
    free = [one for one in seen if not any(one.path[: len(path)] == path for path in covered)]
    chosen: dict[str, list[Seen]] = {}
    taken: set[tuple[str, ...]] = set()
    for column, rule in _RULES.items():
        if any(bodies.values()) and column in BODY_COLUMNS - _BESIDE_BODIES:
            continue
        found = [one for one in _ranked(free, column, rule) if one.path not in taken]
        if not found and column in _BY_VALUE and (column == "ts" or not any(bodies.values())):
            left = [one for one in free if one.path not in taken]
            found = _alike(left, _BY_VALUE[column], rows)
        if found:
            chosen[column] = found
            taken.add(found[0].path)
    body_fills = BODY_COLUMNS if bodies["request"] or bodies["response"] else frozenset()
    missing = tuple(
        name for name in REQUIRED_EXCHANGE_COLUMNS
        if name not in chosen and name not in body_fills | {"exchange_id"}
    )  # fmt: skip
    return Suggestion(_text(chosen, bodies, free, taken, missing, rows, log), missing)


def _body(seen: list[Seen], kind: str) -> Seen | None:
    found = [one for one in seen if one.kinds[kind] >= 0.5 * one.rows > 0]
    return max(found, key=lambda one: (kind in "_".join(one.path).lower(), one.rows), default=None)


def _words(path: tuple[str, ...]) -> str:
    parts = (word for key in path for word in _SPLIT.split(_CAMEL.sub(" ", key)))
    return " ".join(word.lower() for word in parts if word)


def _ranked(seen: list[Seen], column: str, rule: _Rule) -> list[Seen]:
    scored = []
    for one in seen:
        if one.mostly("object", 0.5) and rule.kind != "object":
            continue
        if column == "messages":
            if one.mostly("messages"):
                scored.append((3_000.0, one))
                continue
            if not one.mostly("text") or one.length < 12 * one.rows:
                continue
        elif not (one.mostly(rule.kind) if rule.kind else not one.mostly("list", 0.5)):
            continue
        score = _score(_words(one.path), rule)
        if score:
            scored.append((score + one.rows / 1e9 - len(one.path) / 1e3, one))
    return [one for _, one in sorted(scored, key=lambda pair: (-pair[0], pair[1].path))]


def _alike(seen: list[Seen], kind: str, rows: int) -> list[Seen]:
    """Return the paths in all rows whose values are of a kind, whatever their names."""
    return [
        one for one in seen
        if one.mostly(kind) and one.rows == rows and not _OTHERWISE.search(_words(one.path))
    ]  # fmt: skip


def _score(words: str, rule: _Rule) -> float:
    """Return how well a path's words fit: its end is best, then its place in the list."""
    for place, phrase in enumerate(rule.words):
        if words == phrase:
            return 2_000 - place
        if phrase not in _WHOLE and words.endswith(f" {phrase}"):
            return 1_000 - place
    return 0.0


def _text(
    chosen: dict[str, list[Seen]],
    bodies: dict[str, Seen | None],
    free: list[Seen],
    taken: set[tuple[str, ...]],
    missing: tuple[str, ...],
    rows: int,
    log: str,
) -> str:
    lines = [
        f"# Proposed from the first {rows:,} rows of {_plain(log)}. Read it, then check it:",
        f"#     stillwatch ingest {_plain(log)} --format THIS.toml --check",
        "# Expressions are JMESPath (jmespath.org); a || b takes the first that is there.",
        "",
        "[columns]",
    ]
    for name in missing:
        why = _WHY_NOT.get(name, "")
        lines.append(f"# {name} = ''  # REQUIRED, and nothing like it was found: {why}")
    for column, found in chosen.items():
        best, *others = found
        told = f"in {best.rows / max(rows, 1):.0%} of rows"
        if column in _BY_VALUE and not _score(_words(best.path), _RULES[column]):
            told += ", by its values alone: is it this?"
        if others:
            told += "; or: " + ", ".join(_plain(o.expression) for o in others[:_SHOWN_OTHERS])
        lines.append(f"{column} = {_literal(best.expression)}  # {told}")
    if "exchange_id" not in chosen:
        lines.append("# exchange_id is left out: a digest of the row, so equal rows count once")
    if any(bodies.values()):
        lines += ["", "[bodies]  # fill messages, parameters, answer, tokens, status"]
        lines += [
            f"{kind} = {_literal(one.expression)}  # in {one.rows / max(rows, 1):.0%} of rows"
            for kind, one in bodies.items()
            if one
        ]
    unused = [one for one in free if one.path not in taken and not one.mostly("object", 0.5)]
    if unused:
        lines += ["", "# Not used:"]
        lines += [f"#   {_plain(o.expression)}  ({o.rows / max(rows, 1):.0%} of rows)"
                  for o in unused[:_SHOWN_UNUSED]]  # fmt: skip
        if len(unused) > _SHOWN_UNUSED:
            lines.append(f"#   … and {len(unused) - _SHOWN_UNUSED} more")
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Return text that may stand in a comment: a key of a log may hold anything."""
    return "".join(c if c.isprintable() else "?" for c in text)[:200]


def _literal(expression: str) -> str:
    """Return a TOML string: literal where that can hold it."""
    if "'" not in expression and expression.isprintable():
        return f"'{expression}'"
    escaped = expression.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'
