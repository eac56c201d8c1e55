"""The pages as browsers get them: who is sent which, with what headers, and that they need no key and hold no data."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from prometheus_client import CollectorRegistry

from tabular.answers.desk import Desk
from tabular.exchange import Bounds
from tabular.releases.contract import Contract
from tabular.releases.standing import Standing
from tabular.settings import PACKAGE
from tabular.watching.metrics import Metrics
from tabular.web import openapi, pages
from tabular.web.admission import Admission
from tabular.web.guards import Guards
from tabular.web.keys import Keyring
from tabular.web.routes import Routes
from tests.bentos import bundles
from tests.bentos.bundles import USE_CASE, Recipe

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"}
SHELL = sorted({*pages.OWN, *pages.SWAGGER})


def ask(path: str, headers: dict[str, str] | None = None, method: str = "GET") -> httpx.Response:
    """One request to a service that asks for a key and has nothing loaded, in this process."""
    desk = Desk(USE_CASE, "r" * 64, Standing, lambda _: None, Metrics(USE_CASE, CollectorRegistry()))
    routes = Routes(desk, Bounds(10_000, 10), admission=Admission(Keyring(None)), guards=Guards.over_https(60))

    async def send() -> httpx.Response:
        transport = httpx.ASGITransport(routes.application(), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.request(method, path, headers=headers)

    return asyncio.run(send())


def loaded(path: str) -> set[str]:
    """The addresses that a page leads to: itself, its scripts and styles, and what those import."""
    found: set[str] = set()
    ahead = {path}
    while ahead:
        address = ahead.pop()
        found.add(address)
        text = ask(address, BROWSER).text if address not in pages.SWAGGER else ""
        named = re.findall(
            r'<script src="([^"]+)|<link rel="stylesheet" href="([^"]+)|^import .* from "([^"]+)', text, re.M
        )
        ahead |= {urljoin(address, name) for names in named for name in names if name} - found
    return found


@pytest.mark.parametrize("path", SHELL)
def test_everybody_gets_the_shell(path: str) -> None:
    answer = ask(path, BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == pages.MEDIA[Path({**pages.OWN, **pages.SWAGGER}[path]).suffix].decode()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["strict-transport-security"] == "max-age=60"
    assert "x-sluice-version" not in answer.headers


@pytest.mark.parametrize("path", SHELL)
def test_a_browser_that_has_it_is_not_sent_it_again(path: str) -> None:
    first = ask(path, BROWSER)
    again = ask(path, {**BROWSER, "if-none-match": f'W/"old", {first.headers["etag"]}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert ask(path, {**BROWSER, "if-none-match": '"old"'}).status_code == 200


@pytest.mark.parametrize("accept", ["application/json", "*/*", ""], ids=["json", "anything", "nothing"])
def test_a_program_is_told_nothing_without_a_key(accept: str) -> None:
    answer = ask("/", {"accept": accept})
    assert answer.status_code == 401
    assert answer.json()["type"] == "urn:sluice:problem:unauthorized"


@pytest.mark.parametrize("path", ["/openapi.json", "/metrics", "/docs.json", "/schema.json", "/pages/card.py"])
def test_what_holds_data_is_not_open_to_browsers(path: str) -> None:
    assert ask(path, BROWSER).status_code in (401, 404)


def test_every_file_of_the_pages_has_an_address_and_nothing_leads_elsewhere() -> None:
    files = {path.name for path in (PACKAGE / "pages").iterdir()}
    assert files == set(pages.OWN.values())
    for name in files:
        text = (PACKAGE / "pages" / name).read_text()
        addresses = re.findall(r"https?://[^\s\"'`)]+", text)
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}
        # Scripts and styles within the page would not be obeyed.
        assert not re.search(r"<style|<script(?! src=)|\son\w+=|\sstyle=|innerHTML|insertAdjacentHTML|\beval\(", text)


@pytest.mark.parametrize("path", ["/", "/docs"], ids=["card", "docs"])
def test_whatever_a_page_loads_is_there(path: str) -> None:
    assert loaded(path) <= {*pages.OWN, *pages.SWAGGER}


def test_every_file_of_the_pages_is_loaded_by_one() -> None:
    assert loaded("/") | loaded("/docs") == {*pages.OWN, *pages.SWAGGER}


def test_the_api_says_whether_it_asks_for_a_key() -> None:
    contract = Contract.model_validate_json(httpx.Response(200, json=bundles.contract(Recipe())).content)
    [opened, keyed] = (openapi.document(contract, 1, keyed) for keyed in (False, True))
    assert opened["security"] == []
    assert keyed["security"] == [{"key": []}, {"bearer": []}]
    assert set(keyed["components"]["securitySchemes"]) == {"key", "bearer"}
