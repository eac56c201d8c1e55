"""The workflows only say when which target of the Makefile runs, may do little, and hold no secret."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from croniter import croniter

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):.*##", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

every_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)


def document(path: Path) -> dict[str, Any]:
    # YAML takes the key `on` for true.
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506
    return found


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in document(path)["jobs"].values() for step in job["steps"]]


def test_they_are_workflows() -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, *map(str, WORKFLOWS)], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr


@every_workflow
def test_every_command_is_a_target_of_the_makefile(path: Path) -> None:
    commands = [step["run"] for step in steps(path) if "run" in step]

    assert commands
    for command in commands:
        words = command.split()
        # What a run was asked for with comes through the environment, never into the shell's own words.
        assert re.fullmatch(r"make [a-z-]+", command), f"{command!r} is more than a target"
        assert words[1] in TARGETS


@every_workflow
def test_every_action_is_pinned_by_its_commit(path: Path) -> None:
    used = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]

    assert all(re.fullmatch(r"- uses: [\w.-]+/[\w.-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+", line) for line in used), used


@every_workflow
def test_they_may_read_the_code_and_nothing_else(path: Path) -> None:
    workflow = document(path)

    assert workflow["permissions"] == {"contents": "read"}
    assert not [name for name, job in workflow["jobs"].items() if "permissions" in job]
    assert "pull_request_target" not in workflow["on"]
    for step in steps(path):
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] == "false"


@every_workflow
def test_none_runs_for_ever_or_beside_itself(path: Path) -> None:
    workflow = document(path)

    assert workflow["concurrency"]["group"]
    assert all(int(job["timeout-minutes"]) < 360 for job in workflow["jobs"].values())


@every_workflow
def test_a_secret_is_only_named_and_only_where_it_is_needed(path: Path) -> None:
    workflow = document(path)
    named = [
        (name, value)
        for where in (*workflow["jobs"].values(), *steps(path))
        for name, value in where.get("env", {}).items()
        if re.search(r"PASSWORD|SECRET|TOKEN|KEY|REGISTRY_USER|AIRFLOW_USER", name)
    ]

    assert all(value == f"${{{{ secrets.{name} }}}}" for name, value in named), named
    assert "secrets." not in str(workflow.get("env", ""))
    # A pull request's code is anybody's.
    assert not (named and "pull_request" in workflow["on"])


@every_workflow
def test_every_schedule_is_one(path: Path) -> None:
    on = document(path)["on"]
    crons = [each["cron"] for each in on.get("schedule", [])] if isinstance(on, dict) else []

    assert all(croniter.is_valid(cron) for cron in crons)


def test_what_a_change_must_pass_is_linted_tested_with_coverage_and_run() -> None:
    [check] = [path for path in WORKFLOWS if path.stem == "check"]

    assert {"make check", "make unit", "make integration"} <= {step.get("run") for step in steps(check)}
    assert "pull_request" in document(check)["on"]
