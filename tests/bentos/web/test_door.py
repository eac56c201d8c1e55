"""The door by itself: nothing of BentoML's but the probes is reached, whatever way the server takes to it."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from prometheus_client import CollectorRegistry

from tabular.answers.desk import Desk
from tabular.exchange import Bounds, Message, Receive, Send
from tabular.releases.standing import Standing
from tabular.watching.metrics import Metrics
from tabular.web.guards import Guards
from tabular.web.routes import Routes
from tests.bentos.bundles import USE_CASE

if TYPE_CHECKING:
    from tabular.web.door import Door


@dataclass
class Served:
    """What BentoML holds of a service."""

    application: Any


@pytest.fixture
def door() -> Iterator[Door]:
    with warnings.catch_warnings():
        # Of BentoML's own import.
        warnings.simplefilter("ignore", DeprecationWarning)
        from _bentoml_sdk.service import set_current_service

        from tabular.web.door import Door
    desk = Desk(USE_CASE, "r" * 64, Standing, lambda _: None, Metrics(USE_CASE, CollectorRegistry()))
    set_current_service(Served(Routes(desk, Bounds(1000, 10)).application()))
    yield Door(_everything, Guards().data)
    set_current_service(None)


async def _everything(_: Message, __: Receive, send: Send) -> None:
    """Shows whatever it is asked for, as BentoML's own application does."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"BentoML"})


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/schema.json", 404),
        ("GET", "/docs.json", 404),
        ("POST", "/predict/submit", 404),
        ("POST", "/livez", 405),
        ("GET", "/livez", 200),
    ],
)
def test_only_the_probes_are_bentomls(door: Door, method: str, path: str, answer: int) -> None:
    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://service") as client:
            return await client.request(method, path)

    told = asyncio.run(ask())
    assert told.status_code == answer
    assert (told.content == b"BentoML") == (answer == 200)
    assert told.headers["x-content-type-options"] == "nosniff"
