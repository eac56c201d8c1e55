"""A bento is built once per version, holds the bundle, and starts from itself alone."""

import shutil
import socket
from pathlib import Path

import pytest

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle
from sluice.domain.errors import ReleaseError
from sluice.domain.evidence import Subject
from sluice.domain.policy import Servable
from sluice.domain.release import Release, Started
from sluice.gate import servability
from sluice.release import bento, process
from sluice.release.process import started
from tests.unit.conftest import SERVICE, MakeBundle

POLICY = Servable(ready_seconds=90, p99_ms=1000)


@pytest.fixture(scope="module")
def bundle(make_bundle: MakeBundle) -> Bundle:
    return make_bundle(2.0)


@pytest.fixture(scope="module")
def release(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Release:
    return bento.build(SERVICE, bundle, 3, tmp_path_factory.mktemp("bentos"))


@pytest.fixture(scope="module")
def running(release: Release):
    with started(release, POLICY.ready_seconds) as ready:
        yield ready


@pytest.fixture
def subject(bundle: Bundle) -> Subject:
    return Subject(
        use_case="line", version=3, bundle_sha256=bundle.sha256, champion_version=None, champion_bundle_sha256=None
    )


def verdicts(subject: Subject, running: Started, bundle: Bundle, policy: Servable = POLICY) -> dict[str, str]:
    evidence = servability.judge(policy, subject, running, bundle.contract, bundle.golden)
    return {check.code: check.verdict for check in evidence.checks}


def test_the_bento_holds_the_very_bundle(release: Release, bundle: Bundle) -> None:
    baked = bundles.read(Path(release.bento_path) / "src" / "bundle")

    assert baked.sha256 == bundle.sha256 == release.bundle_sha256
    assert bundles.runtime_sha256(Path(release.bento_path) / "src" / "tabular") == release.runtime_sha256


def test_building_again_finds_it_built(release: Release, bundle: Bundle) -> None:
    home = Path(release.bento_path).parents[2]
    before = (Path(release.bento_path) / "bento.yaml").stat().st_mtime_ns

    assert bento.build(SERVICE, bundle, 3, home) == release
    assert (Path(release.bento_path) / "bento.yaml").stat().st_mtime_ns == before


def test_only_a_whole_bento_is_left_in_the_store(release: Release) -> None:
    home = Path(release.bento_path).parents[2]

    assert [path.relative_to(home).as_posix() for path in home.glob("*/*/*")] == [
        f"bentos/{release.bento.replace(':', '/')}"
    ]


def test_what_cannot_be_built_says_so(make_bundle: MakeBundle, tmp_path: Path) -> None:
    broken = tmp_path / "service"
    shutil.copytree(SERVICE, broken)
    (broken / "service.py").write_text("raise RuntimeError('no service here')")

    with pytest.raises(ReleaseError, match="no service here"):
        bento.build(broken, make_bundle(2.0, service=broken), 1, tmp_path / "home")


def test_a_bundle_for_other_serving_code_is_not_built(bundle: Bundle, tmp_path: Path) -> None:
    other = tmp_path / "service"
    shutil.copytree(SERVICE, other)
    (other / "service.py").write_text("# another service")

    with pytest.raises(ReleaseError, match="other serving code"):
        bento.build(other, bundle, 1, tmp_path / "home")


def test_a_good_release_is_servable(subject: Subject, running: Started, bundle: Bundle) -> None:
    assert verdicts(subject, running, bundle) == {
        "ready": "pass",
        "golden_parity": "pass",
        "bad_input": "pass",
        "latency_p99": "pass",
    }


def test_a_release_that_answers_otherwise_is_not(
    subject: Subject, running: Started, bundle: Bundle, make_bundle: MakeBundle
) -> None:
    assert verdicts(subject, running, make_bundle(2.001))["golden_parity"] == "fail"


def test_a_release_of_another_version_is_not(subject: Subject, running: Started, bundle: Bundle) -> None:
    other = subject.model_copy(update={"version": 4})

    assert verdicts(other, running, bundle)["golden_parity"] == "fail"


def test_a_slow_release_is_not(subject: Subject, running: Started, bundle: Bundle) -> None:
    hasty = POLICY.model_copy(update={"p99_ms": 0.001})

    assert verdicts(subject, running, bundle, hasty)["latency_p99"] == "fail"


def test_a_release_that_refuses_its_example_is_not(subject: Subject, running: Started, bundle: Bundle) -> None:
    contract = bundle.contract.model_copy(update={"example": {"x": None}})
    evidence = servability.judge(POLICY, subject, running, contract, bundle.golden)

    [refused] = [check for check in evidence.checks if check.verdict == "fail"]
    assert "answers 422 to its example" in refused.message


def test_a_release_that_never_gets_ready_is_not(subject: Subject, release: Release, bundle: Bundle) -> None:
    with started(release, budget_seconds=0.2) as hopeless:
        assert hopeless.ready_seconds is None
        assert verdicts(subject, hopeless, bundle) == {"ready": "fail"}


def test_a_port_that_another_took_in_the_meantime_costs_a_second_start(
    release: Release, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        free = process._free_port  # noqa: SLF001 - the only way to lose the race on purpose
        ports = iter([other.getsockname()[1], free()])
        monkeypatch.setattr(process, "_free_port", lambda: next(ports))

        with started(release, POLICY.ready_seconds) as running:
            assert running.ready_seconds is not None
            assert list(ports) == []
