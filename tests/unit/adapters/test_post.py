"""One cause is one mail, and one more when it has healed, whoever saw it and whatever is down."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sluice.adapters.incidents import PATIENCE, Incidents
from sluice.adapters.letters import Letter
from sluice.adapters.post import Post
from sluice.adapters.warehouse import Warehouse
from sluice.domain.alert import Alert

DISK = Alert("disk:/var", "platform", "host", "disk_full", "/var")
NEWS = Alert("retraining:housing", "housing", "monitor", "retraining", "for drift")
NOW = datetime.now(UTC)


@dataclass
class Mailbox:
    """Takes letters, while it is open."""

    subjects: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    is_open: bool = True

    def take(self, alert: Alert, letter: Letter) -> None:
        if not self.is_open:
            raise ConnectionRefusedError("no mail server")
        self.subjects.append(letter.subject)
        self.texts.append(letter.text)


@pytest.fixture
def mailbox() -> Mailbox:
    return Mailbox()


@pytest.fixture
def post(warehouse: Warehouse, mailbox: Mailbox) -> Post:
    warehouse.execute("TRUNCATE monitoring.incidents")
    return Post(Incidents(warehouse), mailbox.take, "http://docs.test/operations")


def test_a_cause_is_told_once_and_its_end_once(post: Post, mailbox: Mailbox) -> None:
    assert [post.tell(DISK, NOW + timedelta(minutes=n)) for n in range(3)] == [True, False, False]
    assert post.heal("disk:") == (DISK,)
    assert post.heal("disk:") == ()

    assert mailbox.subjects == [DISK.title, DISK.recovery]
    assert "seen 3 times" in mailbox.texts[1]


@pytest.mark.parametrize("alert", [DISK, NEWS], ids=["a state", "news"])
def test_what_could_not_be_sent_is_sent_when_it_can(post: Post, mailbox: Mailbox, alert: Alert) -> None:
    mailbox.is_open = False
    for _ in range(2):
        with pytest.raises(ConnectionRefusedError):
            post.tell(alert, NOW)
    mailbox.is_open = True

    for _ in range(2):
        post.catch_up(NOW + PATIENCE)

    assert mailbox.subjects == [alert.title]


def test_a_recovery_that_could_not_be_sent_is_sent_when_it_can(post: Post, mailbox: Mailbox) -> None:
    post.tell(DISK, NOW)
    mailbox.is_open = False
    with pytest.raises(ConnectionRefusedError):
        post.heal(DISK.cause)
    mailbox.is_open = True

    for _ in range(2):
        post.catch_up(datetime.now(UTC))

    assert mailbox.subjects == [DISK.title, DISK.recovery]


def test_what_heals_while_its_mail_is_on_the_way_is_told_after_it(post: Post, mailbox: Mailbox) -> None:
    def slowly(alert: Alert, letter: Letter) -> None:
        if letter.subject == alert.title:
            post.heal(alert.cause)
        mailbox.take(alert, letter)

    replace(post, deliver=slowly).tell(DISK, NOW)
    told_at_once = [*mailbox.subjects]
    post.catch_up(datetime.now(UTC) + 2 * PATIENCE)

    assert told_at_once == mailbox.subjects == [DISK.title, DISK.recovery]


def test_what_else_hears_of_it_is_told_after_the_mail_is_noted(post: Post, mailbox: Mailbox) -> None:
    """However long that takes: whoever catches up meanwhile finds nothing to send."""

    def slowly(alert: Alert, letter: Letter) -> None:
        post.catch_up(datetime.now(UTC) + 2 * PATIENCE)
        heard.append(letter.subject)

    heard: list[str] = []
    telling = replace(post, spread=slowly)

    telling.tell(DISK, NOW)
    telling.heal(DISK.cause)

    assert mailbox.subjects == heard == [DISK.title, DISK.recovery]


def test_without_a_ledger_it_is_told_ungrouped_and_says_so(mailbox: Mailbox) -> None:
    nowhere = Post(Incidents(Warehouse("postgresql://nobody@127.0.0.1:1/none", Path("none"))), mailbox.take)

    assert all(nowhere.tell(DISK, NOW) for _ in range(2))

    assert mailbox.subjects == [DISK.title] * 2
    assert "may not be the only one" in mailbox.texts[0]


def test_a_ledger_that_was_never_made_keeps_no_mail_back(mailbox: Mailbox, warehouse: Warehouse) -> None:
    bare = Warehouse(warehouse.dsn.rsplit("/", 1)[0] + "/postgres", warehouse.statements)

    assert Post(Incidents(bare), mailbox.take).tell(DISK, NOW)

    assert mailbox.subjects == [DISK.title]
