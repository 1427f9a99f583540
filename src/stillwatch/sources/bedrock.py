"""Amazon Bedrock's model invocation logs, as delivered to S3 or exported from CloudWatch Logs.

One JSON object a line (``schemaType: ModelInvocationLog``), in S3 gzipped. A body over 100 kB lies
in a file of its own, ``data/…_input.json.gz`` or ``…_output.json.gz``, which the record names by
its S3 address; where such files are among the input, they are joined by name.

The account is the first of these that ``requestMetadata`` holds: account_id, tenant_id,
customer_id, user_id; else the caller's role or user (`identity.arn`), whose session is the end
user.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, BinaryIO

import orjson
import pyarrow as pa

from stillwatch.sources.bodies import BODY_COLUMNS
from stillwatch.sources.held import Held
from stillwatch.sources.json_rows import Records, read_records
from stillwatch.sources.json_text import BadJson, canonical, dict_of, loads
from stillwatch.sources.ledger import Ledger
from stillwatch.sources.outline import outline
from stillwatch.sources.parts import Part, admitted
from stillwatch.sources.scratch import Scratch
from stillwatch.sources.wrapped import account_in, words_in

__all__ = ["Bedrock"]

_BODY_FILE = re.compile(r"(?:^|/)data/[^/]+_(?:input|output)\.json(?:\.gz)?$")
_SIDES = (("input", "inputBodyJson", "inputBodyS3Path"),
          ("output", "outputBodyJson", "outputBodyS3Path"))  # fmt: skip
_SESSION = re.compile(r"(arn:aws[\w-]*:sts::\d*:assumed-role/[^/]+)/(.+)")
_OUTSIDE_BYTES = 100_000  # a body lies in a file of its own from so many on
_TABLES = (
    "held (file TEXT, line INT, row BLOB)",
    "bodies (name TEXT PRIMARY KEY, body BLOB)",
)
_LOST = "bodies that lie in S3 and are not among the input: their text is null"
_FILES = "files of bodies that records name"


class Bedrock(Held):
    """Reads invocation logs; ``for_run`` gives the object that joins the bodies of one run."""

    name = "bedrock"
    reads_tables = False
    tables = _TABLES
    columns = BODY_COLUMNS | {"account_id", "org_id", "provider", "tags", "latency_ms"}

    def sniff(self, head: bytes, name: str) -> bool:
        keys = outline(head)
        if {"modelId", "requestId", "input", "output"} <= keys or "schemaType" in keys:
            return b"ModelInvocationLog" in head or "input.inputTokenCount" in keys
        return bool(_BODY_FILE.search(name)) or _of_cloudwatch(keys, head)

    def read(self, handle: BinaryIO, where: str, ledger: Ledger) -> Iterator[pa.RecordBatch]:
        if _BODY_FILE.search(where):
            self._keep(PurePosixPath(where).name, handle.read())
            ledger.notes[_FILES] += 1
            return

        def convert(records: Records) -> Part:
            ready, waiting = Records(size=records.size), Records()
            for value, line in zip(records.objects, records.lines, strict=True):
                record = _record(value)
                (waiting if _outside(record) else ready).add(record, line)
            self._hold(waiting, where)
            return self.converted(ready, where, ledger)

        yield from admitted(map(convert, read_records(handle, where, ledger, Records)), ledger)

    def wrapper(self, record: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
        asked, said = dict_of(record.get("input")), dict_of(record.get("output"))
        metadata = dict_of(record.get("requestMetadata"))
        caller, session = _caller(dict_of(record.get("identity")).get("arn"))
        response = said.get("outputBodyJson")
        operation = str(record.get("operation"))
        return {
            "exchange_id": record.get("requestId"),
            "ts": record.get("timestamp"),
            "account_id": account_in(metadata) or caller or record.get("accountId"),
            "org_id": record.get("accountId"),
            "end_user_id": session,
            "provider": "aws.bedrock",
            "model": _model(record.get("modelId")),
            "operation": "embedding" if dict_of(response).get("embedding") else None,
            "stream": "Stream" in operation if operation != "None" else None,
            "tags": words_in(metadata),
            "latency_ms": dict_of(dict_of(response).get("metrics")).get("latencyMs"),
            "request": asked.get("inputBodyJson"),
            "response": response,
            "error": {"code": record["errorCode"]} if record.get("errorCode") else None,
            **_counts(asked, said, response),
        }

    def waiting(self, base: Scratch) -> Iterator[tuple[str, int, bytes]]:
        """Yield the records whose bodies lie in files of their own."""
        yield from base.rows("SELECT file, line, row FROM held ORDER BY file, line")

    def joined(self, base: Scratch, held: bytes, ledger: Ledger) -> tuple[dict[str, Any], int]:
        return self._filled(orjson.loads(held), ledger), _OUTSIDE_BYTES

    def _filled(self, record: dict[str, Any], ledger: Ledger) -> dict[str, Any]:
        for side, body, path in _SIDES:
            held = dict_of(record.get(side))
            if held.get(body) is None and held.get(path):
                found = self._fetch(PurePosixPath(str(held[path])).name)
                if found is None:
                    ledger.notes[_LOST] += 1
                record[side] = {**held, body: found}
        return record

    def _hold(self, waiting: Records, where: str) -> None:
        rows = [(where, line, _packed(record))
                for record, line in zip(waiting.objects, waiting.lines, strict=True)]  # fmt: skip
        if rows:
            self.scratch().write("INSERT INTO held VALUES (?, ?, ?)", rows)

    def _keep(self, name: str, body: bytes) -> None:
        plain = name.removesuffix(".gz")
        self.scratch().write("INSERT OR REPLACE INTO bodies VALUES (?, ?)", [(plain, body)])

    def _fetch(self, name: str) -> Any:
        query = "SELECT body FROM bodies WHERE name = ?"
        text = self.scratch().one(query, name.removesuffix(".gz"))
        try:
            return loads(text)[0] if text else None
        except (BadJson, RecursionError):
            return None


def _of_cloudwatch(keys: frozenset[str], head: bytes) -> bool:
    return bool(keys & {"message", "@message"}) and b"ModelInvocationLog" in head


def _record(value: dict[str, Any]) -> dict[str, Any]:
    """Return the record in an event of CloudWatch Logs, or the object itself."""
    text = value.get("message", value.get("@message"))
    if "modelId" in value or type(text) is not str:
        return dict_of(text) or value
    try:
        return dict_of(loads(text)[0]) or value
    except (BadJson, RecursionError):
        return value


def _outside(record: dict[str, Any]) -> bool:
    return any(
        dict_of(record.get(side)).get(body) is None and dict_of(record.get(side)).get(path)
        for side, body, path in _SIDES
    )


def _packed(record: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(record)
    except TypeError:  # too deep, or a number too large
        return canonical({k: canonical(v) for k, v in record.items()}).encode()


def _caller(arn: Any) -> tuple[Any, str | None]:
    """Return who calls, and the session of an assumed role: one role serves many sessions."""
    match = _SESSION.fullmatch(arn) if type(arn) is str else None
    return (match[1], match[2]) if match else (arn, None)


def _model(model: Any) -> Any:
    return model.rpartition("/")[2] if type(model) is str and model.startswith("arn:") else model


def _counts(asked: dict[str, Any], said: dict[str, Any], response: Any) -> dict[str, Any]:
    """Return the record's own counts where the body has none; reads and writes of the cache in."""
    if dict_of(response).get("usage"):
        return {}
    read, wrote = asked.get("cacheReadInputTokenCount"), asked.get("cacheWriteInputTokenCount")
    plain = asked.get("inputTokenCount")
    if type(plain) is int:
        plain += sum(v for v in (read, wrote) if type(v) is int)
    return {"input_tokens": plain, "output_tokens": said.get("outputTokenCount"),
            "cached_tokens": read}  # fmt: skip
