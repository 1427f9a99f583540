"""Does an evidence pack hold? Needs the folder and the public key, and nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stillwatch.cases.attachments import name_outside
from stillwatch.cases.integrity import check_body, rewritten
from stillwatch.cases.pack import ENVELOPE, KIND, MANIFEST
from stillwatch.errors import EvidenceError, InputError, why
from stillwatch.seal import Link, digest, open_sealed, verify_chain

__all__ = ["CheckedPack", "verify_pack"]


@dataclass(frozen=True)
class CheckedPack:
    """``opened``: entries of the history whose texts are in the pack and are what was said."""

    case_id: str | None
    level: str
    files: int
    entries: int
    opened: int
    manifest_digest: str


def verify_pack(folder: Path, key: Any) -> CheckedPack:
    """Check a pack against a public key that was got by another way.

    1. The manifest is signed by the key, and the signed bytes are those of manifest.json.
    2. Its chain of files holds, every file has its digest, and no other file is there.
    3. The history's chain holds.
    4. Every opened text opens its commitment, or was erased as the history says.
    5. The evidence in the openings has the digest that decisions name.
    6. Every attached file that was not removed is there, with the digest of its entry.

    Raises EvidenceError: names the file or entry that does not hold. InputError: not a pack.
    """
    manifest_bytes = _read(folder / MANIFEST)
    signed = open_sealed(_read(folder / ENVELOPE), KIND, [key])  # 1
    if signed != manifest_bytes:
        raise EvidenceError("is not what was signed", where=MANIFEST)
    manifest = json.loads(manifest_bytes)
    _check_files(folder, manifest)  # 2
    links, opened = _check_history(folder)  # 3, 4, 5, 6
    return CheckedPack(
        manifest["case"], manifest["level"], len(manifest["files"]), links, opened,
        digest(manifest_bytes),
    )  # fmt: skip


def _check_files(folder: Path, manifest: dict[str, Any]) -> None:
    listed = [Link(**held) for held in manifest["files"]]
    verify_chain(listed)
    expected = {link.value["name"]: link.value["digest"] for link in listed}
    found = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if not p.is_dir()}
    strangers = sorted(found - set(expected) - {MANIFEST, ENVELOPE, "key.pub"})
    if strangers:
        raise EvidenceError(f"{len(strangers)} files that the manifest does not list",
                            where=strangers[0])  # fmt: skip
    for name, wanted in expected.items():
        file = folder / name
        if file.is_symlink() or not file.is_file():
            raise EvidenceError("is missing", where=name)
        if digest(file.read_bytes()) != wanted:
            raise EvidenceError("was changed after it was signed", where=name)


def _check_history(folder: Path) -> tuple[int, int]:
    file = folder / "history.jsonl"
    if not file.is_file():
        return 0, 0
    links = [Link(**json.loads(line)) for line in file.read_text("utf-8").splitlines()]
    verify_chain(links)
    bodies: dict[int, tuple[str, Any]] = {}
    for line in (folder / "openings.jsonl").read_text("utf-8").splitlines():
        held = json.loads(line)
        bodies[held["number"]] = (held["salt"], held["body"])
    if strange := sorted(set(bodies) - {link.number for link in links}):
        raise EvidenceError("a text without an entry", where=f"entry {strange[0]}")
    gone, opened = rewritten(links, bodies), 0
    for link in links:
        if link.number in bodies:
            opened += check_body(link, bodies[link.number], gone)
    for number, (_, body) in bodies.items():
        if "evidence" in body and digest(body["evidence"]) != body["evidence_digest"]:
            raise EvidenceError("its evidence has another digest", where=f"entry {number}")
    _check_attached(folder, bodies)
    return len(links), opened


def _check_attached(folder: Path, bodies: dict[int, tuple[str, Any]]) -> None:
    said = [body for _, body in sorted(bodies.values(), key=repr) if "attachment_id" in body]
    removed = {body["attachment_id"] for body in said if "digest" not in body}
    for body in said:
        name = body["attachment_id"]
        if name in removed or "digest" not in body or body.get("gone"):
            continue
        file = folder / "attachments" / f"{name}-{name_outside(body['name'])}"
        if not file.is_file() or digest(file.read_bytes()) != body["digest"]:
            raise EvidenceError("is not there as it was attached", where=name)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InputError(
            f"cannot be read ({why(error)})", where=str(file),
            hint="give the folder that `stillwatch case export` wrote",
        ) from error  # fmt: skip
