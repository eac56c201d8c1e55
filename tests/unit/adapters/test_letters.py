"""What people are told, in both forms of a mail."""

import re
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy

import pytest

from sluice.adapters import letters
from sluice.adapters.letters import Letter
from sluice.domain.alert import Alert

SINCE = datetime(2026, 5, 1, 3, 4, 5, tzinfo=UTC)
FAILED = Alert(
    cause="task:housing_train.search",
    use_case="housing",
    stage="train",
    kind="task_failed",
    headline="search",
    facts=(("Task", "housing_train.search [2]"), ("Run", "scheduled__2026-05-01")),
    error="ValueError: 1 < 2 & {{ no template }}",
    advice="Read the log.",
    links=(("Log", "http://airflow.test/log?a=1&b=2"), ("Run", "http://airflow.test/run")),
    log=("03:04:01 info    begun", "03:04:05 error   <it> is over"),
)


def read(html: str) -> str:
    """What a page says, without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_a_letter_says_what_where_since_when_and_what_to_do_in_both_forms() -> None:
    letter = letters.failure(FAILED, SINCE, "http://docs.test/operations")

    assert letter.subject == "[sluice] housing train failed: search"
    for form in (letter.text, read(letter.html)):
        for words in ("housing_train.search [2]", "2026-05-01 03:04:05 UTC", "Read the log.", "03:04:01 info"):
            assert words in form
    assert "ValueError: 1 < 2 & {{ no template }}" in letter.text
    assert "ValueError: 1 &lt; 2 &amp; {{ no template }}" in letter.html
    assert "&lt;it&gt; is over" in letter.html


def test_its_links_lead_to_the_log_the_run_and_the_runbooks_section() -> None:
    letter = letters.failure(FAILED, SINCE, "http://docs.test/operations")

    assert re.findall(r'href="([^"]+)"', letter.html) == [
        "http://airflow.test/log?a=1&amp;b=2",
        "http://airflow.test/run",
        "http://docs.test/operations#task_failed",
    ]
    assert re.findall(r"(http\S+)", letter.text) == [
        "http://airflow.test/log?a=1&b=2",
        "http://airflow.test/run",
        "http://docs.test/operations#task_failed",
    ]


def test_without_an_address_the_runbook_is_named_by_its_file() -> None:
    letter = letters.failure(FAILED, SINCE)

    assert "docs/operations.md#task_failed" in letter.text
    assert "docs/operations.md#task_failed" in read(letter.html)
    assert 'href="docs' not in letter.html


def test_what_was_seen_more_than_once_says_how_often() -> None:
    assert "seen 7 times" in letters.failure(FAILED, SINCE, times=7).text
    assert "seen" not in letters.failure(FAILED, SINCE).text


def test_a_recovery_says_what_it_was_and_how_long() -> None:
    letter = letters.recovery(FAILED, SINCE, SINCE + timedelta(hours=2))

    assert letter.subject == "[sluice] housing train recovered: search"
    for form in (letter.text, read(letter.html)):
        assert "2026-05-01 03:04:05 UTC" in form
        assert "2026-05-01 05:04:05 UTC" in form
        assert "It was: [sluice] housing train failed: search" in form


@pytest.mark.parametrize(
    "text",
    ["two\r\nBcc: eve@example.test", "nul \x00", "half \ud800", "Größe 😀"],
    ids=["lines", "nul", "half", "wide"],
)
def test_whatever_it_is_about_is_a_mail_of_one_subject_line(text: str) -> None:
    letter = letters.failure(
        Alert("task:x.y", "housing", "train", "task_failed", text, (("Seen", text),), error=text, log=(text,)), SINCE
    )

    sent = message_from_bytes(
        letter.message("sluice@localhost", ("ops@example.test",)).as_bytes(), policy=policy.default
    )

    assert sent["subject"].startswith("[sluice] housing train failed: ")
    assert sent["bcc"] is None
    assert sent["to"] == "ops@example.test"


def test_a_mail_holds_the_text_first_and_the_html_as_its_alternative() -> None:
    message = Letter("subject", "text", "<p>html</p>").message("a@localhost", ("b@localhost", "c@localhost"))

    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["to"] == "b@localhost, c@localhost"
