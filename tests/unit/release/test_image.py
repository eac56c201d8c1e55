"""An image is built once per bento, by BentoML; the next one brings its bundle alone and needs no package index."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from sluice.adapters.bundles import Bundle
from sluice.domain.errors import ReleaseError, TransientError
from sluice.domain.release import Release
from sluice.release import bento, image
from tests.unit.conftest import SERVICE, MakeBundle
from tests.unit.release.conftest import Client, Say

#: Of an image with today's requirements, on a base as small as python:3.11-slim.
MOST_MEGABYTES = 460
#: Of a build that finds its requirements installed.
MOST_SECONDS = 15


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No step of a build reaches a package index: the client hands each a proxy that is not there."""
    nowhere = {"httpProxy": "http://127.0.0.1:9", "httpsProxy": "http://127.0.0.1:9"}
    (tmp_path / "config.json").write_text(json.dumps({"proxies": {"default": nowhere}}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))


@pytest.mark.container
def test_the_image_is_named_and_labelled_after_its_release(
    release: Release, home: Path, client: Client, bundle: Bundle, say: Say
) -> None:
    begin = time.monotonic()
    built = image.build(client.engine, release, home)
    say(f"first build {time.monotonic() - begin:.1f} s")

    assert built.image == f"sluice/line:v3-{bundle.sha256[:12]}"
    labels = client.inspect(built.image)["Config"]["Labels"]
    assert labels["org.opencontainers.image.version"] == "3"
    assert labels["sluice.bundle.sha256"] == bundle.sha256
    assert labels["sluice.runtime.sha256"] == bundle.contract.runtime_sha256


@pytest.mark.container
def test_the_image_is_small(imaged: Release, client: Client, say: Say) -> None:
    assert imaged.image is not None
    megabytes = image.megabytes(client.engine, imaged.image)
    say(f"image {megabytes:.0f} MB")

    assert megabytes <= MOST_MEGABYTES


@pytest.mark.container
def test_building_an_image_again_finds_it_built(imaged: Release, home: Path, client: Client) -> None:
    assert imaged.image is not None
    before = client.inspect(imaged.image)["Created"]

    assert image.build(client.engine, imaged, home) == imaged
    assert client.inspect(imaged.image)["Created"] == before


@pytest.mark.container
@pytest.mark.usefixtures("offline")
def test_the_next_image_brings_its_bundle_alone_and_needs_no_index(
    imaged: Release, home: Path, client: Client, make_bundle: MakeBundle, say: Say
) -> None:
    assert imaged.image is not None
    after = bento.build(SERVICE, make_bundle(3.0), 4, home)
    begin = time.monotonic()
    built = image.build(client.engine, after, home)
    seconds = time.monotonic() - begin
    say(f"second build {seconds:.1f} s, without a package index")

    assert built.image is not None
    earlier, later = (client.inspect(name)["RootFS"]["Layers"] for name in (imaged.image, built.image))
    # The bento, and the bit that lets its entry point run.
    assert later[:-2] == earlier[:-2]
    assert len(later) == len(earlier)
    assert seconds <= MOST_SECONDS


@pytest.mark.container
@pytest.mark.usefixtures("offline")
def test_an_image_that_cannot_be_built_says_why(
    make_bundle: MakeBundle, home: Path, client: Client, tmp_path: Path
) -> None:
    other = tmp_path / "service"
    shutil.copytree(SERVICE, other)
    with (other / "requirements.txt").open("a") as requirements:
        requirements.write("\na-package-that-nobody-made==1.0\n")
    release = bento.build(other, make_bundle(2.0, service=other), 5, home)

    with pytest.raises(ReleaseError, match=r"`bentoml containerize` failed: .*Connection refused"):
        image.build(client.engine, release, home)


@pytest.mark.container
def test_an_image_that_is_removed_is_gone_and_no_other(
    imaged: Release, home: Path, client: Client, make_bundle: MakeBundle
) -> None:
    other = image.build(client.engine, bento.build(SERVICE, make_bundle(4.0), 6, home), home)
    name, _, label = other.bento.partition(":")

    for _ in range(2):
        image.remove(client.engine, home, name, label)

    tags = client("images", "--format", "{{.Tag}}", "sluice/line").split()
    assert label not in tags
    assert imaged.bento.partition(":")[2] in tags


def test_an_engine_that_does_not_answer_may_answer_later(
    release: Release, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    with pytest.raises(TransientError, match="the container engine podman does not answer"):
        image.build("podman", release, home)
