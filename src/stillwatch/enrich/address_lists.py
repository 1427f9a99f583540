"""Lists of networks and databases of addresses: what kind of network an address is of.

A list is text with a network (CIDR), an address or an AS number (``AS64500``) a line, ``#`` begins
a remark; plain, .gz or .zst. A database is in MaxMind's format (``.mmdb``): AS number, country, and
what kind of network it is, under the names that MaxMind, DB-IP and IPinfo use.
"""

from __future__ import annotations

import ipaddress
import os
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from stillwatch.enrich.unpacked import unpacked
from stillwatch.errors import ConfigError, InputError, SchemaError, why

if TYPE_CHECKING:
    from maxminddb import Reader

__all__ = ["NETWORK_KINDS", "AddressDatabase", "AddressList", "Told", "read_database", "read_list"]

NETWORK_KINDS: Final = (
    "tor", "proxy", "vpn", "nat", "mobile", "corporate", "education", "datacenter",
)  # fmt: skip
"""Kinds of networks, the more particular first: of several that fit, the first counts."""

_FLAGS: Final = {
    "is_tor_exit_node": "tor", "is_public_proxy": "proxy", "is_residential_proxy": "proxy",
    "is_anonymous_vpn": "vpn", "is_hosting_provider": "datacenter",
}  # fmt: skip
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Told(NamedTuple):
    """What a database tells of an address; None where it does not."""

    asn: int | None = None
    country: str | None = None
    kind: str | None = None


class AddressList:
    """Networks and AS numbers of one kind. Asking takes a binary search."""

    def __init__(self, kind: str, networks: Iterable[Any], systems: frozenset[int]) -> None:
        self.kind, self.systems = kind, systems
        held: dict[int, list[Any]] = {4: [], 6: []}
        for network in networks:
            held[network.version].append(network)
        self._starts: dict[int, list[int]] = {}
        self._ends: dict[int, list[int]] = {}
        for version, found in held.items():
            whole = list(ipaddress.collapse_addresses(found))
            self._starts[version] = [int(n.network_address) for n in whole]
            self._ends[version] = [int(n.broadcast_address) for n in whole]

    def holds(self, address: Address, asn: int | None) -> bool:
        """Tell whether the address is in a network of the list, or its AS is on it."""
        number = int(address)
        place = bisect_right(self._starts[address.version], number) - 1
        if place >= 0 and number <= self._ends[address.version][place]:
            return True
        return asn in self.systems


class AddressDatabase:
    """A database in MaxMind's format; it stays on the disk and is asked an address at a time."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def tell(self, address: Address) -> Told:
        """Return what the database holds of an address; nothing where it holds no such network."""
        if address.version == 6 and self._reader.metadata().ip_version == 4:
            return Told()
        record = self._reader.get(address)
        if not isinstance(record, dict):
            return Told()
        country = record.get("country", record.get("country_code"))
        if isinstance(country, dict):
            country = country.get("iso_code")
        kind = next((word for flag, word in _FLAGS.items() if record.get(flag) is True), None)
        asn = _system(record.get("autonomous_system_number", record.get("asn")))
        return Told(asn, country if isinstance(country, str) else None, kind)


def read_database(path: str | os.PathLike[str]) -> AddressDatabase:
    """Open a ``.mmdb`` file. Raises InputError: missing or damaged; ConfigError: no reader."""
    try:
        import maxminddb
    except ModuleNotFoundError:
        raise ConfigError(
            "needs the package maxminddb", where=str(path),
            hint="pip install 'stillwatch[enrich]'",
        ) from None  # fmt: skip
    try:
        return AddressDatabase(maxminddb.open_database(os.fspath(path)))
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise InputError(
            f"no MaxMind database to be read ({type(error).__name__})", where=str(path)
        ) from error


def read_list(path: str | os.PathLike[str], kind: str) -> AddressList:
    """Return a list of networks. Raises SchemaError naming the line; InputError: no such file."""
    networks, systems = [], set()
    name = Path(path).name
    for number, line in _lines(Path(path)):
        word = line.partition("#")[0].strip()
        if not word:
            continue
        try:
            if word[:2].upper() == "AS":
                systems.add(int(word[2:]))
            else:
                networks.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise SchemaError(
                "neither a network nor an AS number", where=f"{name}:{number}",
                hint="one a line, such as 192.0.2.0/24 or AS64500; # begins a remark",
            ) from None  # fmt: skip
    return AddressList(kind, networks, frozenset(systems))


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    try:
        text = unpacked(file.read_bytes(), file.name).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read ({why(error)})", where=str(file)) from error
    yield from enumerate(text.splitlines(), 1)


def _system(value: Any) -> int | None:
    if isinstance(value, str) and value[:2].upper() == "AS" and value[2:].isdecimal():
        return int(value[2:])
    return value if type(value) is int else None
