"""What is published, as a stack does it: a key that is wrong is people's business, and none of the promotion's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import httpx
import pytest

from local.runs import Run
from sluice.adapters import bundles
from sluice.domain.use_case import UseCase
from tests.bentos.servers import eventually
from tests.live import LiveStack, started
from tests.unit.release.publishers import hubs, workspaces
from tests.unit.release.publishers.hubs import KEY, Hub
from tests.unit.release.publishers.workspaces import SECRET, asked

pytestmark = [pytest.mark.soak, pytest.mark.integration]

WRONG = "hf_of-somebody-else"


@dataclass(frozen=True)
class Promoted:
    """A stack that publishes to a hub whose key is wrong, and what it promoted."""

    live: LiveStack
    hub: Hub
    evidently: str
    promotion: Run
    version: int


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Promoted]:
    with ExitStack() as stack:
        hub = stack.enter_context(hubs.running())
        evidently = stack.enter_context(workspaces.running(tmp_path_factory.mktemp("evidently")))
        places = {
            "SLUICE_PUBLISH_HUGGINGFACE_REPOSITORY": "acme/{use_case}",
            "SLUICE_PUBLISH_HUGGINGFACE_SPACE": "acme/{use_case}-service",
            "SLUICE_PUBLISH_HUGGINGFACE_URL": hub.url,
            "SLUICE_PUBLISH_EVIDENTLY_URL": evidently,
        }
        live = stack.enter_context(started(tmp_path_factory, "housing", **places))
        give(live, "sluice_huggingface", WRONG)
        give(live, "sluice_evidently", SECRET)
        live.run("housing_ingest")
        promotion, decision = live.promote("housing", trials=6)
        yield Promoted(live, hub, evidently, promotion, decision["version"])


def give(live: LiveStack, connection: str, key: str) -> None:
    """Make one of Airflow's connections, or change its key."""
    login = {"username": "admin", "password": live.addresses.credentials.admin}
    with httpx.Client(base_url=live.addresses.airflow, trust_env=False, timeout=30) as client:
        token = client.post("/auth/token", json=login).raise_for_status().json()["access_token"]
        body = {"connection_id": connection, "conn_type": "generic", "password": key}
        headers = {"Authorization": f"Bearer {token}"}
        answer = client.post("/api/v2/connections", json=body, headers=headers)
        if answer.status_code == httpx.codes.CONFLICT:
            answer = client.patch(f"/api/v2/connections/{connection}", json=body, headers=headers)
        answer.raise_for_status()


def test_with_a_wrong_key_the_promotion_stands_and_people_hear_of_it(promoted: Promoted, housing: UseCase) -> None:
    live = promoted.live

    for task in ("publish_model", "publish_space"):
        mail = live.await_mail(f"housing publish not published: {task}", seconds=180)
        assert "refuses the key (401)" in str(mail)
        assert WRONG not in str(mail)

    assert promoted.promotion.state == "success"
    assert live.champion("housing") == promoted.version
    assert live.predict("housing", dict(housing.serving.example))["model_version"] == promoted.version
    assert not promoted.hub.repositories


def test_with_the_right_key_the_next_run_publishes_what_serves_once(promoted: Promoted) -> None:
    live, seen = promoted.live, len(promoted.live.mails())
    give(live, "sluice_huggingface", KEY)

    for _ in range(2):
        live.run("housing_publish")

    [release] = live.warehouse.rows("SELECT bundle_sha256 FROM ml.releases WHERE use_case = 'housing'")
    for name, manifest in (
        ("models/acme/housing", "manifest.json"),
        ("spaces/acme/housing-service", "src/bundle/manifest.json"),
    ):
        commits = promoted.hub.repositories[name].commits
        assert len(commits) == 2, "the hub's own, and that of the release"
        assert bundles.digest(commits[-1].files[manifest]) == release["bundle_sha256"]
    live.await_mail("housing publish recovered: publish_model", seen=seen)


def test_a_drift_report_follows_its_check(promoted: Promoted) -> None:
    promoted.live.run("housing_monitor", current="validated")

    [project] = eventually(lambda: asked(promoted.evidently, "projects/search/housing"), within=180)
    [snapshot] = eventually(lambda: asked(promoted.evidently, f"projects/{project['id']}/snapshots"), within=60)
    assert snapshot["metadata"]["version"] == str(promoted.version)
