"""Settings: sane without any, read from the environment, and refused with a word on how they should be."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from watcher.settings import PREFIX, Watching, described


def read(monkeypatch: pytest.MonkeyPatch, **said: str) -> Watching:
    for name, value in said.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)
    return Watching()


def test_without_any_it_looks_every_ten_seconds_and_tells_after_a_minute() -> None:
    own = Watching()

    assert (own.interval, own.patience, own.page) == (10, 60, "http://127.0.0.1:8790")


def test_folders_and_servers_are_written_without_quotation_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    own = read(monkeypatch, disks="/a:/b", serving="housing=http://h:3000, loan=https://h:3001/x")

    assert own.disks == (Path("/a"), Path("/b"))
    assert own.serving == {"housing": "http://h:3000", "loan": "https://h:3001/x"}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"serving": "housing"}, "'housing' has no address; write housing=http"),
        ({"interval": "10", "patience": "5"}, "patience 5 is shorter than the interval of 10 s"),
    ],
    ids=["no address", "impatient"],
)
def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, said: dict[str, str], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        read(monkeypatch, **said)


@pytest.mark.parametrize("name", [f"{PREFIX}SMTP", "SLUICE_SMTP", "AIRFLOW_CONN_SMTP_DEFAULT"])
def test_the_mail_server_may_be_the_one_that_airflow_has(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "smtp://me:secret@mail.test:587")

    own = Watching()

    assert own.smtp.get_secret_value() == "smtp://me:secret@mail.test:587"
    assert "secret" not in repr(own)


def test_the_help_describes_every_setting() -> None:
    text = described()

    assert all(f"{PREFIX}{name.upper()} = " in text for name in Watching.model_fields)
    assert "None" not in text
