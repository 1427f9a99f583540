"""An account is a row of the side table plus what its owner uses: addresses, clients, settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Final

from stillwatch.simulate.clock import DAY
from stillwatch.simulate.dice import Dice
from stillwatch.simulate.grammar import Vocabulary
from stillwatch.simulate.network import Exit

__all__ = ["API_CLIENTS", "CODE_CLIENTS", "WEB_CLIENTS", "Account", "Client", "make_clients"]


@dataclass(frozen=True)
class Client:
    """What sends requests: its channel, its user agent and the JA4 fingerprint of its TLS."""

    name: str
    user_agent: str
    ja4: str


def _client(name: str, user_agent: str, tls: str, ciphers: int) -> Client:
    a = blake2b(tls.encode(), digest_size=6).hexdigest()
    b = blake2b((tls + "x").encode(), digest_size=6).hexdigest()
    return Client(name, user_agent, f"t13d{ciphers:02d}16h2_{a}_{b}")


def make_clients(names: tuple[tuple[str, str, str, int], ...]) -> tuple[Client, ...]:
    """Return clients of (channel, user agent, name of the TLS library, ciphers it offers)."""
    return tuple(_client(*n) for n in names)


_BROWSERS: Final = tuple(
    ("web", f"Mozilla/5.0 ({os}) {engine}/{v}.0 Safari/537.36", f"{engine}{v // 4}{os[:3]}", 15)
    for os in (
        "Windows NT 10.0; Win64; x64",
        "Macintosh; Intel Mac OS X 10_15_7",
        "X11; Linux x86_64",
    )
    for engine, versions in (("Chrome", (138, 140, 142)), ("Firefox", (143, 145)), ("Edg", (141,)))
    for v in versions
)
WEB_CLIENTS: Final = make_clients(
    (
        *_BROWSERS,
        ("app", "LumenApp/7.4 (iPhone; iOS 19.1)", "ios19", 20),
        ("app", "LumenApp/7.3 (iPhone; iOS 18.6)", "ios18", 20),
        ("app", "LumenApp/7.4 (Android 16)", "and16", 17),
        ("app", "LumenApp/7.2 (Android 15)", "and15", 17),
    )
)
API_CLIENTS: Final = make_clients(
    tuple(
        (name, f"{agent}/{v}", f"{tls}{v[0]}", ciphers)
        for name, agent, tls, ciphers, versions in (
            ("python-sdk", "lumen-python", "py", 30, ("2.9.0", "2.11.1", "2.12.0", "3.1.0")),
            ("node-sdk", "lumen-node", "node", 49, ("4.2.0", "4.6.3", "5.0.1")),
            ("go-sdk", "lumen-go", "go", 13, ("0.9.1", "1.2.0")),
            ("http", "python-requests", "pyreq", 43, ("2.31.0", "2.32.4")),
            ("http", "axios", "axios", 50, ("1.7.2", "1.11.0")),
            ("http", "curl", "curl", 31, ("8.5.0", "8.14.1")),
            ("http", "okhttp", "okh", 16, ("4.12.0", "5.1.0")),
            ("java-sdk", "lumen-java", "java", 38, ("1.4.0", "2.0.2")),
        )
        for v in versions
    )
)
CODE_CLIENTS: Final = make_clients(
    (
        ("code-agent", "anvil-agent/0.41 (linux)", "node5", 49),
        ("code-agent", "anvil-agent/0.43 (darwin)", "node5", 49),
        ("editor", "quillpad/2.8 lumen-node/5.0.1", "node5", 49),
        ("ci-agent", "mason-ci/3.2 lumen-python/2.12.0", "py2", 30),
    )
)
_FREE_MAIL: Final = (
    "mailbird.example",
    "postfach.example",
    "inboxly.example",
    "correo.example",
    "youmail.example",
    "fastletter.example",
    "ourmail.example",
    "letterbox.example",
)
_THROWAWAY: Final = ("tempmail.example", "quickbox.example", "drop-letter.example")


@dataclass(slots=True)
class Account:
    """One account; the first block is the side table, the second never leaves the simulator."""

    account_id: str
    org_id: str | None
    created_at: int
    plan: str
    email_domain: str
    email_hash: str | None
    phone_hash: str | None
    payment_hash: str | None
    payment_country: str | None
    billing_country: str | None
    device_hash: str | None
    signup_ip: str | None
    kyc_level: str
    declared_use: str | None
    rate_limit_rpm: int
    owner_entity_id: str | None = None
    closed_at: int | None = None
    closed_reason: str | None = None

    lang: str = "en"
    country: str = "US"
    zone_h: float = 0.0
    habit: str = "office"
    channel: str = "api"
    key_id: str | None = None
    workspace_id: str | None = None
    origin: str | None = None
    model: str = ""
    adopts: bool = False
    exits: list[Exit] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)
    words: list[Vocabulary] = field(default_factory=list)
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    sampling_seed: int | None = None
    top_logprobs: int | None = None
    effort: str | None = None
    stream: bool | None = None
    end_user_id: str | None = None  # what the client puts into every request
    wordiness: float = 3.0
    answer_len: float = 6.0
    tags: list[tuple[str, str]] | None = None
    keeps_conversation_id: bool = True
    sends: int = 0

    def active_from(self, start: int) -> int:
        return max(start, self.created_at)


def free_mail(dice: Dice, throwaway: float = 0.02) -> str:
    """Return a mail provider's domain; the popular ones carry most people."""
    if dice.chance(throwaway):
        return dice.pick(_THROWAWAY)
    return _FREE_MAIL[min(7, int(dice.expo(2.2)))]


def created_at(dice: Dice, end: int, oldest_days: int = 730, newest_days: float = 0.0) -> int:
    """Return a creation time under growth: young accounts are more frequent than old ones."""
    age = newest_days + (oldest_days - newest_days) * (1.0 - dice.u() ** 0.45)
    return int(end - age * DAY)
