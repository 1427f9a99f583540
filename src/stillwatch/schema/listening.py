"""The address that a server listens at, had before anybody is told where it is."""

from __future__ import annotations

import errno
import socket
from typing import Any, Final

from stillwatch.errors import ConfigError, why

__all__ = ["bound", "demand_free"]

# A name may stand for addresses that this machine does not have: localhost for ::1 where there is
# no IPv6.
_NOT_OURS: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def bound(host: str, port: int) -> list[socket.socket]:
    """Return sockets at an address, one for each that the name stands for and the machine has.

    None listens yet, so that nobody is let in before there is an answer. Raises ConfigError: the
    name stands for nothing, no address of it is this machine's, or one of them is taken.
    """
    made: list[socket.socket] = []
    missing: OSError | None = None
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((info[0], info[4]) for info in found):
            try:
                made.append(_bound_at(family, address))
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    raise
                missing = error
        if missing is not None and not made:
            raise missing
    except (OSError, UnicodeError) as error:
        for one in made:
            one.close()
        reason = "not a host name" if isinstance(error, UnicodeError) else why(error)
        raise ConfigError(
            f"cannot listen at {host} port {port} ({reason})", where="--host, --port",
            hint="end what listens there, or give another address or port",
        ) from error  # fmt: skip
    return made


def _bound_at(family: int, address: tuple[Any, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


def demand_free(host: str, port: int) -> None:
    """Raise ConfigError where nobody could listen at an address now; it is let go again.

    For what has things to make before it serves: a taken port is told before they are made.
    """
    for one in bound(host, port):
        one.close()
