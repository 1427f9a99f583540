"""An evidence pack: one folder with everything behind a case, signed, readable on its own.

Every file is a link of a hash chain in ``manifest.json``; the manifest is signed (DSSE). The
history's commitments let whoever gets the texts check that nothing was changed since it was said.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from stillwatch.cases import tables as t
from stillwatch.cases.appeals import read_appeals
from stillwatch.cases.attachments import contents_of, name_outside
from stillwatch.cases.book import Book
from stillwatch.cases.decisions import read_decisions
from stillwatch.cases.docket import read_case, read_evidence
from stillwatch.cases.integrity import links_of
from stillwatch.cases.redaction import LEVELS, Names, redact_campaign, redact_link, redact_member
from stillwatch.errors import ConfigError, NotPermitted
from stillwatch.schema import OWNERSHIP
from stillwatch.seal import Link, append, canonical, digest, public_key, seal
from stillwatch.store import Run

__all__ = ["ENVELOPE", "KIND", "MANIFEST", "Pack", "export_case"]

MANIFEST: Final = "manifest.json"
ENVELOPE: Final = "manifest.dsse.json"
KIND: Final = "evidence-pack"
_README: Final = """\
An evidence pack of stillwatch.

case.json       the case, its campaign, its decisions and appeals, as this reader may see them
members.jsonl   accounts, one a line; under pseudonyms of this pack alone for a partner
links.jsonl     what connects them, one link a line
history.jsonl   the whole chain of entries of the case database: kind, time, commitment
openings.jsonl  the texts and salts of this case's entries, which open their commitments
attachments/    files that were attached to the case, as they came: open what you trust
notices/        what the accounts were told
manifest.json   the digest of every file, as a chain
manifest.dsse.json  the manifest, signed

Which of them are here depends on the level that manifest.json names. To verify, offline:

    stillwatch case verify FOLDER --key PUBLIC-KEY

Take the public key from the provider by another way than this folder. By hand: `sha256sum` of each
file against manifest.json; the envelope is DSSE v1 with Ed25519.
"""
_INSIDE: Final = ("internal", "counsel")
# Entries that only colleagues see. What counsel hands on may end up in court.
_COLLEAGUES: Final = ("case.note", "case.assigned")


@dataclass(frozen=True)
class Pack:
    """Where a pack lies, and the digest of its manifest, by which it can be named."""

    folder: Path
    level: str
    files: int
    manifest_digest: str


def export_case(
    book: Book,
    case_id: str,
    out: Path,
    *,
    level: str,
    key: Any,
    now: datetime,
    run: Run | None = None,
    pseudonym_key: bytes | None = None,
) -> Pack:
    """Write the evidence pack of a case for one kind of reader.

    ``key``: an Ed25519 private key. ``run``: where the links come from; without it there are none.
    ``pseudonym_key``: for tests; else drawn anew and thrown away. The folder is written aside and
    renamed, so that it is there whole or not at all.

    Raises ConfigError: no such level or case, or the folder is there already. NotPermitted: a case
    of refusals by ownership is no finding that others are told of.
    """
    if level not in LEVELS:
        raise ConfigError("not a level", where="--level", hint=f"one of {', '.join(LEVELS)}")
    if level not in _INSIDE and read_case(book, case_id).kind == OWNERSHIP:
        raise NotPermitted("it is of refusals by ownership, and accuses nobody", where=case_id,
                           hint=f"its levels are {' and '.join(_INSIDE)}")  # fmt: skip
    if out.exists():
        raise ConfigError("is there already", where=str(out), hint="name a new folder")
    names = Names(pseudonym_key or secrets.token_bytes(32))
    files = dict(_files(book, case_id, level, names, run))
    aside = out.with_name(f".{out.name}.part")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    for name, data in files.items():
        _write(aside / name, data)
    chain: list[Link] = []
    for name in sorted(files):
        held = {"name": name, "bytes": len(files[name]), "digest": digest(files[name])}
        chain.append(append(held, chain[-1] if chain else None))
    manifest = canonical(
        {"kind": KIND, "level": level, "case": case_id if level in _INSIDE else None,
         "made": now.isoformat(), "files": [asdict(link) for link in chain]}
    )  # fmt: skip
    _write(aside / MANIFEST, manifest)
    envelope = seal(manifest, KIND, [key])
    _write(aside / ENVELOPE, json.dumps(envelope, indent=1, sort_keys=True).encode())
    _write(aside / "key.pub", _pem(key))
    aside.rename(out)
    return Pack(out, level, len(files), digest(manifest))


def _files(
    book: Book, case_id: str, level: str, names: Names, run: Run | None
) -> Iterable[tuple[str, bytes]]:
    campaign = read_evidence(book, case_id)
    members = campaign.get("members") or []
    accused = frozenset(
        str(m["account_id"])
        for m in members
        if m.get("role") == "core" and m.get("standing") == "accused"
    )
    yield "README.txt", _README.encode()
    yield "case.json", _pretty(_case(book, case_id, level, redact_campaign(campaign, level, names)))
    if level == "public":
        return
    shown = [r for m in members if (r := redact_member(m, level, names)) is not None]
    yield "members.jsonl", _lines(sorted(shown, key=canonical))
    if run is not None:
        accounts = [str(m["account_id"]) for m in members]
        links = [
            r
            for link in _links(run, accounts)
            if (r := redact_link(link, level, names, accused)) is not None
        ]
        yield "links.jsonl", _lines(sorted(links, key=canonical))
    if level in _INSIDE:
        yield from _said(book, case_id, level)


def _case(book: Book, case_id: str, level: str, campaign: Mapping[str, Any]) -> dict[str, Any]:
    decisions = read_decisions(book, case_id)
    if level in ("partner", "public"):
        words = sorted({d.verdict for d in decisions if not d.pending and not d.undoes})
        return {"campaign": campaign, **({"verdicts": words} if level == "partner" else {})}
    case = asdict(read_case(book, case_id))
    if level == "counsel":
        case.pop("assigned_to")
    known = {d.id for d in decisions}
    return {
        "case": case,
        "campaign": campaign,
        "decisions": [asdict(d) for d in decisions],
        "appeals": [asdict(a) for a in read_appeals(book) if a.decision in known],
    }


def _said(book: Book, case_id: str, level: str) -> Iterable[tuple[str, bytes]]:
    """Yield the chain, the case's entries opened, attached files, and the notices."""
    decisions = {d.id for d in read_decisions(book, case_id)}
    appeals = {a.id for a in read_appeals(book) if a.decision in decisions}
    mine = {case_id, *decisions, *appeals}
    with book.reading() as connection:
        links, files = links_of(connection), list(contents_of(connection, case_id))
        bodies = list(connection.execute(sa.select(t.bodies).order_by(t.bodies.c.number)))
        notices = list(connection.execute(
            sa.select(t.notices.c.decision_id, t.notices.c.text)
            .where(t.notices.c.decision_id.in_(sorted(decisions)))
        ))  # fmt: skip
    yield "history.jsonl", _lines(asdict(link) for link in links)
    kinds = {link.number: link.value["kind"] for link in links}
    openings = []
    for row in bodies:
        body = json.loads(row.body)
        about = {body.get("case_id"), body.get("decision_id"), body.get("appeal_id")}
        hidden = level != "internal" and kinds[row.number] in _COLLEAGUES
        gone = kinds[row.number] in ("erasure", "purge")  # they say why a text is not what it was
        if gone or (about & mine and not hidden):
            openings.append({"number": row.number, "salt": row.salt, "body": body})
    yield "openings.jsonl", _lines(openings)
    for held, data in files:
        yield f"attachments/{held.id}-{name_outside(held.name)}", data
    for decision_id, text in notices:
        yield f"notices/{decision_id}.txt", text.encode()


def _links(run: Run, accounts: list[str]) -> list[dict[str, Any]]:
    if not run.has("links"):
        return []
    table = run.table("links", ["a", "b", "kind", "llr", "count"])
    ours = pa.array(accounts, pa.string())
    held = table.filter(pc.or_(pc.is_in(table["a"], ours), pc.is_in(table["b"], ours)))
    rows: list[dict[str, Any]] = held.to_pylist()
    return rows


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    return b"".join(_plain(row) + b"\n" for row in rows)


def _plain(row: Mapping[str, Any]) -> bytes:
    text = json.dumps(row, sort_keys=True, ensure_ascii=True, default=_told, allow_nan=False)
    return text.encode()


def _pretty(value: Mapping[str, Any]) -> bytes:
    # ASCII only: a hidden or reordering character of the data shows as an escape.
    return json.dumps(value, indent=1, sort_keys=True, default=_told, allow_nan=False).encode()


def _told(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def _pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization

    return bytes(
        public_key(key).public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
