"""What is removed, and what never is, on a real warehouse, registry and store."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from mlflow.exceptions import MlflowException

from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import BUNDLE_PATH, Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import ReleaseError, StateError
from sluice.domain.evidence import Decision, Evidence, Subject
from sluice.domain.policy import Retention
from sluice.domain.release import Release
from sluice.gate.decision import store_decision, store_evidence
from sluice.release import deployments, depot
from sluice.release.deployments import Order
from sluice.release.retention import Archive
from tests.bentos.servers import Mlflow
from tests.unit.conftest import MakeBundle

#: By the time that everything made here is old.
LATER = datetime.now(UTC) + timedelta(days=365)
KEEP_LITTLE = Retention(deployments=1, candidates=1, days=30)


@dataclass
class Past:
    """A use case with versions 1 to 6, each with its snapshot; 2, 3 and 4 were deployed, one after the other."""

    name: str
    archive: Archive
    images: list[str] = field(default_factory=list)

    @property
    def versions(self) -> list[int]:
        return [known.version.number for known in self.archive.tracking.history(self.name)]

    @property
    def snapshots(self) -> list[str]:
        return [s for s in self._snapshots() if self.archive.store.exists(f"snapshots/{self.name}/{s}.parquet")]

    @property
    def bentos(self) -> list[str]:
        return sorted(path.name for path in (self.archive.bentos / "bentos" / self.name).iterdir())

    def _snapshots(self) -> list[str]:
        rows = self.archive.warehouse.rows(
            "SELECT snapshot_id FROM ml.snapshots WHERE use_case = %(name)s ORDER BY created_at", {"name": self.name}
        )
        return [row["snapshot_id"] for row in rows]

    def deploy(self, number: int, champion: int | None) -> None:
        """Decide for a version and make it the champion."""
        subject = Subject(
            use_case=self.name,
            version=number,
            bundle_sha256="",
            champion_version=champion,
            champion_bundle_sha256=None,
        )
        warehouse = self.archive.warehouse
        decision = store_decision(warehouse, f"run-{number}", subject, Decision(code="promote", message="good"), ())
        rows = warehouse.rows(
            "SELECT bundle_sha256, run_id FROM ml.releases WHERE use_case = %(name)s AND version = %(number)s",
            {"name": self.name, "number": number},
        )
        release = Release(
            self.name, number, rows[0]["bundle_sha256"], "runtime", rows[0]["run_id"], f"{self.name}-{number}", "", ""
        )
        order = Order(release, champion, decision, "gate", "good")
        deployments.deploy(warehouse, self.archive.tracking, self.archive.store, order)


@pytest.fixture(scope="module")
def names() -> Iterator[str]:
    return iter(f"past_{number}" for number in range(100))


@pytest.fixture
def past(names: Iterator[str], warehouse: Warehouse, registry: Mlflow, make_bundle: MakeBundle, tmp_path: Path) -> Past:
    """Made anew for each test, because what is removed stays so."""
    images: list[str] = []
    archive = Archive(
        warehouse,
        Tracking(registry.url),
        ObjectStore((tmp_path / "store").as_uri()),
        tmp_path / "bentos",
        lambda use_case, label: images.append(label),
    )
    made = Past(next(names), archive, images)
    for number in range(1, 7):
        register(made, number, make_bundle)
    for number, champion in ((2, None), (3, 2), (4, 3)):
        made.deploy(number, champion)
    return made


def register(past: Past, number: int, make_bundle: MakeBundle) -> None:
    archive, snapshot = past.archive, f"{past.name}-{number}"
    bundle = make_bundle(float(number))
    archive.store.write_bytes(f"snapshots/{past.name}/{snapshot}.parquet", b"rows")
    archive.warehouse.execute(
        "INSERT INTO ml.snapshots (snapshot_id, use_case, uri, sha256, rows, available_rows, train_rows,"
        " calibration_rows, test_rows, batch_ids) VALUES (%(id)s, %(name)s, '', '', 1, 1, 1, 0, 0, '{}')",
        {"id": snapshot, "name": past.name},
    )
    client = archive.tracking.client
    run = client.create_run("0").info.run_id
    client.log_artifacts(run, str(bundle.folder), BUNDLE_PATH)
    client.create_run("0", tags={"mlflow.parentRunId": run})
    archive.tracking.register(past.name, run, {"snapshot_id": snapshot}, "")
    label = f"v{number}-{bundle.sha256[:12]}"
    (archive.bentos / "bentos" / past.name / label).mkdir(parents=True)
    archive.store.write_bytes(depot.key(f"{past.name}:{label}"), b"bento")
    release = Release(past.name, number, bundle.sha256, "runtime", run, snapshot, f"{past.name}:{label}", "")
    deployments.publish(archive.warehouse, archive.store, release, bundle.folder)


def test_what_the_last_deployments_could_need_stays(past: Past) -> None:
    past.archive.clear(past.name, KEEP_LITTLE, LATER)

    assert past.versions == [6, 4, 3], "the newest, the champion, and what served before it"
    assert [label.split("-")[0] for label in past.bentos] == ["v3", "v4", "v6"]
    assert past.snapshots == [f"{past.name}-{number}" for number in (3, 4, 6)]
    assert [label.split("-")[0] for label in past.images] == ["v1", "v2", "v5"]


def test_more_deployments_keep_more(past: Past) -> None:
    past.archive.clear(past.name, Retention(deployments=2, candidates=1, days=30), LATER)

    assert past.versions == [6, 4, 3, 2]


def test_what_is_young_stays(past: Past) -> None:
    assert not past.archive.clear(past.name, Retention(deployments=1, candidates=1, days=30), datetime.now(UTC))

    assert past.versions == [6, 5, 4, 3, 2, 1]


def test_what_any_alias_names_stays(past: Past) -> None:
    past.archive.tracking.point(past.name, "challenger", 1)

    past.archive.clear(past.name, KEEP_LITTLE, LATER)

    assert past.versions == [6, 4, 3, 1]


def test_what_is_being_judged_stays_however_old_it_is(past: Past) -> None:
    about = Subject(use_case=past.name, version=1, bundle_sha256="", champion_version=4, champion_bundle_sha256=None)
    store_evidence(past.archive.warehouse, "again", Evidence(subject=about, blessing="good_enough", checks=()))
    past.archive.warehouse.execute(
        "UPDATE ml.evidence SET gathered_at = %(now)s WHERE use_case = %(name)s", {"now": LATER, "name": past.name}
    )

    past.archive.clear(past.name, KEEP_LITTLE, LATER)

    assert past.versions == [6, 4, 3, 1]


def test_a_bento_that_a_process_was_started_from_stays(past: Past) -> None:
    [first] = [label for label in past.bentos if label.startswith("v1-")]
    folder = past.archive.bentos / "bentos" / past.name / first
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", str(folder)]) as process:
        past.archive.clear(past.name, KEEP_LITTLE, LATER)
        process.kill()

    assert first in past.bentos


def test_an_image_that_is_in_use_stays_with_its_bento_and_holds_nothing_else_up(past: Past) -> None:
    def busy(use_case: str, label: str) -> None:
        if label.startswith("v1-"):
            raise ReleaseError(f"{label} is being used")

    with pytest.raises(StateError, match=r"images that could not be removed: .*v1-.*is being used"):
        replace(past.archive, remove_image=busy).clear(past.name, KEEP_LITTLE, LATER)

    assert [label.split("-")[0] for label in past.bentos] == ["v1", "v3", "v4", "v6"]
    assert past.versions == [6, 4, 3]


def test_looking_touches_nothing(past: Past) -> None:
    planned = past.archive.plan(past.name, KEEP_LITTLE, LATER)

    assert [version.number for version in planned.versions] == [5, 2, 1]
    assert past.versions == [6, 5, 4, 3, 2, 1]
    assert len(past.bentos) == len(past.snapshots) == 6


def test_the_run_its_trials_and_its_files_go_with_a_version_and_the_ledger_keeps_its_row(
    past: Past, tmp_path: Path
) -> None:
    gone = past.archive.tracking.version(past.name, 1)

    past.archive.clear(past.name, KEEP_LITTLE, LATER)

    client = past.archive.tracking.client
    assert client.get_run(gone.run_id).info.lifecycle_stage == "deleted"
    assert not client.search_runs(["0"], f"tags.mlflow.parentRunId = '{gone.run_id}'")
    with pytest.raises(MlflowException):
        past.archive.tracking.client.download_artifacts(gone.run_id, BUNDLE_PATH)
    assert not past.archive.store.exists(f"releases/{past.name}/1/model.onnx")
    assert not list((tmp_path / "store" / "bentos" / past.name / "1").glob("*"))
    assert list((tmp_path / "store" / "bentos" / past.name / "3").glob("*"))
    [row] = past.archive.warehouse.rows(
        "SELECT removed_at FROM ml.releases WHERE use_case = %(name)s AND version = 1", {"name": past.name}
    )
    assert row["removed_at"] is not None


def test_a_removal_that_was_cut_short_is_finished_by_the_next(past: Past) -> None:
    planned = past.archive.plan(past.name, KEEP_LITTLE, LATER)
    past.archive.tracking.remove(planned.versions[-1])
    past.archive.store.remove(f"snapshots/{past.name}/{planned.snapshots[0]}.parquet")

    past.archive.clear(past.name, KEEP_LITTLE, LATER)

    assert past.versions == [6, 4, 3]
    assert [label.split("-")[0] for label in past.bentos] == ["v3", "v4", "v6"]
    assert not past.archive.clear(past.name, KEEP_LITTLE, LATER), "and then there is nothing left to do"
