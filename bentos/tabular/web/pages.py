"""The pages that people look at: the service card's shell, and Swagger UI. They hold no data, so they need no key."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import PurePosixPath

from tabular.exchange import Exchange, Header
from tabular.settings import PACKAGE

MEDIA: Mapping[str, bytes] = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
}
#: Address -> our own file. Listed once: what a request asks for leads to no folder.
OWN: Mapping[str, str] = {
    "/": "card.html",
    "/docs": "docs.html",
    **{
        f"/pages/{path.name}": path.name
        for path in sorted((PACKAGE / "pages").iterdir())
        if path.suffix in (".css", ".js")
    },
}
#: Address -> a file of the Swagger UI that comes with BentoML.
SWAGGER: Mapping[str, str] = {
    "/docs/swagger-ui.css": "swagger-ui.css",
    "/docs/swagger-ui-bundle.js": "swagger-ui-bundle.js",
}
#: One address has a page and data; caches must keep them apart.
VARY: Header = (b"vary", b"accept")


@dataclass(frozen=True)
class Page:
    """One file, as browsers are sent it.

    Attributes:
        content: Its bytes.
        media: Its media type.
        etag: Changes with the content, so that a browser fetches it once.
        guards: Headers of pages.
    """

    content: bytes
    media: bytes
    etag: str
    guards: tuple[Header, ...]

    async def __call__(self, exchange: Exchange) -> None:
        """Send it, unless the browser has it."""
        exchange.guards = self.guards
        headers = ((b"etag", self.etag.encode()), VARY)
        if self.etag in exchange.header("if-none-match"):
            await exchange.begin(304, self.media, headers)
            await exchange.end()
        else:
            await exchange.respond(self.content, media=self.media, headers=headers)


def read(guards: tuple[Header, ...]) -> dict[str, Page]:
    """Every page by its address, read once.

    Args:
        guards: Headers of pages.
    """
    ours = {address: (PACKAGE / "pages" / name).read_bytes() for address, name in OWN.items()}
    folder = resources.files("bentoml._internal.server") / "static_content"
    theirs = {address: (folder / name).read_bytes() for address, name in SWAGGER.items()}
    return {
        address: Page(content, _media(address), f'"{hashlib.sha256(content).hexdigest()[:32]}"', guards)
        for address, content in (ours | theirs).items()
    }


def wanted(exchange: Exchange) -> bool:
    """Whether a browser asks for something to look at, not a program for data."""
    return "text/html" in exchange.header("accept")


def _media(address: str) -> bytes:
    return MEDIA[PurePosixPath({**OWN, **SWAGGER}[address]).suffix]
