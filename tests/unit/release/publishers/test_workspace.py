"""What is published to Evidently's service is what it gives back, once; and what keeps it out is told."""

from __future__ import annotations

import hashlib
import importlib
import json
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sluice.domain.errors import PublishError, TransientError
from sluice.domain.monitoring import Monitoring
from sluice.monitoring import sampling
from sluice.release.publishers.publication import Publication
from sluice.release.publishers.workspace import Workspace
from tests.unit.release.publishers import workspaces
from tests.unit.release.publishers.test_runs import answering
from tests.unit.release.publishers.workspaces import SECRET, asked


@pytest.fixture(scope="module", autouse=True)
def _evidently() -> None:
    """Imports Evidently, which uses what its own dependencies have deprecated, before warnings are errors."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in ("evidently.presets", "evidently.ui.workspace"):
            importlib.import_module(name)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with workspaces.running(tmp_path_factory.mktemp("evidently")) as url:
        yield url


@pytest.fixture(scope="module")
def snapshot() -> str:
    """What Evidently measured of one column that moved."""
    drawn = np.random.default_rng(5)
    reference, current = (pd.DataFrame({"x": drawn.normal(mean, 1, 200)}) for mean in (0, 3))
    sample = sampling.compare(reference, current, {"x": "numerical"}, Monitoring())
    assert sample is not None
    return sample.dumps()


@pytest.fixture
def report(snapshot: str, tmp_path: Path) -> Publication:
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "drift.json").write_text(snapshot)
    return Publication("line", "A line", "scheduled-2026-05-01", tmp_path / "report", "", {"version": "3"})


def test_what_is_read_back_is_what_was_published_once(service: str, report: Publication, snapshot: str) -> None:
    addresses = {Workspace(service, SECRET).publish(report) for _ in range(2)}

    [address] = addresses
    [project] = asked(service, "projects/search/line")
    assert address == f"{service}/projects/{project['id']}"
    [known] = asked(service, f"projects/{project['id']}/snapshots")
    assert (known["name"], known["metadata"]["version"]) == (report.name, "3")
    assert known["metadata"]["sha256"] == hashlib.sha256(snapshot.encode()).hexdigest()
    back = asked(service, f"projects/{project['id']}/{known['id']}/download?report_format=json")
    assert _values(back["metrics"]) == _values(_own(snapshot)["metrics"])
    assert back["metrics"]


def test_the_next_report_joins_the_project(service: str, report: Publication) -> None:
    (report.folder / "drift.json").write_text((report.folder / "drift.json").read_text() + "\n")

    address = Workspace(service, SECRET).publish(replace(report, name="scheduled-2026-05-02"))

    names = [each["name"] for each in asked(service, f"projects/{address.rpartition('/')[2]}/snapshots")]
    assert "scheduled-2026-05-02" in names


def test_a_wrong_key_is_told_with_what_to_do_and_without_the_key(service: str, report: Publication) -> None:
    with pytest.raises(PublishError, match=r"refuses the key \(40[13]\)") as refusal:
        Workspace(service, "of-somebody-else").publish(replace(report, use_case="nobody"))

    assert "sluice_evidently" in refusal.value.action
    assert "of-somebody-else" not in f"{refusal.value}{Workspace(service, 'of-somebody-else')}"


def test_a_service_that_hangs_is_not_waited_for(report: Publication) -> None:
    begin = time.monotonic()

    with answering(None) as url, pytest.raises(TransientError, match="Evidently does not answer"):
        Workspace(url, SECRET, seconds=0.5).publish(report)

    assert time.monotonic() - begin < 30


def test_what_is_no_service_of_evidently_is_refused(report: Publication) -> None:
    with answering(200) as url, pytest.raises(PublishError, match="no service of Evidently"):
        Workspace(url, SECRET, seconds=5).publish(report)


def _own(snapshot: str) -> dict[str, list[dict[str, object]]]:
    """What the library itself reads in a snapshot."""
    from evidently.core.report import Snapshot

    own: dict[str, list[dict[str, object]]] = json.loads(Snapshot.loads(snapshot).json())
    return own


def _values(metrics: list[dict[str, object]]) -> str:
    """The digest of what was measured."""
    return hashlib.sha256(json.dumps(metrics, sort_keys=True).encode()).hexdigest()
