import socket
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Sink

from sluice.adapters.objects import ObjectStore
from sluice.adapters.warehouse import Warehouse
from sluice.domain.use_case import UseCase
from sluice.settings import Settings
from sluice.web import probes
from sluice.web.integrations import Probe, Sight, look
from sluice.web.rights import STAGES
from tests.conftest import REPOSITORY
from tests.unit.web.history import History

NOW = datetime(2026, 5, 2, 12, tzinfo=UTC)


def sight(probe: Probe) -> Sight:
    [found] = look([probe])
    return found.sight


def test_a_warehouse_is_well_when_it_has_every_migration(warehouse: Warehouse) -> None:
    seen = sight(probes.warehouse(warehouse))

    assert (seen.state, "all" in seen.message) == ("ok", True)


def test_a_warehouse_that_lacks_a_migration_is_named_with_the_remedy(warehouse: Warehouse, tmp_path: Path) -> None:
    (tmp_path / "web").symlink_to(REPOSITORY / "include" / "sql" / "web")
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "9999_later.sql").write_text("SELECT 1", encoding="utf-8")

    seen = sight(probes.warehouse(Warehouse(warehouse.dsn, tmp_path)))

    assert (seen.state, seen.message) == ("bad", "It lacks 9999_later of 1 migrations.")
    assert "sluice.adapters.migrations" in seen.advice


@pytest.mark.parametrize("dsn", ["postgresql://ada:hidden-word@127.0.0.1:1/x", "postgresq//ada:hidden-word@host"])
def test_a_database_that_is_away_is_bad_and_its_password_stays_hidden(dsn: str) -> None:
    [found] = look([probes.studies(dsn)])

    assert found.sight.state == "bad"
    assert "hidden-word" not in f"{found}"


def test_a_registry_that_is_away_is_bad() -> None:
    [found] = look([probes.registry("http://ada:hidden-word@127.0.0.1:1")])

    assert (found.sight.state, found.place) == ("bad", "http://127.0.0.1:1")
    assert "hidden-word" not in f"{found}"


def test_a_folder_is_looked_at_and_left_as_it_was(tmp_path: Path) -> None:
    before = tmp_path.stat()

    seen = sight(probes.store(tmp_path.as_uri()))

    assert seen.state == "ok"
    assert "GB of its disk are free" in seen.message
    assert (tmp_path.stat().st_mtime_ns, stat.S_IMODE(tmp_path.stat().st_mode)) == (
        before.st_mtime_ns,
        stat.S_IMODE(before.st_mode),
    )
    assert sight(probes.store((tmp_path / "absent").as_uri())).state == "could not tell"


def test_a_store_that_is_no_folder_is_listed() -> None:
    import fsspec

    fsspec.filesystem("memory").pipe("/bucket/reports/a.html", b"x")

    assert (
        sight(probes.store("memory://bucket")).message == "It can be listed and holds 1 folders. Writing was not tried."
    )


def test_a_bucket_is_listed_and_one_that_is_not_there_is_bad(bucket: str) -> None:
    assert sight(probes.store(bucket)).state == "could not tell"

    ObjectStore(bucket).write_bytes("reports/a.html", b"x")
    assert sight(probes.store(bucket)).message.startswith("It can be listed and holds 1 folders.")

    absent = sight(probes.store("s3://sluice-absent/store"))
    assert (absent.state, absent.message) == ("bad", "There is no such bucket.")
    assert "SLUICE_OBJECT_STORE" in absent.advice


def test_no_engine_is_off_and_one_that_is_elsewhere_cannot_be_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    assert sight(probes.engine("none")).state == "off"
    assert sight(probes.engine("podman")).state == "could not tell"


@pytest.fixture
def mail_server() -> Iterator[Controller]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(Sink(), hostname="127.0.0.1", port=port)
    server.start()
    yield server
    server.stop()


def connection(port: int) -> Any:
    return SimpleNamespace(host="127.0.0.1", port=port, extra_dejson={"disable_ssl": "true"})


def test_a_mail_server_that_greets_is_well(mail_server: Controller) -> None:
    assert sight(probes.mail(lambda: connection(mail_server.port), shown=True)).state == "ok"


def test_where_mail_goes_is_for_those_who_may_read_connections() -> None:
    hidden = sight(probes.mail(lambda: connection(1), shown=False))
    shown = sight(probes.mail(lambda: connection(1), shown=True))

    assert hidden.state == shown.state == "bad"
    assert "127.0.0.1" not in hidden.message
    assert "127.0.0.1:1" in shown.message
    assert sight(probes.mail(lambda: None, shown=True)).advice == "set AIRFLOW_CONN_SMTP_DEFAULT"


@pytest.mark.parametrize(
    ("scheduler", "triggerer", "state", "said"),
    [
        ("healthy", "healthy", "ok", "scheduler, triggerer"),
        ("healthy", None, "ok", "scheduler."),
        ("unhealthy", "healthy", "bad", "scheduler."),
    ],
    ids=["well", "one is not used", "one is dead"],
)
def test_airflow_speaks_for_its_parts(scheduler: str, triggerer: str | None, state: str, said: str) -> None:
    health = {"scheduler": {"status": scheduler}, "triggerer": {"status": triggerer}}

    seen = sight(probes.airflow(lambda: health))

    assert seen.state == state
    assert said in seen.message


def test_serving_is_as_well_as_its_worst_endpoint(warehouse: Warehouse, use_cases: tuple[UseCase, ...]) -> None:
    first, second = use_cases[0].name, use_cases[1].name
    rights = {u.name: frozenset(STAGES) for u in use_cases}
    probe = probes.serving(warehouse, use_cases, rights, NOW)
    assert sight(probe).state == "off"

    History(warehouse, first).deployment(1, NOW)
    History(warehouse, first).replica(1, NOW)
    assert sight(probe).state == "ok"

    History(warehouse, second).deployment(2, NOW)
    History(warehouse, second).replica(1, NOW)
    seen = sight(probe)
    assert seen.state == "bad"
    assert f"{first}: live" in seen.message
    assert f"{second}: not on the champion" in seen.message


def test_a_watcher_that_is_silent_is_bad_news(warehouse: Warehouse) -> None:
    assert sight(probes.watcher(warehouse, NOW)).state == "off"

    beat = "INSERT INTO monitoring.heartbeats VALUES ('watcher', %(at)s, 'all well')"
    warehouse.execute(beat, {"at": NOW - timedelta(seconds=20)})

    assert sight(probes.watcher(warehouse, NOW)) == Sight("ok", "Last heard of 20 s ago: all well.")
    assert sight(probes.watcher(warehouse, NOW + timedelta(minutes=10))).state == "bad"


@pytest.mark.parametrize(
    ("probe", "setting"),
    [
        (lambda named: probes.model(named, lambda _: None), "SLUICE_PUBLISH_HUGGINGFACE_REPOSITORY"),
        (lambda named: probes.space(named, lambda _: None), "SLUICE_PUBLISH_HUGGINGFACE_SPACE"),
        (lambda named: probes.runs(named, lambda _: None), "SLUICE_PUBLISH_WANDB_PROJECT"),
        (probes.reports, "SLUICE_PUBLISH_EVIDENTLY_URL"),
    ],
    ids=["models", "Spaces", "runs", "reports"],
)
def test_a_publisher_is_off_until_a_setting_names_a_place(probe: Callable[[Settings], Probe], setting: str) -> None:
    [found] = look([probe(Settings())])

    assert (found.sight.state, found.setting) == ("off", setting)
    assert setting in found.sight.advice


@pytest.mark.parametrize(
    ("password", "state"), [("hf_hidden-word", "ok"), (None, "bad")], ids=["with a key", "without one"]
)
def test_a_publisher_that_is_on_needs_a_key_which_stays_hidden(password: str | None, state: str) -> None:
    named = Settings(publish_huggingface_repository="acme/{use_case}")

    [found] = look([probes.model(named, lambda _: SimpleNamespace(password=password))])

    assert (found.sight.state, found.place) == (state, "acme/{use_case}")
    assert "sluice_huggingface" in found.sight.advice or state == "ok"
    assert "hidden-word" not in f"{found}"


def test_a_workspace_that_is_away_is_bad() -> None:
    assert sight(probes.reports(Settings(publish_evidently_url="http://127.0.0.1:1"))).state == "bad"
