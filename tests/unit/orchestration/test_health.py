from pathlib import Path

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import SpecError, StateError
from sluice.orchestration.health import check_specs, check_watcher
from sluice.settings import settings
from tests.unit.orchestration.inbox import Inbox


@pytest.mark.usefixtures("ledger")
def test_the_shipped_specs_are_sound() -> None:
    assert "housing" in check_specs(run_id="r1")


@pytest.mark.usefixtures("ledger")
def test_a_broken_spec_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loans").mkdir()
    (tmp_path / "loans" / "use_case.yaml").write_text("name: loans\ntask: clustering\n", encoding="utf-8")
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path))
    settings.cache_clear()

    with pytest.raises(SpecError, match=r"1 of 1 use cases have no DAGs.*loans/use_case\.yaml:\d+"):
        check_specs(run_id="r1")
    settings.cache_clear()


@pytest.mark.usefixtures("ledger")
def test_a_folder_without_use_cases_is_no_sound_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path / "elsewhere"))
    settings.cache_clear()

    with pytest.raises(SpecError, match="there is no use case"):
        check_specs(run_id="r1")
    settings.cache_clear()


def beat(ledger: Warehouse, seconds: float) -> None:
    """The watcher's last sign of life, so long ago."""
    ledger.execute("DELETE FROM monitoring.heartbeats")
    ledger.execute(
        "INSERT INTO monitoring.heartbeats (component, seen_at, note)"
        " VALUES ('watcher', now() - make_interval(secs => %(seconds)s), 'all is well')",
        {"seconds": seconds},
    )


@pytest.mark.usefixtures("ledger")
def test_a_watcher_that_lives_says_how_it_is(inbox: Inbox, ledger: Warehouse) -> None:
    beat(ledger, 5)

    assert check_watcher(run_id="r1", patience=0) == "all is well"
    assert not inbox.mails


@pytest.mark.usefixtures("ledger")
def test_a_watcher_that_falls_silent_is_told_once_and_so_is_its_return(inbox: Inbox, ledger: Warehouse) -> None:
    beat(ledger, 600)
    for run_id in ("r1", "r2"):
        with pytest.raises(StateError, match="the watcher is silent: its last sign of life is 60"):
            check_watcher(run_id=run_id, patience=0)
    beat(ledger, 5)
    check_watcher(run_id="r3", patience=0)

    assert inbox.subjects == [
        "[sluice] platform check is silent: the watcher",
        "[sluice] platform check recovered: the watcher",
    ]


@pytest.mark.usefixtures("ledger")
def test_a_watcher_that_never_was_is_told(inbox: Inbox, ledger: Warehouse) -> None:
    ledger.execute("DELETE FROM monitoring.heartbeats")

    with pytest.raises(StateError, match="never"):
        check_watcher(run_id="r1", patience=0)
    assert len(inbox.mails) == 1
