"""The least that BentoML can do: mounted and set up as Sluice's service is, it reads a body and answers a constant."""

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


async def door(
    scope: Message, receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    """Hand every request that BentoML does not answer itself to the application."""
    await bentoml.get_current_service().application(scope, receive, send)


@bentoml.service(
    name="floor",
    workers=1,
    traffic={"timeout": 30},
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
)
@bentoml.asgi_app(door)
class Floor:
    """Predicts nothing."""

    def __init__(self) -> None:
        self.application = Starlette(routes=[Route("/predict", constant, methods=["POST"])])
