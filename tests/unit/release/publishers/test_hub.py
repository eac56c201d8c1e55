"""What is published to a hub is what is read back from it, once; and what keeps it from being published is told."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import snapshot_download

from sluice.adapters import bundles
from sluice.adapters.bundles import Bundle
from sluice.domain.errors import PublishError, SluiceError, TransientError
from sluice.domain.release import Release
from sluice.release.publishers import releases, space
from sluice.release.publishers.hub import Hub as Publisher
from sluice.release.publishers.publication import Publication
from tests.unit.conftest import MakeBundle
from tests.unit.release.publishers.hubs import KEY, Hub

#: The hub's client sends large files in a way that its own HTTP client would rather not have.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def publisher(hub: Hub, key: str = KEY, seconds: float = 20.0) -> Publisher:
    return Publisher("acme/line", hub.url, key, seconds=seconds)


def read_back(hub: Hub, folder: Path, kind: str = "model", revision: str = "main") -> dict[str, str]:
    """What a stranger gets, by the client of the hub."""
    found = snapshot_download(
        "acme/line",
        repo_type=kind,
        revision=revision,
        local_dir=folder,
        cache_dir=folder.with_name("cache"),
        endpoint=hub.url,
        token=KEY,
        ignore_patterns=[".gitattributes"],
    )
    return {path: sha for path, sha in hashes(Path(found)).items() if not path.startswith(".cache/")}


def hashes(folder: Path) -> dict[str, str]:
    return Publication("line", "", "", folder, "").files


def test_what_is_read_back_is_what_was_published(hub: Hub, publication: Publication, tmp_path: Path) -> None:
    address = publisher(hub).publish(publication)

    assert read_back(hub, tmp_path / "back") == publication.files
    assert bundles.read(tmp_path / "back").sha256 == publication.facts["bundle"]
    assert set(publication.files) >= {"model.onnx", "manifest.json", "README.md"}
    repository = hub.repositories["models/acme/line"]
    assert repository.about["visibility"] == "private"
    assert address.endswith(repository.commits[-1].oid)


def test_the_same_again_is_no_new_commit(hub: Hub, publication: Publication) -> None:
    first, again = (publisher(hub).publish(publication) for _ in range(2))

    repository = hub.repositories["models/acme/line"]
    assert first == again
    assert [commit.message for commit in repository.commits] == ["initial commit", publication.name]
    assert repository.tags == {publication.name: repository.commits[-1].oid}


def test_the_next_release_takes_the_place_of_the_last_which_its_tag_still_names(
    hub: Hub, publication: Publication, make_bundle: MakeBundle, tmp_path: Path
) -> None:
    (publication.folder / "older.txt").write_text("only the older one has this")
    publisher(hub).publish(publication)
    newer = releases.of(make_bundle(3.0), 4, "s3://store/releases/line/4", tmp_path / "newer")

    publisher(hub).publish(newer)

    assert read_back(hub, tmp_path / "main") == newer.files
    assert read_back(hub, tmp_path / "tagged", revision=publication.name) == publication.files


def test_a_space_holds_the_container_files_of_the_release(
    hub: Hub, publication: Publication, bundle: Bundle, release: Release, tmp_path: Path
) -> None:
    space.compose(bundle, 3, Path(release.bento_path), tmp_path / "space")
    files = replace(publication, folder=tmp_path / "space")

    replace(publisher(hub), kind="space").publish(files)

    back = tmp_path / "back"
    assert read_back(hub, back, kind="space") == files.files
    assert hub.repositories["spaces/acme/line"].about["sdk"] == "docker"
    assert bundles.read(back / "src" / "bundle").sha256 == release.bundle_sha256
    assert (back / "Dockerfile").read_text() == (back / "env" / "docker" / "Dockerfile").read_text()


def test_a_wrong_key_is_told_with_what_to_do_and_without_the_key(hub: Hub, publication: Publication) -> None:
    with pytest.raises(PublishError, match=r"refuses the key \(401\)") as refusal:
        publisher(hub, key="hf_of-somebody-else").publish(publication)

    assert "sluice_huggingface" in refusal.value.action
    assert "hf_of-somebody-else" not in f"{refusal.value}{publisher(hub, key='hf_of-somebody-else')}"
    assert not hub.repositories


def test_a_hub_that_hangs_is_not_waited_for(hub: Hub, publication: Publication) -> None:
    hub.silence.clear()
    begin = time.monotonic()

    with pytest.raises(TransientError, match="Hugging Face does not answer"):
        publisher(hub, seconds=0.5).publish(publication)

    assert time.monotonic() - begin < 10


def test_a_hub_that_is_not_there_may_be_there_later(hub: Hub, publication: Publication) -> None:
    with pytest.raises(TransientError):
        replace(publisher(hub), url="http://127.0.0.1:1").publish(publication)


@pytest.mark.parametrize("name", ["no owner", "acme/--"])
def test_a_name_that_no_repository_can_have_is_refused(hub: Hub, publication: Publication, name: str) -> None:
    with pytest.raises(SluiceError, match="takes no such thing"):
        replace(publisher(hub), repository=name).publish(publication)
