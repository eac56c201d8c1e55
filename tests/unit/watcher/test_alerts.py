"""Prometheus' alerts about the watcher."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from watcher.page import metrics
from watcher.watch import Round

REPOSITORY = Path(__file__).resolve().parents[3]
SHIPPED = REPOSITORY / "include" / "prometheus" / "watcher-alerts.yml"
SCENES = Path(__file__).parent / "alerts.yml"


def rules() -> list[dict[str, Any]]:
    document = yaml.safe_load(SHIPPED.read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_reads_what_there_is_and_is_in_the_runbook(rule: dict[str, Any]) -> None:
    shown = set(re.findall(r"^# TYPE (\w+)", metrics(Round()).decode(), re.MULTILINE))

    assert set(re.findall(r"\bup\b|watcher_\w+", rule["expr"])) <= shown | {"up"}
    assert f"`{rule['alert']}`" in (REPOSITORY / "docs/operations.md").read_text()


@pytest.mark.prometheus
def test_alerts_fire_when_they_should_and_not_before(tmp_path: Path) -> None:
    shutil.copy(SHIPPED, tmp_path / "rules.yml")
    shutil.copy(SCENES, tmp_path / "scenes.yml")
    told = subprocess.run(["promtool", "test", "rules", "scenes.yml"], cwd=tmp_path, capture_output=True, text=True)

    assert told.returncode == 0, told.stdout + told.stderr
    assert {rule["alert"] for rule in rules()} == set(re.findall(r"alertname: (\w+)", SCENES.read_text()))
