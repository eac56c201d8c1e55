"""New secrets for a stack that runs: what the old ones opened is closed, and what they locked can be read."""

from __future__ import annotations

import httpx
import pytest
from cryptography.fernet import Fernet

from tests.security.airflows import Airflow, password
from watcher import airflow as watched

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

HIDDEN = "the-word-of-the-store"


@pytest.fixture
def airflow(prepared: Airflow) -> Airflow:
    """The same installation, with values of its own."""
    made = Airflow(prepared.home, prepared.database, prepared.warehouse, port=prepared.port)
    made.__dict__["environment"] = dict(prepared.environment)
    return made


def test_connections_are_read_with_the_new_key_alone_once_they_are_encrypted_anew(airflow: Airflow) -> None:
    environment = airflow.environment
    airflow.run("airflow", "connections", "add", "store", "--conn-type", "http", "--conn-password", HIDDEN)
    old, new = environment["AIRFLOW__CORE__FERNET_KEY"], Fernet.generate_key().decode()

    environment["AIRFLOW__CORE__FERNET_KEY"] = f"{new},{old}"
    assert HIDDEN in airflow.run("airflow", "connections", "get", "store")
    airflow.run("airflow", "rotate-fernet-key")
    environment["AIRFLOW__CORE__FERNET_KEY"] = new
    assert HIDDEN in airflow.run("airflow", "connections", "get", "store")
    # The database is the session's: what reads it next has the old key.
    environment["AIRFLOW__CORE__FERNET_KEY"] = f"{old},{new}"
    airflow.run("airflow", "rotate-fernet-key")


def test_what_the_old_secret_signed_is_refused(airflow: Airflow) -> None:
    http = httpx.Client(timeout=60, trust_env=False)
    watching = watched.Airflow(http, airflow.url, "watcher", password("watcher"))
    try:
        airflow.start()
        assert airflow.ask("admin", "GET", "/api/v2/dags").status_code == 200
        assert watching.get("/dags")
        airflow.stop()
        airflow.environment["AIRFLOW__API_AUTH__JWT_SECRET"] = "signs-what-is-shown-from-now-on-" * 2
        airflow.start()
        refused = airflow.ask("admin", "GET", "/api/v2/dags")
        assert (refused.status_code, refused.json()["detail"]) == (403, "Invalid JWT token")
        airflow.tokens.clear()
        assert airflow.ask("admin", "GET", "/api/v2/dags").status_code == 200
        # It is not started anew, because the secret is not its own: it signs in again by itself.
        assert watching.get("/dags")
    finally:
        airflow.stop()
        http.close()


def test_a_new_password_of_the_administrator_opens_and_the_old_one_does_not(airflow: Airflow) -> None:
    said = airflow.run("python", "-m", "local.accounts", SLUICE_ADMIN_PASSWORD="another-word-of-admin")
    try:
        airflow.start()
        assert "admin (Admin): new password" in said
        assert "watcher (Viewer): as it was" in said
        assert "another-word-of-admin" not in said
        assert airflow.sign_in("admin").status_code == 401
        assert airflow.sign_in("admin", "another-word-of-admin").status_code == 201
        assert airflow.sign_in("watcher", password("watcher")).status_code == 201
    finally:
        airflow.stop()
        airflow.run("python", "-m", "local.accounts")
