"""The server: one process, one worker; whoever wants more starts more and lets them gossip."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from functools import partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from stillwatch.errors import ConfigError
from stillwatch.guard.asgi import (
    app_of,
    decide_long_now,
    decide_now,
    header_names,
    skim_of_decide,
)
from stillwatch.guard.authz import authz_now
from stillwatch.guard.gossip import Gossip
from stillwatch.guard.journal import Journal
from stillwatch.guard.lane import Lane, lane_protocol
from stillwatch.guard.preflight import Tls, check
from stillwatch.guard.seen import Record
from stillwatch.guard.service import Service, Serving
from stillwatch.guard.tracing import otlp_tracing
from stillwatch.schema import bound, held_folder

__all__ = ["Chores", "JsonLines", "serve"]

_log = logging.getLogger("stillwatch.guard")
_FLUSH_S = 0.25
_LAG_STEP_S = 0.01
_SEEDS_AT_ONCE = 500


class Chores:
    """What a serving guard does beside answering: reload, journal, gossip, watch its own lag."""

    def __init__(self, service: Service) -> None:
        serving = service.serving
        self._service = service
        self.journal = Journal(serving.state) if serving.state else None
        self.gossip = (
            Gossip(serving.redis_url, serving.node, service.guard) if serving.redis_url else None
        )
        if self.journal is not None:
            known = dict(service.guard.numbers)
            restored = self.journal.restore(service.guard)
            if service.guard.numbers != known:
                service.refresh()
            _log.info(json.dumps({"event": "state restored", "records": restored}))
        if self.journal or self.gossip:
            service.guard.on_record = self._note
        # What is loaded stays: a collector that walks a million entries would stop every answer.
        gc.collect()
        gc.freeze()

    async def start(self) -> Callable[[], Awaitable[None]]:
        """Begin, and return what ends it."""
        tasks = [
            asyncio.create_task(self._every(self._service.serving.reload_s, self._reload)),
            asyncio.create_task(self._every(_FLUSH_S, self._flush)),
            asyncio.create_task(self._watch_lag()),
        ]
        if self.gossip is not None:
            tasks.append(asyncio.create_task(self._every(1.0, self._exchange)))

        async def stop() -> None:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._flush()
            # A removal just before a restart is seen; the next guard could not tell it from a loss.
            await asyncio.to_thread(self._service.kill_switch.look)
            if self.gossip is not None:
                await self.gossip.close()
            if self._service.tracing is not None:
                await asyncio.to_thread(self._service.tracing.close)

        return stop

    def _note(self, record: Record) -> None:
        if self.journal is not None:
            self.journal.note(record)
        if self.gossip is not None:
            self.gossip.note(record)

    async def _every(self, seconds: float, chore: Callable[[], Awaitable[None]]) -> None:
        """Do a chore for ever; one that fails is counted and done again, and never the last."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await chore()
            except Exception as error:  # noqa: BLE001 – without its chores a guard obeys nobody
                self._service.counts["chore_failed",] += 1
                what = {"event": "a chore failed", "error": type(error).__name__}
                _log.error(json.dumps(what))

    async def _reload(self) -> None:
        """Read and build in a thread; swap between two requests; plant seeds a few at a time."""
        table = await asyncio.to_thread(self._service.look)
        if table is None:
            return
        for number, seed in enumerate(self._service.take(table)):
            self._service.guard.plant(seed)
            if number % _SEEDS_AT_ONCE == 0:
                await asyncio.sleep(0)
        gc.freeze()

    async def _flush(self) -> None:
        self._service.settle_calls()
        if noted := self._service.take_noted():
            await asyncio.to_thread(self._service.write_noted, noted)
        if self.journal is None:
            return
        try:
            self.journal.flush(self._service.guard.numbers)
            if self.journal.foldable:
                await asyncio.to_thread(self.journal.fold)
        except OSError as error:
            self.journal.forget()
            self._service.counts["state_failed",] += 1
            _log.error(json.dumps({"event": "state not written", "error": type(error).__name__}))

    async def _exchange(self) -> None:
        assert self.gossip is not None
        self._service.redis_ok = await self.gossip.exchange()
        if not self._service.redis_ok:
            self._service.counts["redis_lost",] += 1
        if self.gossip.twin:
            name = self._service.serving.node
            self._service.problems["node"] = f"another guard is called {name}: name each (--node)"

    async def _watch_lag(self) -> None:
        """Shed while the loop is late: what waits longer than the bound is let pass unseen."""
        bound_s = self._service.serving.shed_lag_ms / 1000
        while True:
            began = time.monotonic()
            await asyncio.sleep(_LAG_STEP_S)
            late = time.monotonic() - began - _LAG_STEP_S
            self._service.shedding = late > bound_s


def serve(
    serving: Serving,
    *,
    host: str,
    port: int,
    tls_cert: Path | None = None,
    tls_key: Path | None = None,
    client_ca: Path | None = None,
    traces: str | None = None,
    trace_share: float = 0.01,
) -> None:
    """Serve until the process is told to end.

    ``client_ca``: only callers with a certificate of this authority are heard (mTLS). ``traces``:
    OTLP/HTTP address of a collector; ``trace_share``: see `Tracing`.

    Raises:
        ConfigError: uvicorn is missing; what it is to write, listen at or be known by cannot be had
            (see `preflight`); another guard has the folder of state.
        EvidenceError, InputError, SchemaError: the snapshot does not hold.
    """
    try:
        import uvicorn  # noqa: F401 - said before anything is read or held
    except ImportError as error:
        raise ConfigError(
            "serving needs the package uvicorn", hint="pip install 'stillwatch[guard]'"
        ) from error
    tls = Tls(tls_cert, tls_key, client_ca)
    tls.check()
    check(serving, traces)
    with _alone(serving.state), contextlib.ExitStack() as held:
        sockets = [held.enter_context(one) for one in bound(host, port)]
        _serve(serving, (host, port), sockets, tls, traces, trace_share)


def _tls_options(tls: Tls) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if tls.cert is not None:
        found = {"ssl_certfile": str(tls.cert), "ssl_keyfile": str(tls.key)}
    if tls.client_ca is not None:
        found |= {"ssl_ca_certs": str(tls.client_ca), "ssl_cert_reqs": ssl.CERT_REQUIRED}
    return found


def _alone(state: Path | None) -> contextlib.AbstractContextManager[None]:
    """Hold the folder of state: of two guards that fold it each would lose what the other saw."""
    if state is None:
        return contextlib.nullcontext()
    busy = "another guard keeps its state there"
    return held_folder(state, where=f"--state {state}", busy=busy)


class JsonLines(logging.Formatter):
    """A line of JSON each: when, how grave, and what the guard says, which is JSON already."""

    def format(self, record: logging.LogRecord) -> str:
        """Return one line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        said = json.loads(record.getMessage())
        return json.dumps({"at": at, "level": record.levelname.lower(), **said})


def _tell_on_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    _log.addHandler(handler)
    _log.setLevel(logging.INFO)
    _log.propagate = False


def _serve(
    serving: Serving, address: tuple[str, int], sockets: list[socket.socket], tls: Tls,
    traces: str | None, trace_share: float,
) -> None:  # fmt: skip
    import uvicorn

    _tell_on_stderr()
    service = Service(serving)
    if traces is not None:
        service.tracing = otlp_tracing(traces, node=serving.node, share=trace_share)
    chores = Chores(service)
    lane = Lane(
        partial(decide_now, service), partial(decide_long_now, service), skim_of_decide,
        partial(authz_now, service), serving.body_timeout_s, serving.max_body,
        serving.max_headers, serving.max_header_bytes, header_names(serving),
    )  # fmt: skip
    host, port = address
    config = uvicorn.Config(
        app_of(service, chores.start), host=host, port=port, access_log=False, log_level="warning",
        http=lane_protocol(lane), timeout_keep_alive=75, server_header=False,
        date_header=False, proxy_headers=False, **_tls_options(tls),
    )  # fmt: skip
    _log.info(json.dumps({"event": "serving", "host": host, "port": port, "node": serving.node}))
    if not serving.tokens and tls.client_ca is None and not _is_local(sockets):
        what = {"event": "anybody who reaches the address may ask and report", "host": host}
        _log.warning(json.dumps({**what, "next": "give --token-file or --client-ca"}))
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=sockets)


def _is_local(sockets: list[socket.socket]) -> bool:
    return all(ip_address(one.getsockname()[0].partition("%")[0]).is_loopback for one in sockets)
