"""A clone with a Makefile of its own goes from commit to commit, and back where one does not work."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from local.deploy import deploy
from local.errors import StackError

MAKEFILE = """\
secrets:
\t@echo secrets >>made
compose-up:
\t@echo up {version} >>made; {works}
smoke:
\t@echo smoke $(URL) >>made; {answers}
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=somebody", "-c", "user.email=somebody@localhost")
    done = subprocess.run(["git", *identity, *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


class Project:
    """An origin, and the clone of it that runs."""

    def __init__(self, folder: Path) -> None:
        self.origin, self.clone = folder / "origin", folder / "clone"
        self.origin.mkdir()
        git(self.origin, "init", "--quiet", "--initial-branch", "main")
        self.commit(1)
        git(folder, "clone", "--quiet", str(self.origin), str(self.clone))

    def commit(self, version: int, works: bool = True, answers: bool = True) -> str:
        words = {True: "true", False: "false"}
        text = MAKEFILE.format(version=version, works=words[works], answers=words[answers])
        (self.origin / "Makefile").write_text(text, encoding="utf-8")
        git(self.origin, "add", "Makefile")
        git(self.origin, "commit", "--quiet", "--message", f"version {version}")
        return git(self.origin, "rev-parse", "HEAD")

    @property
    def made(self) -> list[str]:
        made = self.clone / "made"
        return made.read_text(encoding="utf-8").splitlines() if made.exists() else []

    @property
    def head(self) -> str:
        return git(self.clone, "rev-parse", "HEAD")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_commit_that_works_stays(project: Project) -> None:
    newer = project.commit(2)

    assert deploy(project.clone, "main", ["http://a", "http://b"]) == newer == project.head
    assert project.made == ["secrets", "up 2", "smoke http://a http://b"]


@pytest.mark.parametrize(
    ("works", "answers", "failed", "made"),
    [
        (False, True, "make compose-up ended with 2", ["secrets", "up 2", "secrets", "up 1"]),
        (True, False, "make smoke ended with 2", ["secrets", "up 2", "smoke http://a", "secrets", "up 1"]),
    ],
    ids=["it does not come up", "it does not answer"],
)
def test_one_that_does_not_work_is_undone(
    project: Project, works: bool, answers: bool, failed: str, made: list[str]
) -> None:
    before = project.head
    project.commit(2, works, answers)

    with pytest.raises(StackError, match=f"{failed}; the stack is back at {before[:12]}"):
        deploy(project.clone, "main", ["http://a"])

    assert project.head == before
    assert project.made == made


def test_a_commit_can_be_named_by_its_hash(project: Project) -> None:
    older = project.commit(2)
    project.commit(3)

    assert deploy(project.clone, older) == older
    assert project.made == ["secrets", "up 2"]


def test_nothing_is_done_over_changes_of_somebodys(project: Project) -> None:
    project.commit(2)
    (project.clone / "Makefile").write_text("mine:\n", encoding="utf-8")

    with pytest.raises(StackError, match="files differ from the commit: M Makefile"):
        deploy(project.clone, "main")

    assert project.made == []


@pytest.mark.parametrize("ref", ["", "--upload-pack=touch made", "nowhere"])
def test_what_is_no_commit_is_refused(project: Project, ref: str) -> None:
    before = project.head

    with pytest.raises(StackError):
        deploy(project.clone, ref)

    assert (project.head, project.made) == (before, [])
