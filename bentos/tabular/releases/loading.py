"""Loading: from the number of a version to a release that answers, with a memory for what was refused."""

from __future__ import annotations

import logging
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tabular.errors import BundleError, RuntimeMismatchError, ServingError
from tabular.releases import bundle as bundles
from tabular.releases.bundle import Bundle
from tabular.releases.sources import Pointer, Source
from tabular.releases.standing import Release

logger = logging.getLogger("bentoml.tabular")

#: A refused version is tried again after this long, in seconds: what refused it may have been the way here.
RETRY_AFTER = 60.0


@dataclass(frozen=True)
class _Refusal:
    """A version that was tried in vain, when, and why."""

    version: int
    at: float
    why: ServingError


class Loader:
    """Loads the versions of one source, and tries one that it refused only now and then.

    Args:
        source: Hands out the bundles.
        use_case: The one that this process serves.
        runtime_sha256: Digest of this process's code.
        on_outcome: Told `refused` or `needs_new_image` whenever a version was tried in vain.
        on_new_runtime: Told the version when it needs other code.
        on_load: Shown every bundle that was loaded.
    """

    def __init__(
        self,
        source: Source,
        use_case: str,
        runtime_sha256: str,
        on_outcome: Callable[[str], None],
        on_new_runtime: Callable[[int], None] = lambda _: None,
        on_load: Callable[[Bundle], object] = lambda _: None,
    ) -> None:
        self._source = source
        self._use_case = use_case
        self._runtime = runtime_sha256
        self._on_outcome = on_outcome
        self._on_new_runtime = on_new_runtime
        self._on_load = on_load
        self._refused: _Refusal | None = None

    def load(self, pointer: Pointer) -> Release:
        """Bring a version here, check it, make it ready to answer.

        Raises:
            UnreachableError: The source does not answer.
            BundleError: The bundle could answer wrongly, or finds no place here.
            RuntimeMismatchError: It was tested with other serving code.
        """
        version, past = pointer.version, self._refused
        if past and past.version == version and time.monotonic() - past.at < RETRY_AFTER:
            raise past.why
        started = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
                folder = self._source.fetch(version, Path(scratch))
                loaded = bundles.load(folder, self._use_case, self._runtime)
            if pointer.bundle_sha256 not in (None, loaded.sha256):
                raise BundleError(f"the {self._source.name} names another bundle: its digest differs")
        except (BundleError, RuntimeMismatchError, OSError) as error:
            named = _named(version, error)
            self._refused = _Refusal(version, time.monotonic(), named)
            self._on_outcome(named.code)
            if isinstance(error, RuntimeMismatchError):
                self._on_new_runtime(version)
            raise named from error
        self.forget()
        self._on_load(loaded)
        seconds = time.monotonic() - started
        logger.info("version %d is loaded (%s), in %.2f s", version, self._source.name, seconds)
        return Release(version, self._source.name, loaded, datetime.now(UTC), seconds)

    def forget(self) -> None:
        """Let whatever was refused be tried at once."""
        self._refused = None


def _named(version: int, error: BundleError | RuntimeMismatchError | OSError) -> BundleError | RuntimeMismatchError:
    """An error that says of which version it is."""
    if isinstance(error, OSError):
        # Without the file's name: it is another one each time.
        why = error.strerror or type(error).__name__
        return BundleError(f"version {version}: cannot be stored here: {why}; make room, or mend the rights")
    return type(error)(f"version {version}: {error.args[0]}")
