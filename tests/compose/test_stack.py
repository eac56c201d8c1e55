"""The stack in containers: up to healthy, rows to a live answer on its workers, parts of it killed, down to nothing.

The tests work with one stack, in their order.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local import secrets
from local.containers import ENDING, log
from local.runs import Airflow, Run
from sluice.domain.use_case import UseCase
from tests.compose import stack as stacks
from tests.compose.stack import Containers, until

pytestmark = [pytest.mark.compose, pytest.mark.timeout(1500)]

Say = Callable[[str], None]

DATABASES = (
    "SLUICE_AIRFLOW_DB_PASSWORD",
    "SLUICE_MLFLOW_DB_PASSWORD",
    "SLUICE_OPTUNA_DB_PASSWORD",
    "SLUICE_WAREHOUSE_DB_PASSWORD",
    "SLUICE_SERVING_DB_PASSWORD",
    "SLUICE_WATCHER_DB_PASSWORD",
)
STORE = ("SLUICE_S3_ACCESS_KEY", "SLUICE_S3_SECRET_KEY")
WORK = ("SLUICE_OPTUNA_DB_PASSWORD", "SLUICE_WAREHOUSE_DB_PASSWORD", *STORE)
METADATA = ("SLUICE_AIRFLOW_DB_PASSWORD", "SLUICE_FERNET_KEY")
QUEUE = ("SLUICE_AIRFLOW_DB_PASSWORD", "SLUICE_REDIS_PASSWORD")
ACCOUNTS = ("SLUICE_ADMIN_PASSWORD", "SLUICE_WATCHER_AIRFLOW_PASSWORD", "SLUICE_WATCHER_API_KEY")
SERVING = ("SLUICE_SERVING_DB_PASSWORD", "SLUICE_HASH_KEY", *STORE)
#: What each container is given; whoever breaks into it learns no other secret.
KNOWN = {
    "postgres": ("POSTGRES_PASSWORD",),
    "redis": ("SLUICE_REDIS_PASSWORD",),
    "database-init": ("POSTGRES_PASSWORD", *DATABASES),
    "airflow-init": ("SLUICE_JWT_SECRET", "SLUICE_MLFLOW_DB_PASSWORD", *METADATA, *WORK, *ACCOUNTS),
    "api-server": ("SLUICE_JWT_SECRET", "SLUICE_API_SECRET", *METADATA, *WORK),
    "scheduler": ("SLUICE_JWT_SECRET", *METADATA, *QUEUE),
    "dag-processor": (*METADATA, *WORK),
    "triggerer": METADATA,
    "worker": (*QUEUE, *WORK),
    "builder": (*QUEUE, *WORK),
    "mlflow": ("SLUICE_MLFLOW_DB_PASSWORD",),
    "watcher": ("SLUICE_WATCHER_DB_PASSWORD", "SLUICE_WATCHER_AIRFLOW_PASSWORD", "SLUICE_WATCHER_API_KEY"),
    "prometheus": ("SLUICE_WATCHER_API_KEY",),
    "mail": (),
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Containers]:
    """A stack with two workers, up and healthy."""
    stack = stacks.copied(tmp_path_factory.mktemp("compose") / "sluice")
    try:
        begin = time.monotonic()
        print(stack.make("images")[-400:])
        print(f"images {time.monotonic() - begin:.0f} s", flush=True)
        begin = time.monotonic()
        print(stack.make("compose-up", "WORKERS=2")[-3000:])
        print(f"up {time.monotonic() - begin:.0f} s", flush=True)
        stack.seed("builder", "python:3.11-slim")
        yield stack
    finally:
        stack.make("compose-down", "VOLUMES=1")


@pytest.fixture(scope="module")
def promoted(stack: Containers) -> dict[str, Any]:
    """The decision about the first candidate, whose rows and model came through the workers."""
    with stack.airflow() as airflow:
        for stage, conf in (("ingest", {}), ("train", {"trials": 4})):
            run = stack.finish(airflow, stack.start(airflow, f"housing_{stage}", **conf))
            print(f"{stage} {run.seconds:.0f} s", flush=True)
        promotion = stack.finish(airflow, airflow.started_by(run, "housing_promote"))
        print(f"promote {promotion.seconds:.0f} s", flush=True)
        tasks = [task for task in (*airflow.instances(run), *airflow.instances(promotion)) if task["hostname"]]
    [decision] = stack.rows("SELECT * FROM ml.decisions WHERE use_case = 'housing'")
    return decision | {"tasks": tasks}


@pytest.fixture(scope="module")
def key(stack: Containers) -> str:
    """A key of the model servers."""
    return stack.within("api-server", "python", "-m", "local.keys", "make", "alice").strip()


def test_compose_refuses_to_start_without_secrets(tmp_path: Path) -> None:
    for name in stacks.FILES:
        (tmp_path / name).write_text((stacks.REPOSITORY / name).read_text(encoding="utf-8"), encoding="utf-8")
    bare = Containers(tmp_path, "bare", {})

    done = subprocess.run(
        [*bare.command, "config"], cwd=tmp_path, env=bare.environment, capture_output=True, text=True, check=False
    )

    assert done.returncode != 0
    assert "run make secrets" in done.stderr + done.stdout


def test_everything_works_and_what_prepares_it_has_ended(stack: Containers) -> None:
    found = stack.all()

    assert {each.service for each in found} == {*KNOWN, "serving-housing", "serving-loan", "serving-phishing"}
    assert len([each for each in found if each.service == "worker"]) == 2
    assert [each.words for each in found if not each.works] == []
    assert {each.health for each in found if not each.service.endswith(ENDING)} == {"healthy"}


def test_rows_become_a_promoted_release_on_the_workers(promoted: dict[str, Any]) -> None:
    assert promoted["code"] == "promote"
    assert {task["queue"] for task in promoted["tasks"]} == {"default", "builds"}
    assert len({task["hostname"] for task in promoted["tasks"]}) >= 2


def test_the_promotion_builds_its_image_without_an_engine(stack: Containers, promoted: dict[str, Any]) -> None:
    notes = [note for part in promoted["evidence"] for note in part["notes"]]
    [release] = stack.rows("SELECT image FROM ml.releases WHERE use_case = 'housing'")
    about = json.loads(stack.within("builder", "buildah", "inspect", "--type", "image", release["image"]))

    assert "started as a process: buildah built the image and runs none" in notes
    assert about["OCIv1"]["config"]["Labels"]["org.opencontainers.image.version"] == str(promoted["version"])


def test_the_serving_container_answers_with_the_promoted_release(
    stack: Containers, promoted: dict[str, Any], key: str, housing: UseCase
) -> None:
    answer = until(lambda: ask(stack, housing, key), "an answer")

    assert answer["model_version"] == promoted["version"]
    # Logged by a role that may do nothing else.
    until(lambda: stack.rows("SELECT use_case FROM serving.answers LIMIT 1"), "the prediction's row")


def test_nobody_is_answered_without_a_key(stack: Containers, promoted: dict[str, Any], housing: UseCase) -> None:
    url = f"{stack.url('HOUSING')}/api/v1/predict"

    assert httpx.post(url, json={"instances": [housing.serving.example]}, trust_env=False).status_code == 401


def test_the_log_of_a_task_on_a_worker_is_read_in_the_page(stack: Containers, promoted: dict[str, Any]) -> None:
    with stack.airflow() as airflow:
        run = Run("housing_promote", promoted["dag_run_id"], "success")
        [task] = [each for each in airflow.tasks(run) if each.task_id == "decide_promotion"]
        said = airflow.log(run, task)

    assert any("promote" in line for line in said), said


def test_a_failing_task_is_mailed(stack: Containers, promoted: dict[str, Any]) -> None:
    with stack.airflow() as airflow:
        stack.start(airflow, "housing_ingest", sorce="no/such/file.csv")

    def mail() -> list[dict[str, Any]]:
        wanted = ("housing", "ingest", "failed")
        return [each for each in stack.mails() if all(word in each["subject"] for word in wanted)]

    assert "source" in until(mail, "the mail of the failed task", 120)[0]["text"]


def test_prometheus_scrapes_every_server_and_the_watcher(stack: Containers, promoted: dict[str, Any]) -> None:
    def up() -> bool:
        targets = httpx.get(f"{stack.url('PROMETHEUS')}/api/v1/targets", trust_env=False).json()["data"]
        health = [(each["labels"]["job"], each["health"]) for each in targets["activeTargets"]]
        return sorted(health) == [("sluice", "up")] * 3 + [("sluice-watcher", "up")]

    until(up, "every target up", 90)


def test_a_backup_brings_an_empty_stack_to_the_same_answers(
    stack: Containers, promoted: dict[str, Any], key: str, housing: UseCase, say: Say
) -> None:
    before = until(lambda: ask(stack, housing, key), "an answer")
    begin = time.monotonic()
    stack.compose("run", "--rm", "-T", "backup")
    taken = time.monotonic() - begin
    [backup] = stack.compose("run", "--rm", "-T", "--entrypoint", "ls", "backup", "/sluice/backups").split()
    stack.empty(kept="backups")
    begin = time.monotonic()
    stack.compose("up", "--detach", "postgres", "database-init")
    stack.compose("run", "--rm", "-T", "restore", f"/sluice/backups/{backup}")
    restored = time.monotonic() - begin
    stack.make("compose-up", "WORKERS=2")
    after = until(lambda: ask(stack, housing, key), "an answer")
    stack.seed("builder", "python:3.11-slim")
    say(f"backup of the stack in containers: {taken:.0f} s; restored onto empty volumes: {restored:.0f} s")

    assert after["model_version"] == before["model_version"] == promoted["version"]
    assert said(after) == said(before)
    assert len(stack.rows("SELECT 1 FROM ml.decisions WHERE use_case = 'housing'")) == 1


def test_a_run_goes_on_although_a_worker_redis_and_postgres_are_killed(
    stack: Containers, promoted: dict[str, Any], key: str, housing: UseCase, say: Say
) -> None:
    workers = {about["Config"]["Hostname"]: about for about in stack.inspected(*names(stack, "worker"))}
    [redis], [postgres] = names(stack, "redis"), names(stack, "postgres")
    begin = time.monotonic()
    with stack.airflow() as airflow:
        run = stack.start(airflow, "housing_train", trials=30, again=True)
        killed = workers[until(lambda: searching(airflow, run), "a search under way", 240)]
        # From outside, as the kernel does when memory is short: the engine starts it again.
        os.kill(killed["State"]["Pid"], signal.SIGKILL)
        for service in (redis, postgres):
            stack.engine("restart", service)
        assert airflow.run(run.dag_id, run.run_id).state == "running"
        stack.finish(airflow, run)
        tries = {task["map_index"]: task["try_number"] for task in searches(airflow, run)}
    say(f"a run with a worker, Redis and Postgres killed: {time.monotonic() - begin:.0f} s, tries {tries}")

    assert max(tries.values()) > 1
    assert stack.inspected(killed["Id"])[0]["RestartCount"] >= 1
    until(lambda: all(each.works for each in stack.all()), "everything works again", 180)
    assert until(lambda: ask(stack, housing, key), "an answer")["predictions"]


def test_each_container_knows_the_secrets_that_it_needs_and_no_other(stack: Containers) -> None:
    for each in stack.all():
        known = secrets.leaks(repr(stack.inspected(each.name)), stack.secrets)

        assert set(known) <= set(KNOWN.get(each.service, SERVING)), each.name
        assert each.service == "mail" or known, each.name


def test_no_log_and_no_image_holds_a_secret(stack: Containers, promoted: dict[str, Any]) -> None:
    for each in stack.all():
        assert secrets.leaks(log(each.name), stack.secrets) == (), f"the log of {each.name}"
    # The mail catcher's address has no password in it.
    values = [value for name, value in stack.secrets.items() if name in secrets.NAMES and name != "SLUICE_SMTP"]
    logs = ["exec", "--interactive", stack.of("api-server")[0].name]
    assert searched(logs, ["housing_promote"], "/sluice/var/log"), "the search finds what is there"
    assert searched(logs, values, "/sluice/var/log") == [], "the logs of the tasks"
    for image in {each["Config"]["Image"] for each in stack.inspected(*(c.name for c in stack.all()))}:
        built = stack.engine("history", "--no-trunc", image) + stack.engine("image", "inspect", image)
        assert secrets.leaks(built, stack.secrets) == (), image
        if image.startswith("sluice-"):
            run = ["run", "--rm", "--interactive", "--network", "none", "--user", "0", "--entrypoint", "", image]
            assert searched(run, values, "/sluice", "/home", "/root", "/etc", "/opt") == [], image


def test_nothing_runs_as_root_or_could_become_it(stack: Containers) -> None:
    for each in stack.all():
        about = stack.inspected(each.name)[0]
        host = about["HostConfig"]

        assert about["Config"]["User"] not in ("", "0", "root"), each.name
        if each.state == "running":
            rows = [line.split() for line in stack.engine("top", each.name, "-eo", "pid,uid").splitlines()[1:]]
            assert "0" not in {user for _, user in rows}, each.name
        assert host["ReadonlyRootfs"], each.name
        assert host["CapDrop"] == ["ALL"], each.name
        # The builder maps users into user namespaces of its own, by two programs that may do that and nothing else.
        maps = each.service == "builder"
        assert {name.removeprefix("CAP_") for name in host["CapAdd"] or ()} == ({"SETUID", "SETGID"} if maps else set())
        assert maps or "no-new-privileges:true" in host["SecurityOpt"], each.name
        assert host["Memory"] > 0, each.name
        assert host["PidsLimit"] > 0, each.name
        assert host["LogConfig"]["Config"]["max-size"], each.name
        assert not any("docker.sock" in mount["Source"] for mount in about["Mounts"]), each.name


def test_databases_are_reached_from_inside_alone_and_the_rest_from_this_machine_alone(stack: Containers) -> None:
    for each in stack.all():
        about = stack.inspected(each.name)[0]
        ports = [place for places in about["HostConfig"]["PortBindings"].values() for place in places]
        networks = set(about["NetworkSettings"]["Networks"])

        assert {place["HostIp"] for place in ports} <= {"127.0.0.1"}, each.name
        if each.service in ("postgres", "redis"):
            assert networks == {f"{stack.project}_internal"}
            assert not ports
    assert stack.inspected(f"{stack.project}_internal")[0]["Internal"]


def test_images_say_what_they_were_built_from(stack: Containers) -> None:
    for name in ("sluice-airflow", "sluice-serving"):
        labels = stack.inspected(name)[0]["Config"]["Labels"]

        assert labels["org.opencontainers.image.version"] == "0.1.0"
        assert labels["org.opencontainers.image.revision"]


def test_down_with_its_volumes_leaves_nothing(stack: Containers) -> None:
    stack.make("compose-down", "VOLUMES=1")

    assert stack.leftovers() == {}


def ask(stack: Containers, housing: UseCase, key: str) -> dict[str, Any] | None:
    """What the endpoint answers; None while it has no release."""
    url, given = f"{stack.url('HOUSING')}/api/v1/predict", {"x-api-key": key}
    answer = httpx.post(url, json={"instances": [dict(housing.serving.example)]}, headers=given, trust_env=False)
    found: dict[str, Any] | None = answer.json() if answer.is_success else None
    return found


def said(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """The predictions of an answer, without what differs from one answer to the next."""
    return [{name: value for name, value in row.items() if name != "prediction_id"} for row in answer["predictions"]]


def names(stack: Containers, service: str) -> list[str]:
    """The containers of a service."""
    return [each.name for each in stack.of(service)]


def searches(airflow: Airflow, run: Run) -> list[dict[str, Any]]:
    """The mapped searches of a training, as Airflow tells of them."""
    return [row for row in airflow.instances(run) if row["task_id"] == "search"]


def searching(airflow: Airflow, run: Run) -> str | None:
    """The host on which a search is under way; None while there is none."""
    return next((row["hostname"] for row in searches(airflow, run) if row["state"] == "running"), None)


def searched(command: list[str], values: list[str], *folders: str) -> list[str]:
    """Files in folders of a container that hold one of the values."""
    done = subprocess.run(
        ["docker", *command, "grep", "--recursive", "--files-with-matches", "--fixed-strings", "--file", "-", *folders],
        input="".join(f"{value}\n" for value in values),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1, 2), done.stderr
    assert "grep" not in done.stderr or "No such file" in done.stderr, done.stderr
    return done.stdout.split()
