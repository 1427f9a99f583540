"""Bytes that can be held to: digests, hash chains, signatures. Knows nothing of what they seal.

In: JSON values and bytes. Out: sha256 digests, chained entries, DSSE envelopes signed with Ed25519,
Merkle ledgers with their proofs and checkpoints.
Promise: what verifies was signed by that key and has not changed by one bit since.

Signing needs ``cryptography`` and ``securesystemslib`` (``pip install stillwatch[seal]``).
"""

from stillwatch.seal.chain import Link, append, verify_chain
from stillwatch.seal.checkpoint import (
    Checkpoint,
    Witness,
    cosign,
    open_checkpoint,
    sign_checkpoint,
)
from stillwatch.seal.digests import canonical, digest
from stillwatch.seal.dsse import countersign, open_sealed, payload_of, seal, signers
from stillwatch.seal.keys import new_key, public_key, read_private_key, read_public_key
from stillwatch.seal.ledger import Entry, Ledger, verify_entry
from stillwatch.seal.merkle import (
    EMPTY,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    span_hash,
    verify_consistency,
    verify_inclusion,
)

__all__ = [
    "EMPTY",
    "Checkpoint",
    "Entry",
    "Ledger",
    "Link",
    "Witness",
    "append",
    "canonical",
    "consistency_path",
    "cosign",
    "countersign",
    "digest",
    "inclusion_path",
    "leaf_hash",
    "new_key",
    "node_hash",
    "open_checkpoint",
    "open_sealed",
    "payload_of",
    "public_key",
    "read_private_key",
    "read_public_key",
    "seal",
    "sign_checkpoint",
    "signers",
    "span_hash",
    "verify_chain",
    "verify_consistency",
    "verify_entry",
    "verify_inclusion",
]
