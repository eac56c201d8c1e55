"""The programs' environment: what a person's shell holds cannot change the stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import environment, ports
from local.addresses import Addresses
from local.credentials import generate
from local.state import State


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> Addresses:
    monkeypatch.delenv("SLUICE_OBJECT_STORE", raising=False)
    return Addresses(ports.expected(["housing"]), generate(), ("housing",))


@pytest.mark.parametrize(
    "name", ["AIRFLOW_HOME", "AIRFLOW__CORE__EXECUTOR", "MLFLOW_TRACKING_URI", "PYTHONDONTWRITEBYTECODE", "PGHOST"]
)
def test_a_variable_that_programs_take_orders_from_stays_outside(name: str) -> None:
    assert environment.inherited({name: "x", "HTTPS_PROXY": "y"}) == {"HTTPS_PROXY": "y"}


def test_tasks_find_everything_by_the_names_that_sluice_reads(tmp_path: Path, addresses: Addresses) -> None:
    variables = environment.airflow(State(tmp_path), addresses)

    assert variables["SLUICE_WAREHOUSE_DSN"] == addresses.document()["warehouse"]
    assert variables["SLUICE_OPTUNA_DSN"] == addresses.document()["optuna"]
    assert variables["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"
    assert variables["SLUICE_OBJECT_STORE"] == f"file://{tmp_path}/store"
    assert variables["AIRFLOW_CONN_SMTP_DEFAULT"].startswith("smtp://127.0.0.1:2525/?disable_ssl=true")


def test_a_bucket_holds_what_the_folders_would(
    tmp_path: Path, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_OBJECT_STORE", "s3://acme/sluice")
    state = State(tmp_path)

    told = environment.airflow(state, addresses), environment.serving(state, addresses, "housing")
    assert {variables["SLUICE_OBJECT_STORE"] for variables in told} == {"s3://acme/sluice"}
    assert environment.artifacts(state) == "s3://acme/sluice/mlflow"


@pytest.mark.parametrize(("named", "found"), [("docker", "docker"), ("", "none"), (None, "none")])
def test_tasks_build_images_with_the_engine_that_whoever_starts_the_stack_names(
    tmp_path: Path, addresses: Addresses, monkeypatch: pytest.MonkeyPatch, named: str | None, found: str
) -> None:
    monkeypatch.delenv("SLUICE_CONTAINER_ENGINE", raising=False)
    if named is not None:
        monkeypatch.setenv("SLUICE_CONTAINER_ENGINE", named)

    assert environment.airflow(State(tmp_path), addresses)["SLUICE_CONTAINER_ENGINE"] == found


def test_a_model_server_gets_no_secret_of_airflow(tmp_path: Path, addresses: Addresses) -> None:
    variables = environment.serving(State(tmp_path), addresses, "housing")

    secrets = {addresses.credentials.fernet_key, addresses.credentials.jwt_secret, addresses.credentials.admin}
    assert not secrets & set(variables.values())
    assert variables["SLUICE_USE_CASE"] == "housing"


def test_the_watcher_may_look_at_everything_and_change_nothing(tmp_path: Path, addresses: Addresses) -> None:
    variables = environment.watcher(State(tmp_path), addresses)

    own = addresses.credentials
    assert not {own.fernet_key, own.jwt_secret, own.api_secret, own.admin} & set(variables.values())
    assert variables["SLUICE_WATCHER_AIRFLOW_PASSWORD"] == own.viewer
    assert variables["SLUICE_WATCHER_SERVING"] == "housing=http://127.0.0.1:3000"
    assert variables["SLUICE_WATCHER_DISKS"] == str(tmp_path)
    assert not [name for name, value in variables.items() if '"' in value], "the supervisor knows no escape for it"


def test_whoever_starts_the_stack_can_set_the_watcher(
    tmp_path: Path, addresses: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_WATCHER_PATIENCE", "20")

    assert environment.watcher(State(tmp_path), addresses)["SLUICE_WATCHER_PATIENCE"] == "20"


@pytest.mark.parametrize(("said", "access"), [(None, "open"), ("", "open"), ("keys", "keys")])
def test_a_model_server_of_this_machine_is_open_unless_somebody_tries_out_keys(
    tmp_path: Path, addresses: Addresses, monkeypatch: pytest.MonkeyPatch, said: str | None, access: str
) -> None:
    monkeypatch.delenv("SLUICE_ACCESS", raising=False)
    if said is not None:
        monkeypatch.setenv("SLUICE_ACCESS", said)
    variables = environment.serving(State(tmp_path), addresses, "housing")

    assert variables["SLUICE_ACCESS"] == access
    assert variables["SLUICE_API_KEYS"] == str(State(tmp_path).keys)


def test_nothing_reports_its_use(tmp_path: Path) -> None:
    assert environment.SILENT.items() <= environment.common(State(tmp_path)).items()
