"""An Airflow of this session, with an account of each role."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.conftest import chromium
from tests.conftest import Server
from tests.security.airflows import PEOPLE, ROLES, Airflow, password

__all__ = ["chromium"]


@pytest.fixture(scope="session")
def prepared(postgres_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    """A database of Airflow's that knows the DAGs, and the accounts that the stack makes."""
    made = Airflow(
        tmp_path_factory.mktemp("airflow"),
        postgres_server.create("airflow_with_roles"),
        postgres_server.create("warehouse_with_roles", "migrated"),
    )
    made.run("airflow", "db", "migrate")
    made.run("python", "-m", "local.accounts")
    made.run("airflow", "dags", "reserialize")
    return made


@pytest.fixture(scope="module", params=["fab", pytest.param("simple", marks=pytest.mark.soak)])
def airflow(
    request: pytest.FixtureRequest, prepared: Airflow, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Airflow]:
    """Airflow's web server, with either way to sign in."""
    server = Airflow(
        tmp_path_factory.mktemp(request.param), prepared.database, prepared.warehouse, manager=request.param
    )
    # What the one has encrypted, the other reads.
    server.environment["AIRFLOW__CORE__FERNET_KEY"] = prepared.environment["AIRFLOW__CORE__FERNET_KEY"]
    try:
        server.start()
        if server.manager == "fab":
            _add_people(server)
        yield server
    finally:
        server.stop()


def _add_people(server: Airflow) -> None:
    """Add accounts as the administrator does."""
    for who in PEOPLE:
        if who == "admin":
            continue
        person = {
            "username": who,
            "password": password(who),
            "email": f"{who}@example.org",
            "first_name": who,
            "last_name": who,
            "roles": [{"name": ROLES[who]}],
        }
        answer = server.ask("admin", "POST", "/auth/fab/v1/users", person)
        assert answer.status_code == 200, answer.text
