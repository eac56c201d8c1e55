"""The application: lets a request in, finds what answers it, and tells what goes wrong on the way."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tabular.exchange import Bounds, Cut, Exchange, Hangup, Header, Message, Receive, Send
from tabular.problem import MEDIA_TYPE, ProblemError, trace

logger = logging.getLogger("bentoml.tabular")

Handler = Callable[[Exchange], Awaitable[None]]
#: Address -> method -> what answers.
Table = Mapping[str, Mapping[str, Handler]]


@dataclass(frozen=True)
class Application:
    """The ASGI application.

    Attributes:
        table: What answers where.
        bounds: What a request's body may take.
        admit: Raises a `ProblemError` where a request may not come in.
        open: Addresses that everybody may ask for.
        beside: Addresses that others answer, where the method is GET.
        marks: Headers for every refusal.
        guards: Headers of every answer, where its handler sets no others.
        refused: Told the kind of every refusal.
    """

    table: Table
    bounds: Bounds
    admit: Callable[[Exchange], None] = lambda _: None
    open: frozenset[str] = frozenset()
    beside: frozenset[str] = frozenset()
    marks: Callable[[], tuple[Header, ...]] = tuple
    guards: tuple[Header, ...] = ()
    refused: Callable[[str], None] = lambda _: None

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, whatever comes."""
        if scope["type"] != "http":
            # Nothing here speaks anything else; this is how a handshake is declined.
            await send({"type": "websocket.close"})
            return
        exchange = Exchange(scope, receive, send, self.bounds, self.guards)
        try:
            handler = self._handler(exchange)
            if exchange.path not in self.open:
                self.admit(exchange)
            await handler(exchange)
        except ProblemError as problem:
            await self.tell(exchange, problem)
        except Hangup:
            if not exchange.answered:
                # Nobody reads it, but BentoML waits for an answer to begin, and the end of the server for BentoML.
                await exchange.respond(b"", 400)
        except Exception as error:
            logger.error("request %s failed: %s", exchange.request_id, trace(error))
            if exchange.answered:
                # Too late for a status: the connection is cut, so that nobody takes a part for the whole.
                raise Cut from None
            detail = f"look for {exchange.request_id} in the log of the service"
            await self.tell(exchange, ProblemError(500, "internal", detail))

    async def tell(self, exchange: Exchange, problem: ProblemError) -> None:
        """Tell what is wrong with a request.

        Raises:
            Cut: An answer has begun already.
        """
        if exchange.answered:
            logger.warning("request %s was cut off: %s", exchange.request_id, problem.detail)
            raise Cut from None
        self.refused(problem.kind)
        headers = tuple((name.encode(), value.encode()) for name, value in problem.headers.items())
        content = problem.body(exchange.request_id)
        await exchange.respond(content, problem.status, MEDIA_TYPE.encode(), (*self.marks(), *headers))

    def _handler(self, exchange: Exchange) -> Handler:
        methods = self.table.get(exchange.path)
        place = f"{exchange.method} {exchange.path[:200]}"
        if methods is None and exchange.path not in self.beside:
            raise ProblemError(404, "not-found", place)
        handler = (methods or {}).get("GET" if exchange.method == "HEAD" else exchange.method)
        if handler is None:
            raise ProblemError(405, "method-not-allowed", place, headers={"allow": ", ".join(methods or ("GET",))})
        return handler
