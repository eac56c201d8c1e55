"""A person's walk through Airflow's UI: sign in, fill the form, trigger, follow, open the report."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PATIENCE
from tests.live import LiveStack

pytestmark = pytest.mark.browser


@pytest.fixture
def page(live: LiveStack, chromium: Browser) -> Iterator[Page]:
    """A page for somebody who is signed in as admin."""
    with chromium.new_context(viewport={"width": 1400, "height": 900}) as context:
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.goto(live.addresses.airflow)
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").fill(live.addresses.credentials.admin)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("link", name="Dags", exact=True)).to_be_visible()
        yield page


def test_a_person_triggers_an_ingestion_and_opens_its_report(live: LiveStack, page: Page, tmp_path: Path) -> None:
    live.airflow.await_dag("housing_ingest")
    page.goto(f"{live.addresses.airflow}/dags/housing_ingest")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    expect(form).to_contain_text("A file path or an http(s) or s3 URL to read instead")
    form.locator("[name=element_source]").fill("sample:housing?rows=6000&seed=99")
    form.locator("[name=element_reason]").fill("a walk through the form")
    page.screenshot(path=tmp_path / "form.png")
    form.get_by_role("button", name="Trigger").last.click()

    page.wait_for_url(re.compile("/runs/"))
    run_id = unquote(page.url.split("/runs/")[1].split("/")[0].split("?")[0])
    assert live.finish(live.airflow.run("housing_ingest", run_id)).state == "success"
    run_page = f"{live.addresses.airflow}/dags/housing_ingest/runs/{quote(run_id, safe='')}"
    page.goto(run_page)
    expect(page.get_by_text("judge_batch").first).to_be_visible()
    page.screenshot(path=tmp_path / "run.png")
    page.goto(f"{run_page}/tasks/judge_batch/details")
    with page.expect_navigation(url=re.compile("/sluice/reports/housing/validation/")):
        page.get_by_role("link", name="Report").click()
    expect(page.locator("body")).to_contain_text("6,000")
    page.screenshot(path=tmp_path / "report.png")

    [batch] = live.warehouse.rows("SELECT rows, report_uri FROM ingest.batches WHERE source_uri LIKE '%seed=99%'")
    assert batch["rows"] == 6000
    assert page.url == live.addresses.airflow + batch["report_uri"], "the batch leads to the same page"


def test_the_overview_shows_every_use_case(live: LiveStack, page: Page, tmp_path: Path) -> None:
    page.get_by_role("link", name="Sluice").first.click()

    view = page.frame_locator("iframe")
    expect(view.get_by_role("heading", name="Housing prices")).to_be_visible()
    expect(view.locator("body")).to_contain_text("Champion")
    page.screenshot(path=tmp_path / "overview.png")
