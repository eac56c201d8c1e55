"""A move into service happens once, only against the champion that was compared with, and is seen by heartbeats."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sluice.adapters.bundles import Bundle
from sluice.adapters.objects import ObjectStore
from sluice.adapters.tracking import BUNDLE_PATH, Tracking
from sluice.adapters.warehouse import Warehouse
from sluice.domain.contract import MANIFEST
from sluice.domain.errors import StateError, TransientError
from sluice.domain.evidence import Decision, Subject
from sluice.domain.release import Release
from sluice.gate.decision import store_decision
from sluice.release import deployments
from sluice.release.deployments import Order
from tests.bentos.servers import Mlflow
from tests.unit.conftest import MakeBundle

MODEL = "deployed"
SNAPSHOT = """
INSERT INTO ml.snapshots
    (snapshot_id, use_case, uri, sha256, rows, available_rows, train_rows, calibration_rows, test_rows, batch_ids)
VALUES ('snap', 'deployed', '', '', 1, 1, 1, 0, 0, '{}')
"""

Heartbeat = Callable[..., None]


@pytest.fixture(scope="module")
def tracking(registry: Mlflow) -> Tracking:
    return Tracking(registry.url)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ObjectStore:
    return ObjectStore(tmp_path_factory.mktemp("store").as_uri())


@pytest.fixture(scope="module")
def releases(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, make_bundle: MakeBundle
) -> tuple[Release, ...]:
    """Versions 1 to 3, published."""
    warehouse.execute(SNAPSHOT)
    return tuple(published(warehouse, tracking, store, make_bundle(float(n)), n) for n in (1, 2, 3))


def published(warehouse: Warehouse, tracking: Tracking, store: ObjectStore, bundle: Bundle, number: int) -> Release:
    run = tracking.client.create_run("0").info.run_id
    tracking.client.log_artifacts(run, str(bundle.folder), BUNDLE_PATH)
    assert tracking.register(MODEL, run, {}, "").number == number
    release = Release(MODEL, number, bundle.sha256, "runtime", run, "snap", f"{MODEL}:v{number}", "")
    for _ in range(2):
        deployments.publish(warehouse, store, release, bundle.folder)
    return release


def order(warehouse: Warehouse, release: Release, champion: int | None) -> Order:
    subject = Subject(
        use_case=MODEL,
        version=release.version,
        bundle_sha256=release.bundle_sha256,
        champion_version=champion,
        champion_bundle_sha256=None,
    )
    run = f"run-{release.version}"
    decision = store_decision(warehouse, run, subject, Decision(code="promote", message="good"), ())
    return Order(release, champion, decision, "gate", "all checks passed")


def last_move(warehouse: Warehouse) -> tuple[int | None, int]:
    rows = warehouse.rows("SELECT from_version, to_version FROM ml.deployments ORDER BY deployment_id")
    return rows[-1]["from_version"], rows[-1]["to_version"]


@pytest.fixture
def heartbeat(warehouse: Warehouse, releases: tuple[Release, ...]) -> Heartbeat:
    """Writes a process's heartbeat: its pid, the version it serves, how many seconds ago; what it says of that."""

    def write(pid: int, version: int | None, age: int, reason: str = "ok", digest: str | None = None) -> None:
        own = releases[version - 1].bundle_sha256 if version else None
        warehouse.execute(
            """
            INSERT INTO serving.replicas VALUES (
                'deployed', 'here', %(pid)s, %(version)s, %(digest)s, 'registry', %(reason)s, 'runtime', now(),
                now() - make_interval(secs => %(age)s)
            )
            """,
            {"pid": pid, "version": version, "age": age, "reason": reason, "digest": digest or own},
        )

    warehouse.execute("DELETE FROM serving.replicas")
    return write


def test_the_first_release_becomes_the_champion(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, releases: tuple[Release, ...]
) -> None:
    deployments.deploy(warehouse, tracking, store, order(warehouse, releases[0], None))

    champion = tracking.aliased(MODEL, "champion")
    assert champion is not None
    assert champion.number == 1
    assert deployments.deployed(warehouse, MODEL) == 1
    assert deployments.deployed(warehouse, "never deployed") is None
    assert json.loads(store.read_bytes(f"releases/{MODEL}/champion.json"))["version"] == 1
    assert store.exists(f"releases/{MODEL}/1/model.onnx")


def test_a_publication_that_is_cut_short_leaves_no_manifest(
    warehouse: Warehouse, store: ObjectStore, releases: tuple[Release, ...], make_bundle: MakeBundle, tmp_path: Path
) -> None:
    """Readers begin with the manifest: where it is, everything is."""
    bundle = make_bundle(9.0)
    shutil.copytree(bundle.folder, tmp_path / "bundle")
    (tmp_path / "bundle" / "model.onnx").unlink()
    (tmp_path / "bundle" / "model.onnx").symlink_to("/proc/self/mem")
    release = replace(releases[0], version=9, bundle_sha256=bundle.sha256)

    with pytest.raises(OSError, match="error"):
        deployments.publish(warehouse, store, release, tmp_path / "bundle")

    assert store.exists(f"releases/{MODEL}/9/contract.json")
    assert not store.exists(f"releases/{MODEL}/9/{MANIFEST}")


def test_trying_again_deploys_once(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, releases: tuple[Release, ...]
) -> None:
    move = order(warehouse, releases[1], 1)

    first, second = (deployments.deploy(warehouse, tracking, store, move) for _ in range(2))

    assert first == second
    ledger = warehouse.rows("SELECT from_version, to_version FROM ml.deployments ORDER BY deployment_id")
    assert ledger[-1] == {"from_version": 1, "to_version": 2}
    assert [row["to_version"] for row in ledger].count(2) == 1


def test_a_champion_that_changed_meanwhile_stops_the_move(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, releases: tuple[Release, ...]
) -> None:
    with pytest.raises(StateError, match="became champion"):
        deployments.deploy(warehouse, tracking, store, order(warehouse, releases[2], 1))

    champion = tracking.aliased(MODEL, "champion")
    assert champion is not None
    assert champion.number == 2
    assert json.loads(store.read_bytes(f"releases/{MODEL}/champion.json"))["version"] == 2
    assert not warehouse.rows("SELECT 1 FROM ml.deployments WHERE to_version = 3")


def test_a_move_that_crashed_before_its_row_is_entered_by_the_next_attempt(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, releases: tuple[Release, ...]
) -> None:
    tracking.point(MODEL, "champion", 3)

    deployments.deploy(warehouse, tracking, store, order(warehouse, releases[2], 2))

    assert last_move(warehouse) == (2, 3)


def test_deciding_again_for_what_serves_is_no_move(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, releases: tuple[Release, ...]
) -> None:
    first, second = (deployments.deploy(warehouse, tracking, store, order(warehouse, releases[2], 2)) for _ in range(2))

    assert first == second


def test_a_decision_that_was_undone_is_not_carried_out_again(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, releases: tuple[Release, ...]
) -> None:
    move = order(warehouse, releases[0], 3)
    deployments.deploy(warehouse, tracking, store, move)
    deployments.deploy(warehouse, tracking, store, order(warehouse, releases[2], 1))

    with pytest.raises(StateError, match="another move has undone"):
        deployments.deploy(warehouse, tracking, store, move)

    champion = tracking.aliased(MODEL, "champion")
    assert champion is not None
    assert champion.number == 3
    assert last_move(warehouse) == (1, 3)


def test_the_ledger_knows_the_image_of_a_release_also_when_it_is_built_later(
    warehouse: Warehouse, store: ObjectStore, releases: tuple[Release, ...], make_bundle: MakeBundle
) -> None:
    for image, known in ((None, None), ("sluice/deployed:v3", "sluice/deployed:v3"), (None, "sluice/deployed:v3")):
        deployments.publish(warehouse, store, replace(releases[2], image=image), make_bundle(3.0).folder)

        [row] = warehouse.rows("SELECT image FROM ml.releases WHERE version = 3")
        assert row["image"] == known


def test_a_version_is_never_published_with_another_bundle(
    warehouse: Warehouse, store: ObjectStore, releases: tuple[Release, ...], make_bundle: MakeBundle
) -> None:
    other = make_bundle(4.0)
    before = store.read_bytes(f"releases/{MODEL}/1/manifest.json")

    with pytest.raises(StateError, match="another bundle"):
        deployments.publish(warehouse, store, replace(releases[0], bundle_sha256=other.sha256), other.folder)

    assert store.read_bytes(f"releases/{MODEL}/1/manifest.json") == before


def test_what_was_removed_is_not_deployed_any_more(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, releases: tuple[Release, ...]
) -> None:
    warehouse.execute("UPDATE ml.releases SET removed_at = now() WHERE version = 2")

    with pytest.raises(StateError, match="version 2 of deployed was removed"):
        deployments.deploy(warehouse, tracking, store, Order(releases[1], 3, None, "ann", "it was good", "rollback"))

    warehouse.execute("UPDATE ml.releases SET removed_at = NULL")
    assert last_move(warehouse) == (1, 3)


def test_a_way_back_is_entered_once_with_who_and_why(
    warehouse: Warehouse, tracking: Tracking, store: ObjectStore, releases: tuple[Release, ...]
) -> None:
    back = Order(releases[1], 3, None, "ann", "wrong prices", "rollback")

    first, second = (deployments.deploy(warehouse, tracking, store, back) for _ in range(2))

    assert first == second
    [row] = warehouse.rows("SELECT * FROM ml.deployments WHERE deployment_id = %(id)s", {"id": first})
    assert (row["from_version"], row["to_version"], row["decision_id"]) == (3, 2, None)
    assert (row["action"], row["share"], row["actor"], row["reason"]) == ("rollback", 1, "ann", "wrong prices")
    assert deployments.deployed(warehouse, MODEL) == 2
    assert json.loads(store.read_bytes(f"releases/{MODEL}/champion.json"))["version"] == 2


def test_moves_stand_in_the_ledger_in_the_order_of_their_moments(warehouse: Warehouse) -> None:
    rows = warehouse.rows("SELECT deployed_at FROM ml.deployments ORDER BY deployment_id")

    assert [row["deployed_at"] for row in rows] == sorted(row["deployed_at"] for row in rows)


def test_live_is_what_every_process_with_a_fresh_heartbeat_says(
    warehouse: Warehouse, releases: tuple[Release, ...], heartbeat: Heartbeat
) -> None:
    heartbeat(1, 2, 0)
    heartbeat(2, 2, 1)
    heartbeat(3, 1, 60)

    assert deployments.await_live(warehouse, releases[1], timedelta(seconds=1)) == 2


@pytest.mark.parametrize(
    "replicas",
    [(), ((1, 2, 60),), ((1, 2, 0), (2, 1, 0)), ((1, None, 0),), ((1, 2, 0, "ok", "f" * 64),)],
    ids=["none", "only-stale", "one-on-another", "one-without", "another-bundle"],
)
def test_anything_else_is_not_live(
    warehouse: Warehouse, releases: tuple[Release, ...], heartbeat: Heartbeat, replicas: tuple[tuple[Any, ...], ...]
) -> None:
    for replica in replicas:
        heartbeat(*replica)

    with pytest.raises(TransientError, match="not live everywhere"):
        deployments.await_live(warehouse, releases[1], timedelta(seconds=0.3))


def test_a_process_that_needs_other_code_is_told_from_which_bento(
    warehouse: Warehouse, releases: tuple[Release, ...], heartbeat: Heartbeat
) -> None:
    heartbeat(1, 2, 0)
    heartbeat(2, 1, 0, "needs_new_image: version 2: needs runtime ffff [registry]")

    with pytest.raises(TransientError, match=r"here/2 serves version 1 .*needs_new_image.*its bento deployed:v2"):
        deployments.await_live(warehouse, releases[1], timedelta(seconds=0.3))


def test_a_process_that_refuses_the_release_is_not_waited_for(
    warehouse: Warehouse, releases: tuple[Release, ...], heartbeat: Heartbeat
) -> None:
    heartbeat(1, 1, 0, "refused: version 2: parity: 1 of 2 golden rows come out wrong [registry]")

    with pytest.raises(StateError, match=r"refuses it: here/1 serves version 1 .*golden rows"):
        deployments.await_live(warehouse, releases[1], timedelta(seconds=60))


def test_what_was_refused_before_says_nothing_about_this_release(
    warehouse: Warehouse, releases: tuple[Release, ...], heartbeat: Heartbeat
) -> None:
    heartbeat(1, 1, 0, "refused: version 3: parity [registry]")

    with pytest.raises(TransientError):
        deployments.await_live(warehouse, releases[1], timedelta(seconds=0.3))
