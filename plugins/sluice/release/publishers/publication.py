"""Publications: what is shown elsewhere, too, and the one way in which each service is given it."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from sluice.domain.errors import PublishError, SluiceError, TransientError
from sluice.domain.services import Service

#: What a disk says that takes no more.
_FULL = tuple(os.strerror(number) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
#: Refusals of whoever asks, and refusals that mean "not now".
_STRANGER, _BUSY = (401, 403), (408, 425, 429)


@dataclass(frozen=True)
class Publication:
    """Files that are shown elsewhere, and what is known of them.

    Attributes:
        use_case: Whose.
        title: What the use case is called, for people.
        name: Names it among those of the use case, as `v3-2f6c0d9a41b7` does; the same name has the same files.
        folder: Holds the files, and nothing else.
        source: URL of the folder where the platform keeps them.
        facts: What it came from, by label.
        metrics: How good it is, by name.
    """

    use_case: str
    title: str
    name: str
    folder: Path
    source: str
    facts: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)

    @cached_property
    def files(self) -> dict[str, str]:
        """Hex digest (sha256) of each file, by its path below the folder."""
        return {
            path.relative_to(self.folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


class Publisher(Protocol):
    """A service that publications are shown in."""

    def publish(self, publication: Publication) -> str:
        """Publish, and return the address where people see it; the same again changes nothing.

        Raises:
            PublishError: The service refuses, or there is no room to make the files ready.
            TransientError: It does not answer, or not in time.
        """


def refused(service: Service, status: int, said: str, place: str) -> SluiceError:
    """What a service's refusal comes to.

    Args:
        service: Which.
        status: Of its HTTP answer.
        said: Its words.
        place: What was asked for.
    """
    if status in _STRANGER:
        action = f"correct the password of the connection {service.connection}, or what that key may do"
        return PublishError(f"{service.name} refuses the key ({status})", place, f"{action}; then clear the task")
    if status in _BUSY or status >= 500:
        return TransientError(
            f"{service.name} failed ({status}): {said}", place, "clear the task when it is well again"
        )
    return PublishError(f"{service.name} refuses it ({status}): {said}", place, "mend what it names, clear the task")


def broken(service: Service, error: BaseException, place: str) -> SluiceError:
    """What an answer that never came comes to, or a disk that is full.

    Args:
        service: Which.
        error: What was raised instead.
        place: What was asked for.
    """
    said = " ".join(str(error).split()) or type(error).__name__
    # By the words: some tell of several files at once, and have no number of their own.
    if any(words in said for words in _FULL):
        what = f"there is no room to make ready what goes to {service.name}: {said}"
        return PublishError(what, tempfile.gettempdir(), "make room on the worker's disk, then clear the task")
    return TransientError(f"{service.name} does not answer: {said}", place, "clear the task when it is well again")
