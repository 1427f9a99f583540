"""Keyed pseudonyms: whoever has the key can make them, nobody can undo them.

1. One secret of 256 bits; a subkey for each kind of identifier, so that an account and an end user
   of the same name have unlike pseudonyms (domain separation).
2. A pseudonym is ``kXXXXXXXX.`` and 128 bits of HMAC-SHA-256 in hexadecimal. What stands before the
   dot is the key's id, made of the key itself: two keys cannot share an id by mistake.
3. An address becomes an address: equal prefixes stay equal (/24 of IPv4, /48 of IPv6), all else is
   lost. It is a keyed permutation, so that different addresses stay different.

*Error*: two of n values share a pseudonym with probability n²/2¹²⁹. *Source*: HMAC, RFC 2104; the
permutation is an alternating Feistel network of ten rounds as in NIST SP 800-38G (FF1), whose round
function is HMAC-SHA-256.
"""

from __future__ import annotations

import hmac
import ipaddress
import os
import re
import secrets
from functools import lru_cache
from pathlib import Path
from typing import Final

from stillwatch.errors import ConfigError

__all__ = ["KINDS", "Pseudonyms", "is_pseudonym", "read_key", "write_key"]

KINDS: Final = (
    "account", "conversation", "device", "email", "end_user", "exchange", "key", "org", "origin",
    "owner", "payment", "permit", "person", "phone", "trace", "workspace",
)  # fmt: skip
_LABEL: Final = b"stillwatch pseudonym v1\0"
_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_PSEUDONYM: Final = re.compile(r"k[0-9a-f]{8}\.[0-9a-f]{32}")
_ROUNDS: Final = 10
_KNOWN: Final = 200_000
_HINT: Final = "make one with `stillwatch pseudonymize --new-key FILE`, or 64 hexadecimal digits"


def write_key(path: str | os.PathLike[str]) -> None:
    """Write a new random key, readable by its owner alone. Raises ConfigError: the file exists."""
    file = Path(path)
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(
            "exists already", where=str(file), hint="a key that is lost cannot be made again"
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as out:
        out.write(secrets.token_hex(32) + "\n")


def read_key(path: str | os.PathLike[str]) -> Pseudonyms:
    """Return what makes pseudonyms under the key in a file. Raises ConfigError: it holds none."""
    file = Path(path)
    try:
        text = file.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"no key to be read ({type(error).__name__})", where=str(file), hint=_HINT
        ) from None
    if not _KEY.fullmatch(text):
        raise ConfigError("not a key of 64 hexadecimal digits", where=str(file), hint=_HINT)
    return Pseudonyms(bytes.fromhex(text))


def is_pseudonym(value: str) -> bool:
    """Tell whether a value has the form of a pseudonym, under whichever key.

    >>> is_pseudonym("k0a1b2c3d." + "0" * 32), is_pseudonym("acct-17")
    (True, False)
    """
    return _PSEUDONYM.fullmatch(value) is not None


class Pseudonyms:
    """Makes pseudonyms under one key; the same value always gets the same one.

    >>> p = Pseudonyms(bytes(32))
    >>> p.of("account", "acct-17") == p.of("account", "acct-17") != p.of("end_user", "acct-17")
    True
    >>> p.address("192.0.2.7").rpartition(".")[0] == p.address("192.0.2.99").rpartition(".")[0]
    True
    """

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.key_id = "k" + self._subkey("key id")[:4].hex()
        self._keys = {kind: self._subkey(kind) for kind in KINDS}
        self._network = self._subkey("address prefix")
        self._host = self._subkey("address host")
        self.of = lru_cache(maxsize=_KNOWN)(self._of)
        self.address = lru_cache(maxsize=_KNOWN)(self._address)
        self._prefix = lru_cache(maxsize=_KNOWN)(self._permuted)

    def __repr__(self) -> str:
        return f"Pseudonyms({self.key_id})"  # never the key

    def _subkey(self, name: str) -> bytes:
        return hmac.digest(self._key, _LABEL + name.encode(), "sha256")

    def _of(self, kind: str, value: str) -> str:
        """Return the pseudonym of a value; ``kind`` is one of KINDS."""
        made = hmac.digest(self._keys[kind], value.encode("utf-8", "surrogatepass"), "sha256")
        return f"{self.key_id}.{made[:16].hex()}"

    def _address(self, text: str) -> str | None:
        """Return the pseudonym of an IP address, itself an address; None where the text is none."""
        try:
            parsed = ipaddress.ip_address(text.strip())
        except ValueError:
            return None
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
            parsed = parsed.ipv4_mapped
        host_bits, prefix_bits = (8, 24) if parsed.version == 4 else (80, 48)
        prefix, host = divmod(int(parsed), 1 << host_bits)
        tweak = bytes([parsed.version]) + prefix.to_bytes(6, "big")
        network = self._prefix(self._network, tweak[:1], prefix, prefix_bits)
        inside = self._permuted(self._host, tweak, host, host_bits)
        whole = network << host_bits | inside
        return str(
            ipaddress.IPv4Address(whole) if parsed.version == 4 else ipaddress.IPv6Address(whole)
        )

    def _permuted(self, key: bytes, tweak: bytes, value: int, bits: int) -> int:
        """Return the place of ``value`` in a keyed permutation of the numbers of so many bits."""
        half = bits // 2
        mask = (1 << half) - 1
        left, right = value >> half, value & mask
        for number in range(_ROUNDS):
            message = b"%b%c%c%b" % (tweak, number, bits, right.to_bytes(5, "big"))
            noise = int.from_bytes(hmac.digest(key, message, "sha256")[:8], "big")
            left, right = right, left ^ (noise & mask)
        return left << half | right
