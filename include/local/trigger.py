"""Runs of DAGs, asked for from outside: `python -m local.trigger "<DAG>..." [FIELD=VALUE]...`.

`--url` names the Airflow, the environment's SLUICE_AIRFLOW_USER and SLUICE_AIRFLOW_PASSWORD who asks; without it the
local stack is meant. It waits until every run is over, and fails where one did.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import click
from rich.console import Console

from local import fields
from local.addresses import published
from local.commands import Command
from local.errors import RunError, StackError
from local.following import follow
from local.runs import Airflow
from local.state import state
from local.summary import Screen

USER, PASSWORD = "SLUICE_AIRFLOW_USER", "SLUICE_AIRFLOW_PASSWORD"


@dataclass(frozen=True)
class Door:
    """An Airflow, and who comes in."""

    url: str
    user: str
    password: str


def door(url: str, environment: Mapping[str, str]) -> Door:
    """The Airflow that is meant.

    Args:
        url: Its address; empty for the local stack, whose accounts are known.
        environment: Names who asks elsewhere.

    Raises:
        StackError: Nobody says who asks, or the local stack is not up.
    """
    if not url:
        document = published(state())
        return Door(document["airflow"], "admin", document["logins"]["airflow"]["admin"])
    absent = [name for name in (USER, PASSWORD) if not environment.get(name)]
    if absent:
        raise StackError(
            f"nobody says who asks: {' and '.join(absent)} not set", url, "name an account that may trigger"
        )
    return Door(url.rstrip("/"), environment[USER], environment[PASSWORD])


def runs(door: Door, dags: Sequence[str], name: str, conf: dict[str, object]) -> list[RunError]:
    """Start a run of each DAG, follow them to their ends, and return what went wrong.

    Args:
        door: Where, and who asks.
        dags: Ids.
        name: Of each run; where a DAG has one of that name already, that is the one that is followed.
        conf: The fields of the form, the same for all.

    Raises:
        RunError: Airflow does not answer, or does not know one of them or take its fields.
    """
    failed: list[RunError] = []
    with Airflow(door.url, door.user, door.password) as airflow:
        for dag_id in dags:
            airflow.await_dag(dag_id)
        started = [airflow.trigger(dag_id, name, conf) for dag_id in dags]
        for run in started:
            click.echo(f"{door.url}/dags/{run.dag_id}/runs/{quote(run.run_id, safe='')}")
            try:
                follow(airflow, Screen(Console(highlight=False)), run.dag_id, run)
            except RunError as error:
                failed.append(error)
    return failed


@click.command(cls=Command, help=__doc__)
@click.option("--url", default="", help="Of Airflow; the local stack's where left out.")
@click.option("--run-id", default="", help="Names the run; asking twice for the same one starts one run.")
@click.argument("dags", metavar="DAG...")
@click.argument("given", nargs=-1, metavar="[FIELD=VALUE]...")
def command(url: str, run_id: str, dags: str, given: tuple[str, ...]) -> None:
    """Start the runs, and wait until they are over."""
    if not dags.split():
        raise RunError("nobody said which DAG is to run", action="DAG=<use case>_train")
    name = run_id or f"by-hand__{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"
    failed = runs(door(url, os.environ), dags.split(), name, fields.read(given))
    for error in failed[1:]:
        click.echo(error, err=True)
    if failed:
        raise failed[0]


if __name__ == "__main__":
    command(prog_name="python -m local.trigger")
