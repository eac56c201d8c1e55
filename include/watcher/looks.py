"""The looks: everything that is watched, as the settings have it."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from sluice import registry
from sluice.adapters.warehouse import Warehouse
from sluice.settings import Settings
from watcher import airflow, places, serving
from watcher.airflow import PARTS, Airflow
from watcher.places import Disk
from watcher.serving import Deployed, Drops
from watcher.settings import Watching
from watcher.sight import CannotTell, Look, off

NO_LOGIN = "needs SLUICE_WATCHER_AIRFLOW_USER and SLUICE_WATCHER_AIRFLOW_PASSWORD"
ROOTS = ("warehouse", "airflow")


def looks(
    own: Watching,
    shared: Settings,
    http: httpx.Client,
    warehouse: Warehouse,
    deployed: Deployed,
    told: Callable[[], tuple[str, ...]],
) -> tuple[Look, ...]:
    """All of them, what explains others first.

    Args:
        own: The watcher's settings.
        shared: Everybody's.
        http: Asks.
        warehouse: The one that is watched.
        deployed: What should answer.
        told: Gives the causes that people know of.
    """
    server = Airflow(http, own.airflow or shared.airflow_url, own.airflow_user, own.airflow_password.get_secret_value())
    page = own.page
    return (
        Look("warehouse", "warehouse", lambda: places.warehouse(shared.warehouse_dsn, page)),
        Look("airflow", "airflow", lambda: airflow.server(server, page), after=("warehouse",)),
        *_parts(own, shared, server),
        *_with_login(own, shared, server, told),
        Look("registry", "registry", lambda: places.registry(http, shared.tracking_uri, page), after=("warehouse",)),
        *(_ready(http, name, url, deployed) for name, url in sorted(own.serving.items())),
        Look(
            "serving by heartbeats",
            "serving:",
            lambda: serving.beating(warehouse, own.patience, _known(shared) - frozenset(own.serving), page),
            after=("warehouse",),
            patience=0,
            others=frozenset(f"serving:{name}" for name in own.serving),
        ),
        *(_drops(own, http, name, url) for name, url in sorted(own.serving.items())),
        *(_disk(own, disk) for disk in (Disk(folder, own.disk_full, own.page) for folder in own.disks)),
    )


def _known(shared: Settings) -> frozenset[str]:
    """The use cases that have a spec: of one whose folder was removed, nothing is expected any more."""
    names = frozenset(path.parent.name for path in shared.use_cases.glob(f"*/{registry.SPEC_FILE}"))
    if not names:
        raise CannotTell(f"there is no use case in {shared.use_cases}; SLUICE_USE_CASES names their folder")
    return names


def _parts(own: Watching, shared: Settings, server: Airflow) -> tuple[Look, ...]:
    link = shared.airflow_url.rstrip("/")

    def part(name: str) -> Look:
        # The age of a sign of life has been patience enough.
        return Look(name, name, lambda: airflow.part(server, name, own.patience, link), after=ROOTS, patience=0)

    return tuple(part(name) for name in PARTS)


def _with_login(
    own: Watching, shared: Settings, server: Airflow, told: Callable[[], tuple[str, ...]]
) -> tuple[Look, ...]:
    link = shared.airflow_url.rstrip("/")

    def known() -> frozenset[str]:
        return _known(shared)

    if not server.has_login:
        names = {"late runs": "deadline:", "tasks that nobody takes": "worker:", "DAG files": "import:"}
        return tuple(off(name, causes, NO_LOGIN) for name, causes in names.items())
    return (
        Look(
            "late runs",
            "deadline:",
            lambda: airflow.overdue(server, own.late, link, known),
            after=(*ROOTS, "scheduler", "dag_processor"),
            every=6 * own.interval,
        ),
        Look(
            "tasks that nobody takes",
            "worker:",
            lambda: airflow.untaken(server, own.late, link),
            after=(*ROOTS, "scheduler"),
            every=6 * own.interval,
        ),
        Look(
            "DAG files",
            "import:",
            lambda: airflow.unreadable(server, link, told),
            after=(*ROOTS, "dag_processor"),
            patience=0,
            starts=False,
            every=3 * own.interval,
        ),
    )


def _ready(http: httpx.Client, use_case: str, url: str, deployed: Deployed) -> Look:
    return Look(f"serving {use_case}", f"serving:{use_case}", lambda: serving.ready(http, use_case, url, deployed))


def _drops(own: Watching, http: httpx.Client, use_case: str, url: str) -> Look:
    drops = Drops(http, use_case, url, own.api_key.get_secret_value(), own.calm)
    return Look(f"log of {use_case}", f"log:{use_case}", drops.look, patience=0, starts=False)


def _disk(own: Watching, disk: Disk) -> Look:
    return Look(f"disk {disk.folder}", f"disk:{disk.folder}", disk.look, patience=0, starts=False)
