"""The whole of it: looks that hang or break, mails, signs of life, and the page."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event, Thread

import httpx
import pytest

from local.environment import inherited
from local.ports import free_port
from local.state import REPOSITORY
from sluice.adapters.incidents import Incidents
from sluice.adapters.warehouse import Warehouse
from sluice.domain.alert import Alert
from tests.unit.watcher.conftest import Answers, Inbox
from watcher.confirmation import Confirmation
from watcher.journal import Journal
from watcher.mail import Postman
from watcher.memory import Memory
from watcher.page import Page
from watcher.rounds import Rounds
from watcher.sight import CannotTell, Look, Seen, Sight
from watcher.watch import Watch

DOWN = "[sluice] platform registry does not answer: MLflow"
UP = "[sluice] platform registry recovered: MLflow"


class World:
    """What the looks see."""

    def __init__(self) -> None:
        self.registry: Callable[[], Sight] = lambda: Seen(note="up")

    @staticmethod
    def down() -> Sight:
        alert = Alert(cause="registry", use_case="platform", stage="registry", kind="registry_down", headline="MLflow")
        return Seen((alert,), "it does not answer")


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def words() -> list[str]:
    """What the watcher said of itself."""
    return []


@pytest.fixture
def watch(world: World, words: list[str], warehouse: Warehouse, inbox: Inbox, tmp_path: Path) -> Watch:
    looks = (Look("warehouse", "warehouse", lambda: Seen()), Look("registry", "registry", lambda: world.registry()))
    postman = Postman(inbox.server, "sluice@localhost", "ops@example.test", tmp_path)
    journal = Journal(Incidents(warehouse), postman.deliver, Memory(tmp_path / "watcher.json"))
    return Watch(looks, Confirmation(looks, 0, 0, time.monotonic()), journal, [words.append], 0.05)


@pytest.fixture
def page(watch: Watch) -> Iterator[str]:
    served = Page(watch, "127.0.0.1", free_port())
    served.start()
    yield f"http://127.0.0.1:{served.port}"
    served.stop()


def get(url: str) -> httpx.Response:
    return httpx.get(url, trust_env=False)


def test_round_after_round_until_it_is_told_to_stop(watch: Watch, world: World, words: list[str], inbox: Inbox) -> None:
    stop = Event()
    thread = Thread(target=watch.run, args=(stop,))
    thread.start()
    for sight, subject in ((world.down, DOWN), (lambda: Seen(), UP)):
        world.registry = sight
        deadline = time.monotonic() + 20
        while subject not in inbox.subjects() and time.monotonic() < deadline:
            time.sleep(0.05)
    stop.set()
    thread.join(timeout=10)

    assert not thread.is_alive()
    assert inbox.subjects() == [DOWN, UP]
    assert {"all is well", "1 open"} <= set(words)


def test_a_round_that_breaks_is_not_the_last(watch: Watch, words: list[str]) -> None:
    stop = Event()

    def breaks_once(word: str) -> None:
        words.append(word)
        if len(words) == 1:
            raise RuntimeError("a fault of the watcher's own")
        stop.set()

    watch.chores = [breaks_once]
    watch.run(stop)

    assert len(words) == 2


def test_what_is_dear_is_asked_now_and_then() -> None:
    asked: list[str] = []

    def ask(name: str) -> Sight:
        asked.append(name)
        return Seen()

    rounds = Rounds(
        [Look("cheap", "cheap", lambda: ask("cheap")), Look("dear", "dear", lambda: ask("dear"), every=3600)]
    )
    first, second = rounds.ask(), rounds.ask()
    rounds.close()

    assert sorted(asked) == ["cheap", "cheap", "dear"]
    assert (set(first), set(second)) == ({"cheap", "dear"}, {"cheap"})


def test_a_look_that_breaks_ends_nothing(watch: Watch, world: World) -> None:
    def breaks() -> Sight:
        raise RuntimeError("a fault of the watcher's own")

    world.registry = breaks

    assert watch.round().sights["registry"].note == "it broke: RuntimeError"


def test_the_page_shows_what_is_seen(watch: Watch, world: World, page: str) -> None:
    def cannot_tell() -> Sight:
        raise CannotTell("nobody there")

    before = get(f"{page}/").text
    watch.round()
    well = get(f"{page}/").text
    world.registry = cannot_tell
    watch.round()

    assert "not over yet" in before
    assert "registry   well  up" in well
    assert "registry   cannot tell  nobody there" in get(f"{page}/").text
    assert get(f"{page}/else").status_code == 404


def test_it_lives_while_its_rounds_are_fresh(watch: Watch, page: str) -> None:
    before = get(f"{page}/livez").status_code
    watch.round()

    assert before == 503
    assert get(f"{page}/livez").status_code == 200


def test_prometheus_reads_what_is_seen(watch: Watch, world: World, page: str) -> None:
    world.registry = world.down
    watch.round()
    watch.round()

    text = get(f"{page}/metrics").text
    assert 'watcher_well{look="registry"} 0.0' in text
    assert 'watcher_well{look="warehouse"} 1.0' in text
    assert "watcher_open 1.0" in text
    assert "watcher_unsent 0.0" in text


@pytest.mark.parametrize(("mlflow", "code"), [("/health", 0), ("/else", 1)], ids=["well", "bad"])
def test_once_prints_what_is_seen(
    warehouse: Warehouse, answers: Answers, tmp_path: Path, mlflow: str, code: int
) -> None:
    part = {"status": "healthy"}
    answers.by_path[mlflow] = "OK"
    answers.by_path["/api/v2/monitor/health"] = {"metadatabase": part} | {
        name: part | {f"latest_{name}_heartbeat": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime())}+00:00"}
        for name in ("scheduler", "dag_processor", "triggerer")
    }
    settings = {
        "PYTHONPATH": f"{REPOSITORY / 'include'}:{REPOSITORY / 'plugins'}",
        "SLUICE_WAREHOUSE_DSN": warehouse.dsn,
        "MLFLOW_TRACKING_URI": answers.url,
        "AIRFLOW__API__BASE_URL": answers.url,
        "SLUICE_WATCHER_DISKS": str(tmp_path),
        "SLUICE_WATCHER_DISK_FULL": "1",
    }

    done = subprocess.run(
        (sys.executable, "-m", "watcher", "--once"), env=inherited({}) | settings, capture_output=True, text=True
    )

    assert done.returncode == code, done.stdout + done.stderr
    lines = {line.split("  ")[0]: line for line in done.stdout.splitlines()}
    assert "well" in lines["scheduler"]
    assert ("well" in lines["registry"]) == (code == 0)
    assert "off" in lines["DAG files"]
