"""The model servers' file is made of the use cases that there are; a use case keeps its port."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from local import compose
from local.state import REPOSITORY
from sluice.domain.use_case import UseCase

SHIPPED = REPOSITORY / compose.FILE


def test_the_file_that_ships_is_that_of_the_use_cases_that_ship(use_cases: tuple[UseCase, ...]) -> None:
    text = SHIPPED.read_text(encoding="utf-8")

    assert text == compose.document([each.name for each in use_cases], compose.published(text)), (
        "run PYTHONPATH=include:plugins .venv/bin/python -m local.compose"
    )


def test_each_use_case_has_a_server_that_the_watcher_knows(use_cases: tuple[UseCase, ...]) -> None:
    services = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["services"]
    watched = services["watcher"]["environment"]["SLUICE_WATCHER_SERVING"].split(",")

    assert {f"serving-{each.name}" for each in use_cases} == set(services) - {"watcher"}
    assert watched == [f"{name}=http://serving-{name}:3000" for name in sorted(each.name for each in use_cases)]


def test_a_use_case_keeps_its_port_whoever_comes_and_goes(tmp_path: Path) -> None:
    path = tmp_path / compose.FILE
    compose.write(path, ["loan", "wine"])

    assert compose.write(path, ["churn_2", "wine"])

    assert compose.published(path.read_text(encoding="utf-8")) == {"wine": 3001, "churn_2": 3000}


def test_what_is_as_it_must_be_is_not_written_again(tmp_path: Path) -> None:
    path = tmp_path / compose.FILE
    compose.write(path, ["loan"])

    assert not compose.write(path, ["loan"])


@pytest.mark.parametrize("name", ["docker-compose.yaml", compose.FILE, "compose.socket.yaml"])
def test_compose_1_and_2_read_the_file(name: str) -> None:
    """The first refuses a name at the top, the second reads what the specification allows."""
    path = REPOSITORY / name
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    checking = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(checking, capture_output=True, text=True, check=False)

    assert {key for key in document if not key.startswith("x-")} <= {"services", "networks", "volumes"}
    assert done.returncode == 0, done.stdout


def test_the_images_packages_are_of_the_lock_and_none_is_a_tool() -> None:
    locked = _versions(REPOSITORY / "requirements.txt")
    packed = _versions(REPOSITORY / "include" / "images" / "requirements.txt")

    assert packed.items() <= locked.items(), "run make lock"
    assert {"apache-airflow", "mlflow", "bentoml", "redis"} <= set(packed)
    assert not {"pytest", "ruff", "mypy", "playwright", "moto"} & set(packed)


@pytest.mark.parametrize("name", ["airflow", "serving"])
def test_images_are_built_with_the_installer_of_the_lock(name: str) -> None:
    text = (REPOSITORY / "include" / "images" / f"{name}.Dockerfile").read_text(encoding="utf-8")

    assert f"ARG UV={_versions(REPOSITORY / 'requirements.txt')['uv']}\n" in text


def _versions(lock: Path) -> dict[str, str]:
    """Each package's version; of a package with several, one line per marker, all of them."""
    found: dict[str, list[str]] = {}
    for line in lock.read_text(encoding="utf-8").splitlines():
        name, pinned, version = line.removesuffix(" \\").partition("==")
        if pinned and not line.startswith((" ", "#")):
            found.setdefault(name, []).append(version.strip())
    return {name: " | ".join(versions) for name, versions in found.items()}


def test_what_the_shell_says_otherwise_than_the_file_is_named() -> None:
    text = "a: ${SLUICE_ENGINE:-buildah}\nb: ${SLUICE_SLOTS}\nc: ${SLUICE_KEY:?missing}\nd: ${HOME}\n"
    shell = {"SLUICE_ENGINE": "docker", "SLUICE_SLOTS": "2", "SLUICE_KEY": "", "SLUICE_VAR": "var", "HOME": "/root"}

    assert compose.overruled(text, shell, {"SLUICE_SLOTS": "2", "SLUICE_KEY": "secret"}) == ["SLUICE_ENGINE"]
