"""The instruments: what each shows after what happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from tabular.problem import TITLES
from tabular.releases import bundle as bundles_of_releases
from tabular.releases.standing import Challenger, Release, Standing
from tabular.watching.metrics import Metrics
from tests.bentos import bundles
from tests.bentos.bundles import USE_CASE, Recipe

LOADED_AT = datetime(2026, 11, 1, tzinfo=UTC)


class Shown:
    """Instruments, and what they show."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.metrics = Metrics(USE_CASE, self._registry)

    def __call__(self, name: str, **labels: str) -> float | None:
        return self._registry.get_sample_value(name, {"use_case": USE_CASE, **labels})


@pytest.fixture
def shown() -> Shown:
    return Shown()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Release]:
    """Makes releases of one bundle."""
    recipe = Recipe()
    folder = bundles.write(tmp_path_factory.mktemp("bundle"), recipe)
    bundle = bundles_of_releases.load(folder, USE_CASE, recipe.runtime_sha256)
    return lambda version: Release(version, "registry", bundle, LOADED_AT, 0.25)


def test_requests_and_their_latency_are_told_apart_by_version_and_outcome(shown: Shown) -> None:
    for version, outcome, seconds in ((3, "ok", 0.002), (3, "ok", 0.02), (3, "refused", 0.001), (None, "not_ready", 1)):
        shown.metrics.answered(version, outcome, seconds)
    assert shown("pred_requests_total", version="3", outcome="ok") == 2
    assert shown("pred_requests_total", version="3", outcome="refused") == 1
    assert shown("pred_requests_total", version="none", outcome="not_ready") == 1
    assert shown("pred_request_latency_seconds_sum", version="3", outcome="ok") == pytest.approx(0.022)
    assert shown("pred_request_latency_seconds_bucket", version="3", outcome="ok", le="0.0025") == 1


def test_a_fail_over_is_counted_beside_the_answer_that_took_its_place(shown: Shown) -> None:
    shown.metrics.failed_over(4)
    shown.metrics.answered(3, "ok", 0.001)
    assert shown("pred_requests_total", version="4", outcome="failed_over") == 1
    assert shown("pred_request_latency_seconds_count", version="4", outcome="failed_over") is None


def test_the_latest_prediction_is_each_versions_own(shown: Shown) -> None:
    for version, prediction in ((3, 10.0), (3, -2.5), (4, 7.0)):
        shown.metrics.predicted(version, prediction)
    assert (shown("latest_prediction", version="3"), shown("latest_prediction", version="4")) == (-2.5, 7.0)


def test_refusals_of_every_kind_begin_at_nothing(shown: Shown) -> None:
    shown.metrics.refused("unauthorized")
    counted = {kind: shown("refusals_total", kind=kind) for kind in TITLES}
    assert counted == dict.fromkeys(TITLES, 0) | {"unauthorized": 1}


def test_the_log_shows_what_waits_what_was_written_and_what_was_lost(shown: Shown) -> None:
    before = datetime.now(UTC).timestamp()
    shown.metrics.logging(500)
    shown.metrics.waiting(20)
    shown.metrics.waiting(3)
    shown.metrics.written(17)
    shown.metrics.written(0)
    shown.metrics.dropped(2)
    names = ("waiting_rows", "capacity_rows", "written_total", "dropped_total")
    assert [shown(f"prediction_log_{name}") for name in names] == [3, 500, 17, 2]
    assert (shown("prediction_log_last_success_timestamp_seconds") or 0) >= before


def test_uploads_and_labels_are_counted_by_rows(shown: Shown) -> None:
    shown.metrics.uploaded(1000, 7)
    shown.metrics.uploaded(10, 0)
    shown.metrics.labelled(4)
    assert (shown("upload_rows_total", outcome="ok"), shown("upload_rows_total", outcome="faulty")) == (1010, 7)
    assert shown("feedback_labels_total") == 4


def test_before_a_release_is_loaded_there_is_no_age_of_one(shown: Shown) -> None:
    shown.metrics.serving(Standing())
    assert shown("release_ready") == 0
    assert shown("release_reason", role="champion", code="starting") == 1
    assert shown("release_trained_timestamp_seconds") is None


def test_what_serves_is_shown_with_its_age_and_how_long_it_took_to_load(
    shown: Shown, release: Callable[[int], Release]
) -> None:
    champion = release(3)
    shown.metrics.serving(Standing(champion, "ok"))
    info = {"role": "champion", "source": "registry", "bundle_sha256": champion.bundle.sha256}
    assert shown("release_info", version="3", **info) == 1
    assert shown("release_ready") == 1
    assert shown("release_trained_timestamp_seconds") == datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    assert shown("release_loaded_timestamp_seconds") == LOADED_AT.timestamp()
    assert shown("release_load_seconds") == 0.25
    assert shown("challenger_share") == 0


def test_what_no_longer_serves_is_no_longer_shown(shown: Shown, release: Callable[[int], Release]) -> None:
    sha256 = release(3).bundle.sha256
    shown.metrics.serving(Standing(release(3), "ok", Challenger(release(4), 0.1), "ok"))
    assert shown("challenger_share") == 0.1
    shown.metrics.serving(Standing(release(4), "unreachable: the registry answers 500 [registry]"))
    told = {
        (version, role): shown("release_info", version=version, role=role, source="registry", bundle_sha256=sha256)
        for version, role in (("3", "champion"), ("4", "challenger"), ("4", "champion"))
    }
    assert told == {("3", "champion"): 0, ("4", "challenger"): 0, ("4", "champion"): 1}
    reasons = {code: shown("release_reason", role="champion", code=code) for code in ("ok", "unreachable")}
    assert reasons == {"ok": 0, "unreachable": 1}
    assert shown("challenger_share") == 0


@pytest.mark.parametrize("moment", ["", "last Sunday", "2026-13-01"])
def test_a_moment_that_nobody_can_read_shows_no_age(
    shown: Shown, release: Callable[[int], Release], moment: str
) -> None:
    good = release(3)
    contract = good.bundle.contract.model_copy(update={"trained_at": moment})
    shown.metrics.serving(Standing(replace(good, bundle=replace(good.bundle, contract=contract)), "ok"))
    assert shown("release_ready") == 1
    assert shown("release_trained_timestamp_seconds") is None
