"""The installer: what is missing is said in one line, with what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "include" / "local" / "install.sh"
TOOLS = ("sh", "dirname", "sed", "date", "touch")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A PATH with a few tools and without uv."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        [found] = [p for place in ("/bin", "/usr/bin") if (p := Path(place) / tool).exists()][:1]
        (folder / tool).symlink_to(found)
    return folder


def python(folder: Path, body: str) -> str:
    """An interpreter that answers as told."""
    file = folder / "python-of-another-kind"
    file.write_text(f"#!/bin/sh\n{body}\n")
    file.chmod(0o755)
    return str(file)


def install(path: Path, interpreter: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", str(SCRIPT), interpreter, "requirements.txt", str(path.parent / "venv" / ".installed")],
        env={**os.environ, "PATH": str(path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_python_that_is_not_there(path: Path) -> None:
    done = install(path, "python9")

    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "error: there is no python9; install Python 3.11 to 3.13, or name one: make PYTHON=/path/to/python3.11"
    ]


def test_a_python_that_is_too_old(path: Path) -> None:
    old = python(path, 'case "$*" in *version_info*) exit 1;; -V) echo Python 3.9.2;; esac')

    done = install(path, old)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "is Python 3.9.2, and Python 3.11 to 3.13 is needed" in done.stderr


def test_a_python_without_ensurepip(path: Path) -> None:
    bare = python(path, f'case "$*" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac')

    done = install(path, bare)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "lacks ensurepip; install it (Debian, Ubuntu: apt install python3-venv)" in done.stderr
