"""The connection: uvicorn's, with little patience for slow heads and a short way for decisions.

A decision needs neither a task nor an event loop's turn: ``POST /v1/decide`` and ``/authz`` whose
body came are answered where it was parsed, which takes half of the processor time of the way
through ASGI. All else, and whatever is unusual (HTTP/1.0, Expect, a request behind one that is not
answered yet), takes uvicorn's own way to the same application.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from stillwatch.guard.skim import Skim

__all__ = ["Lane", "lane_protocol"]

_DECIDE: Final = b"/v1/decide"
_AUTHZ: Final = (b"/authz/", b"/authz?")
Headers = list[tuple[bytes, bytes]]
Reply = tuple[int, bytes, Headers]
# What the parser may swallow without yielding a head or a piece of a body. Go's gateways pass on
# heads of a megabyte; one that is cut here would be a guard that is away.
_MOST_SILENT: Final = 2 << 20


class Lane(NamedTuple):
    """What answers: status, body and headers; none raises.

    ``decide(headers, body)``; ``decide_long(headers, skim)`` where the body is too long, with what
    ``skim()`` made and the body was fed to; ``authz(method, headers, body)``, its body None where
    it is too long or came too slowly, since a gateway takes any status for a verdict. Of a head
    with more than ``max_headers`` or ``max_header_bytes`` only headers in ``names`` are kept.
    """

    decide: Callable[[Headers, bytes], Reply]
    decide_long: Callable[[Headers, Skim], Reply]
    skim: Callable[[], Skim]
    authz: Callable[[str, Headers, bytes | None], Reply]
    patience_s: float
    max_body: int
    max_headers: int
    max_header_bytes: int
    names: frozenset[bytes]


class Laned(HttpToolsProtocol):
    """One connection. ``lane`` is set by `lane_protocol`."""

    lane: ClassVar[Lane]
    _head_open = True  # a connection that says nothing has an open head too
    _late: asyncio.TimerHandle | None = None
    _body: list[bytes] | None = None  # of a request in the lane
    _size = 0
    _of_gateway = False
    _skim: Skim | None = None
    _silent = 0  # bytes since the parser last told something that it does not keep itself
    _head_bytes = 0
    _more: dict[bytes, bytes] | None = None  # what is kept of a head that is too long

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._late = self.loop.call_later(self.lane.patience_s, self._give_up)

    def data_received(self, data: bytes) -> None:
        self._silent += len(data)
        if self._silent > _MOST_SILENT:
            if not self.transport.is_closing():
                self._write(431, b'{"error":"the head is too long"}', [], close=True)
            return
        super().data_received(data)
        if (self._head_open or self._body is not None) and self._late is None:
            self._late = self.loop.call_later(self.lane.patience_s, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        self._in_time()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        self._head_open = True
        self._head_bytes, self._more = 0, None
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; of a head that is too long, or of trailers, what is looked at alone."""
        self._head_bytes += len(name) + len(value)
        if self._more is None:
            super().on_header(name, value)
            long = self._head_bytes > self.lane.max_header_bytes
            if long or len(self.headers) > self.lane.max_headers:
                self._more = {}
        elif self._head_open and (lower := name.lower()) in self.lane.names:
            self._more[lower] = value

    def on_headers_complete(self) -> None:
        self._head_open = False
        self._silent = 0
        if self._more is not None:
            self.headers.extend(self._more.items())
        self._in_time()
        of_gateway = self.url.startswith(_AUTHZ) or self.url == b"/authz"
        if (of_gateway or self.url == _DECIDE) and self._usual(of_gateway):
            self._body, self._size, self._of_gateway = [], 0, of_gateway
            self._skim = None
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._silent = 0
        if self._body is None:
            super().on_body(body)
            return
        self._size += len(body)
        if self._size <= self.lane.max_body:
            self._body.append(body)
        elif not self._of_gateway:
            if self._skim is None:
                self._skim = self.lane.skim()
                self._skim.feed(b"".join(self._body))
            self._skim.feed(body)

    def on_message_complete(self) -> None:
        self._silent = 0
        if self._body is None:
            super().on_message_complete()
            return
        body, self._body = b"".join(self._body), None
        self._in_time()
        skim, self._skim = self._skim, None
        whole = self._size <= self.lane.max_body
        if self._of_gateway:
            method = self.parser.get_method().decode("latin-1")
            reply = self.lane.authz(method, self.headers, body if whole else None)
        elif skim is None:
            reply = self.lane.decide(self.headers, body)
        else:
            reply = self.lane.decide_long(self.headers, skim)
        status, data, headers = reply
        self._write(status, data, headers, close=not self.parser.should_keep_alive())

    def _usual(self, of_gateway: bool) -> bool:
        return (
            (self.parser.get_method() == b"POST" or of_gateway)
            and self.parser.get_http_version() == "1.1"
            and not self.expect_100_continue
            and not self.pipeline
            and (self.cycle is None or self.cycle.response_complete)
            and not self.parser.should_upgrade()
        )

    def _write(
        self, status: int, data: bytes, headers: list[tuple[bytes, bytes]], *, close: bool
    ) -> None:
        head = [STATUS_LINE[status]]
        for name, value in headers:
            head += (name, b": ", value, b"\r\n")
        end = b"connection: close\r\n\r\n" if close else b"\r\n"
        head += (b"content-length: %d\r\n" % len(data), end, data)
        self.transport.write(b"".join(head))
        self.server_state.total_requests += 1
        if close or self.flow.write_paused:  # who does not read its answers is not waited for
            self.transport.close()
            return
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _give_up(self) -> None:
        self._late = None
        if self.transport.is_closing():
            return
        if self._body is not None and self._of_gateway:
            self._body = None
            method = self.parser.get_method().decode("latin-1")
            self._write(*self.lane.authz(method, self.headers, None), close=True)
        elif self._body is not None:
            self._write(408, b'{"error":"the body came too slowly"}', [], close=True)
        elif self._head_open:
            self.transport.close()


def lane_protocol(lane: Lane) -> type[Laned]:
    """Return the protocol class that answers in this lane."""
    return type("LanedHere", (Laned,), {"lane": lane})
