"""What people see of a service: its card with a form, filled in as people do, and the documentation of its API."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Locator, Page, expect

from local import keys
from tests.bentos import bundles
from tests.bentos.bundles import EXAMPLE, MULTICLASS, USE_CASE, Recipe
from tests.bentos.servers import Service, eventually

pytestmark = pytest.mark.browser

PHONE = {"width": 320, "height": 640}
ASIDE = {"width": 640, "height": 320}
DESKTOP = {"width": 1280, "height": 800}
HOSTILE = "<img src=x onerror=\"document.title='taken'\"> it's"
WIDE = {"level": 0.8, "half_width": 200_000.0, "coverage": 0.82}
NUMBER, CLASSES, MILLIONS, NEWER, STRANGE = range(1, 6)
RECIPES = {
    NUMBER: Recipe(),
    CLASSES: MULTICLASS,
    MILLIONS: Recipe(base=1_234_567.0, interval=WIDE),
    NEWER: Recipe(base=80.0),
    STRANGE: replace(MULTICLASS, labels={"low": HOSTILE, "middle": "Fair", "high": "Dear"}),
}

Look = Callable[..., Page]


@dataclass(frozen=True)
class Scene:
    """A service, and the object store that it follows."""

    service: Service
    releases: Path

    def promote(self, version: int) -> None:
        """Make a version the champion and wait until it serves."""
        new = self.releases / "champion.new"
        new.write_text(json.dumps({"version": version, "bento": f"rents:{version}"}))
        new.replace(self.releases / "champion.json")
        eventually(lambda: self.service.card().get("version") == version)

    def ask(self, **values: Any) -> dict[str, Any]:
        """What the API answers to one row."""
        answer = self.service.predict(EXAMPLE | values)
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document


@pytest.fixture(scope="module")
def scene(serve: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> Scene:
    """A service that everybody may ask."""
    store = tmp_path_factory.mktemp("store")
    releases = store / "releases" / USE_CASE
    for version, recipe in RECIPES.items():
        bundles.write(releases / str(version), recipe)
    _estrange(releases / str(STRANGE))
    started = Scene(serve(SLUICE_OBJECT_STORE=store.as_uri()), releases)
    eventually(lambda: started.service.card())
    started.promote(NUMBER)
    return started


def _estrange(bundle: Path) -> None:
    """Let a contract say everything that a page could take for markup."""
    contract = json.loads((bundle / "contract.json").read_text())
    contract |= {"title": HOSTILE, "description": HOSTILE, "family": HOSTILE}
    contract["output"]["name"] = HOSTILE
    contract["libraries"] = {HOSTILE: HOSTILE}
    [place] = [given for given in contract["inputs"] if given["name"] == "place"]
    place |= {"categories": ["INLAND", "NEAR BAY", HOSTILE], "description": HOSTILE, "unit": HOSTILE}
    (bundle / "contract.json").write_text(json.dumps(contract))
    bundles.seal(bundle)


@pytest.fixture
def look(chromium: Browser) -> Iterator[Look]:
    """Opens pages; each must stay with its own service, and keep to its own policy."""
    with ExitStack() as stack:
        faults: list[str] = []

        def open_(service: Service, path: str = "/", **options: Any) -> Page:
            context = chromium.new_context(**{"viewport": DESKTOP, **options})
            stack.callback(context.close)
            page = context.new_page()

            def requested(url: str) -> None:
                if not url.startswith((service.url, "data:", "blob:")):
                    faults.append(f"asks {url}")

            page.on("request", lambda request: requested(request.url))
            page.on("pageerror", lambda error: faults.append(str(error)))
            # A browser tells of every refused request in the same place.
            page.on("console", lambda said: None if _is_refusal(said.text) else faults.append(said.text))
            page.goto(service.url + path)
            return page

        yield open_
        assert faults == []


def _is_refusal(text: str) -> bool:
    return re.match(r"Failed to load resource: (the server responded with a status of 4|net::ERR_)", text) is not None


def reach(page: Page, target: Locator) -> None:
    """Go forward with the keyboard until something has the focus."""
    handle = target.element_handle()
    for _ in range(60):
        if page.evaluate("one => document.activeElement === one", handle):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached with the keyboard")


def predict(page: Page) -> dict[str, Any]:
    """Press the button, and return what the service answered."""
    with page.expect_response(lambda answer: answer.url.endswith("/api/v1/predict")) as sent:
        page.get_by_role("button", name="Predict").click()
    document: dict[str, Any] = sent.value.json()
    return document


def written(number: float, decimals: int) -> str:
    """A number as people read it."""
    text = f"{number:,.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def assert_accessible(page: Page) -> None:
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


def assert_fits(page: Page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]


def test_the_keyboard_alone_asks_for_a_prediction(scene: Scene, look: Look) -> None:
    scene.promote(NUMBER)
    page = look(scene.service)
    reach(page, page.get_by_label("Income"))
    page.keyboard.press("Control+A")
    page.keyboard.type("3.75")
    page.keyboard.press("Tab")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.press("Tab")
    page.keyboard.type("No")
    page.keyboard.press("Tab")
    page.keyboard.type("INL")
    page.keyboard.press("Tab")
    with page.expect_response("**/api/v1/predict") as sent:
        page.keyboard.press("Enter")
    assert sent.value.request.post_data_json == {
        "instances": [{"income": 3.75, "rooms": None, "furnished": False, "place": "INLAND"}]
    }

    answer = scene.ask(income=3.75, rooms=None, furnished=False, place="INLAND")
    [row] = answer["predictions"]
    shown = page.get_by_role("region", name="Prediction")
    expect(shown.locator("data")).to_have_text(written(row["prediction"], 1))
    assert float(shown.locator("data").get_attribute("value") or "") == row["prediction"]
    low, high = (written(end, 1) for end in row["interval"])
    expect(shown).to_contain_text(f"Between {low} and {high} USD. Such intervals hold the true value 90 % of the time.")
    expect(shown.get_by_role("img")).to_have_accessible_name(re.compile(f"interval from {low} to {high} USD"))
    said = sent.value.json()
    expect(shown).to_contain_text(f"Model version{said['model_version']}")
    expect(shown).to_contain_text(said["request_id"])
    expect(shown).to_contain_text(said["predictions"][0]["prediction_id"])


@pytest.mark.parametrize("viewport", [DESKTOP, ASIDE], ids=["desktop", "phone on its side"])
def test_the_focus_goes_through_everything_in_order_and_is_seen(
    scene: Scene, look: Look, viewport: dict[str, int]
) -> None:
    scene.promote(NUMBER)
    page = look(scene.service, viewport=viewport)
    expect(page.get_by_label("Income")).to_be_visible()
    page.evaluate(
        """() => {
          window.order = [...document.querySelectorAll("a, button, input, select, summary, [tabindex]")]
            .filter((one) => one.checkVisibility() && one.tabIndex >= 0);
          window.place = () => window.order.indexOf(document.activeElement);
          window.lower = (place) => scrollBy(0, order[place].getBoundingClientRect().bottom - innerHeight + 4);
        }"""
    )
    count = page.evaluate("order.length")
    assert count >= 12
    for place in range(count):
        page.evaluate("place => lower(place)", place)
        page.keyboard.press("Tab")
        assert page.evaluate("place()") == place
        assert page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)") >= 2
        # Nothing lies over it, not even the bar that sticks to the bottom.
        assert page.evaluate(
            """() => {
              const box = document.activeElement.getBoundingClientRect();
              const there = document.elementFromPoint(box.x + box.width / 2, box.y + Math.min(box.height / 2, 20));
              return document.activeElement.contains(there) || there.contains(document.activeElement);
            }"""
        ), page.evaluate("document.activeElement.outerHTML")


def test_a_large_number_is_shown_with_its_thousands(scene: Scene, look: Look) -> None:
    scene.promote(MILLIONS)
    page = look(scene.service)
    [row] = predict(page)["predictions"]
    expect(page.locator("#answer data")).to_have_text(written(row["prediction"], 0))
    assert written(row["prediction"], 0) == "1,234,622"
    low, high = (written(end, 0) for end in row["interval"])
    expect(page.locator("#answer")).to_contain_text(f"Between {low} and {high} USD")


def test_classes_are_shown_with_every_probability(scene: Scene, look: Look) -> None:
    scene.promote(CLASSES)
    page = look(scene.service)
    [row] = predict(page)["predictions"]
    shown = page.locator("#answer")
    expect(shown.locator("data")).to_have_text(row["prediction_label"])
    ranked = sorted(row["probabilities"].items(), key=lambda pair: -pair[1])
    bars = shown.get_by_role("list", name="Probability of every class").get_by_role("listitem")
    expect(bars).to_have_count(len(MULTICLASS.labels))
    for bar, (value, share) in zip(bars.all(), ranked, strict=True):
        expect(bar).to_contain_text(MULTICLASS.labels[value])
        expect(bar).to_contain_text(f"{written(100 * share, 1)} %")
        assert float((bar.locator(".share").get_attribute("width") or "").rstrip("%")) == pytest.approx(100 * share)
        expect(bar.get_by_text("in the set")).to_have_count(int(value in row["prediction_set"]))
    members = " or ".join(MULTICLASS.labels[value] for value in row["prediction_set"])
    expect(shown).to_contain_text(f"Prediction set: {members}. Such sets hold the true class 90 % of the time.")


def test_every_fault_is_told_at_its_field(scene: Scene, look: Look) -> None:
    scene.promote(NUMBER)
    page = look(scene.service)
    income, rooms, place = (page.get_by_label(name) for name in ("Income", "Rooms", "Place"))
    income.fill("99")
    place.select_option("")
    rooms.fill("2.5")
    rooms.press("Enter")

    told = scene.service.predict({"income": 99, "rooms": 2.5, "furnished": True}).json()["errors"]
    summary = page.locator("#faults")
    expect(summary.get_by_role("heading")).to_have_text(f"{len(told)} values cannot be taken")
    assert summary.get_attribute("role") == "alert"
    for field, fault in zip((income, rooms, place), told, strict=True):
        words = f"{fault['message']}; allowed: {fault['allowed']}"
        expect(field).to_have_attribute("aria-invalid", "true")
        expect(field).to_have_accessible_description(re.compile(re.escape(words), re.IGNORECASE))
        expect(summary).to_contain_text(words)
    expect(income).to_be_focused()
    summary.get_by_role("link", name="Place").click()
    expect(place).to_be_focused()

    place.select_option("INLAND")
    expect(place).not_to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Reset to example").click()
    expect(income).to_have_value("8.5")
    expect(summary).to_be_empty()
    assert predict(page)["predictions"][0]["prediction"] == scene.ask()["predictions"][0]["prediction"]


def test_what_is_no_number_is_never_sent(scene: Scene, look: Look) -> None:
    scene.promote(NUMBER)
    page = look(scene.service)
    income = page.get_by_label("Income")
    income.fill("")
    income.press_sequentially("1e")
    income.press("Enter")
    expect(income).to_have_accessible_description(re.compile("Is not a number"))
    expect(income).to_be_focused()


def test_the_shell_gets_the_same_answer(scene: Scene, look: Look) -> None:
    scene.promote(STRANGE)
    page = look(scene.service)
    page.get_by_label("Place").select_option(HOSTILE)
    page.get_by_label("Income").fill("6.25")
    line = page.locator("#curl").text_content() or ""
    ran = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=True, timeout=30)
    answer = scene.ask(income=6.25, place=HOSTILE)
    assert json.loads(ran.stdout)["predictions"][0]["probabilities"] == answer["predictions"][0]["probabilities"]


def test_the_line_can_be_copied(scene: Scene, look: Look) -> None:
    scene.promote(NUMBER)
    page = look(scene.service, permissions=["clipboard-read", "clipboard-write"])
    page.get_by_label("Income").fill("7")
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == page.locator("#curl").text_content()
    assert '"income": 7,' in copied


def test_what_the_contract_says_stays_text(scene: Scene, look: Look) -> None:
    scene.promote(STRANGE)
    page = look(scene.service)
    place = page.get_by_label("Place")
    place.select_option(HOSTILE)
    predict(page)
    expect(page.locator("#answer data")).to_be_visible()
    expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
    expect(page.locator("#answer .classes")).to_contain_text(HOSTILE)
    assert (page.locator("img").count(), page.title()) == (0, HOSTILE)


@pytest.mark.parametrize("version", [NUMBER, CLASSES, STRANGE], ids=["number", "classes", "strange"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it(scene: Scene, look: Look, version: int, scheme: str) -> None:
    scene.promote(version)
    page = look(scene.service, viewport=PHONE, has_touch=True, color_scheme=scheme)
    expect(page.get_by_label("Income")).to_be_visible()
    assert_fits(page)
    predict(page)
    expect(page.locator("#answer data")).to_be_in_viewport()
    for summary in page.locator("summary").all():
        summary.click()
    assert_fits(page)
    assert_accessible(page)
    page.get_by_label("Income").fill("-1")
    page.get_by_label("Income").press("Enter")
    expect(page.locator("#faults li")).to_have_count(1)
    assert_fits(page)
    assert_accessible(page)


def test_the_page_follows_when_another_version_takes_over(scene: Scene, look: Look) -> None:
    scene.promote(NUMBER)
    page = look(scene.service)
    page.get_by_label("Income").fill("3")
    expect(page.locator("#version")).to_have_text(f"version {NUMBER}")
    scene.promote(NEWER)
    assert predict(page)["model_version"] == NEWER
    expect(page.get_by_text(f"Version {NEWER} has taken over from version {NUMBER}")).to_be_visible()
    expect(page.locator("#version")).to_have_text(f"version {NEWER}")
    expect(page.get_by_label("Income")).to_have_value("3")
    # What is shown was answered by the new one already.
    expect(page.locator("#answer")).not_to_contain_text("Something has changed since")
    page.get_by_label("Income").fill("4")
    expect(page.locator("#answer")).to_contain_text("Something has changed since")


def test_without_a_network_the_page_says_what_to_do(scene: Scene, look: Look) -> None:
    scene.promote(NUMBER)
    page = look(scene.service)
    expect(page.get_by_label("Income")).to_be_visible()
    page.context.set_offline(True)
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert").first).to_contain_text("Check your connection and press Predict again")
    page.context.set_offline(False)
    predict(page)
    expect(page.locator("#answer data")).to_be_visible()
    expect(page.locator("#faults")).to_be_empty()


def test_who_asks_too_fast_is_told_when_to_come_back(serve: Callable[..., Service], look: Look, tmp_path: Path) -> None:
    bundle = bundles.write(tmp_path / "bundle")
    (bundle / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}))
    # One for the card, one for a prediction, and the next in a minute and a half.
    service = serve(SLUICE_BUNDLE=str(bundle), SLUICE_RATE="0.01", SLUICE_BURST="2").wait()
    page = look(service)
    predict(page)
    assert predict(page)["status"] == 429
    told = page.locator("#faults")
    expect(told.get_by_role("heading")).to_have_text("There are too many requests")
    expect(told).to_contain_text(re.compile(r"Press Predict again in \d+ seconds"))


def test_before_a_release_is_there_the_page_waits_for_it(
    serve: Callable[..., Service], look: Look, tmp_path: Path
) -> None:
    service = serve(SLUICE_OBJECT_STORE=tmp_path.as_uri())
    eventually(lambda: "no_champion" in service.card().get("reason", ""), within=90)
    page = look(service)
    expect(page.get_by_role("heading", name="No release is loaded yet")).to_be_visible()
    expect(page.locator("#waiting")).to_contain_text("no_champion")
    assert_accessible(page)
    releases = tmp_path / "releases" / USE_CASE
    bundles.write(releases / "1")
    Scene(service, releases).promote(1)
    expect(page.get_by_role("button", name="Predict")).to_be_visible(timeout=10_000)
    expect(page.get_by_role("heading", name="No release is loaded yet")).to_be_hidden()


@pytest.fixture(scope="module")
def keyed(serve: Callable[..., Service], tmp_path_factory: pytest.TempPathFactory) -> tuple[Service, Path]:
    """A service that asks for a key, and the file of its keys."""
    folder = tmp_path_factory.mktemp("keyed")
    bundle = bundles.write(folder / "bundle")
    (bundle / "release.json").write_text(json.dumps({"version": 3, "bento": "rents:3"}))
    ring = folder / "keys.jsonl"
    service = serve(SLUICE_BUNDLE=str(bundle), SLUICE_ACCESS="keys", SLUICE_API_KEYS=str(ring))
    return service.wait(), ring


def give(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Use the key").click()


def test_whoever_has_a_key_gets_in(keyed: tuple[Service, Path], look: Look) -> None:
    service, ring = keyed
    key = keys.make(ring, "alice")
    page = look(service)
    expect(page.get_by_label("API key")).to_be_focused()
    expect(page.get_by_label("Income")).to_have_count(0)
    assert_accessible(page)
    give(page, "slk_wrong")
    expect(page.get_by_role("alert").filter(has_text="does not accept this key")).to_be_visible()
    eventually(lambda: httpx.get(service.url, headers={"x-api-key": key}).status_code == 200)
    give(page, key)
    assert predict(page)["model_version"] == 3
    expect(page.locator("#answer data")).to_be_visible()
    expect(page.locator("#curl")).to_contain_text('-H "x-api-key: $SLUICE_API_KEY"')
    assert key not in page.content()
    page.get_by_role("link", name="OpenAPI").click()
    expect(page.locator("body")).to_contain_text('"openapi": "3.1.0"')
    page.go_back()

    page.reload()
    expect(page.get_by_label("Income")).to_be_visible()
    keys.revoke(ring, "alice")
    eventually(lambda: httpx.get(service.url, headers={"x-api-key": key}).status_code == 401)
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_label("API key")).to_be_focused()
    expect(page.get_by_role("alert").filter(has_text="does not accept this key")).to_be_visible()


def test_a_key_can_be_forgotten(keyed: tuple[Service, Path], look: Look) -> None:
    service, ring = keyed
    key = keys.make(ring, "bob")
    eventually(lambda: httpx.get(service.url, headers={"x-api-key": key}).status_code == 200)
    page = look(service)
    give(page, key)
    page.get_by_role("button", name="Forget the key").click()
    expect(page.get_by_label("API key")).to_be_visible()
    assert page.evaluate("sessionStorage.length") == 0


def try_out(page: Page) -> None:
    """Send the example from the documentation."""
    page.locator("#operations-default-predict").get_by_role("button", name=re.compile("Predict rent")).click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    live = page.locator(".live-responses-table")
    expect(live.locator(".response-col_status").nth(1)).to_contain_text("200")
    expect(live).to_contain_text('"prediction": 155')


def test_the_documentation_shows_the_operations_and_tries_them(scene: Scene, look: Look) -> None:
    scene.promote(NUMBER)
    page = look(scene.service)
    page.get_by_role("link", name="API", exact=True).click()
    expect(page.get_by_role("heading", name=re.compile("Rents"))).to_be_visible()
    described = httpx.get(f"{scene.service.url}/openapi.json").json()["paths"]
    operations = sum(len(methods) for methods in described.values())
    expect(page.locator(".opblock")).to_have_count(operations)
    try_out(page)


def test_the_documentation_takes_the_key_too(keyed: tuple[Service, Path], look: Look) -> None:
    service, ring = keyed
    key = keys.make(ring, "carol")
    eventually(lambda: httpx.get(service.url, headers={"x-api-key": key}).status_code == 200)
    page = look(service, "/docs")
    give(page, "slk_wrong")
    expect(page.get_by_role("alert")).to_contain_text("does not accept this key")
    give(page, key)
    try_out(page)
