"""Bytes that can be held to: digests, hash chains, signatures. Knows nothing of what they seal.

In: JSON values and bytes. Out: sha256 digests, chained entries, DSSE envelopes signed with Ed25519.
Promise: what verifies was signed by that key and has not changed by one bit since.

Signing needs ``cryptography`` and ``securesystemslib`` (``pip install stillwatch[seal]``).
"""

from stillwatch.seal.chain import Link, append, verify_chain
from stillwatch.seal.digests import canonical, digest
from stillwatch.seal.dsse import open_sealed, seal
from stillwatch.seal.keys import new_key, public_key, read_private_key, read_public_key

__all__ = [
    "Link",
    "append",
    "canonical",
    "digest",
    "new_key",
    "open_sealed",
    "public_key",
    "read_private_key",
    "read_public_key",
    "seal",
    "verify_chain",
]
