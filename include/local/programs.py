"""The programs of the stack: how each is started, what it waits for, how to ask whether it works."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

from local import environment, health, workers
from local.addresses import Addresses
from local.health import Health
from local.postgres import Cluster
from local.state import REPOSITORY, State

PLUGINS = str(REPOSITORY / "plugins")
OWN = str(REPOSITORY / "include")
PRELOADING = str(REPOSITORY / "include" / "local" / "scheduler")
"""Where whatever forks the tasks' processes finds what to import before: the scheduler, or the workers."""


@dataclass(frozen=True)
class Program:
    """One supervised program."""

    name: str
    command: tuple[str, ...]
    check: Callable[[float], Health]
    """Asks for its health; takes when it was started, in seconds since the epoch."""
    after: tuple[str, ...] = ()
    """Programs and preparations that must be done before it starts."""
    environment: Mapping[str, str] = field(default_factory=dict)
    python_path: str = ""
    url: str = ""
    stop_signal: str = "TERM"
    stop_group: bool = True
    """Whether the whole process group is told to stop, not only its leader."""
    patience: int = 10
    """Seconds it may take to stop."""


def programs(state: State, addresses: Addresses, cluster: Cluster) -> tuple[Program, ...]:
    """Everything that runs, in the order in which it is shown."""
    serving = (_serving(state, addresses, name) for name in addresses.use_cases)
    return (
        _postgres(addresses, cluster),
        _mlflow(state, addresses),
        _mail(state, addresses),
        *_airflow(state, addresses),
        *_workers(state, addresses),
        *serving,
        _watcher(state, addresses),
    )


def _postgres(addresses: Addresses, cluster: Cluster) -> Program:
    port = addresses.ports["postgres"]
    dsn = addresses.database("postgres")
    return Program(
        name="postgres",
        command=cluster.command(port),
        check=lambda _: health.database(dsn),
        after=("cluster",),
        url=f"127.0.0.1:{port}",
        # Fast shutdown: connections are closed, nothing is lost, no recovery at the next start.
        stop_signal="INT",
        stop_group=False,
        patience=60,
    )


def _mlflow(state: State, addresses: Addresses) -> Program:
    options = {
        "--artifacts-destination": environment.artifacts(state),
        "--host": "127.0.0.1",
        "--port": str(addresses.ports["mlflow"]),
        "--workers": "1",
    }
    arguments = (part for pair in options.items() for part in pair)
    return Program(
        name="mlflow",
        command=(sys.executable, "-m", "mlflow", "server", *arguments),
        check=lambda _: health.page(f"{addresses.mlflow}/health"),
        after=("mlflow tables",),
        environment={
            # Not an option of the command, whose line everybody on the machine can read.
            "MLFLOW_BACKEND_STORE_URI": addresses.database("mlflow"),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        url=addresses.mlflow,
    )


def _mail(state: State, addresses: Addresses) -> Program:
    smtp, inbox = addresses.ports["smtp"], addresses.ports["inbox"]
    return Program(
        name="mail",
        command=(sys.executable, "-m", "local.inbox", str(state.mail), str(smtp), str(inbox)),
        check=lambda _: health.mail(smtp, addresses.inbox),
        python_path=OWN,
        url=addresses.inbox,
    )


def _airflow(state: State, addresses: Addresses) -> tuple[Program, ...]:
    variables = environment.airflow(state, addresses)

    def part(name: str, check: Callable[[float], Health], after: tuple[str, ...], *arguments: str) -> Program:
        command = (sys.executable, "-m", "airflow", name, *arguments)
        url = addresses.airflow if name == "api-server" else ""
        path = f"{PLUGINS}:{PRELOADING}" if name == "scheduler" and not workers.count() else PLUGINS
        return Program(name, command, check, after, variables, path, url)

    def beat(component: str) -> Callable[[float], Health]:
        return partial(health.component, addresses.airflow, component)

    # Logs are files of this machine, which the API server reads itself: nobody needs the servers for them.
    quiet = "--skip-serve-logs"
    return (
        part(
            "api-server",
            lambda _: health.page(f"{addresses.airflow}/api/v2/monitor/health"),
            ("airflow tables",),
        ),
        # Not after the API server, which its tasks need: importing what they need takes the scheduler longer.
        part("scheduler", beat("scheduler"), ("airflow tables", "warehouse tables"), quiet),
        part("dag-processor", beat("dag_processor"), ("api-server",)),
        part("triggerer", beat("triggerer"), ("api-server",), quiet),
    )


def _workers(state: State, addresses: Addresses) -> tuple[Program, ...]:
    names = workers.names()
    if not names:
        return ()
    options = ("--skip-serve-logs", "--without-mingle", "--without-gossip")
    return (
        Program("redis", workers.command(state), partial(workers.broker_health, state), ("cluster",)),
        *(
            Program(
                name=name,
                command=(sys.executable, "-m", "airflow", "celery", "worker", "-H", f"{name}@celery", *options),
                check=partial(workers.health, state, name),
                after=("redis", "airflow tables", "warehouse tables"),
                environment=environment.airflow(state, addresses) | workers.disk(state, name),
                python_path=f"{PLUGINS}:{PRELOADING}",
            )
            for name in names
        ),
    )


def _serving(state: State, addresses: Addresses, use_case: str) -> Program:
    port = str(addresses.ports[f"serving_{use_case}"])
    return Program(
        name=f"serving-{use_case}",
        command=(sys.executable, "-m", "local.serve", use_case, port),
        check=lambda _: health.model(addresses.serving(use_case)),
        after=("mlflow", "warehouse tables"),
        environment=environment.serving(state, addresses, use_case),
        python_path=f"{OWN}:{PLUGINS}",
        url=addresses.serving(use_case),
        # BentoML's own master tells its workers, after the requests in flight.
        stop_group=False,
    )


def _watcher(state: State, addresses: Addresses) -> Program:
    watched = ("api-server", "scheduler", "dag-processor", "triggerer", "mlflow", "mail", "warehouse tables")
    return Program(
        name="watcher",
        command=(sys.executable, "-m", "watcher"),
        check=lambda _: health.page(f"{addresses.watcher}/livez"),
        after=(*watched, *(f"serving-{name}" for name in addresses.use_cases)),
        environment=environment.watcher(state, addresses),
        python_path=f"{OWN}:{PLUGINS}",
        url=addresses.watcher,
    )
