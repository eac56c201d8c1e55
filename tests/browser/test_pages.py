"""The pages inside Airflow's UI, on the live stack: they show what the database holds, and change nothing."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, Request, expect

from sluice.registry import find
from tests.browser.conftest import PATIENCE
from tests.live import REPOSITORY, LiveStack
from tests.unit.web import history

pytestmark = pytest.mark.browser

Who = Literal["admin", "viewer"]
Open = Callable[..., Page]

DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
CALM, TURNED, DRIFTING = TOLD = ("shown_calm", "shown_turned", "shown_drifting")
PAGES = ("use_cases", *(f"use_cases/{name}" for name in TOLD), "platform")


@pytest.fixture(scope="module")
def told(live: LiveStack) -> Iterator[datetime]:
    """Three more use cases, of whose past the warehouse tells: one is well, one was rolled back, one drifts."""
    shipped = (REPOSITORY / "include" / "use_cases" / "housing" / "use_case.yaml").read_text(encoding="utf-8")
    now = datetime.now(UTC)
    try:
        for name in TOLD:
            (live.use_cases / name).mkdir()
            # By hand only: nothing of them is to run.
            spec = re.sub(r"^name: .*\ntitle: .*$", f"name: {name}\ntitle: {name.title()}", shipped, flags=re.MULTILINE)
            (live.use_cases / name / "use_case.yaml").write_text(spec, encoding="utf-8")
        metric = find(live.use_cases).get(CALM).performance_metric
        history.calm(live.warehouse, CALM, metric, now)
        history.turned(live.warehouse, TURNED, now)
        history.drifting(live.warehouse, DRIFTING, metric, now)
        # Nobody is to be told that they are silent.
        live.warehouse.execute(
            "UPDATE serving.replicas SET seen_at = now() + interval '1 hour' WHERE use_case LIKE 'shown_%'"
        )
        yield now
    finally:
        for name in TOLD:
            shutil.rmtree(live.use_cases / name, ignore_errors=True)
        live.warehouse.execute("DELETE FROM monitoring.incidents WHERE use_case LIKE 'shown_%'")
        live.warehouse.execute("DELETE FROM serving.replicas WHERE use_case LIKE 'shown_%'")


@pytest.fixture(scope="module")
def sign_in(live: LiveStack, chromium: Browser) -> Iterator[Open]:
    """Opens a page of Sluice's as one of the stack's users, who signs in once for each size."""
    contexts: dict[tuple[str, int], Page] = {}

    def open_(path: str, who: Who = "admin", size: dict[str, int] = DESKTOP) -> Page:
        key = (who, size["width"])
        if key not in contexts:
            page = chromium.new_context(viewport=size).new_page()  # type: ignore[arg-type]
            page.set_default_timeout(PATIENCE)
            page.goto(live.addresses.airflow)
            page.get_by_label("Username").fill(who)
            page.get_by_label("Password", exact=True).fill(getattr(live.addresses.credentials, who))
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("link", name="Dags", exact=True)).to_be_visible()
            contexts[key] = page
        page = contexts[key]
        page.goto(f"{live.addresses.airflow}/sluice/{path}")
        return page

    yield open_
    for page in contexts.values():
        page.context.close()


def part(page: Page, name: str) -> Locator:
    return page.locator(f"#{name}")


def asking(live: LiveStack, page: Page) -> httpx.Client:
    """A client that is signed in as the page is."""
    cookies = {cookie["name"]: cookie["value"] for cookie in page.context.cookies()}  # type: ignore[typeddict-item]
    return httpx.Client(base_url=live.addresses.airflow, cookies=cookies, trust_env=False, timeout=30)


@pytest.mark.usefixtures("told")
def test_a_person_comes_from_airflow_to_every_use_case(live: LiveStack, sign_in: Open) -> None:
    page = sign_in("use_cases")
    page.goto(live.addresses.airflow)
    page.get_by_role("link", name="Sluice").first.click()

    view = page.frame_locator("iframe")
    for name in TOLD:
        expect(view.get_by_role("heading", name=name)).to_be_visible()
    view.get_by_role("link", name=TURNED.title()).click()
    expect(view.get_by_role("heading", name="Last decisions")).to_be_visible()


@pytest.mark.usefixtures("told")
def test_a_rejection_a_forced_release_and_a_rollback_are_shown_as_they_were(live: LiveStack, sign_in: Open) -> None:
    page = sign_in(f"use_cases/{TURNED}")

    decided = live.warehouse.rows(
        "SELECT code, message, actor FROM ml.decisions WHERE use_case = %(name)s ORDER BY decision_id DESC",
        {"name": TURNED},
    )
    shown = part(page, "decisions").locator(".entry")
    expect(shown).to_have_count(len(decided))
    for entry, decision in zip(shown.all(), decided, strict=True):
        expect(entry).to_contain_text(decision["code"])
        expect(entry).to_contain_text(decision["message"])
    expect(shown.first).to_contain_text("by ada")
    rejected = shown.nth(2)
    rejected.get_by_text("2 checks: 1 passed, 1 failed").click()
    expect(rejected.locator("tr").nth(1)).to_contain_text("threshold.r2")
    expect(rejected.locator("tr").nth(1)).to_contain_text("0.61")
    expect(rejected.locator("tr").nth(1)).to_contain_text(">= 0.7")
    newest = part(page, "deployments").locator("tr").nth(1)
    expect(newest).to_contain_text("rollback")
    expect(newest).to_contain_text("version 3 answers nonsense")
    expect(page.locator("main > section").first).to_contain_text("version 1")


@pytest.mark.usefixtures("told")
def test_a_drift_is_shown_as_it_went(live: LiveStack, sign_in: Open) -> None:
    page = sign_in(f"use_cases/{DRIFTING}")

    [counted] = live.warehouse.rows(
        "SELECT count(*) FILTER (WHERE verdict = 'drifted') AS drifted, count(*) AS checks FROM monitoring.reports"
        " WHERE use_case = %(name)s AND kind = 'drift'",
        {"name": DRIFTING},
    )
    expect(part(page, "drift").locator("svg rect.mark")).to_have_count(counted["drifted"])
    expect(part(page, "drift").locator("svg g > title")).to_have_count(counted["checks"])
    expect(part(page, "drift").locator("details[open] tr").nth(1)).to_contain_text("income")
    expect(part(page, "performance").locator("polyline")).to_have_count(3)
    expect(part(page, "incidents")).to_contain_text("drifted: income")
    expect(part(page, "batches")).to_contain_text("not_a_number:age 80")
    expect(part(page, "reports")).to_contain_text("5 of the last 7 checks found drift")


@pytest.mark.usefixtures("told")
def test_the_platform_page_knows_the_stack(live: LiveStack, sign_in: Open) -> None:
    live.finish(live.start("sluice_check"))
    page = sign_in("platform")

    rows = part(page, "integrations").locator("tr")
    for name in ("Airflow", "Warehouse", "Searches", "Model registry", "Object store", "Mail"):
        row, deadline = rows.filter(has=page.locator("strong", has_text=name)), time.monotonic() + 60
        while "✓ ok" not in row.inner_text() and time.monotonic() < deadline:
            # On a busy machine a sign of life, or an answer, may be late.
            page.reload()
        expect(row).to_contain_text("✓ ok")
    expect(rows.filter(has_text="Container engine")).to_contain_text(re.compile("off|ok|could not tell"))
    expect(rows.filter(has_text="Serving").first).to_contain_text(f"{DRIFTING}: live")
    expect(part(page, "incidents")).to_contain_text(DRIFTING)
    text = page.content()
    assert live.addresses.credentials.postgres not in text
    shown = part(page, "runs").locator("tr", has_text="sluice_check")
    with asking(live, page) as api:
        known = api.get("/api/v2/dags/sluice_check/dagRuns").json()["total_entries"]
    expect(shown.locator("[data-of=runs]")).to_have_text(str(known))


@pytest.mark.usefixtures("told")
def test_a_viewer_sees_everything_and_can_change_nothing(live: LiveStack, sign_in: Open) -> None:
    for path in PAGES:
        everything = sign_in(path).locator("h2").all_inner_texts()
        page = sign_in(path, "viewer")
        assert page.locator("h2").all_inner_texts() == everything
        expect(page.locator("form, input, button, select, textarea, script")).to_have_count(0)
    with asking(live, page) as viewer:
        for path in PAGES:
            refused = {viewer.request(method, f"/sluice/{path}").status_code for method in ("POST", "PUT", "DELETE")}
            assert refused == {405}
        begun = viewer.post("/api/v2/dags/sluice_check/dagRuns", json={"logical_date": None})
        assert begun.status_code == 403


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_pages_are_for_everybody_and_every_screen(
    live: LiveStack, sign_in: Open, size: dict[str, int], tmp_path: Path
) -> None:
    page = sign_in("use_cases", "viewer", size)
    asked: list[Request] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request))
    page.on("console", lambda message: said.append(message.text))
    for path in PAGES:
        sign_in(path, "viewer", size)
        page.screenshot(path=tmp_path / f"{path.replace('/', '-')}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        violations = Axe().run(page).response["violations"]
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in violations] == []
    assert said == []
    assert {urlsplit(request.url).path for request in asked} <= {f"/sluice/{path}" for path in PAGES} | {"/favicon.ico"}

    sign_in("use_cases", "viewer", size)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Batches and quarantine")).to_be_visible()
