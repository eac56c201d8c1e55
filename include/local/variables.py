"""Variables: the file of them that compose reads, which nobody but its owner may, and its lines."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

from local.errors import StackError

LINE = re.compile(r"(?:export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=.*")


def content(path: Path) -> str:
    """What stands in the file; nothing where there is no file.

    Raises:
        StackError: Others may read it, or git has it.
    """
    try:
        about = path.stat()
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise StackError(f"the secrets cannot be read: {error.strerror}", str(path), "check its rights") from error
    if stat.S_IMODE(about.st_mode) & 0o077:
        action = f"chmod 600 {path}; whoever could read it may know the secrets: rotate them"
        raise StackError("others may read the secrets", str(path), action)
    if about.st_uid != os.getuid():
        raise StackError("the secrets are another user's", str(path), "run as the user who owns them")
    if _is_tracked(path):
        action = f"git rm --cached {path.name}, and rotate the secrets: whoever has the repository knows them"
        raise StackError("git has the secrets", str(path), action)
    return text


def parsed(content: str) -> dict[str, str]:
    """The variables that have a line, empty ones too."""
    values = dotenv_values(stream=StringIO(content), interpolate=False)
    return {name: value for name, value in values.items() if value is not None}


def filled(content: str, name: str, value: str, about: str) -> str:
    """The file with a line for a name; one that is there keeps its value, unless it is empty."""
    held = parsed(content)
    if name in held:
        return changed(content, name, value) if value and not held[name] else content
    if content and not content.endswith("\n"):
        content += "\n"
    return f"{content}# {about}\n{name}={value}\n"


def changed(content: str, name: str, value: str) -> str:
    """The file with another value in a line that is there."""
    lines = content.splitlines(keepends=True)
    matches = [LINE.fullmatch(line.strip()) for line in lines]
    return "".join(
        f"{name}={value}\n" if match and match["name"] == name else line
        for line, match in zip(lines, matches, strict=True)
    )


def _is_tracked(path: Path) -> bool:
    if shutil.which("git") is None:
        return False
    command = ("git", "-C", str(path.parent), "ls-files", "--error-unmatch", path.name)
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603
