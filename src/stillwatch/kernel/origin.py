"""Where a request comes from, as hashes: address prefix and client. Loads no Arrow: guard's too."""

from __future__ import annotations

import hashlib
import ipaddress
from contextlib import suppress
from functools import lru_cache
from socket import AF_INET6, inet_pton

__all__ = ["address_prefix", "client_hash", "prefix_hash", "text_hash"]

_MAPPED = bytes(10) + b"\xff\xff"
_OCTETS = frozenset(map(str, range(256)))


@lru_cache(maxsize=200_000)
def address_prefix(address: str) -> str | None:
    """Return the /24 of an IPv4 or the /48 of an IPv6 address, or None for anything else."""
    octets = address.split(".")
    if len(octets) == 4 and _OCTETS.issuperset(octets):
        return f"{octets[0]}.{octets[1]}.{octets[2]}.0/24"
    with suppress(OSError, ValueError):  # no such address, or not ASCII
        packed = inet_pton(AF_INET6, address)
        if not packed.startswith(_MAPPED):
            return _network48(packed)
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    if isinstance(parsed, ipaddress.IPv4Address):
        return f"{ipaddress.IPv4Address(int(parsed) >> 8 << 8)}/24"
    return _network48(parsed.packed)


def _network48(packed: bytes) -> str:
    """Return the /48 of sixteen bytes as short as can be: its zeros at the end are no groups."""
    groups = [f"{high << 8 | low:x}" for high, low in zip(packed[:6:2], packed[1:6:2], strict=True)]
    while groups and groups[-1] == "0":
        groups.pop()
    return f"{':'.join(groups)}::/48"


def text_hash(text: str | None) -> int:
    """Return 64 bits of BLAKE2b of a text; 0 stands for none."""
    if not text:
        return 0
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") or 1


@lru_cache(maxsize=200_000)
def prefix_hash(address: str | None) -> int:
    """Return the hash of an address's prefix, the column h_prefix; 0 for none."""
    return text_hash(address_prefix(address)) if address else 0


@lru_cache(maxsize=50_000)
def client_hash(ja4: str | None, agent: str | None) -> int:
    """Return the hash of TLS fingerprint and user agent, the column h_client; 0 for neither."""
    both = f"{ja4 or ''}\n{agent or ''}"
    return text_hash(both) if both != "\n" else 0
