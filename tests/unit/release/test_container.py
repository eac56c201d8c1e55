"""A release starts as a container of its image alone, tightly shut; what it may do is tried out inside it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from local import keys
from sluice.domain.errors import ReleaseError
from sluice.domain.release import Release
from sluice.release import container
from sluice.release.probe import wait
from tests.unit.conftest import MakeBundle
from tests.unit.release.conftest import POLICY, Client, Derive, Judge, Say, verdicts

pytestmark = pytest.mark.container

PLUGINS = Path(container.__file__).parents[2]

#: Starts a container and dies without a chance to remove it.
KILLED = """
import os, signal
from sluice.domain.release import Release
from sluice.release import container

release = Release("line", 3, "", "", "", "", "line:v3", "", {image!r})
with container.started({engine!r}, release, 0.1):
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_good_release_is_servable_as_a_container(imaged: Release, client: Client, judge: Judge, say: Say) -> None:
    with container.started(client.engine, imaged, POLICY.ready_seconds) as probe:
        evidence = judge(probe)
    checks = {check.code: check for check in evidence.checks}
    say(f"ready in {checks['ready'].value:.1f} s, stopped in {checks['stops'].value:.1f} s")

    assert verdicts(evidence) == {
        "ready": "pass",
        "golden_parity": "pass",
        "bad_input": "pass",
        "latency_p99": "pass",
        "stops": "pass",
        "non_root": "pass",
        "read_only": "pass",
        "image_size": "pass",
        "image": "pass",
    }
    assert evidence.notes == (f"started as a container of {imaged.image} by {client.engine}",)
    assert client.containers() == []


def test_a_container_finds_neither_the_registry_nor_the_database(
    imaged: Release, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://registry.test")
    monkeypatch.setenv("SLUICE_WAREHOUSE_DSN", "postgresql://secret@database.test")

    with container.started(client.engine, imaged, POLICY.ready_seconds):
        [name] = client.containers()
        inside = client("exec", name, "env")

    assert "BENTOML_HOME=/tmp/bentoml" in inside
    assert ".test" not in inside


def test_a_container_has_no_powers_and_gets_none(imaged: Release, client: Client) -> None:
    with container.started(client.engine, imaged, POLICY.ready_seconds):
        [name] = client.containers()
        # Of the server and of the process that answers.
        said = client("exec", name, "sh", "-c", "cat /proc/[0-9]*/status")
        written = client("exec", name, "sh", "-c", "echo > /tmp/sluice-probe && echo written")

    known = [line.split() for line in said.splitlines()]
    for power in ("CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"):
        assert {int(words[1], 16) for words in known if words[0] == power} == {0}
    assert {words[1] for words in known if words[0] == "NoNewPrivs:"} == {"1"}
    assert "0" not in {identity for words in known if words[0] in ("Uid:", "Gid:") for identity in words[1:]}
    # What BentoML has to write.
    assert written == "written"


def test_an_image_lets_nobody_in_until_it_is_given_keys(imaged: Release, client: Client, tmp_path: Path) -> None:
    """Neither image nor bento says that the service is open, as only a probe is."""
    assert imaged.image is not None
    held = tmp_path / "api-keys.jsonl"
    key = keys.make(held, "alice")
    # The image's user has none of this machine's.
    held.chmod(0o644)
    told = ["--env", "SLUICE_API_KEYS=/keys.jsonl", "--volume", f"{held}:/keys.jsonl:ro"]
    published = ["--publish", f"127.0.0.1::{container.PORT}"]
    names = [client("run", "--detach", *published, *container.SHUT, *more, imaged.image) for more in ([], told)]
    try:
        bare, keyed = [f"http://{client('port', name, str(container.PORT)).splitlines()[0]}" for name in names]
        for url in (bare, keyed):
            assert wait(url, lambda: True, time.monotonic(), POLICY.ready_seconds) is not None
        given = {"x-api-key": key}
        assert [httpx.get(url, headers=given, trust_env=False).status_code for url in (bare, keyed)] == [401, 200]
        assert httpx.get(keyed, trust_env=False).status_code == 401
        said = subprocess.run([client.engine, "logs", names[0]], capture_output=True, text=True, check=True)
        assert "nobody gets in: name a file of keys in SLUICE_API_KEYS" in said.stdout + said.stderr
    finally:
        client("rm", "--force", "--volumes", *names)


def test_a_container_that_answers_otherwise_is_not_servable(
    imaged: Release, client: Client, judge: Judge, make_bundle: MakeBundle
) -> None:
    with container.started(client.engine, imaged, POLICY.ready_seconds) as probe:
        assert verdicts(judge(probe, make_bundle(2.001)))["golden_parity"] == "fail"


def test_a_container_of_root_is_told(derive: Derive, client: Client, judge: Judge) -> None:
    with container.started(client.engine, derive("USER root"), POLICY.ready_seconds) as probe:
        found = verdicts(judge(probe))

    assert (found["non_root"], found["read_only"]) == ("fail", "pass")


def test_a_container_that_can_be_written_to_is_told(imaged: Release, client: Client) -> None:
    assert imaged.image is not None
    name = client("run", "--detach", "--rm", "--entrypoint", "sleep", imaged.image, "60")
    try:
        assert not container.isolation(client.engine, name, imaged.image).read_only
    finally:
        client("rm", "--force", name)


def test_what_cannot_be_looked_into_is_not_taken_for_shut(imaged: Release, client: Client) -> None:
    assert imaged.image is not None

    with pytest.raises(ReleaseError, match="could not look into the container"):
        container.isolation(client.engine, "sluice-nobody", imaged.image)


def test_an_image_over_its_budget_is_not_servable(imaged: Release, client: Client, judge: Judge) -> None:
    with container.started(client.engine, imaged, POLICY.ready_seconds) as probe:
        assert verdicts(judge(probe, image_mb=100))["image_size"] == "fail"


def test_a_container_that_never_gets_ready_is_not_servable(derive: Derive, client: Client, judge: Judge) -> None:
    idle = derive('ENTRYPOINT ["sh", "-c", "echo I wait; exec sleep 600"]')

    with container.started(client.engine, idle, 2) as probe:
        assert verdicts(judge(probe)) == {"ready": "fail", "image": "pass"}
        assert "I wait" in probe.started.how
        assert probe.started.isolation is None


def test_a_container_that_ends_at_once_is_told_with_its_last_words(derive: Derive, client: Client) -> None:
    broken = derive('ENTRYPOINT ["sh", "-c", "echo no model here; exit 3"]')

    with container.started(client.engine, broken, POLICY.ready_seconds) as probe:
        assert probe.started.ready_seconds is None
        assert "no model here" in probe.started.how


def test_an_image_that_is_not_there_says_so(imaged: Release, client: Client) -> None:
    with (
        pytest.raises(ReleaseError, match=rf"`{client.engine} run` failed: .*sluice/nothing:v1"),
        container.started(client.engine, replace(imaged, image="sluice/nothing:v1"), POLICY.ready_seconds),
    ):
        pass


def test_a_container_that_does_not_stop_is_killed_and_says_so(derive: Derive, client: Client) -> None:
    # The first process of a container that handles no signal is spared by it.
    stubborn = derive('ENTRYPOINT ["sleep", "600"]')

    with container.started(client.engine, stubborn, 0.5) as probe:
        stopped = probe.stop(1)

    assert (stopped.seconds, stopped.exit_code) == (None, 137)


def test_a_container_is_removed_also_after_an_error(derive: Derive, client: Client) -> None:
    seen = []

    def fail() -> None:
        with container.started(client.engine, derive('ENTRYPOINT ["sleep", "600"]'), 0.1):
            seen.extend(client.containers())
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert len(seen) == 1
    assert client.containers() == []


def test_what_a_killed_run_left_behind_is_removed_by_the_next(derive: Derive, client: Client) -> None:
    idle = derive('ENTRYPOINT ["sleep", "600"]')
    script = KILLED.format(image=idle.image, engine=client.engine)
    subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(PLUGINS)}, check=False)
    [orphan] = client.containers()

    with container.started(client.engine, idle, 0.1):
        [own] = client.containers()
        assert own != orphan
        # One whose run lives stays.
        assert container.remove_orphans(client.engine) == []
        assert client.containers() == [own]
