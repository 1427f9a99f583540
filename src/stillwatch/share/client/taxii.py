"""A collection of any TAXII 2.1 server, over HTTPS, with the patience that networks need.

*Source*: OASIS TAXII 2.1: 3.4 (media type), 3.5 (pagination: more, next), 4.1.1 (status),
5.4, 5.5 (get and add objects).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from stillwatch.errors import ConfigError, InputError
from stillwatch.share.legal import check_purpose

__all__ = ["Collection"]

MEDIA: Final = "application/taxii+json;version=2.1"
_AGAIN: Final = frozenset({429, 500, 502, 503, 504})
_TRIES: Final = 5
_LONGEST_WAIT_S: Final = 60.0
_LARGEST: Final = 64 * 1024 * 1024
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})


class Collection:
    """One collection. ``url``: the API root with its last slash. Close it, or use ``with``.

    ``auth``: a bearer token, or (user, password). ``sleep``: how to wait between tries.

    Raises:
        ConfigError: an address that is not https and not on this machine.
    """

    def __init__(
        self, url: str, collection: str, *, auth: str | tuple[str, str] = "",
        sleep: Callable[[float], None] = time.sleep, timeout_s: float = 30.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:  # fmt: skip
        parts = urlsplit(url)
        if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
            raise ConfigError("must be https", where="hub.url")
        self._sleep = sleep
        headers = {"Accept": MEDIA}
        basic = auth if isinstance(auth, tuple) else None
        if isinstance(auth, str) and auth:
            headers["Authorization"] = f"Bearer {auth}"
        self._root = url if url.endswith("/") else url + "/"
        self._objects = f"{self._root}collections/{collection}/objects/"
        self._http = httpx.Client(
            headers=headers, auth=basic, timeout=timeout_s, transport=transport,
            follow_redirects=False,
        )  # fmt: skip

    def __enter__(self) -> Collection:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._http.close()

    def add(self, objects: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], tuple[str, str]]:
        """Add objects and return, by id and version, ``success``, ``failure`` or ``pending``.

        With it the server's message. Waits for a status that is pending, for a minute at most.

        Raises:
            InputError: the server cannot be reached or answers what the standard does not allow.
        """
        answer = self._ask("POST", self._objects, json={"objects": list(objects)})
        for _ in range(30):
            if answer.get("status") != "pending" or "id" not in answer:
                break
            self._sleep(2.0)
            answer = self._ask("GET", f"{self._root}status/{answer['id']}/")
        if answer.get("failure_count") and not answer.get("failures"):
            raise InputError("refuses objects and does not name them", where="hub")
        found: dict[tuple[str, str], tuple[str, str]] = {}
        for name, word in (("successes", "success"), ("failures", "failure"),
                           ("pendings", "pending")):  # fmt: skip
            for row in answer.get(name) or ():
                key = (str(row.get("id")), str(row.get("version")))
                found[key] = (word, str(row.get("message", "")))
        return found

    def holds(self, identifier: str, version: str) -> bool:
        """Return whether the collection has this version of an object.

        Raises:
            InputError: the server cannot be reached.
        """
        asked = {"match[version]": version} if version else {}
        answer = self._send("GET", f"{self._objects}{identifier}/", absent=True, params=asked)
        return answer.status_code == 200 and bool(_json(answer).get("objects"))

    def objects(self, *, purpose: str, added_after: str = "") -> Iterator[tuple[list[Any], str]]:
        """Yield pages of objects, each with when its last one was added (for ``added_after``).

        Raises:
            ShareRefused: rule ``purpose``.
            InputError: the server cannot be reached or answers what the standard does not allow.
        """
        check_purpose(purpose)
        asked: dict[str, str] = {"limit": "500"}
        if added_after:
            asked["added_after"] = added_after
        headers = {"X-Stillwatch-Purpose": purpose}
        last = added_after
        while True:
            answer = self._send("GET", self._objects, params=asked, headers=headers)
            page = _json(answer)
            last = answer.headers.get("X-TAXII-Date-Added-Last", last)
            yield page.get("objects", []), last
            if not page.get("more"):
                return
            if page.get("next"):
                asked["next"] = str(page["next"])
            elif last != asked.get("added_after"):
                # a server without `next`: the date of the last object goes on (TAXII 2.1, 3.5)
                asked["added_after"] = last
            else:
                raise InputError("says that there is more and not how to get it", where="hub")

    def _ask(self, method: str, url: str, **more: Any) -> dict[str, Any]:
        headers = {"Content-Type": MEDIA} if "json" in more else {}
        return _json(self._send(method, url, headers=headers, **more))

    def _send(self, method: str, url: str, *, absent: bool = False, **more: Any) -> httpx.Response:
        wait = 1.0
        for number in range(_TRIES):
            try:
                answer = self._http.request(method, url, **more)
            except httpx.HTTPError as error:
                if number + 1 == _TRIES:
                    raise InputError(
                        f"cannot be reached: {type(error).__name__}", where="hub",
                        hint="what is in the outbox stays; send it later",
                    ) from error  # fmt: skip
                self._sleep(wait)
            else:
                if answer.status_code in (200, 202) or (absent and answer.status_code == 404):
                    return answer
                if answer.status_code not in _AGAIN or number + 1 == _TRIES:
                    raise InputError(f"answers {answer.status_code}", where="hub",
                                     hint="see the hub's own log")  # fmt: skip
                self._sleep(_after(answer, wait))
            wait = min(2 * wait, _LONGEST_WAIT_S)
        raise AssertionError  # pragma: no cover


def _after(answer: httpx.Response, wait: float) -> float:
    told = answer.headers.get("Retry-After", "")
    return min(float(told), _LONGEST_WAIT_S) if told.isdigit() else wait


def _json(answer: httpx.Response) -> dict[str, Any]:
    if len(answer.content) > _LARGEST:
        raise InputError("answers with more than 64 MB", where="hub")
    try:
        found = answer.json()
    except ValueError as error:
        raise InputError("answers with no JSON", where="hub") from error
    if not isinstance(found, dict):
        raise InputError("answers with no JSON object", where="hub")
    return found
