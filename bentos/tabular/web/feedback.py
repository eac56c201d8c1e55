"""Feedback: labels that come late, in the warehouse before they are answered."""

from __future__ import annotations

import asyncio
import json
import time
from asyncio import Future
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial

from tabular.answers.desk import Desk, serving
from tabular.exchange import Exchange, Header
from tabular.problem import ProblemError
from tabular.record import labels
from tabular.record.book import RETRY_AFTER, Book, Kept, away
from tabular.record.labels import Label
from tabular.web.aside import INLINE, Aside
from tabular.web.predict import HINT

#: Requests that may wait for the warehouse; further ones are sent away.
MOST_WAITING = 32


class Feedback:
    """Answers requests that bring labels.

    Args:
        desk: Says what serves.
        marks: Headers for an answer.
        aside: Where large bodies are worked on.
        book: Where the labels are kept; None where there is no warehouse.
    """

    def __init__(self, desk: Desk, marks: Callable[[], tuple[Header, ...]], aside: Aside, book: Book | None) -> None:
        self._desk = desk
        self._marks = marks
        self._aside = aside
        self._book = book
        # One thread, as the book has one connection; and none of those that answer predictions.
        self._pool = ThreadPoolExecutor(1, "feedback")
        self._waiting: set[Future[Kept]] = set()

    async def __call__(self, exchange: Exchange) -> None:
        """Keep the labels in a request's body, and tell what became of them."""
        bundle = serving(self._desk.standing()).bundle
        exchange.expect("application/json", HINT)
        work = (await exchange.body(bundle.schema.sizes.labels), bundle.contract)
        given = labels.read(*work) if len(work[0]) <= INLINE else await self._aside.run(labels.read, *work)
        kept = await self._keep(given, exchange.caller)
        self._desk.metrics.labelled(kept.stored)
        document = {**asdict(kept), "use_case": self._desk.use_case, "request_id": exchange.request_id}
        await exchange.respond(json.dumps(document).encode("ascii"), headers=self._marks())

    async def _keep(self, given: Sequence[Label], key_name: str | None) -> Kept:
        if self._book is None:
            raise away("this service has no warehouse: SLUICE_WAREHOUSE_DSN is not set where it runs")
        if len(self._waiting) >= MOST_WAITING:
            detail = f"{MOST_WAITING} requests with labels are waiting already"
            raise ProblemError(503, "busy", detail, headers={"retry-after": RETRY_AFTER})
        keep = partial(self._book.keep, given, key_name, time.monotonic())
        under_way = asyncio.get_running_loop().run_in_executor(self._pool, keep)
        self._waiting.add(under_way)
        under_way.add_done_callback(self._waiting.discard)
        return await under_way
