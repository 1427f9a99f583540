"""The guard as a running thing: loads what is signed, keeps deciding, says what is wrong."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from stillwatch.errors import ConfigError, InputError, StillwatchError
from stillwatch.guard.calls import Calls
from stillwatch.guard.decide import Guard
from stillwatch.guard.decision import Decision
from stillwatch.guard.files import read_judgement, read_orders, read_snapshot
from stillwatch.guard.kill_switch import KillSwitch
from stillwatch.guard.orders import Orders
from stillwatch.guard.records import Noted, decision_line, ocsf_line
from stillwatch.guard.request import Request
from stillwatch.guard.seen import Capacity
from stillwatch.guard.table import Table
from stillwatch.guard.tracing import Tracing
from stillwatch.policy import MODES, ladder_from_mapping
from stillwatch.schema import Judgement, from_micros
from stillwatch.schema.snapshot import Seed, Snapshot

__all__ = ["PROBLEMS", "ROUTES", "Service", "Serving"]

PROBLEMS: Final = (
    "snapshot", "orders", "orders_age", "effects", "kill_file", "kill_memory", "node", "expiry",
    "clock",
)  # fmt: skip
ROUTES: Final = ("decide", "authz", "litellm", "asgi")
_log = logging.getLogger("stillwatch.guard")
_T = TypeVar("_T")
_CLOCK_SLACK_US: Final = 300_000_000
_UNREAD: Final = (-1,)  # the stamp of a file that must be read again


@dataclass(frozen=True)
class Serving:
    """How a guard is served. Sizes in bytes, times in seconds unless named otherwise.

    ``account_header``, ``end_user_header``, ``org_header``, ``plan_header``, ``created_header``
    (when the account was made): what a gateway names them by, in lower case; an empty one is not
    looked at, because a caller can send any header that its gateway does not set itself.
    ``trusted_hops``: proxies of one's own between the caller and the gateway (x-forwarded-for).
    ``tokens``: callers must show one of them; none means that anybody on the socket may ask.
    ``metrics_token``: /metrics, which names campaigns, takes one too.
    ``decision_log`` and ``ocsf_log``: files to which decisions other than *allow* are appended.
    ``fail_closed``: routes (decide, authz, litellm, asgi) that refuse where it cannot decide.
    ``effects``: signed effects of cases, which act without a compile. ``kill_file``: while it
    exists everything is allowed (see `KillSwitch`). ``state``: folder for what must survive.
    """

    snapshot: Path
    keys: tuple[Ed25519PublicKey, ...]
    orders: Path | None = None
    effects: Path | None = None
    kill_file: Path | None = None
    state: Path | None = None
    redis_url: str | None = None
    node: str = "node-0"
    tokens: tuple[str, ...] = ()
    fail_closed: frozenset[str] = frozenset()
    account_header: str = "x-account-id"
    end_user_header: str = ""
    org_header: str = ""
    plan_header: str = ""
    created_header: str = ""
    trusted_hops: int = 0
    metrics_token: bool = False
    max_body: int = 1_048_576
    max_batch: int = 1_000
    max_headers: int = 100
    max_header_bytes: int = 32_768
    body_timeout_s: float = 5.0
    shed_lag_ms: float = 100.0
    reload_s: float = 1.0
    decision_log: Path | None = None
    ocsf_log: Path | None = None
    capacity: Capacity = field(default_factory=Capacity)

    def __post_init__(self) -> None:
        if not self.fail_closed <= set(ROUTES):
            raise ConfigError(
                "an unknown route", where="--fail-closed", hint=f"one of {', '.join(ROUTES)}"
            )


class _Policy(NamedTuple):
    """What is in use, of each file."""

    snapshot: Snapshot
    orders: Orders
    judged: Judgement


class Service:
    """Holds a guard, reloads it, counts. ``clock_us`` gives the time in microseconds (tests).

    ``run`` is part of every decision's id, so that none comes again after a restart.
    """

    def __init__(
        self, serving: Serving, clock_us: Callable[[], int] | None = None, run: str | None = None
    ) -> None:
        self.serving = serving
        self.clock_us = clock_us or _now_us
        self.counts: Counter[tuple[str, ...]] = Counter()
        self.shedding = False
        self.redis_ok: bool | None = None
        self.problems: dict[str, str] = {}
        self._effects_unseen = False
        self._tokens = tuple(hashlib.sha256(t.encode()).digest() for t in serving.tokens)
        self._noted: list[Noted] = []
        self._logs = serving.decision_log is not None or serving.ocsf_log is not None
        self.tracing: Tracing | None = None
        self.calls = Calls()
        self._paths = {"snapshot": serving.snapshot, "orders": serving.orders,
                       "effects": serving.effects}  # fmt: skip
        self._stamps = {name: _stamp(path) for name, path in self._paths.items()}
        snapshot = read_snapshot(serving.snapshot, serving.keys)
        self._policy = _Policy(snapshot, self._first_orders(snapshot), self._first_judgement())
        self.kill_switch = KillSwitch(serving.kill_file, serving.state, self._told)
        self.kill_switch.look(first=True)
        self.guard = Guard(
            snapshot, self._careful(self._policy).orders,
            node=f"{serving.node}-{run or secrets.token_hex(4)}", capacity=serving.capacity,
            judged=self._policy.judged,
        )  # fmt: skip
        self._look_at_times()
        self._tell_switches()
        if self.killed:
            _log.warning(json.dumps({"event": "kill switch", "on": True}))

    @property
    def killed(self) -> bool:
        """Whether the kill switch is on."""
        return self.kill_switch.on

    @property
    def problem(self) -> str | None:
        """What is wrong with the files, in one line; None where nothing is."""
        return "; ".join(self.problems[name] for name in sorted(self.problems)) or None

    def reload(self) -> bool:
        """Take changed files into use; a file that does not hold leaves what is in use.

        A snapshot whose version is below the one in use is taken: that is a roll-back, and its
        signature says who wanted it. Whom appeals and people have let go since stays so (see
        `_rolled`). Returns whether anything changed.
        """
        table = self.look()
        if table is None:
            return False
        for seed in self.take(table):
            self.guard.plant(seed)
        return True

    def look(self) -> Table | None:
        """Return the tables of files that changed; another thread may do it, the loop goes on.

        Each file by itself: one that is gone, unreadable or not signed leaves what is in use of its
        kind, says so, and keeps no other from acting. Above all, a kill switch or an order that
        cannot be read any more is not lifted. Raises nothing.
        """
        self._look_at_times()
        killed = self.killed
        self.kill_switch.look()
        if self.killed != killed:
            _log.warning(json.dumps({"event": "kill switch", "on": self.killed}))
        serving, old = self.serving, self._policy
        new = old
        if self._changed("snapshot"):
            read = self._tried("snapshot", lambda: read_snapshot(serving.snapshot, serving.keys))
            new = new._replace(snapshot=_rolled(read, old.snapshot) if read else old.snapshot)
        if self._changed("orders"):
            new = new._replace(orders=self._tried("orders", self._next_orders) or old.orders)
        if self._changed("effects"):
            judged = self._tried("effects", self._next_judgement)
            new = new._replace(judged=judged or old.judged)
            self._effects_unseen = self._effects_unseen and judged is None
        if all(was is now for was, now in zip(old, new, strict=True)):
            return None
        name = "orders" if new.snapshot is old.snapshot else "snapshot"
        table = self._tried(name, lambda: self.guard.prepare(*self._careful(new)))
        if table is None and name == "snapshot":
            new = new._replace(snapshot=old.snapshot)
            table = self._tried("orders", lambda: self.guard.prepare(*self._careful(new)))
        if table is not None:
            self._policy = new
        return table

    def refresh(self) -> None:
        """Build the tables anew, since a journal may have told other names of campaigns."""
        self.guard.adopt(self.guard.prepare(*self._careful(self._policy)))

    def take(self, table: Table) -> tuple[Seed, ...]:
        """Use tables from the next request on; return the seeds that are left to plant."""
        seeds = self.guard.adopt(table)
        self.counts["reload",] += 1
        self._tell_switches()
        return seeds

    def decide(self, request: Request, route: str) -> Decision:
        """Decide, count and log; the kill switch and overload allow everything."""
        if self.killed:
            return self._allowed("the kill switch is on", route)
        if self.shedding:
            self.counts["shed", route] += 1
            return self._allowed("overload: not looked at", route)
        if self.calls.waiting:
            self.observe_calls(self.calls.take(request.prefix_before))
        decision = self.guard.decide(request)
        if decision.verdict == "summarize" and route == "litellm":
            # Its guardrails change what is asked, not what is answered: nothing must claim it was.
            why = (*decision.reasons, "this gateway cannot summarize")
            decision = decision._replace(verdict="watch", reasons=why)
        self.count(decision, route)
        return decision

    def settle_calls(self) -> None:
        """Count the answers behind LiteLLM's guardrail of which nothing more is told."""
        self.observe_calls(self.calls.settled(self.clock_us()))

    def observe_calls(self, ended: list[tuple[Request, int]]) -> None:
        """Count conversations, each with its prefix_full."""
        for request, prefix_full in ended:
            self.guard.observe(request, prefix_full=prefix_full)
            self.counts["observed",] += 1

    def count(self, decision: Decision, route: str) -> None:
        """Count a decision, and log it where it is not *allow*."""
        self.counts["decision", route, decision.verdict, decision.would, decision.mode] += 1
        if self.tracing is not None:
            self.tracing.note(decision)
        if decision.would != "allow" and self._logs:
            snapshot = self.guard.table.snapshot
            self._noted.append(Noted(self.clock_us(), decision, route, snapshot))

    def note_summary(self, route: str, outcome: str, decision_id: str) -> None:
        """Count and log what was done to an answer that was to go out without its reasoning."""
        self.counts["summary", route, outcome] += 1
        what = {"event": "summarize", "outcome": outcome, "decision_id": decision_id}
        level = logging.INFO if outcome in ("stripped", "none") else logging.WARNING
        _log.log(level, json.dumps(what))

    def unavailable(self, reason: str, route: str) -> Decision:
        """Return what a route answers where the guard could not decide."""
        self.counts["unavailable", route, reason] += 1
        closed = route in self.serving.fail_closed
        verdict = "deny" if closed else "allow"
        text = f"the guard could not decide: {reason}"
        return Decision(verdict, (text,), None, 0, self.guard.name_next(), "fail", verdict)

    def may_ask(self, token: str | None) -> bool:
        """Return whether a caller shows a token that is accepted; constant time in its value."""
        if not self._tokens:
            return True
        shown = hashlib.sha256((token or "").encode("utf-8", "replace")).digest()
        return any([hmac.compare_digest(shown, known) for known in self._tokens])

    def flush_log(self) -> None:
        """Write the decisions that were noted since the last call."""
        self.write_noted(self.take_noted())

    def take_noted(self) -> list[Noted]:
        """Return the decisions that were noted since the last call; not from another thread."""
        noted, self._noted = self._noted, []
        return noted

    def write_noted(self, noted: list[Noted]) -> None:
        """Append decisions to the logs; another thread may do it. Raises nothing."""
        if not noted:
            return
        for path, line in (
            (self.serving.decision_log, decision_line), (self.serving.ocsf_log, ocsf_line)
        ):  # fmt: skip
            if path is None:
                continue
            try:
                with path.open("a", encoding="utf-8") as out:
                    out.write("".join(map(line, noted)))
            except OSError as error:
                self.counts["log_failed",] += len(noted)
                what = {"event": "log not written", "error": type(error).__name__}
                _log.error(json.dumps(what))

    def ready(self) -> tuple[bool, dict[str, Any]]:
        """Return whether requests should be sent here, and what is known of the state."""
        snapshot = self.guard.table.snapshot
        expired = self.clock_us() >= snapshot.expires_us
        return not expired, {
            "snapshot_version": snapshot.version,
            "snapshot_expired": expired,
            "effects_at_us": self._policy.judged.at_us,
            "mode": "killed" if self.killed else self.guard.table.mode,
            "canary_percent": self.guard.table.canary,
            "campaigns": len(snapshot.campaigns),
            "accused": len(snapshot.accused),
            "redis": {None: "not used", True: "connected", False: "lost: deciding alone"}[
                self.redis_ok
            ],
            "problem": self.problem,
            "problems": dict(sorted(self.problems.items())),
            "shedding": self.shedding,
        }

    def _allowed(self, why: str, route: str) -> Decision:
        decision = Decision("allow", (why,), None, 0, self.guard.name_next(), "off", "allow")
        self.count(decision, route)
        return decision

    def _first_orders(self, snapshot: Snapshot) -> Orders:
        """Return the orders to begin with. Raises as `read_orders` where the file does not hold.

        A file that is not there may have been lost, and with it who was let go; so that until
        there is one nothing is enforced.
        """
        path = self.serving.orders
        if path is None:
            return Orders()
        if self._stamps["orders"] is None:
            self._wrong("orders", f"{path} is missing: in shadow until orders give a mode", None)
            ladder = ladder_from_mapping(snapshot.ladder)
            return Orders(mode=min(ladder.mode, "shadow", key=MODES.index))
        return read_orders(path, self.serving.keys)

    def _next_orders(self) -> Orders:
        path = self.serving.orders
        assert path is not None
        if not path.exists():
            raise InputError("is gone; what was ordered stays in use", where=str(path))
        made = read_orders(path, self.serving.keys)
        held = self._policy.orders
        if made.version < held.version:
            what = f"{path} is older than what is in use: the milder mode holds"
            self._wrong("orders_age", what, None)
        else:
            self.problems.pop("orders_age", None)
        return made.after(held, ladder_from_mapping(self._policy.snapshot.ladder))

    def _first_judgement(self) -> Judgement:
        """Return what the cases say to begin with. Raises as `read_judgement`.

        What is not there may have been lost, or not have been brought yet; see `_careful`.
        """
        path = self.serving.effects
        if path is None or self._stamps["effects"] is not None:
            return self._next_judgement()
        self._effects_unseen = True
        self._wrong("effects", f"{path} is missing: in shadow until there are effects", None)
        return Judgement()

    def _careful(self, policy: _Policy) -> _Policy:
        """Return a policy that enforces nothing while it is not known whom the cases let go."""
        if not self._effects_unseen:
            return policy
        mode = policy.orders.mode or ladder_from_mapping(policy.snapshot.ladder).mode
        held = replace(policy.orders, mode=min(mode, "shadow", key=MODES.index))
        return policy._replace(orders=held)

    def _next_judgement(self) -> Judgement:
        """Return what the cases say, without campaigns whose letting go has ended."""
        path = self.serving.effects
        if path is None:
            return Judgement()
        read, now = read_judgement(path, self.serving.keys), self.clock_us()
        lasting = {
            name: (end, core)
            for name, (end, core) in read.let_go.items()
            if end is None or now < end
        }
        return replace(read, let_go=lasting)

    def _changed(self, name: str) -> bool:
        stamp = _stamp(self._paths[name])
        if stamp == self._stamps[name]:
            return False
        self._stamps[name] = stamp
        return True

    def _tried(self, name: str, read: Callable[[], _T]) -> _T | None:
        """Return what is read; None where it does not hold, which is counted, logged and shown."""
        try:
            found = read()
        except Exception as error:  # noqa: BLE001 – whatever is wrong with a file, deciding goes on
            told = str(error) if isinstance(error, StillwatchError) else type(error).__name__
            self._wrong(name, told, error)
            if isinstance(error, InputError):  # it may be readable again, and look no different
                self._stamps[name] = _UNREAD
            return None
        self.problems.pop(name, None)
        return found

    def _look_at_times(self) -> None:
        """Say that the snapshot has expired, or that by its time of compiling a clock is wrong."""
        snapshot, now = self._policy.snapshot, self.clock_us()
        over, ahead = now >= snapshot.expires_us, snapshot.created_us - now > _CLOCK_SLACK_US
        until = f"{from_micros(snapshot.expires_us):%Y-%m-%d %H:%M} UTC"
        expired = (
            f"the snapshot was valid until {until}, and no campaign acts any more: compile it anew"
        )
        skewed = (
            "by this machine's clock the snapshot is yet to be compiled: see which clock is wrong, "
            "since verdicts and the snapshot end by this one"
        )
        self._told("expiry", expired if over else None)
        self._told("clock", skewed if ahead else None)

    def _told(self, name: str, problem: str | None) -> None:
        if problem is None:
            self.problems.pop(name, None)
        else:
            self._wrong(name, problem, None)

    def _wrong(self, name: str, problem: str, error: Exception | None) -> None:
        if error is not None:
            self.counts["reload_failed",] += 1
        if self.problems.get(name) != problem:
            self.problems[name] = problem
            event = "time is wrong" if name in ("expiry", "clock") else "file refused"
            _log.error(json.dumps({"event": event, "what": name, "problem": problem}))

    def _tell_switches(self) -> None:
        """Log what must never be on unnoticed."""
        ladder = self.guard.table.ladder
        _log.info(json.dumps({"event": "policy in use", **self.ready()[1]}))
        if ladder.silent_alteration:
            _log.warning(
                json.dumps(
                    {
                        "event": "answers are altered without saying so",
                        "legal_basis": ladder.silent_legal_basis,
                        "approved_by": ladder.silent_approved_by,
                    }
                )
            )


def _rolled(read: Snapshot, held: Snapshot) -> Snapshot:
    """Return a snapshot as it is used after the one in use.

    A roll-back is of what a scan found. Who was restored or let go since the older snapshot was
    made must not be acted on again for it; a guard that starts with that file knows nothing of
    them.
    """
    if read.version >= held.version or read.salt != held.salt:
        return read
    allowed = {k: a for k, a in held.ordered.items() if a.verdict == "allow"}
    return replace(
        read,
        restored=read.restored | held.restored,
        ordered={**read.ordered, **allowed},
        eased={**read.eased, **held.eased},
    )


def _stamp(path: Path | None) -> tuple[int, ...] | None:
    try:
        status = path.stat() if path is not None else None
    except OSError:
        return None
    return (status.st_mtime_ns, status.st_size, status.st_ino) if status is not None else None


def _now_us() -> int:
    return time.time_ns() // 1000
