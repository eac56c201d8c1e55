"""Platform: what belongs to no single use case: incidents, integrations, runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.api.common.airflow_health import get_airflow_health
from airflow.models.connection import Connection
from airflow.sdk.exceptions import AirflowNotFoundException
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import TransientError
from sluice.settings import Settings
from sluice.web import probes
from sluice.web.incidents import Incident, incidents
from sluice.web.inquiry import inquire
from sluice.web.integrations import Integration, look
from sluice.web.rights import Person, Rights
from sluice.web.runs import LATELY, Runs, dag_ids, runs

if TYPE_CHECKING:
    from sluice.domain.use_case import UseCase

MAIL = "smtp_default"

Health = Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Platform:
    """How the platform is.

    Attributes:
        incidents: What is wrong just now; None where the warehouse could not say.
        integrations: What it is connected to.
        runs: What Airflow ran lately, of what the person may see; None where that could not be counted.
    """

    incidents: tuple[Incident, ...] | None
    integrations: tuple[Integration, ...]
    runs: Runs | None


def vital_signs() -> Health:
    """How Airflow itself tells whether its parts live."""
    return get_airflow_health


def platform(
    settings: Settings,
    reader: Person,
    session: Session,
    use_cases: Sequence[UseCase],
    rights: Rights,
    health: Health,
    now: datetime,
) -> Platform:
    """Look at everything, of which nothing that is away keeps the rest from being shown.

    Args:
        settings: Where everything is.
        reader: Who asks.
        session: On Airflow's own database.
        use_cases: Those that the reader may see anything of.
        rights: What of each.
        health: Airflow's word on its own parts.
        now: The moment; aware.
    """
    warehouse = Warehouse(settings.warehouse_dsn, settings.sql)
    seen = look(
        [
            probes.airflow(health),
            probes.warehouse(warehouse),
            probes.studies(settings.optuna_dsn),
            probes.registry(settings.tracking_uri),
            probes.store(settings.object_store),
            probes.engine(settings.container_engine),
            probes.mail(partial(_connection, MAIL), reader.may_read_connection(MAIL)),
            probes.serving(warehouse, use_cases, rights, now),
            probes.watcher(warehouse, now),
            probes.model(settings, _connection),
            probes.space(settings, _connection),
            probes.runs(settings, _connection),
            probes.reports(settings),
        ]
    )
    return Platform(_incidents(warehouse, rights), seen, _runs(session, reader, now))


def _incidents(warehouse: Warehouse, rights: Rights) -> tuple[Incident, ...] | None:
    try:
        with inquire(warehouse) as inquiry:
            return incidents(inquiry, rights, platform=True)
    except TransientError:
        return None


def _runs(session: Session, reader: Person, now: datetime) -> Runs | None:
    try:
        since = now - LATELY
        return runs(session, sorted(reader.readable(dag_ids(session, since))), since)
    except SQLAlchemyError:
        return None


def _connection(conn_id: str) -> Any | None:
    try:
        return Connection.get_connection_from_secrets(conn_id)
    except AirflowNotFoundException:
        return None
