"""A deployment: `python -m local.deploy --ref <commit> "[URL]..."` brings this folder and its stack to a commit.

Where the stack does not come up, or a model server behind one of the URLs does not do what it must, the folder and the
stack go back to the commit before. Databases that were brought up to date stay so.
"""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import click

from local.commands import Command
from local.errors import StackError
from local.state import REPOSITORY


def deploy(folder: Path, ref: str, urls: Sequence[str] = ()) -> str:
    """Bring a folder and its stack to a commit, and return the commit.

    Args:
        folder: A clone of the repository, with `.env`; its stack is up, or comes up.
        ref: A branch, tag or commit of its origin.
        urls: Model servers that must answer afterwards.

    Raises:
        StackError: The folder has changes of its own, there is no such commit, or it does not work; then the stack is
            that of the commit before.
    """
    if not ref or ref.startswith("-"):
        raise StackError("nobody said which commit", str(folder), "REF=<branch, tag or commit>")
    if changed := _git(folder, "status", "--porcelain", "--untracked-files=no"):
        raise StackError(f"files differ from the commit: {changed}", str(folder), "commit or undo the changes")
    before = _git(folder, "rev-parse", "HEAD")
    _git(folder, "fetch", "--quiet", "origin", ref)
    commit = _git(folder, "rev-parse", "FETCH_HEAD^{commit}")
    try:
        _bring(folder, commit)
        if urls:
            _make(folder, "smoke", f"URL={' '.join(urls)}")
    except StackError as error:
        _back(folder, before, error)
    return commit


def _back(folder: Path, before: str, error: StackError) -> None:
    """Return to the commit before, and raise what was wrong with the one after."""
    try:
        _bring(folder, before)
    except StackError as another:
        what = f"{error.what}; and the way back to {before[:12]} fails: {another.what}"
        raise StackError(what, str(folder), "make compose-up says what does not work") from error
    raise StackError(
        f"{error.what}; the stack is back at {before[:12]}", str(folder), "read what it printed"
    ) from error


def _bring(folder: Path, commit: str) -> None:
    _git(folder, "checkout", "--quiet", "--detach", commit)
    # What is new among the secrets; those that are there stay.
    _make(folder, "secrets")
    _make(folder, "compose-up")


def _make(folder: Path, *arguments: str) -> None:
    done = subprocess.run(("make", "--no-print-directory", *arguments), cwd=folder, check=False)  # noqa: S603, S607
    if done.returncode:
        raise StackError(f"make {arguments[0]} ended with {done.returncode}", str(folder), "read what it printed")


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(("git", *arguments), cwd=folder, capture_output=True, text=True, check=False)  # noqa: S603, S607
    if done.returncode:
        raise StackError(f"git {arguments[0]}: {done.stderr.strip()}", str(folder), "is it there, and can it be read?")
    return done.stdout.strip()


@click.command(cls=Command, help=__doc__)
@click.option("--ref", default="", help="A branch, tag or commit of the folder's origin.")
@click.argument("urls", metavar="[URL]...")
def command(ref: str, urls: str) -> None:
    """Deploy in this folder."""
    click.echo(f"the stack is at {deploy(REPOSITORY, ref, urls.split())}")


if __name__ == "__main__":
    command(prog_name="python -m local.deploy")
