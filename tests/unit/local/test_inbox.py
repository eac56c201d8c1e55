"""The mail catcher: what is sent can be looked at, by people and by programs."""

from __future__ import annotations

import asyncio
import json
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from aiosmtpd.controller import Controller

from local.inbox import Catcher, Mailbox, site
from local.ports import free_port


@pytest.fixture
def post(tmp_path: Path) -> Iterator[Controller]:
    controller = Controller(Catcher(Mailbox(tmp_path)), hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller
    controller.stop()


def send(post: Controller, subject: str, text: str = "plain", html: str = "") -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "sluice@localhost", "ops@example.test", subject
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    with smtplib.SMTP("127.0.0.1", post.port) as client:
        client.send_message(message, to_addrs=["ops@example.test", "hidden@example.test"])


def get(folder: Path, path: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(site(Mailbox(folder)))
        async with httpx.AsyncClient(transport=transport, base_url="http://inbox") as client:
            return await client.get(path)

    return asyncio.run(ask())


def test_a_mail_is_listed_as_it_was_sent(post: Controller, tmp_path: Path) -> None:
    send(post, "Prüfung: failed", "look", "<p>look</p>")

    [mail] = get(tmp_path, "/messages").json()
    received = mail.pop("received_at")
    assert mail == {
        "to": ["ops@example.test", "hidden@example.test"],
        "from": "sluice@localhost",
        "subject": "Prüfung: failed",
        "text": "look\n",
        "html": "<p>look</p>\n",
    }
    assert received.endswith("+00:00")


def test_programs_see_mails_in_order_and_people_the_newest_first(post: Controller, tmp_path: Path) -> None:
    send(post, "first")
    send(post, "second")

    page = get(tmp_path, "/").text
    assert [mail["subject"] for mail in get(tmp_path, "/messages").json()] == ["first", "second"]
    assert page.index("second") < page.index("first")


def test_the_page_shows_a_mail_without_running_it(post: Controller, tmp_path: Path) -> None:
    send(post, "<script>alert(1)</script>", html="<script>alert(2)</script>")

    page = get(tmp_path, "/").text
    assert "<script>" not in page
    assert "<iframe sandbox" in page


def test_an_empty_inbox_has_a_page_too(tmp_path: Path) -> None:
    assert "this machine: 0." in get(tmp_path, "/").text
    assert json.loads(get(tmp_path, "/messages").text) == []
