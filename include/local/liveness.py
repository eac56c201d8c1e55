"""Liveness: whether a container's program works, as its health check asks inside of it.

`python -m local.liveness <URL | scheduler | triggerer | dag-processor | worker>` ends with 1 where it does not.
Airflow's own `airflow jobs check` takes seconds of a processor for each answer.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Mapping
from contextlib import closing
from urllib.request import ProxyHandler, build_opener

import psycopg2

JOBS = {"scheduler": "SchedulerJob", "triggerer": "TriggererJob", "dag-processor": "DagProcessorJob"}
#: A program that gave no sign of life for so long is dead, in seconds; each gives one every few.
SILENT = 60
PATIENCE = 8
BEAT = """
SELECT extract(EPOCH FROM now() - max(latest_heartbeat))
FROM job
WHERE job_type = %(type)s AND hostname = %(host)s AND state = 'running'
"""


def page(url: str) -> str:
    """What is wrong with a page; nothing where it answers with success."""
    try:
        # No proxy stands between a container and itself.
        build_opener(ProxyHandler({})).open(url, timeout=PATIENCE).close()
    except OSError as error:
        return f"{url}: {error}"
    return ""


def job(name: str, dsn: str, host: str) -> str:
    """What is wrong with a part of Airflow, by its last sign of life; nothing where that is recent.

    Args:
        name: As compose calls it.
        dsn: Airflow's database, as Airflow names it.
        host: Where the part runs, as Airflow enters it.
    """
    try:
        connecting = closing(psycopg2.connect(dsn.replace("+psycopg2", ""), connect_timeout=PATIENCE))
        with connecting as connection, connection.cursor() as cursor:
            cursor.execute(BEAT, {"type": JOBS[name], "host": host})
            [seconds] = cursor.fetchone() or (None,)
    except psycopg2.Error as error:
        return f"Airflow's database cannot be asked: {str(error).strip()}"
    if seconds is None:
        return f"the {name} gave no sign of life yet"
    return "" if seconds <= SILENT else f"the {name} has given no sign of life for {seconds:.0f} s"


def worker(broker: str, host: str) -> str:
    """What is wrong with a Celery worker; nothing where it answers over the queue."""
    from celery import Celery

    name = f"celery@{host}"
    with Celery(broker=broker) as asking:
        asking.conf.broker_transport_options = {"socket_connect_timeout": PATIENCE, "socket_timeout": PATIENCE}
        try:
            answers = asking.control.inspect(destination=[name], timeout=PATIENCE).ping()
        # Each kind of queue has errors of its own.
        except Exception as error:
            return f"the queue cannot be reached: {type(error).__name__}"
    return "" if answers else f"{name} does not answer"


def look(what: str, environment: Mapping[str, str], host: str) -> str:
    """What is wrong with a program of this container.

    Args:
        what: A URL, or the name of a part of Airflow.
        environment: Airflow's settings.
        host: This container.

    Returns:
        A sentence; empty where nothing is wrong.
    """
    if what in JOBS:
        return job(what, environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"], host)
    if what == "worker":
        return worker(environment["AIRFLOW__CELERY__BROKER_URL"], host)
    return page(what)


if __name__ == "__main__":
    sys.exit(look(sys.argv[1], os.environ, socket.gethostname()) or None)
