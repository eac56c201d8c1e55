"""The warehouse, the registry and the disks."""

from __future__ import annotations

from pathlib import Path

import httpx
import psutil
import pytest

from local import postgres
from local.ports import free_port
from sluice.adapters.warehouse import Warehouse
from tests.unit.watcher.conftest import Answers
from watcher import places
from watcher.places import Disk
from watcher.sight import CannotTell

LINK = "http://watcher.test"


def test_a_warehouse_that_answers_is_well(warehouse: Warehouse) -> None:
    assert places.warehouse(warehouse.dsn, LINK).alerts == ()


def test_a_warehouse_that_does_not_answer_is_told_without_its_password() -> None:
    [alert] = places.warehouse(postgres.dsn(free_port(), "secret-word", "warehouse"), LINK).alerts

    assert (alert.cause, alert.kind, alert.use_case) == ("warehouse", "warehouse_down", "platform")
    assert "Connection refused" in alert.error
    assert "secret-word" not in repr(alert)


def test_a_registry_that_answers_is_well(http: httpx.Client, answers: Answers) -> None:
    answers.by_path["/health"] = "OK"

    assert places.registry(http, answers.url, LINK).alerts == ()


@pytest.mark.parametrize("answers_at_all", [True, False])
def test_a_registry_that_does_not_say_that_it_is_well_is_down(
    http: httpx.Client, answers: Answers, answers_at_all: bool
) -> None:
    url = answers.url if answers_at_all else f"http://127.0.0.1:{free_port()}"

    [alert] = places.registry(http, url, LINK).alerts

    assert (alert.cause, alert.kind) == ("registry", "registry_down")


def used(folder: Path) -> float:
    usage = psutil.disk_usage(str(folder))
    return usage.used / (usage.used + usage.free)


def test_a_disk_is_nearly_full_from_its_limit_on(tmp_path: Path) -> None:
    [alert] = Disk(tmp_path, used(tmp_path) - 0.001, LINK).look().alerts

    assert (alert.cause, alert.kind) == (f"disk:{tmp_path}", "disk_full")
    assert Disk(tmp_path, min(1, used(tmp_path) + 0.05), LINK).look().alerts == ()


def test_nobody_knows_of_a_disk_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotTell, match="No such file"):
        Disk(tmp_path / "gone", 0.9, LINK).look()
