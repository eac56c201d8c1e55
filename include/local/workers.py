"""Workers: Celery's, which run the tasks where the scheduler only hands them out, and the broker they take them from.

`SLUICE_CELERY_WORKERS=2 make up` starts two, each with a temporary folder, a home of Airflow and a bento store of its
own, as two machines would have. Without it the scheduler runs the tasks itself.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from threading import Lock

from local.errors import StackError
from local.health import Health
from local.state import State

ASKED = "SLUICE_CELERY_WORKERS"
SLOTS = 2
"""How many tasks a worker runs at once."""
SERVER = "redis-server"
_IMPORTING = Lock()


def count() -> int:
    """How many workers whoever starts the stack asks for.

    Raises:
        StackError: They ask for something that is no number, or there is no broker for them.
    """
    text = os.environ.get(ASKED) or "0"
    if not text.isdecimal():
        raise StackError(f"{text!r} is no number of workers", ASKED, "use a number such as 2, or leave it out")
    if int(text) and shutil.which(SERVER) is None:
        raise StackError(f"there is no {SERVER} on this machine", ASKED, "install Redis, or leave the variable out")
    return int(text)


def names() -> list[str]:
    """The workers' names."""
    return [f"worker-{number}" for number in range(1, count() + 1)]


def broker(state: State) -> str:
    """The broker's address: a socket in a folder that is its owner's alone."""
    return f"redis+socket://{_socket(state)}"


def command(state: State) -> tuple[str, ...]:
    """Starts the broker; what waits in it outlives it."""
    place = ("--port", "0", "--unixsocket", str(_socket(state)), "--unixsocketperm", "700")
    return (SERVER, *place, "--dir", str(state.broker), "--appendonly", "yes", "--save", "")


def executor(state: State) -> dict[str, str]:
    """What every part of Airflow is told; nothing where there are no workers."""
    if not count():
        return {}
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": str(SLOTS * count()),
        "AIRFLOW__CELERY__BROKER_URL": broker(state),
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
        # A search on every slot.
        "SLUICE_SEARCH_WORKERS": str(SLOTS * count()),
    }


def disk(state: State, name: str) -> dict[str, str]:
    """What a worker keeps for itself."""
    own = state.worker(name)
    return {
        "AIRFLOW_HOME": str(own),
        "TMPDIR": str(own / "tmp"),
        "SLUICE_BENTO_STORE": str(own / "bentoml"),
        # The API server reads logs as files of its own machine, which this is.
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(state.log / "airflow"),
    }


def prepare(state: State) -> None:
    """Make the folders that the workers and the broker start in."""
    if count():
        state.broker.mkdir(exist_ok=True)
    for name in names():
        # Without it Python would take another one, without a word.
        (state.worker(name) / "tmp").mkdir(parents=True, exist_ok=True)


def broker_health(state: State, _: float) -> Health:
    """Whether the broker answers."""
    import redis

    try:
        with redis.Redis(unix_socket_path=str(_socket(state)), socket_timeout=5) as client:
            client.ping()
    except redis.RedisError as error:
        return Health(False, str(error))
    return Health(True)


def health(state: State, name: str, _: float) -> Health:
    """Whether a worker answers by way of the broker."""
    # Two threads that import it at once break it: it puts another module in its own place.
    with _IMPORTING:
        from celery import Celery

    with Celery(broker=broker(state), set_as_current=False) as app:
        answers = app.control.ping([f"{name}@celery"], timeout=2)
    return Health(bool(answers), "" if answers else "no answer yet")


def _socket(state: State) -> Path:
    return state.control.with_name("broker")
