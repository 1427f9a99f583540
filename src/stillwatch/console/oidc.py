"""An OpenID Connect provider: who somebody is is its word, what they may is our table.

Authorization code with PKCE (RFC 7636), state and nonce; the ID token's signature, issuer,
audience, nonce and times are checked (OpenID Connect Core 1.0, 3.1.3.7).
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import Any, Final
from urllib.parse import urlsplit

from stillwatch.console.entry import Person, add_person, find_person, of_subject, set_roles
from stillwatch.console.home import Home
from stillwatch.console.rights import ROLES
from stillwatch.errors import ConfigError, InputError, NotPermitted
from stillwatch.schema import read_toml

__all__ = ["Provider", "read_provider"]

_ASKED: Final = timedelta(minutes=10)
_ALGORITHMS: Final = ["RS256", "PS256", "ES256", "EdDSA"]
_TIMEOUT_S: Final = 10.0
_ENDPOINTS: Final = ("authorization_endpoint", "token_endpoint", "jwks_uri")
_LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
_KEYS: Final = {"issuer", "client_id", "client_secret", "redirect_uri", "groups_claim", "roles",
                "second_factor"}  # fmt: skip


@dataclass
class Provider:
    """A provider as oidc.toml describes it, and the questions that wait for their answer.

    ``second_factor``: values of ``amr`` (RFC 8176) by which it says that it asked for one.
    """

    issuer: str
    client_id: str
    client_secret: str
    redirect_uri: str
    groups_claim: str
    roles: Mapping[str, tuple[str, ...]]
    second_factor: frozenset[str] = frozenset()
    _asked: dict[str, tuple[datetime, str, str]] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _found: dict[str, Any] | None = None

    def ask(self, now: datetime) -> tuple[str, str]:
        """Return the provider's address to send a browser to, and the state to expect back."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        with self._client() as client:
            address, _ = client.create_authorization_url(
                self._metadata()["authorization_endpoint"], state=state, nonce=nonce,
                code_verifier=verifier,
            )  # fmt: skip
        with self._lock:
            self._asked = {s: a for s, a in self._asked.items() if now - a[0] < _ASKED}
            self._asked[state] = (now, nonce, verifier)
        return str(address), state

    def person(
        self, home: Home, answer: Mapping[str, str], asked: str, now: datetime
    ) -> tuple[Person, bool]:
        """Return who the provider says is there, and whether it says that a second factor was.

        Raises NotPermitted: nobody asked, the token does not hold, or the person has no role here.
        """
        state = answer.get("state", "")
        with self._lock:
            found = self._asked.pop(state, None)
        if not asked or state != asked or found is None or now - found[0] >= _ASKED:
            raise NotPermitted("this browser did not ask, or asked too long ago", where="log in",
                               hint="begin again at the log-in page")  # fmt: skip
        if "code" not in answer:
            raise NotPermitted("the provider did not let you in", where="log in")
        claims = self._claims(answer["code"], found[1], found[2])
        return self._known(home, claims), bool(self.second_factor & set(_list(claims.get("amr"))))

    def _known(self, home: Home, claims: Mapping[str, Any]) -> Person:
        subject = f"{self.issuer} {claims['sub']}"
        granted = {
            role for group in _list(claims.get(self.groups_claim))
            for role in self.roles.get(group, ())
        }  # fmt: skip
        person = of_subject(home, subject)
        if self.roles and not granted:
            raise NotPermitted("none of your groups has a role here", where="log in",
                               hint="ask whoever runs the console")  # fmt: skip
        if person is None:
            if not granted:
                raise NotPermitted("you are not among the people of this console", where="log in",
                                   hint="an administrator can add you by your subject")  # fmt: skip
            name = str(claims.get("name") or claims.get("email") or claims["sub"])
            return find_person(home, add_person(home, name, granted, subject=subject))
        if granted and granted != set(person.roles):
            set_roles(home, person.login, granted)
            return find_person(home, person.login)
        return person

    def _claims(self, code: str, nonce: str, verifier: str) -> Mapping[str, Any]:
        import httpx
        from authlib.integrations.base_client import OAuthError
        from joserfc import jwt
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        metadata = self._metadata()
        try:
            with self._client() as client:
                token = client.fetch_token(
                    metadata["token_endpoint"], code=code, code_verifier=verifier
                )
            answer = httpx.get(metadata["jwks_uri"], timeout=_TIMEOUT_S).raise_for_status()
            keys = KeySet.import_key_set(answer.json())
            held = jwt.decode(token["id_token"], keys, algorithms=_ALGORITHMS)
            jwt.JWTClaimsRegistry(
                leeway=60,
                iss={"essential": True, "value": metadata["issuer"]},
                aud={"essential": True, "value": self.client_id},
                nonce={"essential": True, "value": nonce},
                sub={"essential": True}, exp={"essential": True}, iat={"essential": True},
            ).validate(held.claims)  # fmt: skip
        except (OAuthError, JoseError, httpx.HTTPError, KeyError, ValueError) as error:
            raise NotPermitted(
                f"the provider's answer does not hold ({type(error).__name__})", where="log in",
                hint="begin again; if it stays so, oidc.toml names another provider",
            ) from error  # fmt: skip
        claims: Mapping[str, Any] = held.claims
        return claims

    def _client(self) -> Any:
        from authlib.integrations.httpx_client import OAuth2Client

        return OAuth2Client(
            self.client_id, self.client_secret, redirect_uri=self.redirect_uri,
            scope="openid profile email", code_challenge_method="S256", timeout=_TIMEOUT_S,
        )  # fmt: skip

    def _metadata(self) -> dict[str, Any]:
        import httpx

        if self._found is None:
            where = f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"
            try:
                found = httpx.get(where, timeout=_TIMEOUT_S).raise_for_status().json()
            except (httpx.HTTPError, ValueError) as error:
                raise InputError(
                    f"the provider does not answer ({type(error).__name__})", where="oidc.toml"
                ) from error
            if found.get("issuer", "").rstrip("/") != self.issuer.rstrip("/"):
                raise ConfigError("the provider calls itself otherwise", where="oidc.toml: issuer")
            for name in _ENDPOINTS:
                _demand_endpoint(str(found.get(name, "")), self.issuer, name)
            self._found = found
        return self._found


def read_provider(file: Path) -> Provider:
    """Read oidc.toml. Raises ConfigError: a key is missing or wrong; InputError: it is no TOML."""
    held = read_toml(file)
    try:
        if set(held) - _KEYS:
            raise ValueError(f"unknown: {sorted(set(held) - _KEYS)}")
        issuer, redirect = str(held["issuer"]), str(held["redirect_uri"])
        for address in (issuer, redirect):
            _demand_safe(address)
        roles = {str(g): tuple(r) for g, r in dict(held.get("roles", {})).items()}
        if any(set(r) - set(ROLES) for r in roles.values()):
            raise ValueError(f"roles: expected {', '.join(ROLES)}")
        return Provider(issuer, str(held["client_id"]), str(held["client_secret"]), redirect,
                        str(held.get("groups_claim", "groups")), roles,
                        frozenset(_list(held.get("second_factor"))))  # fmt: skip
    except (KeyError, TypeError, ValueError) as error:
        raise ConfigError(f"a key is missing or wrong ({error})", where=file.name,
                          hint="docs/console.md shows one") from None  # fmt: skip


def _demand_endpoint(address: str, issuer: str, name: str) -> None:
    """Raise ConfigError where a provider sends us to what is not a public address of TLS.

    What a provider publishes is not ours: it could send this server to what only it can reach.
    Plain HTTP, and loopback, is for a provider that is on loopback itself.
    """
    parts, own = urlsplit(address), urlsplit(issuer).hostname
    host = parts.hostname or ""
    try:
        inside = not ipaddress.ip_address(host).is_global
    except ValueError:
        inside = host == "localhost" or host.endswith((".localhost", ".internal", ".local"))
    near = host in _LOOPBACK and own in _LOOPBACK
    if not near and (parts.scheme != "https" or (inside and host != own)):
        raise ConfigError(
            "the provider sends to an address that is not of TLS, or is within this network",
            where=f"{name} of the provider", hint="is oidc.toml's issuer the right one?",
        )  # fmt: skip


def _demand_safe(address: str) -> None:
    parts = urlsplit(address)
    loopback = parts.hostname in _LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
        raise ValueError("expected https")


def _list(value: Any) -> list[str]:
    return [str(v) for v in value] if isinstance(value, list) else [str(value)] if value else []
