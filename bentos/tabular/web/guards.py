"""Guards: the headers that keep browsers from doing more with an answer than it is for, and which sites may read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from tabular.exchange import Header

_ALL = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))
#: Of what programs read: not kept anywhere, and nothing if a browser is made to show it.
_DATA = (
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
#: Of pages: everything from this service alone, shown in nobody's frame.
_PAGE = (
    (b"cache-control", b"no-cache"),
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
)

_REQUEST_HEADERS = ("authorization", "content-type", "x-api-key", "x-request-id", "x-sluice-key")
_ANSWER_HEADERS = ("retry-after", "x-request-id", "x-sluice-version")


@dataclass(frozen=True)
class Guards:
    """Headers for every answer, made once.

    Attributes:
        data: For what programs read.
        page: For what people look at.
    """

    data: tuple[Header, ...] = (*_ALL, *_DATA)
    page: tuple[Header, ...] = (*_ALL, *_PAGE)

    @classmethod
    def over_https(cls, seconds: int) -> Guards:
        """Those of a service that is reached by HTTPS alone.

        Args:
            seconds: How long a browser shall remember that; 0 to say nothing of it.
        """
        if not seconds:
            return cls()
        strict = (b"strict-transport-security", b"max-age=%d" % seconds)
        return cls((*cls.data, strict), (*cls.page, strict))


class Sites(CORSMiddleware):
    """Lets pages of other sites ask; answers their browsers' questions before a request, which carry no key.

    Args:
        app: What answers everything else.
        origins: Exact origins, for example `https://app.example.com`; `*` alone for all.
        guards: Headers of the answers to those questions.
    """

    def __init__(self, app: Any, origins: Sequence[str], guards: tuple[Header, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=_REQUEST_HEADERS,
            expose_headers=_ANSWER_HEADERS,
            max_age=600,
        )
        self._guards = guards

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer what a browser asks before it sends a page's request."""
        response = super().preflight_response(request_headers)
        response.raw_headers.extend(self._guards)
        return response


def shared(app: Any, origins: Sequence[str], guards: Guards) -> Any:
    """The application, for pages of these origins too; as it is where there are none."""
    return Sites(app, origins, guards.data) if origins else app
