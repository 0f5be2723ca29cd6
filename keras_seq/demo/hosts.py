"""Whose requests a page answers: only those that its own pages send to one of its own names.

A web page of anybody else can make a browser send requests to this machine. It can do so under a
name of its own that resolves to an address of this machine (DNS rebinding), so the name is checked;
or under the right name from another origin (cross-site request forgery), so the origin is checked.
"""

import ipaddress
import socket
import urllib.parse
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

ANY = "*"
"""Name that stands for every name."""


class Hosts:
    """Names and addresses under which a page is reached.

    On the loopback address these are `localhost` and loopback addresses. Elsewhere they are also
    every IP address, which no one can make resolve to another one, and the name of this machine.

    Args:
        host: Name or address on which the page listens.
        allowed: More names, or `*` for all.
    """

    def __init__(self, host: str = "127.0.0.1", allowed: Iterable[str] = ()) -> None:
        self.allowed = {name.lower() for name in allowed}
        self.names = {"localhost", *self.allowed}
        self.loopback = host == "localhost" or _is_loopback(host)
        if not self.loopback:
            self.names |= {host.lower(), socket.gethostname().lower()}

    def include(self, name: str | None) -> bool:
        """Return whether a name or an address without brackets is one of the page's."""
        if ANY in self.allowed or name in self.names:
            return True
        return name is not None and (
            _is_loopback(name) if self.loopback else _address(name) is not None
        )

    def are_of_one_site(self, host: str, origin: str | None) -> bool:
        """Return whether a request comes from the site that it goes to, or from no site.

        Args:
            host: Header `Host`.
            origin: Header `Origin`. Behind a proxy its name may differ from the host, but is one
                of those that were allowed.
        """
        if origin is None:
            return True
        _, _, netloc = origin.partition("://")
        return netloc.lower() == host.lower() or _hostname(origin) in self.allowed


class HostCheck:
    """ASGI middleware that refuses requests to a foreign host or from a foreign origin.

    Args:
        app: ASGI application.
        hosts: Names and addresses of the page.
    """

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self.hosts.include(_hostname(f"//{host}")):
            refused = PlainTextResponse(
                "This page is not served under that name: allow it with --allow-host.", 400
            )
        elif not self.hosts.are_of_one_site(host, headers.get("origin")):
            refused = PlainTextResponse("This page takes no requests of other sites.", 403)
        else:
            await self.app(scope, receive, send)
            return
        await refused(scope, receive, send)


def _hostname(url: str) -> str | None:
    try:
        return urllib.parse.urlsplit(url).hostname
    except ValueError:  # a bracket that never closes
        return None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _is_loopback(name: str) -> bool:
    address = _address(name)
    return address is not None and address.is_loopback
