"""To whom a letter goes, and by which server."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sluice.adapters.letters import Letter
from sluice.domain.alert import Alert
from sluice.domain.use_case import UseCase
from tests.unit.watcher.conftest import Inbox
from watcher.mail import Postman, Server

USE_CASES = Path(__file__).parents[3] / "include" / "use_cases"
LETTER = Letter("[sluice] it is down", "plain", "<p>formed</p>")


def alert(use_case: str) -> Alert:
    return Alert(cause="x", use_case=use_case, stage="serving", kind="serving_not_ready", headline="x")


def postman(server: Server, use_cases: Path = USE_CASES) -> Postman:
    return Postman(server, "sluice@localhost", "ops@example.test", use_cases)


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.test:2525/?disable_ssl=true&disable_tls=true", Server("mail.test", 2525, "", "", False, False)),
        ("smtp://mail.test/?disable_ssl=true", Server("mail.test", 25, "", "", False, True)),
        ("smtp://me:p%40ss@mail.test", Server("mail.test", 465, "me", "p@ss", True, True)),
    ],
    ids=["plain", "starttls", "encrypted"],
)
def test_a_server_is_described_as_airflow_s_connection_is(url: str, server: Server) -> None:
    assert Server.at(url) == server


def test_a_letter_arrives_in_both_forms(inbox: Inbox) -> None:
    postman(inbox.server).deliver(alert("platform"), LETTER)

    [mail] = inbox.mails()
    assert (mail.subject, mail.sender, mail.to) == (LETTER.subject, "sluice@localhost", ("ops@example.test",))
    assert (mail.text.strip(), mail.html.strip()) == ("plain", "<p>formed</p>")


def test_a_use_case_s_letter_goes_to_its_owner(inbox: Inbox, housing: UseCase) -> None:
    postman(inbox.server).deliver(alert("housing"), LETTER)

    [mail] = inbox.mails()
    assert mail.to == housing.owner.alerts


def test_a_use_case_whose_spec_cannot_be_read_is_the_platform_s(inbox: Inbox, tmp_path: Path) -> None:
    shutil.copytree(USE_CASES / "housing", tmp_path / "housing")
    (tmp_path / "housing" / "use_case.yaml").write_text("name: [")

    assert postman(inbox.server, tmp_path).route("housing") == ("ops@example.test",)


def test_a_server_that_is_away_is_an_error_that_can_be_tried_again(inbox: Inbox) -> None:
    inbox.stop()

    with pytest.raises(OSError, match="refused"):
        postman(inbox.server).deliver(alert("platform"), LETTER)
