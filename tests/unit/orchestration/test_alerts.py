"""The one door by which the DAGs tell people what is wrong, and that it no longer is."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.adapters.warehouse import Warehouse
from sluice.domain.alert import Alert
from sluice.domain.use_case import UseCase
from sluice.orchestration.alerts import dismiss, heal, raise_alert
from sluice.settings import settings
from tests.unit.orchestration.inbox import Inbox

DRIFT = Alert("drift:housing", "housing", "monitor", "drift", "median_income", error="it moved")
NEWS = Alert("retraining:housing", "housing", "monitor", "retraining", "for drift")


def test_one_cause_is_one_mail_to_the_owner_and_one_when_it_has_healed(
    inbox: Inbox, ledger: Warehouse, housing: UseCase
) -> None:
    assert all(raise_alert(DRIFT) for _ in range(3))
    heal("drift:housing")
    heal("drift:housing")

    assert inbox.subjects == [
        "[sluice] housing monitor drifted: median_income",
        "[sluice] housing monitor recovered: median_income",
    ]
    assert {mail["to"] for mail in inbox.mails} == {", ".join(housing.owner.alerts)}
    assert {mail.get_content_type() for mail in inbox.mails} == {"multipart/alternative"}


def test_nothing_is_said_of_what_was_never_wrong(inbox: Inbox, ledger: Warehouse) -> None:
    heal("drift:housing", "task:housing_train.")

    assert not inbox.mails


def test_news_are_told_each_time_and_never_heal(inbox: Inbox, ledger: Warehouse) -> None:
    raise_alert(NEWS)
    raise_alert(NEWS)
    heal(NEWS.cause)

    assert inbox.subjects == ["[sluice] housing monitor retraining started: for drift"] * 2


def test_what_nobody_needs_to_hear_of_ends_quietly(inbox: Inbox, ledger: Warehouse) -> None:
    raise_alert(DRIFT)
    dismiss("drift:")
    heal("drift:housing")

    assert len(inbox.mails) == 1


def test_without_a_warehouse_it_is_told_all_the_same_and_says_so(inbox: Inbox, no_warehouse: None) -> None:
    assert raise_alert(DRIFT)
    heal("drift:housing")

    assert inbox.mail["subject"] == DRIFT.title
    assert "this mail may not be the only one" in inbox.text


def test_what_could_not_be_sent_goes_with_the_next_sight_of_anything(
    inbox: Inbox, ledger: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as away:
        away.setenv("AIRFLOW_CONN_SMTP_DEFAULT", "smtp://127.0.0.1:1?disable_ssl=true&disable_tls=true")
        assert not raise_alert(DRIFT)
        assert not raise_alert(NEWS)

    heal("task:housing_train.")

    assert sorted(inbox.subjects) == sorted([DRIFT.title, NEWS.title])


@pytest.mark.parametrize("use_case", ["platform", "nobody", "torn"])
def test_what_no_use_case_owns_goes_to_the_platforms_people(
    inbox: Inbox, ledger: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, use_case: str
) -> None:
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "use_case.yaml").write_text("name: torn\n", encoding="utf-8")
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path))
    monkeypatch.setenv("SLUICE_ALERTS_TO", "platform@example.test")
    settings.cache_clear()

    raise_alert(replace(DRIFT, use_case=use_case))

    assert inbox.mail["to"] == "platform@example.test"


@pytest.fixture
def unheard(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, housing: UseCase) -> Iterator[None]:
    """The owner of housing has a chat that does not answer."""
    owner = housing.owner.model_copy(update={"webhooks": ("gone", "unknown")})
    (tmp_path / "housing").mkdir()
    spec = json.loads(housing.model_copy(update={"owner": owner}).model_dump_json(exclude_defaults=True))
    (tmp_path / "housing" / "use_case.yaml").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path))
    monkeypatch.setenv("AIRFLOW_CONN_GONE", json.dumps({"conn_type": "http", "host": "http://127.0.0.1:1/hook"}))
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_webhook_that_fails_keeps_no_mail_back(
    inbox: Inbox, ledger: Warehouse, unheard: None, caplog: pytest.LogCaptureFixture
) -> None:
    assert raise_alert(DRIFT)

    assert inbox.mail["subject"] == DRIFT.title
    assert "The webhook gone was not told" in caplog.text
    assert "The webhook unknown was not told" in caplog.text


def test_the_mail_links_to_the_runbooks_section(
    inbox: Inbox, ledger: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_RUNBOOK_URL", "https://docs.example.test/operations")
    settings.cache_clear()

    raise_alert(DRIFT)

    assert 'href="https://docs.example.test/operations#drift"' in inbox.html
