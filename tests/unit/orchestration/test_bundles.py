"""A bundle in hand is the very one that its version was registered with."""

import pytest

from sluice.adapters.bundles import Bundle
from sluice.adapters.tracking import BUNDLE_PATH, Tracking, Version
from sluice.domain.errors import BundleError
from sluice.orchestration.bundles import downloaded
from tests.bentos.servers import Mlflow
from tests.unit.conftest import MakeBundle


@pytest.fixture(scope="module")
def tracking(registry: Mlflow) -> Tracking:
    return Tracking(registry.url)


@pytest.fixture(scope="module")
def bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(2.0)


def registered(tracking: Tracking, bundle: Bundle, use_case: str, sha256: str) -> Version:
    run = tracking.client.create_run("0").info.run_id
    tracking.client.log_artifacts(run, str(bundle.folder), BUNDLE_PATH)
    return tracking.register(use_case, run, {"bundle_sha256": sha256}, "")


def test_it_is_there_for_as_long_as_it_is_needed(tracking: Tracking, bundle: Bundle) -> None:
    with downloaded(tracking, registered(tracking, bundle, "line", bundle.sha256)) as found:
        assert found.sha256 == bundle.sha256

    assert not found.folder.exists()


@pytest.mark.parametrize(
    ("use_case", "sha256", "said"),
    [("line", "another", "another bundle"), ("circle", None, "a bundle of line")],
    ids=["another-bundle", "another-use-case"],
)
def test_any_other_is_refused(tracking: Tracking, bundle: Bundle, use_case: str, sha256: str | None, said: str) -> None:
    version = registered(tracking, bundle, use_case, sha256 or bundle.sha256)

    with pytest.raises(BundleError, match=said), downloaded(tracking, version):
        pass
