"""The least that BentoML's own layers can do: a service that is set up as Sluice's reads a body and answers a constant.

It answers before BentoML's routes and behind BentoML's layers, which Sluice's connections pass by.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import bentoml
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

Message = MutableMapping[str, Any]
ANSWER = b'{"predictions": [0.0]}'


async def constant(request: Request) -> Response:
    """Answer the same to everybody."""
    await request.body()
    return Response(ANSWER, media_type="application/json")


class Door:
    """Hands every request to the application, before BentoML's routes, as Sluice's does."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self._app = app

    async def __call__(
        self, scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
    ) -> None:
        """Hand a request on."""
        if scope["type"] == "lifespan" or scope["path"] == "/readyz":
            await self._app(scope, receive, send)
        else:
            await bentoml.get_current_service().application(scope, receive, send)


@bentoml.service(
    name="floor",
    workers=1,
    traffic={"timeout": 30},
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
class Floor:
    """Predicts nothing."""

    def __init__(self) -> None:
        self.application = Starlette(routes=[Route("/predict", constant, methods=["POST"])])


# The decorator has made a service of the class.
Floor.add_asgi_middleware(Door)  # type: ignore[attr-defined]
