"""Checkpoints: a signed text that fixes a ledger at one size, and a witness's cosignature.

*Source*: C2SP signed-note, tlog-checkpoint and tlog-cosignature (``cosignature/v1``): origin, size,
root in base64, an empty line, then one line per signature.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from stillwatch.errors import ConfigError, EvidenceError
from stillwatch.seal.merkle import verify_consistency

__all__ = ["Checkpoint", "Witness", "cosign", "open_checkpoint", "sign_checkpoint"]

_DASH: Final = "\u2014 "
_ED25519: Final = b"\x01"
_COSIGNATURE: Final = b"\x04"
_NAME: Final = re.compile(r"[^\s+]{1,200}")


@dataclass(frozen=True)
class Checkpoint:
    """What a ledger was at one moment. ``cosigned``: by witness, when; UTC, whole seconds."""

    origin: str
    size: int
    root: bytes
    cosigned: Mapping[str, datetime]

    def body(self) -> str:
        """Return the text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def _key_id(name: str, kind: bytes, key: Ed25519PublicKey) -> bytes:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(name.encode() + b"\n" + kind + raw).digest()[:4]


def _line(name: str, identifier: bytes, signature: bytes) -> str:
    return f"{_DASH}{name} {base64.b64encode(identifier + signature).decode()}\n"


def sign_checkpoint(origin: str, size: int, root: bytes, key: Ed25519PrivateKey) -> str:
    """Return the signed checkpoint of a ledger, whose name ``origin`` is also its signer's.

    Raises:
        ConfigError: the name holds spaces or a plus sign, or is empty.
    """
    if not _NAME.fullmatch(origin):
        raise ConfigError("a ledger's name has no spaces and no plus sign", where="origin")
    body = Checkpoint(origin, size, root, {}).body()
    identifier = _key_id(origin, _ED25519, key.public_key())
    return body + "\n" + _line(origin, identifier, key.sign(body.encode()))


def cosign(note: str, name: str, key: Ed25519PrivateKey, *, now: datetime) -> str:
    """Return the checkpoint with a witness's cosignature added; it is not checked here."""
    if not _NAME.fullmatch(name):
        raise ConfigError("a witness's name has no spaces and no plus sign", where="name")
    body = note.split("\n\n", 1)[0] + "\n"
    seconds = int(now.timestamp())
    signature = key.sign(_cosigned(body, seconds))
    identifier = _key_id(name, _COSIGNATURE, key.public_key())
    return note + _line(name, identifier, struct.pack(">Q", seconds) + signature)


def _cosigned(body: str, seconds: int) -> bytes:
    return f"cosignature/v1\ntime {seconds}\n{body}".encode()


def open_checkpoint(
    note: str, key: Ed25519PublicKey, *, origin: str,
    witnesses: Mapping[str, Ed25519PublicKey] | None = None, threshold: int = 0,
) -> Checkpoint:  # fmt: skip
    """Return the checkpoint of a note that ``origin`` signed and enough witnesses cosigned.

    Raises:
        EvidenceError: no checkpoint, another ledger's, a wrong signature, too few witnesses.
    """
    body, _, signatures = note.partition("\n\n")
    lines = body.split("\n")
    if len(lines) != 3 or lines[0] != origin or not re.fullmatch(r"0|[1-9][0-9]{0,18}", lines[1]):
        raise EvidenceError("not a checkpoint of this ledger", where=origin)
    try:
        root = base64.b64decode(lines[2], validate=True)
    except binascii.Error as error:
        raise EvidenceError("not a checkpoint: its root is no base64", where=origin) from error
    if len(root) != 32:
        raise EvidenceError("not a checkpoint: its root has not 32 bytes", where=origin)
    text, own = body + "\n", False
    seen: dict[str, datetime] = {}
    for name, raw in _signatures(signatures):
        if name == origin and raw[:4] == _key_id(origin, _ED25519, key):
            own = _valid(key, raw[4:], text.encode(), name)
        witness = (witnesses or {}).get(name)
        if witness and raw[:4] == _key_id(name, _COSIGNATURE, witness) and len(raw) == 76:
            seconds = struct.unpack(">Q", raw[4:12])[0]
            if _valid(witness, raw[12:], _cosigned(text, seconds), name):
                seen[name] = datetime.fromtimestamp(seconds, UTC)
    if not own:
        raise EvidenceError("the checkpoint is not signed by its ledger", where=origin)
    if len(seen) < threshold:
        raise EvidenceError(f"the checkpoint has fewer than {threshold} witnesses", where=origin)
    return Checkpoint(origin, int(lines[1]), root, seen)


def _signatures(text: str) -> list[tuple[str, bytes]]:
    found = []
    for line in text.splitlines():
        name, _, coded = line.removeprefix(_DASH).partition(" ")
        try:
            raw = base64.b64decode(coded, validate=True)
        except binascii.Error as error:
            raise EvidenceError("a signature of the checkpoint is no base64") from error
        if not line.startswith(_DASH) or not name or len(raw) < 5:
            raise EvidenceError("a signature line of the checkpoint is malformed")
        found.append((name, raw))
    return found


def _valid(key: Ed25519PublicKey, signature: bytes, message: bytes, name: str) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature as error:
        raise EvidenceError("a signature of the checkpoint does not verify", where=name) from error
    return True


class Witness:
    """Cosigns a ledger's checkpoints, and refuses one that does not continue the last it saw."""

    def __init__(
        self, name: str, key: Ed25519PrivateKey, *, origin: str, ledger: Ed25519PublicKey,
        last: Checkpoint | None = None,
    ) -> None:  # fmt: skip
        self.name, self.origin = name, origin
        self._key, self._ledger = key, ledger
        self.last = last

    def cosign(self, note: str, path: list[bytes], *, now: datetime) -> str:
        """Return the checkpoint, cosigned. ``path``: consistency with the last one seen.

        Raises:
            EvidenceError: not signed by the ledger, or it rewrites what was seen before.
        """
        seen = open_checkpoint(note, self._ledger, origin=self.origin)
        if self.last is not None:
            verify_consistency(self.last.size, seen.size, self.last.root, seen.root, path)
        done = cosign(note, self.name, self._key, now=now)
        self.last = seen
        return done
