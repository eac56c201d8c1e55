"""Roles: what each of Airflow's may do to models, asked of the real web server, with either way to sign in."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from local.secrets import leaks
from tests.browser.conftest import PATIENCE
from tests.security.airflows import PEOPLE, Airflow, Who, password
from watcher import airflow as watched
from watcher.sight import Seen

# The first of them waits for two databases, the reading of all DAGs and a web server.
pytestmark = pytest.mark.timeout(1200)

TRAIN, PROMOTE, ROLLBACK = (f"/api/v2/dags/housing_{stage}" for stage in ("train", "promote", "rollback"))
RUN = {"logical_date": None}
WHY = {"reason": "wrong prices"}
HIDDEN = "the-word-of-the-source"

PAGES = ("/sluice/use_cases", "/sluice/use_cases/housing", "/sluice/platform")
Open = Callable[[Who, str], Page]

#: Everybody may mark what they like to look at; nothing but their own list changes.
HARMLESS = {"/api/v2/dags/{dag_id}/favorite", "/api/v2/dags/{dag_id}/unfavorite"}


@dataclass(frozen=True)
class Act:
    """Something that people do.

    Attributes:
        method: How it is asked for.
        path: Where; or made from a server, where something must be there first.
        body: What is sent.
        who: May do it.
    """

    method: str
    path: str | Callable[[Airflow], str]
    body: Any = None
    who: tuple[Who, ...] = ("user", "op", "admin")


def of_run(airflow: Airflow) -> str:
    return f"{TRAIN}/dagRuns/{airflow.begin('housing_train')}"


def question(airflow: Airflow) -> str:
    return airflow.wait_for_a_person("housing_promote")


def first_asset(airflow: Airflow) -> int:
    return int(airflow.ask("admin", "GET", "/api/v2/assets").json()["assets"][0]["id"])


ACTS = {
    "train": Act("POST", f"{TRAIN}/dagRuns", RUN),
    "force a promotion": Act("POST", f"{PROMOTE}/dagRuns", RUN | {"conf": WHY | {"force": True, "version": 1}}),
    "roll back": Act("POST", f"{ROLLBACK}/dagRuns", RUN | {"conf": WHY}),
    "approve": Act("PATCH", question, {"chosen_options": ["Approve"], "params_input": {}}),
    "refuse": Act("PATCH", question, {"chosen_options": ["Reject"], "params_input": {}}),
    "call a run a success": Act("PATCH", of_run, {"state": "success"}),
    "remove a run": Act("DELETE", of_run),
    "have tasks done again": Act("POST", f"{TRAIN}/clearTaskInstances", {"dry_run": False, "only_failed": True}),
    "pause": Act("PATCH", f"{PROMOTE}", {"is_paused": False}),
    "read a connection": Act("GET", "/api/v2/connections/source", who=("op", "admin")),
    "read all connections": Act("GET", "/api/v2/connections", who=("op", "admin")),
    "read a variable": Act("GET", "/api/v2/variables/source", who=("op", "admin")),
    "read all variables": Act("GET", "/api/v2/variables", who=("op", "admin")),
    "change a connection": Act(
        "PATCH",
        "/api/v2/connections/source",
        {"connection_id": "source", "conn_type": "http", "host": "elsewhere"},
        who=("op", "admin"),
    ),
    "change a variable": Act(
        "PATCH", "/api/v2/variables/source", {"key": "source", "value": HIDDEN}, who=("op", "admin")
    ),
    "see the runs": Act("GET", f"{TRAIN}/dagRuns", who=PEOPLE),
    "see what waits for people": Act("GET", "/api/v2/dags/~/dagRuns/~/hitlDetails", who=PEOPLE),
    "see the use cases": Act("GET", "/sluice/use_cases", who=PEOPLE),
    "see a use case": Act("GET", "/sluice/use_cases/housing", who=PEOPLE),
    "see the platform": Act("GET", "/sluice/platform", who=PEOPLE),
}


@pytest.fixture(scope="module", autouse=True)
def _source(airflow: Airflow) -> None:
    """A connection and a variable with something that not everybody is to know."""
    connection = {"connection_id": "source", "conn_type": "http", "host": "host-of-the-source", "password": HIDDEN}
    for path, body in (("connections", connection), ("variables", {"key": "source", "value": HIDDEN})):
        assert airflow.ask("admin", "POST", f"/api/v2/{path}", body).status_code in (201, 409)


@pytest.fixture
def sign_in(airflow: Airflow, chromium: Browser) -> Iterator[Open]:
    """Opens a page as somebody, who has to say who they are first."""
    with ExitStack() as contexts:

        def open_(who: Who, path: str) -> Page:
            page = contexts.enter_context(chromium.new_context(viewport={"width": 1280, "height": 900})).new_page()
            page.set_default_timeout(PATIENCE)
            page.goto(airflow.url + path)
            page.locator("input[name=username]").fill(who)
            page.locator("input[name=password]").fill(password(who))
            page.locator("[type=submit]").first.click()
            page.wait_for_url(f"**{path}")
            return page

        yield open_


def runs(airflow: Airflow) -> int:
    return int(airflow.ask("admin", "GET", f"{TRAIN}/dagRuns").json()["total_entries"])


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize("who", PEOPLE)
def test_each_may_do_what_is_theirs_and_nothing_else(airflow: Airflow, who: Who, act: Act) -> None:
    path = act.path if isinstance(act.path, str) else act.path(airflow)

    answer = airflow.ask(who, act.method, path, act.body)

    assert (answer.status_code if answer.status_code == 403 else answer.is_success) == (who in act.who or 403)


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
def test_nobody_may_do_anything_without_signing_in(airflow: Airflow, act: Act) -> None:
    path = act.path if isinstance(act.path, str) else act.path(airflow)

    assert airflow.ask(None, act.method, path, act.body).status_code == 401


def test_a_viewer_changes_nothing_by_any_way_that_there_is(airflow: Airflow) -> None:
    known = {"dag_id": "housing_train", "connection_id": "source", "variable_key": "source", "map_index": "-1"}
    paths = airflow.ask(None, "GET", "/openapi.json").json()["paths"]
    ways = [(method, path) for path, methods in paths.items() for method in methods if method not in ("get", "head")]
    done = [
        (method, path)
        for method, path in ways
        if path not in HARMLESS
        and airflow.ask(
            "viewer", method.upper(), re.sub(r"{(\w+)}", lambda name: known.get(name[1], "1"), path), {}
        ).is_success
    ]

    assert len(ways) > 50
    assert done == []


@pytest.mark.parametrize(
    ("path", "entity"),
    [
        ("/api/v2/connections", {"connection_id": "new", "conn_type": "http"}),
        ("/api/v2/variables", {"key": "new", "value": "word"}),
        ("/api/v2/pools", {"name": "new", "slots": 1}),
    ],
    ids=["connections", "variables", "pools"],
)
def test_a_viewer_changes_nothing_in_bulk(airflow: Airflow, path: str, entity: dict[str, Any]) -> None:
    body = {"actions": [{"action": "create", "entities": [entity]}]}

    assert airflow.ask("viewer", "PATCH", path, body).status_code == 403


def test_a_viewer_starts_nothing_by_way_of_an_asset(airflow: Airflow) -> None:
    asset = first_asset(airflow)

    assert airflow.ask("viewer", "POST", "/api/v2/assets/events", {"asset_id": asset}).status_code == 403
    assert airflow.ask("viewer", "POST", f"/api/v2/assets/{asset}/materialize", {}).status_code == 403


def test_no_password_is_given_to_whoever_may_read_connections(airflow: Airflow) -> None:
    answer = airflow.ask("admin", "GET", "/api/v2/connections/source")

    assert answer.json()["connection_id"] == "source"
    assert HIDDEN not in answer.text


def test_a_viewer_is_not_told_where_connections_lead(airflow: Airflow) -> None:
    pages = {who: airflow.ask(who, "GET", "/sluice/platform").text for who in ("viewer", "op")}

    assert "127.0.0.1:2525" not in pages["viewer"]
    assert "127.0.0.1:2525" in pages["op"]


def test_no_secret_of_the_stack_is_shown_to_anybody(airflow: Airflow) -> None:
    paths = airflow.ask(None, "GET", "/openapi.json").json()["paths"]
    # To sign out would end what the other tests are signed in with.
    plain = [path for path, methods in paths.items() if "get" in methods and "{" not in path and "logout" not in path]
    shown = {path: airflow.ask("admin", "GET", path) for path in (*plain, *PAGES, "/ui/config")}

    assert sum(answer.is_success for answer in shown.values()) > 15
    assert {path: found for path, answer in shown.items() if (found := leaks(answer.text, airflow.secrets))} == {}
    assert leaks(airflow.log, airflow.secrets) == ()


def test_the_watcher_sees_what_it_looks_for_as_a_viewer(airflow: Airflow) -> None:
    who: Who = "watcher" if airflow.manager == "fab" else "viewer"
    with httpx.Client(timeout=60, trust_env=False) as http:
        server = watched.Airflow(http, airflow.url, who, password(who))
        sights = (
            watched.overdue(server, 600, airflow.url, frozenset),
            watched.untaken(server, 600, airflow.url),
            watched.unreadable(server, airflow.url, tuple),
        )

    assert all(isinstance(sight, Seen) for sight in sights)
    assert re.fullmatch("[1-9][0-9]* DAGs with a next run", sights[0].note)


def test_who_acted_is_written_down_by_name(airflow: Airflow) -> None:
    path = question(airflow)
    answered = airflow.ask("op", "PATCH", path, {"chosen_options": ["Approve"], "params_input": {}})
    begun = airflow.ask("user", "POST", f"{ROLLBACK}/dagRuns", RUN | {"conf": WHY})

    assert answered.json()["responded_by"]["name"] == "op"
    assert begun.json()["triggering_user_name"] == "user"


def test_a_wrong_password_opens_nothing(airflow: Airflow) -> None:
    assert airflow.sign_in("op", "another-word").status_code == 401


@pytest.mark.browser
@pytest.mark.parametrize(("who", "begun"), [("viewer", 0), ("op", 1)])
def test_the_button_that_trains_is_for_who_may(airflow: Airflow, sign_in: Open, who: Who, begun: int) -> None:
    before = runs(airflow)
    page = sign_in(who, "/sluice/use_cases")
    expect(page.get_by_role("heading", name="Housing prices")).to_be_visible()
    page.goto(f"{airflow.url}/dags/housing_train")
    page.get_by_role("button", name="Trigger").first.click()
    with page.expect_response(lambda said: said.request.method == "POST") as answer:
        page.get_by_role("dialog").get_by_role("button", name="Trigger").last.click()

    assert answer.value.status == (200 if begun else 403)
    if not begun:
        expect(page.get_by_text("You do not have permission").first).to_be_visible()
    assert runs(airflow) - before == begun


@pytest.mark.browser
@pytest.mark.parametrize(("who", "taken"), [("viewer", False), ("op", True)])
def test_the_button_that_approves_is_for_who_may(airflow: Airflow, sign_in: Open, who: Who, taken: bool) -> None:
    asked = question(airflow)
    run_id = asked.split("/")[6]
    page = sign_in(who, "/sluice/use_cases/housing")
    page.goto(f"{airflow.url}/dags/housing_promote/runs/{run_id}/tasks/ask_approval/required_actions")
    with page.expect_response(lambda said: said.request.method == "PATCH") as answer:
        page.get_by_role("button", name="Approve").click()

    assert answer.value.status == (200 if taken else 403)
    assert airflow.ask("admin", "GET", asked).json()["response_received"] is taken
