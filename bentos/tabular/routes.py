"""The addresses of the service: what answers where, and what everybody may ask for."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

from tabular import exposition, openapi
from tabular.admission import Admission
from tabular.application import Application
from tabular.card import card
from tabular.desk import Desk, serving
from tabular.exchange import Bounds, Exchange, Header
from tabular.forms import BATCH, FLAT
from tabular.guards import Guards
from tabular.predict import Predict
from tabular.shadow import Shadow


@dataclass(frozen=True)
class Routes:
    """The addresses of the service.

    Attributes:
        bounds: What a request's body may take.
        shadow: Where challengers without a share are given requests; without it they get none.
        admission: Who may ask, and how fast.
        guards: Headers of the answers.
    """

    desk: Desk
    bounds: Bounds
    shadow: Shadow | None = None
    admission: Admission = field(default_factory=Admission)
    guards: Guards = field(default_factory=Guards)

    def application(self) -> Application:
        """The ASGI application."""
        return Application(
            {
                "/": {"GET": self.card},
                "/openapi.json": {"GET": self.openapi},
                "/metrics": {"GET": self.metrics},
                "/api/v1/predict": {"POST": Predict(self.desk, BATCH, self.marks, self.shadow)},
                "/predict": {"POST": Predict(self.desk, FLAT, self.marks, self.shadow)},
            },
            self.bounds,
            admit=self.admission.admit,
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

    async def card(self, exchange: Exchange) -> None:
        """Say what serves."""
        document = card(self.desk.use_case, self.desk.runtime_sha256, self.desk.standing())
        await exchange.respond(json.dumps(document).encode(), headers=self.marks())

    async def openapi(self, exchange: Exchange) -> None:
        """Describe the interface of the release that serves."""
        release = serving(self.desk.standing())
        document = openapi.document(release.bundle.contract, release.version)
        await exchange.respond(json.dumps(document).encode(), headers=self.marks())

    async def metrics(self, exchange: Exchange) -> None:
        """The series that Prometheus reads."""
        content = await asyncio.to_thread(exposition.text)
        await exchange.respond(content, media=exposition.MEDIA_TYPE.encode(), headers=self.marks())
