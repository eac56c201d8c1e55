"""What Airflow cannot tell about itself is told by the watcher: once when it is bad, once when it is well again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import httpx
import psutil
import pytest

from local import environment, ports
from local.state import REPOSITORY
from sluice.domain.use_case import UseCase
from tests.live import LiveStack

TIMES = {"INTERVAL": "1", "PATIENCE": "15", "START": "60"}
"""Of the watcher that these tests start in the place of the stack's, which waits for a minute."""
TOUCHED = ("warehouse", "airflow", "scheduler", "dag_processor", "triggerer", "registry", "serving housing")
FOUND_SECONDS = 60
#: A database that is there and says nothing keeps whoever asks waiting, ten seconds each time.
FROZEN_SECONDS = 120
NOT_READY = "[sluice] housing serving is not ready: the endpoint"
PLATFORM = {
    "scheduler": "[sluice] platform airflow is dead: scheduler",
    "dag-processor": "[sluice] platform airflow is dead: dag-processor",
    "triggerer": "[sluice] platform airflow is dead: triggerer",
    "mlflow": "[sluice] platform registry does not answer: MLflow",
}
RECOVERED = {
    "[sluice] platform airflow recovered: scheduler",
    "[sluice] platform airflow recovered: dag-processor",
    "[sluice] platform airflow recovered: triggerer",
    "[sluice] platform registry recovered: MLflow",
    "[sluice] housing serving recovered: the endpoint",
}


@pytest.fixture(scope="module")
def served(live: LiveStack) -> int:
    """The version that serves; the first is made here when no other test has made one."""
    version = live.champion("housing")
    if version is None:
        live.run("housing_ingest")
        version = int(live.promote("housing", trials=4)[1]["version"])
    return version


@pytest.fixture(scope="module")
def quick(live: LiveStack, served: int, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a watcher that is less patient than the stack's, and takes its place."""
    live.stack.supervisor.stop(["watcher"], patience=15)
    state, port = tmp_path_factory.mktemp("watcher") / "watcher.json", ports.free_port()
    own = {f"SLUICE_WATCHER_{name}": value for name, value in TIMES.items()}
    own |= {"SLUICE_WATCHER_STATE": str(state), "SLUICE_WATCHER_PORT": str(port)}
    variables = environment.inherited(os.environ) | environment.watcher(live.state, live.addresses) | own
    variables["PYTHONPATH"] = f"{REPOSITORY / 'include'}:{REPOSITORY / 'plugins'}"
    page, log = f"http://127.0.0.1:{port}", state.with_suffix(".log")
    with log.open("wb") as out:
        process = subprocess.Popen((sys.executable, "-m", "watcher"), env=variables, stdout=out, stderr=out)
    try:
        until(lambda: is_well(page), 60, lambda: log.read_text() + shown(page))
        yield page
    finally:
        process.terminate()
        process.wait(timeout=30)
        live.stack.supervisor.start("watcher")


def until(look: Callable[[], bool], seconds: float, say: Callable[[], str] = lambda: "it was not seen in time") -> None:
    """Wait until a look sees it."""
    deadline = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < deadline, say()
        time.sleep(0.2)


def shown(page: str) -> str:
    try:
        return httpx.get(f"{page}/", trust_env=False).text
    except httpx.HTTPError as error:
        return repr(error)


def is_well(page: str) -> bool:
    """Whether everything that these tests touch is well, and nobody was told otherwise."""
    text = shown(page)
    return "\nopen:" not in text and all(re.search(rf"^{name} +well", text, re.MULTILINE) for name in TOUCHED)


@contextmanager
def frozen(live: LiveStack, *programs: str) -> Iterator[None]:
    """Programs that are there and do nothing: nobody starts them again."""
    known = live.stack.supervisor.processes()
    held = [psutil.Process(known[program].pid) for program in programs]
    for leader in list(held):
        leader.suspend()
        held += leader.children(recursive=True)
    for process in held:
        process.suspend()
    try:
        yield
    finally:
        for process in held:
            # A child that had ended before is gone as soon as its parent goes on.
            with suppress(psutil.NoSuchProcess):
                process.resume()


def subjects(live: LiveStack, seen: int) -> Counter[str]:
    """How often each subject came, of what is the watcher's."""
    stages = re.compile(r"\[sluice\] (platform (airflow|registry|warehouse|disk)|\S+ serving) ")
    return Counter(mail["subject"] for mail in live.mails()[seen:] if stages.match(mail["subject"]))


def test_the_stack_has_a_watcher_that_shows_that_it_lives(live: LiveStack, say: Callable[[str], None]) -> None:
    [row] = live.warehouse.rows("SELECT now() - seen_at < interval '60 s' AS fresh FROM monitoring.heartbeats")
    process = psutil.Process(live.stack.supervisor.processes()["watcher"].pid)
    say(f"the watcher holds {process.memory_info().rss / 2**20:.0f} MB")

    assert row["fresh"]
    assert httpx.get(f"{live.addresses.watcher}/livez", trust_env=False).status_code == 200
    assert live.addresses.document()["watcher"] == live.addresses.watcher
    assert process.memory_info().rss < 150 * 2**20


def test_so_far_nothing_was_wrong_that_it_would_tell(live: LiveStack) -> None:
    """Starting the stack and whatever other tests did to it before, kills of each program among it."""
    assert subjects(live, 0) == {}


def test_each_fault_is_one_mail_to_whom_it_concerns_and_its_end_another(
    live: LiveStack, quick: str, housing: UseCase
) -> None:
    seen = len(live.mails())
    expected = {*PLATFORM.values(), NOT_READY}

    with frozen(live, *PLATFORM, "serving-housing"):
        until(lambda: set(subjects(live, seen)) >= expected, FOUND_SECONDS, lambda: shown(quick))
        # Some rounds more.
        time.sleep(2)
        during = subjects(live, seen)
    until(lambda: set(subjects(live, seen)) >= expected | RECOVERED, FOUND_SECONDS, lambda: shown(quick))
    until(lambda: is_well(quick), FOUND_SECONDS, lambda: shown(quick))

    assert during == dict.fromkeys(expected, 1)
    assert subjects(live, seen) == dict.fromkeys(expected | RECOVERED, 1)
    for mail in live.mails()[seen:]:
        owner = list(housing.owner.alerts) if " housing " in mail["subject"] else ["ops@localhost"]
        assert mail["to"] == owner
        assert leads_somewhere(mail["text"])


@pytest.mark.parametrize(
    ("program", "stage", "words"),
    [
        pytest.param("api-server", "airflow", "does not answer", marks=pytest.mark.soak),
        pytest.param("postgres", "warehouse", "does not answer", marks=pytest.mark.soak),
    ],
)
def test_what_takes_others_with_it_is_one_mail(
    live: LiveStack, quick: str, program: str, stage: str, words: str
) -> None:
    seen = len(live.mails())

    with frozen(live, program):
        mail = live.await_mail("platform", stage, words, seen=seen, seconds=FROZEN_SECONDS)
        time.sleep(2)
    live.await_mail("platform", stage, "recovered", seen=seen, seconds=FROZEN_SECONDS)
    until(lambda: is_well(quick), FROZEN_SECONDS, lambda: shown(quick))

    assert mail["to"] == ["ops@localhost"]
    assert leads_somewhere(mail["text"])
    assert sum(subjects(live, seen).values()) == 2
    [known] = live.warehouse.rows(
        "SELECT closing_mailed_at IS NOT NULL AS told FROM monitoring.incidents WHERE cause = %(cause)s"
        " ORDER BY incident_id DESC LIMIT 1",
        {"cause": stage},
    )
    assert known["told"]


def leads_somewhere(text: str) -> bool:
    """Whether the links of a mail can be opened, of those that lead into this machine."""
    links = re.findall(r"http://127\.0\.0\.1\S+", text)
    answers = [httpx.get(link, trust_env=False, follow_redirects=True, timeout=30) for link in links]
    return bool(links) and all(answer.is_success for answer in answers)
