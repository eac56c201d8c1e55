"""The addresses of the service: what answers where, and what everybody may ask for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from functools import partial

from tabular.answers.desk import Desk, serving
from tabular.answers.forms import BATCH, FLAT
from tabular.answers.shadow import Shadow
from tabular.exchange import Bounds, Exchange, Header
from tabular.files.room import Room
from tabular.files.upload import Upload
from tabular.record.book import Book
from tabular.watching import exposition
from tabular.web import openapi, pages
from tabular.web.admission import Admission, caller
from tabular.web.application import Application
from tabular.web.aside import Aside
from tabular.web.card import card
from tabular.web.feedback import Feedback
from tabular.web.guards import Guards
from tabular.web.pages import Page
from tabular.web.predict import Predict
from tabular.web.probes import PROBES


@dataclass(frozen=True)
class Routes:
    """The addresses of the service.

    Attributes:
        bounds: What a request's body may take.
        shadow: Where challengers without a share are given requests; without it they get none.
        admission: Who may ask, and how fast.
        guards: Headers of the answers.
        book: Where late labels are kept; without it they are refused.
        room: What uploads may take of the log's queue.
    """

    desk: Desk
    bounds: Bounds
    shadow: Shadow | None = None
    admission: Admission = field(default_factory=Admission)
    guards: Guards = field(default_factory=Guards)
    book: Book | None = None
    room: Room = field(default_factory=lambda: Room(None))

    def application(self) -> Application:
        """The ASGI application."""
        shell = pages.read(self.guards.page)
        upload = Upload(self.desk, self.marks, self.room, caller)
        aside = Aside()
        return Application(
            {
                **{address: {"GET": page} for address, page in shell.items()},
                "/": {"GET": partial(self.front, shell["/"])},
                "/openapi.json": {"GET": self.openapi},
                "/metrics": {"GET": self.metrics},
                "/api/v1/predict": {"POST": Predict(self.desk, BATCH, self.marks, aside, self.shadow)},
                "/predict": {"POST": Predict(self.desk, FLAT, self.marks, aside, self.shadow)},
                "/predict/file": {"POST": upload, "PUT": upload},
                "/api/v1/feedback": {"POST": Feedback(self.desk, self.marks, aside, self.book)},
            },
            self.bounds,
            admit=self.admission.admit,
            open=frozenset(shell),
            beside=frozenset(PROBES),
            marks=self.marks,
            guards=self.guards.data,
            refused=self.desk.metrics.refused,
        )

    def marks(self, version: int | None = None) -> tuple[Header, ...]:
        """Headers of every answer: the version that gave it, or the champion's."""
        if version is None:
            release = self.desk.standing().release
            if release is None:
                return ()
            version = release.version
        return ((b"x-sluice-version", b"%d" % version),)

    async def front(self, page: Page, exchange: Exchange) -> None:
        """Show people the page, and tell programs what serves."""
        if pages.wanted(exchange):
            await page(exchange)
        else:
            # Everybody may come to this address for the page, and only for that.
            self.admission.admit(exchange)
            await self.card(exchange)

    async def card(self, exchange: Exchange) -> None:
        """Say what serves."""
        document = card(self.desk.use_case, self.desk.runtime_sha256, self.desk.standing())
        await exchange.respond(json.dumps(document).encode(), headers=(*self.marks(), pages.VARY))

    async def openapi(self, exchange: Exchange) -> None:
        """Describe the interface of the release that serves."""
        release = serving(self.desk.standing())
        document = openapi.document(release.bundle.contract, release.version, self.admission.keyring is not None)
        await exchange.respond(json.dumps(document).encode(), headers=self.marks())

    async def metrics(self, exchange: Exchange) -> None:
        """The series that Prometheus reads."""
        content = await asyncio.to_thread(exposition.text)
        await exchange.respond(content, media=exposition.MEDIA_TYPE.encode(), headers=self.marks())
