"""The API keys of the model servers: `python -m local.keys make NAME | lay NAME | list | revoke NAME`.

Their file is the one that SLUICE_API_KEYS names, or api-keys.jsonl in the state folder. It holds digests, so a key is
shown once, when it is made; running servers follow the file.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from local.commands import Commands
from local.errors import StackError
from local.state import state, write_private

NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")
#: Tells people and scanners of leaked secrets what they have found.
PREFIX = "slk_"
#: Random bytes of a key: as many bits as its digest has.
RANDOM_BYTES = 32
KEY = re.compile(PREFIX + r"[A-Za-z0-9_-]{43}")

Line = dict[str, Any]


def make(path: Path, name: str, days: int | None = None, now: datetime | None = None) -> str:
    """Make a key, and return it; afterwards nobody can.

    Args:
        path: The file of the keys.
        name: Whose it is.
        days: How long it opens; for ever if absent.
        now: When it is made.

    Raises:
        StackError: There is one of that name, the name or the time is none, or the file is broken.
    """
    if not NAME.fullmatch(name):
        raise StackError(f"{name!r} cannot name a key", "NAME", "use 1 to 64 letters, digits and . _ @ -")
    if days is not None and days < 1:
        raise StackError(f"a key cannot open for {days} days", "DAYS", "say 1 or more, or leave DAYS out")
    key = PREFIX + secrets.token_urlsafe(RANDOM_BYTES)
    made = now or datetime.now(UTC)
    line: Line = {"name": name, "sha256": sha256(key.encode()).hexdigest(), "made": _moment(made)}
    if days is not None:
        line["expires"] = _moment(made + timedelta(days=days))
    with _changing(path):
        lines = read(path)
        if any(other["name"] == name for other in lines):
            action = f"choose another name, for example {name}-2; revoke {name} once nobody uses it any more"
            raise StackError(f"there is a key of {name} already", str(path), action)
        _write(path, [*lines, line])
    return key


def lay(path: Path, name: str, key: str) -> bool:
    """Let in a key that was made elsewhere, in the place of the one that its owner had.

    Args:
        path: The file of the keys.
        name: Whose it is.
        key: The key.

    Returns:
        Whether anything changed.

    Raises:
        StackError: The key is none that `make` could have made, the name is none, or the file is broken.
    """
    if not NAME.fullmatch(name):
        raise StackError(f"{name!r} cannot name a key", "NAME", "use 1 to 64 letters, digits and . _ @ -")
    if not KEY.fullmatch(key):
        raise StackError("what was given is no key", "the standard input", f"make one that begins with {PREFIX}")
    digest = sha256(key.encode()).hexdigest()
    with _changing(path):
        lines = read(path)
        kept = [line for line in lines if line["name"] != name]
        if [line["sha256"] for line in lines if line["name"] == name] == [digest]:
            return False
        _write(path, [*kept, {"name": name, "sha256": digest, "made": _moment(datetime.now(UTC))}])
    return True


def revoke(path: Path, name: str) -> None:
    """Take a key out of the file.

    Raises:
        StackError: There is none of that name, or the file is broken.
    """
    with _changing(path):
        lines = read(path)
        kept = [line for line in lines if line["name"] != name]
        if len(kept) == len(lines):
            raise StackError(f"there is no key of {name}", str(path), "make api-keys shows the names")
        _write(path, kept)


def read(path: Path) -> list[Line]:
    """The lines of the file; none where there is no file.

    Raises:
        StackError: The file cannot be read, or a line is none.
    """
    lines: list[Line] = []
    try:
        for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if text.strip():
                lines.append(_line(text, path, number))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise StackError(f"the keys cannot be read: {error.strerror}", str(path), "check its rights") from error
    return lines


def show(console: Console, lines: Sequence[Line], now: datetime) -> None:
    """Show whose keys there are, and until when they open."""
    table = Table("name", "made", "expires", box=None)
    for line in lines:
        expires = line.get("expires")
        over = expires is not None and datetime.fromisoformat(expires) <= now
        until = f"[red]{escape(str(expires))}, expired[/red]" if over else escape(str(expires or "never"))
        table.add_row(escape(line["name"]), escape(str(line.get("made") or "unknown")), until)
    console.print(table if lines else "there are no keys: make api-key NAME=<who> makes one")


def _line(text: str, path: Path, number: int) -> Line:
    try:
        line = json.loads(text)
        if isinstance(line["name"], str) and isinstance(line["sha256"], str):
            return dict(line)
    except (ValueError, KeyError, TypeError):
        pass
    # What stands there is not shown: it may be a key that somebody put in the place of its digest.
    raise StackError(f"line {number} of the keys is none", str(path), "mend or remove it")


def _write(path: Path, lines: Sequence[Line]) -> None:
    write_private(path, "".join(f"{json.dumps(line)}\n" for line in lines))


@contextmanager
def _changing(path: Path) -> Iterator[None]:
    """Keep others from changing the file meanwhile: each change replaces the whole of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        action = "name another file with SLUICE_API_KEYS"
        raise StackError(f"the keys' folder cannot be used: {error.strerror}", str(path.parent), action) from error
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")


@click.group(cls=Commands, help=__doc__)
@click.pass_context
def commands(ctx: click.Context) -> None:
    """Hold the commands."""
    ctx.obj = Path(os.environ.get("SLUICE_API_KEYS") or state().keys)


@commands.command("make")
@click.argument("name")
@click.option("--days", type=int, help="How long it opens; for ever where left out.")
@click.pass_obj
def _make(path: Path, name: str, days: int | None) -> None:
    """Make a key and print it; the one line of the standard output is the key."""
    key = make(path, name, days)
    click.echo(
        f"the key of {name}, shown only now; servers whose SLUICE_API_KEYS is {path} let it in at once:", err=True
    )
    click.echo(key)


@commands.command("lay")
@click.argument("name")
@click.pass_obj
def _lay(path: Path, name: str) -> None:
    """Let in the key that stands in the standard input."""
    changed = lay(path, name, sys.stdin.read().strip())
    click.echo(f"the key of {name} {'opens from now on' if changed else 'opens as before'}", err=True)


@commands.command("list")
@click.pass_obj
def _list(path: Path) -> None:
    """Show whose keys there are."""
    show(Console(highlight=False, soft_wrap=True), read(path), datetime.now(UTC))


@commands.command("revoke")
@click.argument("name")
@click.pass_obj
def _revoke(path: Path, name: str) -> None:
    """Take a key out."""
    revoke(path, name)
    click.echo(f"the key of {name} opens nothing any more", err=True)


if __name__ == "__main__":
    sys.exit(commands(prog_name="python -m local.keys"))
