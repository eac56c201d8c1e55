from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from sluice.domain.errors import StateError
from sluice.domain.use_case import UseCase
from sluice.training import provenance
from tests.conftest import REPOSITORY


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The parts of this repository that a training follows from."""
    for room in ("training", "adapters", "domain", "gate"):
        shutil.copytree(REPOSITORY / "plugins" / "sluice" / room, tmp_path / "plugins" / "sluice" / room)
    shutil.copy(REPOSITORY / "requirements.txt", tmp_path)
    return tmp_path


def test_the_digest_is_of_what_is_written_wherever_it_lies(copy: Path) -> None:
    assert provenance.digest(copy) == provenance.digest(REPOSITORY) == provenance.code_sha256()


@pytest.mark.parametrize(
    "path",
    [
        "plugins/sluice/training/search.py",
        "plugins/sluice/adapters/metrics.py",
        "plugins/sluice/domain/search.py",
        "plugins/sluice/training/new_family.py",
        "requirements.txt",
    ],
)
def test_another_line_of_the_training_code_or_of_the_lock_is_another_digest(copy: Path, path: str) -> None:
    before = provenance.digest(copy)
    with (copy / path).open("a", encoding="utf-8") as file:
        file.write("# another line\n")
    assert provenance.digest(copy) != before


def test_code_that_makes_no_model_does_not_count(copy: Path) -> None:
    before = provenance.digest(copy)
    (copy / "plugins/sluice/gate/decision.py").write_text("", encoding="utf-8")
    (copy / "plugins/sluice/training/notes.txt").write_text("", encoding="utf-8")
    assert provenance.digest(copy) == before


def test_an_installation_without_its_lock_cannot_be_told(copy: Path) -> None:
    (copy / "requirements.txt").unlink()
    with pytest.raises(StateError, match=r"requirements\.txt"):
        provenance.digest(copy)


def test_the_tags_name_rows_spec_code_and_endpoint(flats: UseCase) -> None:
    assert provenance.tags(flats, "s1", "f" * 64) == {
        "snapshot_id": "s1",
        "spec_sha256": flats.sha256(),
        "code_sha256": provenance.code_sha256(),
        "runtime_sha256": "f" * 64,
    }
