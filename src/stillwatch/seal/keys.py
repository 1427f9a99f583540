"""Ed25519 keys in PEM files: PKCS#8 the private half, SubjectPublicKeyInfo the other."""

from __future__ import annotations

import os
from pathlib import Path

from stillwatch.errors import ConfigError

try:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
        Ed25519PublicKey,
    )
except ImportError as error:  # pragma: no cover
    raise ConfigError(
        "signatures need the package cryptography", hint="pip install 'stillwatch[seal]'"
    ) from error


def new_key(path: Path) -> Ed25519PrivateKey:
    """Make a private key, write it where only its owner may read it, its public half beside it.

    Raises:
        ConfigError: a file of that name is there already; a key is never overwritten.
    """
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(
            "a key is there already and is not overwritten",
            where=str(path),
            hint="use it, or give another name",
        ) from error
    with os.fdopen(handle, "wb") as file:
        file.write(pem)
    path.with_name(path.name + ".pub").write_bytes(public_pem(key.public_key()))
    return key


def public_key(key: Ed25519PrivateKey) -> Ed25519PublicKey:
    """Return the public half of a private key."""
    return key.public_key()


def public_pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def read_private_key(path: Path) -> Ed25519PrivateKey:
    """Read a private key.

    Raises:
        ConfigError: no such file, not a PEM of an unencrypted Ed25519 key.
    """
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            "not a readable private key", where=str(path),
            hint="give the file without .pub",
        ) from error  # fmt: skip
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError("not an Ed25519 key", where=str(path))
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """Read a public key.

    Raises:
        ConfigError: no such file, not a PEM of an Ed25519 key.
    """
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            "not a readable public key", where=str(path),
            hint="give the file that ends in .pub, which is beside the private key",
        ) from error  # fmt: skip
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError("not an Ed25519 key", where=str(path))
    return key
