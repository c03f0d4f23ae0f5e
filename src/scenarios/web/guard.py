"""Who may come in: the one-time link, the session, the bearer of a token; and what every answer carries.

A page on loopback is reached by every program and every web page of the machine. A foreign page must not be
able to unload an instance by a hidden form, a name that resolves to 127.0.0.1 must not get at the content,
and nothing may fill the memory. These checks stand before all routes, so that none can forget them.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.requests import Request

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_LIMIT = 1 << 20
"""Bytes a request may carry."""
SESSION_HOURS = 12
_SESSIONS = 100
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
_OPEN = ("/static/", "/enter", "/api/health", "/favicon.ico")
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    # Not no-referrer: with it browsers send "Origin: null" with our own forms.
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=(), payment=()"),
)


class Door:
    """The keys of one running page.

    Args:
        api_token: what programs send as ``Authorization: Bearer``; by default a random one.
        announce: called with each new one-time token, when the one before was used.
        port: the port, part of the cookie's name: cookies of one host are shared by its ports.
        clock: gives the seconds by which sessions grow old.
    """

    def __init__(
        self,
        api_token: str | None = None,
        *,
        announce: Callable[[str], None] | None = None,
        port: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.api_token = api_token or secrets.token_urlsafe(24)
        self.cookie = f"scenarios_{port}"
        self._announce = announce
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._lock = threading.Lock()
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self.token = secrets.token_urlsafe(24)

    def enter(self, token: str) -> str | None:
        """Return a new session for the one-time *token*, None for a wrong or used one."""
        with self._lock:
            if not hmac.compare_digest(token.encode(), self.token.encode()):
                return None
            self.token = secrets.token_urlsafe(24)
            session = secrets.token_urlsafe(24)
            self._sessions[session] = self._clock() + SESSION_HOURS * 3600
            while len(self._sessions) > _SESSIONS:
                self._sessions.popitem(last=False)
            fresh = self.token
        if self._announce is not None:
            self._announce(fresh)
        return session

    def knows(self, session: str) -> bool:
        """Return whether *session* is one of ours and not too old."""
        return self._sessions.get(session, 0.0) > self._clock()

    def is_bearer(self, header: str) -> bool:
        """Return whether an ``Authorization`` header carries the token of programs."""
        kind, _, given = header.partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode(), self.api_token.encode()
        )

    def csrf(self, session: str) -> str:
        """Return the text that forms of *session* carry."""
        return hmac.new(self._secret, session.encode(), "sha256").hexdigest()

    def is_csrf(self, session: str, given: str) -> bool:
        """Return whether *given* is what a form of *session* carries."""
        return hmac.compare_digest(self.csrf(session).encode(), given.encode())


class TooLarge(Exception):
    pass


class Guard:
    """The checks before all routes.

    Args:
        app: what comes behind.
        door: the keys.
        refuse: makes the answer to a request that is not let in, from status, what, why and hint.
    """

    def __init__(
        self, app: ASGIApp, door: Door, refuse: Callable[[Request, int, str, str, str], Response]
    ) -> None:
        self._app = app
        self._door = door
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False
        taken = 0

        async def guarded_send(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = list(message.get("headers", []))
                names = {name.lower() for name, _ in headers}
                headers += [pair for pair in _HEADERS if pair[0] not in names]
                if b"cache-control" not in names:
                    headers.append((b"cache-control", b"no-store"))
                message = {**message, "headers": headers}
            await send(message)

        async def guarded_receive() -> Message:
            nonlocal taken
            message = await receive()
            if message["type"] == "http.request":
                taken += len(message.get("body", b""))
                if taken > BODY_LIMIT:
                    raise TooLarge
            return message

        request = Request(scope)
        refused = self._check(request)
        if refused is not None:
            await refused(scope, receive, guarded_send)
            return
        try:
            await self._app(scope, guarded_receive, guarded_send)
        except TooLarge:
            if started:
                raise
            await self._large(request)(scope, receive, guarded_send)

    def _large(self, request: Request) -> Response:
        return self._refuse(
            request, 413, "the request is too large", f"at most {BODY_LIMIT} bytes are read", "send less"
        )

    def _check(self, request: Request) -> Response | None:
        host = request.headers.get("host", "")
        if urlsplit(f"//{host}").hostname not in _HOSTS:
            return self._refuse(
                request, 421, "this page is served on loopback only", f"the host is {host[:80]!r}",
                "open the link that the terminal shows",
            )  # fmt: skip
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > BODY_LIMIT:
            return self._large(request)
        unsafe = request.method not in _SAFE_METHODS
        request.state.session = None
        bearer = self._door.is_bearer(request.headers.get("authorization", ""))
        request.state.bearer = bearer
        if unsafe and not self._same_origin(request, host):
            return self._refuse(
                request, 403, "this request comes from another page", "its origin is not this page's",
                "use the page itself, or a program with the API token",
            )  # fmt: skip
        if bearer or any(request.url.path.startswith(each) for each in _OPEN):
            return None
        session = _cookie(request, self._door.cookie)
        if session and self._door.knows(session):
            request.state.session = session
            return None
        return self._refuse(
            request, 401, "who are you?", "there is no session, or it has ended",
            "open the newest link that the terminal shows, or send Authorization: Bearer with the API token",
        )  # fmt: skip

    @staticmethod
    def _same_origin(request: Request, host: str) -> bool:
        origin = request.headers.get("origin")
        if origin is not None:
            return origin == f"http://{host}"
        return request.headers.get("sec-fetch-site", "none") in ("same-origin", "none")


def _cookie(request: Request, name: str) -> str | None:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(request.headers.get("cookie", ""))
    except CookieError:
        return None
    found = jar.get(name)
    return found.value if found is not None else None
