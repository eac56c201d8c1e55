"""The door: every request comes to the service's own application, and none to what BentoML serves beside it."""

from __future__ import annotations

from typing import Any

from bentoml import get_current_service
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from tabular.exchange import Header, Message, Receive, Send
from tabular.web.probes import PROBES


class Door:
    """Stands before BentoML's routes, which would describe the service to whoever has no key, and cost time.

    Args:
        app: BentoML's own application.
        guards: Headers for the answers of its probes.
    """

    def __init__(self, app: Any, guards: tuple[Header, ...]) -> None:
        self._app = app
        self._guards = guards

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] in PROBES and scope["method"] in ("GET", "HEAD"):

            async def guarded(message: Message) -> None:
                if message["type"] == "http.response.start":
                    message["headers"] = [*message["headers"], *self._guards]
                await send(message)

            await self._app(scope, receive, guarded)
        else:
            # Also where the server does not take the lane below: nothing else asks for a key.
            await _application(scope, receive, send)


class Lane:
    """The short way to the service's own application, past what BentoML and Starlette wrap around every request.

    For a request of one row that took as long as the answer: a task, a timer that outlives it by half a minute, and
    three more callers for every piece of an answer. The probes, which BentoML answers, go the long way.

    Args:
        app: What the server would hand requests to.
        trusted: Addresses of proxies whose word on a caller's address is taken.
    """

    def __init__(self, app: Any, trusted: list[str] | str) -> None:
        self._long = app
        # Uvicorn's types of messages are narrower than the protocol's.
        application: Any = _application
        self._short: Any = ProxyHeadersMiddleware(application, trusted)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand a request on."""
        await (self._long if scope["path"] in PROBES else self._short)(scope, receive, send)


async def _application(scope: Message, receive: Receive, send: Send) -> None:
    await get_current_service().application(scope, receive, send)
