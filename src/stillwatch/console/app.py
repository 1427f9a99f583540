"""The console as an ASGI application: every request passes the same five gates.

1. The host is one of ours (DNS rebinding), the body is small and a form; a large one with a file
   is read only of a person who may attach it (`receiving`).
2. A session, unless the page is for people outside (ASVS 3).
3. The person's roles give the right that the page asks for (ASVS 4): one table, `pages.PAGES`;
   whose roles ask for a second factor gets no further without one.
4. What changes something carries the session's token and comes from our own pages (ASVS 4.2.2).
5. That it was read is written down, and the answer carries the security headers (ASVS 14.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from stillwatch.console.desk import COOKIE, Desk, Visit
from stillwatch.console.door import begun_without, lacks_factor
from stillwatch.console.entry import Session, end, resume, same
from stillwatch.console.home import reads
from stillwatch.console.pages import PAGES, Page
from stillwatch.console.paper import go, read_static, refuse, static_name
from stillwatch.console.receiving import MOST_BYTES, Sent, receive
from stillwatch.console.rights import NOBODY, may
from stillwatch.errors import NotPermitted, StateError, StillwatchError
from stillwatch.schema import to_micros

__all__ = ["HEADERS", "create_app"]

# What somebody needs who has to set up a second factor first.
_DOOR: Final = ("password", "password.set", "factor.begin", "factor.set", "logout")
HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Under no-referrer browsers send forms with `Origin: null`: gate 4 could not tell them apart.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}


def create_app(desk: Desk) -> ASGIApp:
    """Return the application that shows a desk to people."""
    routes = [
        Route("/static/{name}", _static, methods=["GET"]),
        # asked for by browsers of their own accord, whatever a page says
        Route("/favicon.ico", _icon, methods=["GET"]),
    ]
    routes += [
        Route(page.path, _endpoint(desk, page), methods=[page.method], name=page.name)
        for page in PAGES
    ]
    app = Starlette(routes=routes, exception_handlers={404: _nothing, 405: _nothing})
    return _Headers(app, secure=desk.secure)  # outermost: an error of ours carries them too


class _Headers:
    """Puts the security headers on every answer, errors included."""

    def __init__(self, app: Any, *, secure: bool) -> None:
        self._app = app
        held = dict(HEADERS)
        if secure:
            held["Strict-Transport-Security"] = "max-age=31536000"
        self._headers = [(k.lower().encode(), v.encode()) for k, v in held.items()]

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                given = {name for name, _ in message["headers"]}
                message["headers"] += [h for h in self._headers if h[0] not in given]
            await send(message)

        await self._app(scope, receive, sending if scope["type"] == "http" else send)


async def _static(request: Request) -> Response:
    found = read_static(request.path_params["name"])
    if found is None:
        return await _nothing(request, None)
    return Response(
        found[0], media_type=found[1],
        headers={"Cache-Control": "public, max-age=31536000, immutable"},
    )  # fmt: skip


async def _icon(request: Request) -> Response:
    held, kind = read_static(static_name("icon.svg").removeprefix("/static/")) or (b"", "")
    return Response(held, media_type=kind, headers={"Cache-Control": "public, max-age=86400"})


async def _nothing(request: Request, problem: Any) -> Response:
    status = getattr(problem, "status_code", 404)
    return Response("There is no such page.", status_code=status, media_type="text/plain")


def _endpoint(desk: Desk, page: Page) -> Any:
    async def endpoint(request: Request) -> Response:
        host = request.headers.get("host", "")
        if host.rsplit(":", 1)[0].lower() not in desk.hosts:  # 1
            return Response("This is not the host's name.", status_code=421,
                            media_type="text/plain")  # fmt: skip
        most = await run_in_threadpool(_most, desk, page, request) if page.upload else MOST_BYTES
        form = await receive(request, most)
        if form is None:
            return await run_in_threadpool(_too_large, desk, page, request, most)
        return await run_in_threadpool(_answer, desk, page, request, form)

    return endpoint


def _session(desk: Desk, request: Request) -> Session | None:
    token = request.cookies.get(COOKIE, "")
    session = resume(desk.home, token, now=desk.clock()) if token else None
    if session is not None and begun_without(desk, session):
        end(desk.home, token)
        return None
    return session


def _most(desk: Desk, page: Page, request: Request) -> int:
    """Return how many bytes are read: many only of somebody who may send a file."""
    session = _session(desk, request)
    allowed = session is not None and may(session.person.roles, page.right)
    return desk.most_attached + MOST_BYTES if allowed else MOST_BYTES


def _too_large(desk: Desk, page: Page, request: Request, most: int) -> Response:
    if most == MOST_BYTES:
        return Response("Too large.", status_code=413, media_type="text/plain")
    visit = _visit(page, request, Sent(), _session(desk, request))
    return refuse(desk, visit, 413, "Nothing was attached",
                  f"The file is larger than {desk.most_attached / 1_000_000:g} MB.",
                  "Write in a note where the document lies.")  # fmt: skip


def _answer(desk: Desk, page: Page, request: Request, sent: Sent) -> Response:
    session = _session(desk, request)
    visit = _visit(page, request, sent, session)
    response = _gates(desk, page, request, visit)
    if session is not None and page.kept:  # 5
        _write_down(desk, page, visit, response.status_code)
    return response


def _gates(desk: Desk, page: Page, request: Request, visit: Visit) -> Response:
    if page.right != NOBODY:
        if visit.session is None:  # 2
            if visit.partial or page.method != "GET":
                return refuse(desk, visit, 401, "You are not logged in",
                              "The session has ended.", "Log in again.")  # fmt: skip
            return go("/login")
        if not visit.may(page.right):  # 3
            return refuse(desk, visit, 403, "Not for your roles",
                          f"This needs the right “{page.right.replace('_', ' ')}”.",
                          "An administrator can give you a role that has it.")  # fmt: skip
        if visit.session.person.must_change and page.name not in ("password", "password.set",
                                                                  "logout"):  # fmt: skip
            return go("/password")
        if page.name not in _DOOR and lacks_factor(desk, visit.session.person):
            return go("/password")
    if page.method == "POST" and not _is_ours(request, visit, page):  # 4
        return refuse(desk, visit, 403, "Nothing was done",
                      "The form did not come from a page of this session.",
                      "Open the page again and repeat.")  # fmt: skip
    try:
        return page.handler(desk, visit)
    except NotPermitted as error:
        return refuse(desk, visit, 403, "Not permitted", _said(error), error.hint)
    except StateError as error:
        return refuse(desk, visit, 409, "Nothing was done", _said(error), error.hint)
    except StillwatchError as error:
        return refuse(desk, visit, 422, "Nothing was done", _said(error), error.hint)


def _said(error: StillwatchError) -> str:
    return f"{error.where}: {error.message}" if error.where else error.message


def _is_ours(request: Request, visit: Visit, page: Page) -> bool:
    """Tell whether a browser says that one of our own pages sent this, with the session's token."""
    site = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    if site is None and origin is None:
        return False
    if site not in (None, "same-origin"):
        return False
    if origin not in (None, f"{request.url.scheme}://{request.headers.get('host', '')}",
                      f"https://{request.headers.get('host', '')}"):  # fmt: skip
        return False
    if visit.session is None or page.right == NOBODY:
        return True
    given = visit.form.get("csrf", "") or request.headers.get("x-csrf", "")
    return same(given, visit.session.csrf)


def _visit(page: Page, request: Request, sent: Sent, session: Session | None) -> Visit:
    many: dict[str, tuple[str, ...]] = {}
    for name, value in sent.fields:
        many[name] = (*many.get(name, ()), value)
    query: Mapping[str, str] = dict(request.query_params)
    return Visit(
        page.method, dict(request.path_params), query, dict(sent.fields), many, session,
        request.headers.get("hx-request") == "true", dict(request.cookies),
        sent.upload if page.upload else None,
    )  # fmt: skip


def _write_down(desk: Desk, page: Page, visit: Visit, status: int) -> None:
    if visit.session is None:
        return
    subject = next(iter(visit.path.values()), "")
    with desk.home.engine.begin() as connection:
        connection.execute(sa.insert(reads).values(
            at_us=to_micros(desk.clock()), login=visit.session.person.login,
            what=page.name, subject=subject[:80], outcome=status,
        ))  # fmt: skip
