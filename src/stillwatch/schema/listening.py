"""The address that a server listens at, had before anybody is told where it is."""

from __future__ import annotations

import socket

from stillwatch.errors import ConfigError, why

__all__ = ["bound", "demand_free"]


def bound(host: str, port: int) -> list[socket.socket]:
    """Return sockets at an address, one for each that the name stands for; none listens yet, so
    that nobody is let in before there is an answer. Raises ConfigError: it cannot be had."""
    made: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((info[0], info[4]) for info in found):
            one = socket.socket(family, socket.SOCK_STREAM)
            made.append(one)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            one.bind(address)
    except OSError as error:
        for one in made:
            one.close()
        raise ConfigError(
            f"cannot listen at {host} port {port} ({why(error)})", where="--host, --port",
            hint="end what listens there, or give another address or port",
        ) from error  # fmt: skip
    return made


def demand_free(host: str, port: int) -> None:
    """Raise ConfigError where nobody could listen at an address now; it is let go again.

    For what has things to make before it serves: a taken port is told before they are made.
    """
    for one in bound(host, port):
        one.close()
