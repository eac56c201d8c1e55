"""Alerts: the one door by which the DAGs tell people what is wrong, and that it no longer is.

One cause is one mail, which the ledger of incidents sees to. Telling never fails the work that it is about: what
cannot be sent is in the log, and is owed.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from urllib.parse import quote

from sluice.adapters.incidents import Incidents
from sluice.adapters.post import Post
from sluice.domain.alert import Alert
from sluice.orchestration import clients, sending
from sluice.settings import settings

log = logging.getLogger(__name__)


def raise_alert(alert: Alert) -> bool:
    """Tell people that something is wrong, unless they know.

    Args:
        alert: What is wrong. Its log lines are written already; its `occasion` is the run that it makes fail.

    Returns:
        Whether people know; where not, the mail is owed and goes with the next sight of anything.
    """
    try:
        told = post().tell(alert)
    # Broad, because what keeps a mail back is no reason for anything else to stop.
    except Exception:
        log.exception("No mail went out: %s", alert.title)
        return False
    log.info("%s: %s", "mailed" if told else "known already", alert.title)
    return True


def heal(*causes: str, still: Sequence[str] = ()) -> None:
    """Tell people that causes are gone, of those that they were told of.

    Args:
        *causes: Each a cause, or the beginning of several, which ends with a colon or a dot.
        still: Causes that begin so and are not gone.
    """
    try:
        desk = post()
        for cause in causes:
            for alert in desk.heal(cause, still=still):
                log.info("mailed: %s", alert.recovery)
        desk.catch_up()
    except Exception:
        log.exception("Nobody was told that it is gone: %s", ", ".join(causes))


def dismiss(*causes: str) -> None:
    """Note that causes, or all that begin so, are gone, which nobody needs to hear of."""
    try:
        for cause in causes:
            post().dismiss(cause)
    except Exception:
        log.exception("It stays open, although it is gone: %s", ", ".join(causes))


def post() -> Post:
    """The post, by the settings and Airflow's connections."""
    return Post(Incidents(clients.warehouse()), sending.deliver, settings().runbook_url, sending.spread)


def occasion(dag_id: str, run_id: str) -> str:
    """The run that an alert makes fail, as the ledger names it."""
    return f"{dag_id}/{run_id}"


def run_url(dag_id: str, run_id: str) -> str:
    """Where people see a run."""
    return f"{airflow_url()}/dags/{quote(dag_id)}/runs/{quote(run_id, safe='')}"


def airflow_url() -> str:
    """Where people open Airflow, without a slash at the end."""
    return settings().airflow_url.rstrip("/")
