"""API keys: who may ask, as a file of digests lists it.

One key per line, as JSON: `{"name": "alice", "sha256": "<64 hex digits>", "made": "2026-11-21T15:00:00Z",
"expires": "2027-02-19T15:00:00Z"}`; `made` and `expires` may be left out, several lines may have one name.

A key is `slk_` and 256 random bits, so a single SHA-256 is enough at rest: slow hashes with salt protect what people
choose, because that can be guessed from a dictionary. There is none of random bits, and checking costs microseconds.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, StringConstraints, ValidationError

from tabular.errors import KeysError

logger = logging.getLogger("bentoml.tabular")

#: What is longer is no key, and is not looked at.
LONGEST_KEY = 256
#: How often a fault that stays is told again, in seconds.
REMINDER = 60.0

#: What tells whether a file is still the one that was read.
Print = tuple[int, int, int, int]


class Key(BaseModel):
    """One line of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]{1,64}$")]
    """Whose it is; stands in logs, and requests are limited by it."""
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    made: AwareDatetime | None = None
    expires: AwareDatetime | None = None
    """From when on it opens nothing."""


@dataclass(frozen=True)
class Opener:
    """A key that opens, as it is compared."""

    name: str
    digest: bytes


class Keyring:
    """The keys of a file; a changed file is in force within a second, without a restart.

    A file that cannot be read, or is broken, leaves the keys that were read before it in force; an empty one leaves
    none.

    Args:
        path: The file; None where none is named, and nobody gets in.
        every: Seconds between two looks at the file; requests in between cost no look.
    """

    def __init__(self, path: Path | None, every: float = 1.0) -> None:
        self._path = path
        self._every = every
        self._keys: Sequence[Key] = ()
        self._openers: tuple[Opener, ...] = ()
        self._print: Print | None = None
        self._broken: KeysError | None = None
        self._told = ""
        self._remind = 0.0
        self._next = 0.0
        self._look(time.monotonic())

    def admit(self, given: str) -> str | None:
        """The name of a key; None where it opens nothing.

        Takes the same time for every key that does not open, however much of it is right: what is compared are
        digests, each to its end, and all of them.

        Args:
            given: What the caller sent; empty where nothing.
        """
        now = time.monotonic()
        if now >= self._next:
            self._look(now)
        if not given or len(given) > LONGEST_KEY:
            return None
        digest = sha256(given.encode("utf-8", "surrogatepass")).digest()
        found = None
        for opener in self._openers:
            if compare_digest(opener.digest, digest):
                found = opener.name
        return found

    def _look(self, now: float) -> None:
        """Take the file as it is now, and leave out what has expired."""
        self._next = now + self._every
        try:
            self._follow()
            self._told = ""
        except KeysError as error:
            self._tell(str(error), now)
        moment = datetime.now(UTC)
        openers = tuple(
            Opener(key.name, bytes.fromhex(key.sha256))
            for key in self._keys
            if key.expires is None or moment < key.expires
        )
        if openers != self._openers:
            self._openers = openers
            logger.info("API keys in force: %s", ", ".join(opener.name for opener in openers) or "none")

    def _follow(self) -> None:
        if self._path is None:
            raise KeysError("SLUICE_API_KEYS names no file")
        try:
            if _print(self._path.stat()) != self._print:
                with self._path.open("rb") as file:
                    # Of what is read, not of what may stand in its place by now; and remembered also where that is
                    # broken, or it would be read again every second.
                    self._print = _print(os.fstat(file.fileno()))
                    content = file.read()
                self._broken = None
                self._keys = read(content, self._path)
        except OSError as error:
            self._print = None
            raise KeysError(f"{self._path} cannot be read: {error.strerror or error}") from error
        except KeysError as error:
            self._broken = error
        if self._broken:
            raise self._broken
        if not self._keys:
            raise KeysError(f"{self._path} is empty")

    def _tell(self, fault: str, now: float) -> None:
        """Say what is wrong, and once a minute that it still is."""
        if fault == self._told and now < self._remind:
            return
        self._told, self._remind = fault, now + REMINDER
        if self._keys:
            logger.error("%s; the keys that were read before stay in force: mend the file", fault)
        else:
            logger.error(
                "%s; nobody gets in: name a file of keys in SLUICE_API_KEYS (`make api-key NAME=<who>` makes one), "
                "or set SLUICE_ACCESS=open where nobody but this machine reaches the service",
                fault,
            )


def read(content: bytes, path: Path) -> tuple[Key, ...]:
    """The keys of a file.

    Args:
        content: Its bytes.
        path: Where it lies, for errors.

    Raises:
        KeysError: A line is none; says which, and nothing of what stands in it.
    """
    keys = []
    for number, line in enumerate(content.splitlines(), 1):
        if not line.strip():
            continue
        try:
            keys.append(Key.model_validate_json(line))
        except ValidationError as error:
            # Without the values: somebody may have put a key there instead of its digest.
            faults = error.errors(include_input=False, include_url=False, include_context=False)
            told = "; ".join(": ".join([*map(str, fault["loc"]), fault["msg"]]) for fault in faults)
            raise KeysError(f"{path}, line {number}: {told}") from None
    return tuple(keys)


def presented(api_key: str, authorization: str) -> str:
    """The key that a request carries; empty where none.

    Args:
        api_key: Its header `x-api-key`, which counts where both are there.
        authorization: Its header `authorization`.
    """
    if api_key:
        return api_key
    scheme, _, given = authorization.partition(" ")
    return given.strip() if scheme.lower() == "bearer" else ""


def _print(found: os.stat_result) -> Print:
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
