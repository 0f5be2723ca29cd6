"""Protection against DNS rebinding and cross-site request forgery.

A foreign web page can make a browser send requests to this machine. With DNS rebinding, the host
name of that page resolves to this machine, so the `Host` header is checked. With cross-site request
forgery, the `Host` header is correct, so the `Origin` header is checked.
"""

import ipaddress
import socket
import urllib.parse
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ANY_HOST = "*"
"""Wildcard that allows every host name."""


class Hosts:
    """Allowed host names and addresses of a page.

    A page on a loopback address allows `localhost` and loopback addresses. Other pages also allow
    the name of this machine and all IP addresses, since DNS rebinding needs a name.

    Args:
        host: Name or address on which the page listens.
        allowed: Additional names. `*` allows all names.
    """

    def __init__(self, host: str = "127.0.0.1", allowed: Iterable[str] = ()) -> None:
        self.allowed = {name.lower() for name in allowed}
        self.names = {"localhost", *self.allowed}
        self.loopback = host == "localhost" or _is_loopback(host)
        if not self.loopback:
            self.names |= {host.lower(), socket.gethostname().lower()}

    def allows(self, name: str | None) -> bool:
        """Return whether a host name, or an address without brackets, is allowed."""
        if ANY_HOST in self.allowed or name in self.names:
            return True
        return name is not None and (
            _is_loopback(name) if self.loopback else _address(name) is not None
        )

    def is_same_site(self, host: str, origin: str | None) -> bool:
        """Return whether a request has no origin or an allowed one.

        Args:
            host: `Host` header.
            origin: `Origin` header, or None. If it differs from the host, for example behind a
                proxy, it must be one of the names in `allowed`.
        """
        if origin is None:
            return True
        _, _, netloc = origin.partition("://")
        return netloc.lower() == host.lower() or _hostname(origin) in self.allowed


class HostMiddleware:
    """ASGI middleware that rejects requests to a foreign host or from a foreign origin.

    Args:
        app: ASGI application.
        hosts: Allowed names and addresses.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self.hosts.allows(_hostname(f"//{host}")):
            response = PlainTextResponse(
                "This host name is not allowed: add it with --allow-host.", 400
            )
        elif not self.hosts.is_same_site(host, headers.get("origin")):
            response = PlainTextResponse("This page rejects requests from other sites.", 403)
        else:
            await self.app(scope, receive, send)
            return
        await response(scope, receive, send)


def _hostname(url: str) -> str | None:
    try:
        return urllib.parse.urlsplit(url).hostname
    except ValueError:  # an unclosed bracket
        return None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    address = _address(name)
    return address is not None and address.is_loopback
