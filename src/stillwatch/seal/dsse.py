"""Signed payloads: DSSE v1 envelopes with Ed25519, by securesystemslib.

Source: Dead Simple Signing Envelope, protocol v1.0: the signature covers the payload's type and
length as well (pre-authentication encoding), so a payload of one kind never passes as another.
"""

from __future__ import annotations

import binascii
import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import FormatError, VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from stillwatch.errors import EvidenceError

PREFIX = "application/vnd.stillwatch."


def seal(payload: bytes, kind: str, keys: Sequence[Ed25519PrivateKey]) -> dict[str, Any]:
    """Return the envelope of a payload, signed with every key, ready for JSON.

    ``kind`` is a short name such as ``snapshot``; it becomes part of the signed media type.
    """
    envelope = Envelope(payload, f"{PREFIX}{kind}+json", {})
    for key in keys:
        envelope.sign(CryptoSigner(key))
    return dict(envelope.to_dict())


def open_sealed(
    envelope: dict[str, Any] | bytes,
    kind: str,
    keys: Sequence[Ed25519PublicKey],
    *,
    threshold: int = 1,
) -> bytes:
    """Return the payload, once ``threshold`` different keys among ``keys`` have signed it.

    Raises:
        EvidenceError: not an envelope, another kind of payload, too few valid signatures.
        ValueError: the threshold is below one or above the number of keys.
    """
    read = _read(envelope)
    if read.payload_type != f"{PREFIX}{kind}+json":
        raise EvidenceError(f"the envelope holds another kind of payload, expected {kind}")
    try:
        read.verify([SSlibKey.from_crypto(key) for key in keys], threshold)
    except VerificationError as error:
        whom = "a key that is" if threshold == 1 else f"{threshold} of the keys that are"
        raise EvidenceError(f"not signed by {whom} trusted") from error
    return bytes(read.payload)


def payload_of(envelope: dict[str, Any] | bytes, kind: str) -> bytes:
    """Return the payload without checking any signature; whoever relies on it checks them.

    Raises:
        EvidenceError: not an envelope, or another kind of payload.
    """
    read = _read(envelope)
    if read.payload_type != f"{PREFIX}{kind}+json":
        raise EvidenceError(f"the envelope holds another kind of payload, expected {kind}")
    return bytes(read.payload)


def countersign(
    envelope: dict[str, Any] | bytes, kind: str, key: Ed25519PrivateKey
) -> dict[str, Any]:
    """Return the envelope with one more signature over the same payload.

    Raises:
        EvidenceError: not an envelope, or another kind of payload.
    """
    read = _read(envelope)
    if read.payload_type != f"{PREFIX}{kind}+json":
        raise EvidenceError(f"the envelope holds another kind of payload, expected {kind}")
    read.sign(CryptoSigner(key))
    return dict(read.to_dict())


def signers(
    envelope: dict[str, Any] | bytes, kind: str, keys: Mapping[str, Ed25519PublicKey]
) -> frozenset[str]:
    """Return whose keys, by name, have validly signed the envelope.

    Raises:
        EvidenceError: not an envelope, or another kind of payload.
    """
    found = set()
    for name, key in keys.items():
        try:
            open_sealed(envelope, kind, [key])
        except EvidenceError:
            continue
        found.add(name)
    if not found and _read(envelope).payload_type != f"{PREFIX}{kind}+json":
        raise EvidenceError(f"the envelope holds another kind of payload, expected {kind}")
    return frozenset(found)


def _read(envelope: dict[str, Any] | bytes) -> Envelope:
    try:
        # from_dict changes the signatures that it is given
        value = json.loads(envelope) if isinstance(envelope, bytes) else copy.deepcopy(envelope)
        return Envelope.from_dict(value)
    except (KeyError, TypeError, AttributeError, ValueError, FormatError, binascii.Error) as error:
        raise EvidenceError("not a DSSE envelope") from error
