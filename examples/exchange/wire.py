"""What goes over the wire: a relay in front of the hub that keeps every byte, and what is in them.

The relay changes nothing but the request's `Accept-Encoding`, so that answers come as they are and
can be searched.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["Relay", "found_passages", "found_values"]

PASSAGE: Final = 24
_LEAST: Final = 6
_ENCODED: Final = re.compile(rb"^(content|transfer)-encoding:(?!\s*identity)", re.I | re.M)


class Relay:
    """Listens on loopback, passes on to the hub's port, and keeps what either side said."""

    def __init__(self, hub_port: int, folder: Path, name: str) -> None:
        self._hub_port = hub_port
        self.sent, self.received = folder / f"{name}.sent", folder / f"{name}.received"
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        for file in (self.sent, self.received):
            file.touch()
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._open: set[socket.socket] = set()
        self._threads[0].start()

    def close(self) -> None:
        """Stop listening, and end what is open."""
        with self._lock:
            ends = [self._listener, *self._open]
        for end in ends:
            _end(end, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                member, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._threads.append(threading.Thread(target=self._carry, args=(member,)))
            self._threads[-1].start()

    def _carry(self, member: socket.socket) -> None:
        """Carry one connection until both sides have ended it."""
        try:
            hub = socket.create_connection(("127.0.0.1", self._hub_port))
        except OSError:
            member.close()  # the hub is away: so is the relay
            return
        with member, hub:
            with self._lock:
                self._open |= {member, hub}
            back = threading.Thread(target=self._pump, args=(hub, member, self.received))
            back.start()
            self._pump(member, hub, self.sent)
            back.join()
            with self._lock:
                self._open -= {member, hub}

    def _pump(self, source: socket.socket, target: socket.socket, file: Path) -> None:
        try:
            while data := source.recv(1 << 16):
                if file == self.sent:  # the same number of bytes, so that no length is wrong
                    data = re.sub(rb"(?i)accept-encoding:", b"x-was-encodings:", data)
                with self._lock, file.open("ab") as out:
                    out.write(data)
                target.sendall(data)
        except OSError:
            _end(source)  # one side went away
        _end(target)  # … and the other sees its end

    def bytes(self) -> bytes:
        """Return all that went over the wire, both ways.

        Raises:
            ValueError: something was compressed or cut into chunks, and cannot be searched so.
        """
        kept = self.sent.read_bytes() + b"\n" + self.received.read_bytes()
        if _ENCODED.search(kept):
            raise ValueError("the wire holds encoded bodies; they cannot be searched")
        return kept


def _end(one: socket.socket, how: int = socket.SHUT_WR) -> None:
    with contextlib.suppress(OSError):  # it has ended by itself
        one.shutdown(how)


def _forms(value: str) -> set[bytes]:
    """Return how a value may be written: plain, escaped, in hex, in Base64, or as a plain hash."""
    raw = value.encode()
    return {
        raw, json.dumps(value)[1:-1].encode(), raw.hex().encode(),
        base64.b64encode(raw).rstrip(b"="), base64.urlsafe_b64encode(raw).rstrip(b"="),
        hashlib.sha256(raw).hexdigest().encode(), hashlib.sha256(raw).hexdigest()[:16].encode(),
        hashlib.md5(raw, usedforsecurity=False).hexdigest().encode(),
    }  # fmt: skip


def found_values(values: Iterable[str], wire: bytes) -> list[str]:
    """Return the values of six letters and more that the wire holds in any of their forms."""
    return sorted(
        value for value in set(values)
        if len(value) >= _LEAST and any(form in wire for form in _forms(value))
    )  # fmt: skip


def found_passages(texts: Iterable[str], wire: bytes) -> list[str]:
    """Return passages of 24 characters of any text that the wire holds, plain or escaped."""
    text = wire.decode("utf-8", errors="replace")
    windows = {text[i : i + PASSAGE] for i in range(len(text) - PASSAGE + 1)}
    found = set()
    for one in set(texts):
        for form in {one, json.dumps(one)[1:-1]}:
            found |= windows.intersection(
                form[i : i + PASSAGE] for i in range(len(form) - PASSAGE + 1)
            )
    return sorted(found)
