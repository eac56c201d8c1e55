"""The rollback DAG: choose a release that served before, let it serve again, see it live."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param, chain
from airflow.sdk.exceptions import AirflowSkipException

from sluice.domain.use_case import UseCase
from sluice.orchestration import assets, clients
from sluice.orchestration.steps import common, step
from sluice.settings import settings

DOC = """
Goes back to a release that served before. Nothing is judged again: it passed the gate when it was promoted.

1. `choose` names the release, and makes sure that all of it is still there: its bento, and its bundle, unaltered, in
   the registry and in the object store.
2. `roll_back` withdraws a running canary, moves the alias, and enters who ordered it and why in `ml.deployments`.
3. `confirm_live` waits until every process serves it.

Where the version serves already, the run withdraws a running canary; without one it says so and changes nothing.
`make rollback` does the same from a terminal.
"""

#: Who is named where Airflow knows no user, as with its own command line.
NOBODY = "airflow"

log = logging.getLogger(__name__)


def rollback_dag(use_case: UseCase) -> DAG:
    """The rollback DAG of a use case; started by a person."""
    params = {
        "to": Param(
            None,
            type=["null", "integer"],
            minimum=1,
            title="Version",
            description="The version to go back to. Empty: the one that served when today's champion was promoted.",
        ),
        "reason": Param(
            type="string",
            minLength=3,
            pattern=r"\S",
            title="Reason",
            description="Why; kept in the deployments ledger.",
        ),
    }
    with DAG(**common(use_case, "rollback", DOC, hours=1), schedule=None, params=params) as dag:
        choice = step(choose, minutes=5)(use_case.name)
        moved = step(roll_back, minutes=5)(choice)
        live = step(confirm_live, minutes=5, outlets=[assets.champion(use_case)])(choice)
        chain(choice, moved, live)
    return dag


def choose(name: str, *, params: dict[str, Any]) -> dict[str, Any]:
    """Choose the release to go back to, and make sure that it can serve."""
    from sluice.release import canary
    from sluice.release.rollback import Vault

    vault = Vault(clients.warehouse(), clients.tracking(), clients.store(), settings().bento_store)
    choice = vault.choose(name, params["to"])
    version = choice.release.version
    if choice.serves_already and not canary.running(vault.warehouse, name):
        raise AirflowSkipException(f"version {version} of {name} serves already: nothing is changed")
    log.info("from version %s back to version %s", choice.from_version, version)
    return asdict(choice)


def roll_back(choice: dict[str, Any], *, params: dict[str, Any], dag_run: Any) -> int:
    """Withdraw a canary, and let the chosen release serve."""
    from sluice.domain.release import Release
    from sluice.release import canary, deployments

    release = Release(**choice["release"])
    order = deployments.Order(
        release=release,
        from_version=choice["from_version"],
        decision_id=None,
        actor=dag_run.triggering_user_name or NOBODY,
        reason=params["reason"],
        action="rollback",
    )
    warehouse, tracking = clients.warehouse(), clients.tracking()
    if canary.withdraw(warehouse, tracking, release.use_case, order.actor, order.reason):
        log.info("the canary that ran is withdrawn")
    return deployments.deploy(warehouse, tracking, clients.store(), order)


def confirm_live(choice: dict[str, Any]) -> int:
    """Wait until every process serves the release again."""
    from sluice.domain.release import Release
    from sluice.release import deployments

    # Long enough for a process that ends to be started from another bento.
    processes = deployments.await_live(clients.warehouse(), Release(**choice["release"]), timedelta(seconds=90))
    log.info("live in %s processes", processes)
    return processes
