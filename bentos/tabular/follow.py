"""Follows the champion: finds it, loads it beside the one that serves, swaps one reference."""

from __future__ import annotations

import logging
import random
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tabular import bundle as bundles
from tabular.bundle import Bundle
from tabular.errors import BundleError, NoChampionError, RuntimeMismatchError, ServingError
from tabular.sources import Name, Source

logger = logging.getLogger("bentoml.tabular")

#: A refused version is tried again after this long, in seconds: what refused it may have been the way here.
RETRY_AFTER = 60.0


@dataclass(frozen=True)
class Release:
    """A version that answers."""

    version: int
    source: Name
    bundle: Bundle
    loaded_at: datetime


@dataclass(frozen=True)
class Standing:
    """What serves, and why it is not something else; replaced whole, so that every reader sees one moment.

    Attributes:
        release: None until a bundle is loaded.
        reason: `ok`, or a code and words: why the champion itself does not serve, or not from the registry.
    """

    release: Release | None = None
    reason: str = "starting"

    @property
    def source(self) -> Name:
        """Where the bundle in use came from."""
        return self.release.source if self.release else "none"


class Follower:
    """Keeps a standing up to date, in a thread of its own.

    The first source that has a champion it can hand out decides. Once something serves, only the first
    source is asked: a copy that lags behind must not undo a promotion while the registry is away.

    Args:
        sources: In the order of trust.
        use_case: The one that this process serves.
        runtime_sha256: Digest of this process's code.
        poll_seconds: Mean time between two looks.
        on_outcome: Told `swapped`, `refused` or `needs_new_image` whenever a version was tried.
        on_new_runtime: Told the version when the champion needs other code.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        use_case: str,
        runtime_sha256: str,
        poll_seconds: float,
        on_outcome: Callable[[str], None] = lambda _: None,
        on_new_runtime: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.standing = Standing()
        self._sources = sources
        self._use_case = use_case
        self._runtime = runtime_sha256
        self._poll_seconds = poll_seconds
        self._on_outcome = on_outcome
        self._on_new_runtime = on_new_runtime
        self._refused: dict[Name, _Refusal] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="follow", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """End, at the latest when the look that is under way is over."""
        self._stop.set()
        self._thread.join(timeout=5)

    def look(self) -> None:
        """Ask the sources once, and swap if another version should serve."""
        reasons: list[str] = []
        for source in self._sources if self.standing.release is None else self._sources[:1]:
            try:
                if self._follow(source):
                    break
            except ServingError as error:
                reasons.append(f"{error} [{source.name}]")
        self._explain("; ".join(reasons) or "ok")

    def _follow(self, source: Source) -> bool:
        """Whether the source's champion serves now."""
        version = source.champion()
        if version is None:
            self._refused.pop(source.name, None)
            raise NoChampionError("there is no champion")
        current = self.standing.release
        if current and (current.version, current.source) == (version, source.name):
            self._refused.pop(source.name, None)
            return True
        past = self._refused.get(source.name)
        if past and past.version == version and time.monotonic() - past.at < RETRY_AFTER:
            raise past.why
        try:
            self._swap(source, version)
        except (BundleError, RuntimeMismatchError) as error:
            named = type(error)(f"version {version}: {error.args[0]}")
            self._refused[source.name] = _Refusal(version, time.monotonic(), named)
            self._on_outcome(named.code)
            if isinstance(error, RuntimeMismatchError):
                self._on_new_runtime(version)
            raise named from error
        self._refused.pop(source.name, None)
        return True

    def _swap(self, source: Source, version: int) -> None:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:
            folder = source.fetch(version, Path(scratch))
            loaded = bundles.load(folder, self._use_case, self._runtime)
        release = Release(version, source.name, loaded, datetime.now(UTC))
        self.standing = replace(self.standing, release=release)
        self._on_outcome("swapped")
        seconds = time.monotonic() - started
        logger.info("version %d serves (%s), loaded in %.2f s", version, source.name, seconds)

    def _explain(self, reason: str, error: Exception | None = None) -> None:
        if reason != self.standing.reason:
            self.standing = replace(self.standing, reason=reason)
            level = logging.INFO if reason == "ok" else logging.WARNING
            logger.log(level, "the champion: %s", reason, exc_info=error)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            # A fault nobody thought of must not end the following; the reason tells of it.
            except Exception as error:
                self._explain(f"error: {type(error).__name__}: {error}", error)
            # The jitter keeps replicas that were started together from asking together.
            self._stop.wait(self._poll_seconds * random.uniform(0.8, 1.2))  # noqa: S311


@dataclass(frozen=True)
class _Refusal:
    """A version that was tried in vain, when, and why."""

    version: int
    at: float
    why: ServingError
