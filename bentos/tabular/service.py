"""The BentoML service: one use case, whichever release is its champion, in one process or in several alike."""

from __future__ import annotations

import logging
import os
import sys
import threading

import bentoml
import httpx

from tabular import settings as configuration
from tabular.answers.desk import Desk
from tabular.answers.shadow import Shadow
from tabular.errors import BundleError, ConfigurationError
from tabular.exchange import Bounds
from tabular.files.room import Room
from tabular.image import image
from tabular.record.book import Book
from tabular.record.entries import Record
from tabular.record.heartbeat import Heartbeat
from tabular.record.log import Log
from tabular.record.redaction import Redactor
from tabular.releases import contract as documents
from tabular.releases.contract import Contract
from tabular.releases.follow import Follower
from tabular.releases.sources import Image, ObjectStore, Registry, Source
from tabular.runtime import runtime_sha256
from tabular.settings import PACKAGE, Settings
from tabular.supervision import Supervision
from tabular.watching.metrics import Metrics
from tabular.watching.pulse import Pulse
from tabular.watching.push import Gateway, Push
from tabular.web import connections
from tabular.web.admission import Admission
from tabular.web.door import Door
from tabular.web.guards import Guards, shared
from tabular.web.routes import Routes

logger = logging.getLogger("bentoml.tabular")

#: Seconds that a thread which computes for an upload may keep the one that answers waiting; Python's own are ten times
#: as many, and one in a hundred single requests beside an upload took half as long again.
SWITCH_SECONDS = 0.0005


@bentoml.service(
    name="tabular",
    image=image(),
    workers=configuration.read().workers,
    # Tracing and the access log cost as much as the rest of a request; BentoML's own request series are
    # labelled with whatever path a caller makes up, without bound.
    tracing={"excluded_urls": ".*"},
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},
    # Each thread would have an arena of its own, which keeps some megabytes of every upload; two are no slower.
    envs=[{"name": "MALLOC_ARENA_MAX", "value": "2"}],
)
class Tabular:
    """Answers predictions with the champion of one use case, and with its challenger where there is one."""

    def __init__(self) -> None:
        settings = configuration.read()
        self._use_case = settings.use_case or _baked_use_case(settings)
        self._runtime = runtime_sha256(PACKAGE)
        self._supervision = Supervision(os.getppid(), settings.home / "sluice")
        self._metrics = Metrics(self._use_case)
        self._client = _registry_client(settings)
        redactor = Redactor(settings.hash_key.get_secret_value().encode() if settings.hash_key else None)
        self._follower = Follower(
            _sources(settings, self._use_case, self._client),
            self._use_case,
            self._runtime,
            settings.poll_seconds,
            on_outcome=self._metrics.loaded,
            on_new_runtime=self._on_new_runtime if settings.on_new_runtime == "exit" else lambda _: None,
            on_load=redactor.of,
        )
        self._log = self._make_log(settings)
        self._pulse = Pulse(self._metrics, lambda: self._follower.standing, self._log)
        self._push = self._make_push(settings)
        self._stop = threading.Event()
        self._book = Book(settings.warehouse_dsn, self._use_case) if settings.warehouse_dsn else None
        desk = Desk(self._use_case, self._runtime, lambda: self._follower.standing, self._note, self._metrics, redactor)
        self._shadow = Shadow(desk)
        bounds = Bounds(settings.body_limit, settings.body_seconds)
        guards = Guards.over_https(settings.hsts)
        routes = Routes(desk, bounds, self._shadow, Admission.of(settings), guards, self._book, Room(self._log))
        self.application = shared(routes.application(), settings.cors_origins, guards)

    @bentoml.on_startup  # type: ignore[untyped-decorator]
    def start(self) -> None:
        """Begin to follow champion and challenger and to write the log."""
        sys.setswitchinterval(SWITCH_SECONDS)
        self._follower.start()
        self._shadow.start()
        if self._log:
            self._log.start()
        self._pulse.start()
        if self._push:
            self._push.start()
        if bentoml.server_context.worker_index is not None:
            threading.Thread(target=self._supervision.watch, args=(self._stop,), name="watch", daemon=True).start()

    @bentoml.on_shutdown  # type: ignore[untyped-decorator]
    def stop(self) -> None:
        """Write what is not logged yet, and leave."""
        self._stop.set()
        self._shadow.stop()
        self._pulse.stop()
        if self._log:
            self._log.close()
        # After the log: it may be waiting for a registry that hangs, and whoever ends us may lose patience.
        self._follower.stop()
        if self._book:
            self._book.close()
        if self._push:
            self._push.stop()
        if self._client:
            self._client.close()

    async def __is_ready__(self) -> bool:
        """Whether a release is loaded."""
        return self._follower.standing.release is not None

    def _note(self, record: Record) -> None:
        if self._log:
            self._log.offer(record)

    def _on_new_runtime(self, version: int) -> None:
        self._supervision.end(version, self._runtime)

    def _make_log(self, settings: Settings) -> Log | None:
        if settings.warehouse_dsn is None:
            logger.warning("SLUICE_WAREHOUSE_DSN is not set: predictions are answered and not logged")
            return None
        self._metrics.logging(settings.log_rows)
        return Log(
            settings.warehouse_dsn,
            self._use_case,
            Heartbeat(self._use_case, self._runtime, lambda: self._follower.standing),
            settings.log_rows,
            on_drop=self._metrics.dropped,
            on_write=self._metrics.written,
        )

    def _make_push(self, settings: Settings) -> Push | None:
        if settings.pushgateway is None:
            return None
        password = settings.pushgateway_password.get_secret_value()
        gateway = Gateway(settings.pushgateway, settings.pushgateway_user, password, settings.push_seconds)
        return Push(gateway, self._use_case, settings.home / "sluice" / "push.lock")


# The decorator has made a service of the class.
Tabular.add_asgi_middleware(  # type: ignore[attr-defined]
    Door, guards=Guards.over_https(configuration.read().hsts).data
)
# Now, because the server chooses how it reads before it makes the service.
connections.bound(configuration.read().body_seconds)


def _baked_use_case(settings: Settings) -> str:
    try:
        return documents.read(Contract, settings.bundle / "contract.json").use_case
    except BundleError as error:
        raise ConfigurationError(f"SLUICE_USE_CASE is not set, and in {settings.bundle} {error}") from error


def _registry_client(settings: Settings) -> httpx.Client | None:
    if settings.tracking_uri is None:
        return None
    return httpx.Client(base_url=settings.tracking_uri, timeout=httpx.Timeout(10, connect=2))


def _sources(settings: Settings, use_case: str, client: httpx.Client | None) -> list[Source]:
    sources: list[Source] = []
    if client:
        sources.append(Registry(client, use_case))
    if settings.object_store:
        sources.append(ObjectStore(settings.object_store, use_case))
    return [*sources, Image(settings.bundle)]
