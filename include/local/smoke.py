"""A look at a model server from outside, as after a deployment: `python -m local.smoke "<URL>..."`.

It waits until the server is ready, has it predict its own example, and sends what it must refuse. The environment's
SLUICE_API_KEY is the key where the server asks for one; `make smoke` names it.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import click
import httpx

from local.commands import Command
from local.errors import StackError

#: How long a server may take until it is ready, in seconds: an image may still be on its way to it.
PATIENCE = 300.0
EVERY = 2.0
#: Nobody but this machine is asked there.
LOOPBACK = ("localhost", "127.0.0.1", "::1")
JSON, PICKLE = {"content-type": "application/json"}, {"content-type": "application/octet-stream"}


@dataclass(frozen=True)
class Look:
    """One thing that was tried, and what came of it."""

    what: str
    found: str


class Server:
    """A model server somewhere.

    Args:
        url: Its address, without a path of its routes.
        key: One of its keys; empty where it asks for none.
    """

    def __init__(self, url: str, key: str = "") -> None:
        self.url = url.rstrip("/")
        # No proxy stands between this machine and itself.
        direct = urlsplit(url).hostname in LOOPBACK
        headers = {"accept": "application/json"} | ({"x-api-key": key} if key else {})
        self._http = httpx.Client(headers=headers, timeout=10, trust_env=not direct)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def wait(self, patience: float = PATIENCE, every: float = EVERY) -> Look:
        """Ask whether it lives and is ready, until it is.

        Args:
            patience: For how long, in seconds.
            every: Seconds between two questions.

        Raises:
            StackError: It is not ready in time; says what it answered last.
        """
        begun, asked = time.monotonic(), 0
        while True:
            last = self._state()
            asked += 1
            seconds = time.monotonic() - begun
            if not last:
                return Look("ready", f"after {seconds:.1f} s, asked {asked} time{'s' if asked > 1 else ''}")
            if seconds + every > patience:
                action = "read its log; a server without a champion, or that refuses it, is never ready"
                raise StackError(f"not ready after {seconds:.0f} s: {last}", self.url, action)
            time.sleep(every)

    def looks(self) -> Iterator[Look]:
        """Try what callers do, one thing after the other.

        Raises:
            StackError: It does otherwise than it must.
        """
        card = self._expect("its card", 200, "GET", "/")
        yield Look("serves", f"{card.get('use_case')}, version {card.get('version')}")
        answer = self._predict(card)
        yield Look("predicts", f"{answer['predictions'][0]['prediction']} {answer.get('unit') or ''}".rstrip())
        self._expect("what is no JSON", 400, "POST", "/api/v1/predict", content=b"{", headers=JSON)
        self._expect("a pickle", 415, "POST", "/api/v1/predict", content=b"\x80\x04N.", headers=PICKLE)
        self._expect("a number for a row", 422, "POST", "/api/v1/predict", json={"instances": [7]})
        yield Look("refuses", "what is no JSON, a pickle, a number for a row")

    def _state(self) -> str:
        """Why it is not ready; empty where it is."""
        for path in ("/livez", "/readyz"):
            try:
                status = self._http.get(self.url + path).status_code
            except httpx.TransportError as error:
                return f"{path}: {type(error).__name__}: {error}"
            if status != httpx.codes.OK:
                return f"{path}: HTTP {status}"
        return ""

    def _predict(self, card: Mapping[str, Any]) -> dict[str, Any]:
        if "example" not in card:
            raise StackError(f"its card has no example: {_short(card)}", self.url, "is it a model server of Sluice's?")
        body = {"instances": [card["example"]]}
        answer = self._expect("its own example", 200, "POST", "/api/v1/predict", json=body)
        said = [row.get("prediction") for row in answer.get("predictions", ())]
        if len(said) != 1 or said[0] is None or (isinstance(said[0], float) and not math.isfinite(said[0])):
            raise StackError(f"its own example has no prediction: {_short(answer)}", self.url, "read its log")
        return answer

    def _expect(self, what: str, status: int, method: str, path: str, **options: Any) -> dict[str, Any]:
        where = self.url + path
        try:
            answer = self._http.request(method, where, **options)
        except httpx.TransportError as error:
            raise StackError(f"{what}: {type(error).__name__}: {error}", where, "read its log") from error
        if answer.status_code != status:
            is_locked = answer.status_code == httpx.codes.UNAUTHORIZED
            action = "set SLUICE_API_KEY to one of its keys" if is_locked else "read its log"
            raise StackError(f"{what}: HTTP {answer.status_code} and not {status}: {answer.text[:300]}", where, action)
        try:
            document = answer.json()
        except ValueError as error:
            raise StackError(
                f"{what}: the answer is not JSON: {answer.text[:300]}", where, "is it a model server of Sluice's?"
            ) from error
        return document if isinstance(document, dict) else {}


def check(url: str, key: str, say: Callable[[Look], None], patience: float = PATIENCE, every: float = EVERY) -> None:
    """Wait for a server and look at it.

    Args:
        url: Its address.
        key: One of its keys; empty where it asks for none.
        say: Is told what was seen, thing by thing.
        patience: How long it may take until it is ready, in seconds.
        every: Seconds between two questions.

    Raises:
        StackError: It is not ready in time, or does otherwise than it must.
    """
    with Server(url, key) as server:
        say(server.wait(patience, every))
        for look in server.looks():
            say(look)


def _short(document: object) -> str:
    return json.dumps(document)[:300]


@click.command(cls=Command, help=__doc__)
@click.option("--patience", default=PATIENCE, show_default=True, help="Seconds that it may take until it is ready.")
@click.argument("urls", metavar="URL...")
def command(patience: float, urls: str) -> None:
    """Look at one server after the other."""
    if not urls.split():
        raise StackError("nobody said which server to look at", action="URL=https://models.example.com/housing")
    for url in urls.split():
        click.echo(url)
        check(url, os.environ.get("SLUICE_API_KEY", ""), _tell, patience)


def _tell(look: Look) -> None:
    click.echo(f"  {look.what:<9} {look.found}")


if __name__ == "__main__":
    command(prog_name="python -m local.smoke")
