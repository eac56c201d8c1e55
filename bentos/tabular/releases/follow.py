"""Follows the champion and the challenger: finds them, loads them beside what serves, swaps one reference."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

from tabular.errors import NoChampionError, ServingError, UnreachableError
from tabular.releases.bundle import Bundle
from tabular.releases.loading import Loader
from tabular.releases.sources import Pointer, Source
from tabular.releases.standing import Challenger, Release, Standing

logger = logging.getLogger("bentoml.tabular")

#: Longer causes of a reason are cut in the log.
LONGEST_CAUSE = 500


class Follower:
    """Keeps a standing up to date, in a thread of its own.

    The first source that has a champion it can hand out decides. Once something serves, only the first
    source is asked: a copy that lags behind must not undo a promotion while the registry is away. Only the first
    source is ever asked for the challenger.

    Args:
        sources: In the order of trust.
        use_case: The one that this process serves.
        runtime_sha256: Digest of this process's code.
        poll_seconds: Mean time between two looks.
        on_outcome: Told `swapped`, `taken_over`, `challenger`, `refused` or `needs_new_image` whenever a version was
            tried.
        on_new_runtime: Told the version when the champion needs other code.
        on_load: Shown every bundle that was loaded.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        use_case: str,
        runtime_sha256: str,
        poll_seconds: float,
        on_outcome: Callable[[str], None] = lambda _: None,
        on_new_runtime: Callable[[int], None] = lambda _: None,
        on_load: Callable[[Bundle], object] = lambda _: None,
    ) -> None:
        self.standing = Standing()
        self._sources = sources
        self._poll_seconds = poll_seconds
        self._on_outcome = on_outcome
        self._loaders = {
            source.name: Loader(source, use_case, runtime_sha256, on_outcome, on_new_runtime, on_load)
            for source in sources
        }
        self._challengers = Loader(sources[0], use_case, runtime_sha256, on_outcome, on_load=on_load)
        #: The challenger's release, used or not: its share may be what is missing.
        self._rival: Release | None = None
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
        causes: list[str] = []
        away = False
        for source in self._sources if self.standing.release is None else self._sources[:1]:
            try:
                if self._follow(source):
                    break
            except ServingError as error:
                reasons.append(f"{error} [{source.name}]")
                if error.__cause__:
                    causes.append(" ".join(f"{source.name}: {error.__cause__}".split())[:LONGEST_CAUSE])
                away = away or (source is self._sources[0] and isinstance(error, UnreachableError))
        self._explain("; ".join(reasons) or "ok", causes=causes)
        if self.standing.release and not away:
            self._challenge(self.standing.release)

    def _follow(self, source: Source) -> bool:
        """Whether the source's champion serves now."""
        loader = self._loaders[source.name]
        pointer = source.champion()
        if pointer is None:
            loader.forget()
            raise NoChampionError("there is no champion")
        current = self.standing.release
        if current and (current.version, current.source) == (pointer.version, source.name):
            loader.forget()
            return True
        if (rival := self._rival) and _is(rival, pointer, source):
            # One reference: nobody sees the release on both sides.
            self.standing = replace(self.standing, release=rival, challenger=None, challenger_reason=None)
            self._on_outcome("taken_over")
        else:
            self.standing = replace(self.standing, release=loader.load(pointer))
            self._on_outcome("swapped")
        logger.info("version %d serves (%s)", pointer.version, source.name)
        return True

    def _challenge(self, champion: Release) -> None:
        """Let the challenger be what the first source says now; where it says nothing, what it was."""
        try:
            pointer = self._sources[0].challenger()
            if pointer is None or pointer.version == champion.version:
                self._challengers.forget()
                self._rival = None
                self._oppose(None, None)
                return
            if self._rival and self._rival.version != pointer.version:
                self._rival = None
            self._try(pointer)
        except UnreachableError:
            return
        # A fault nobody thought of must neither end the following nor be laid to the champion.
        except Exception as error:
            self._oppose(self.standing.challenger, f"error: {type(error).__name__}", error)

    def _try(self, pointer: Pointer) -> None:
        """Use a challenger, or say why not."""
        try:
            share = pointer.share
            if self._rival is None:
                told = f"loading: version {pointer.version}"
                self.standing = replace(self.standing, challenger=None, challenger_reason=told)
                self._rival = self._challengers.load(pointer)
                self._on_outcome("challenger")
        except ServingError as error:
            self._oppose(None, str(error))
        else:
            self._oppose(Challenger(self._rival, share), "ok")

    def _oppose(self, challenger: Challenger | None, reason: str | None, error: Exception | None = None) -> None:
        standing = self.standing
        if (challenger, reason) == (standing.challenger, standing.challenger_reason):
            return
        self.standing = replace(standing, challenger=challenger, challenger_reason=reason)
        used = f"version {challenger.release.version} at {challenger.share:g}" if challenger else "none"
        level = logging.INFO if reason in (None, "ok") else logging.WARNING
        logger.log(level, "the challenger: %s (%s)", used, reason, exc_info=error)

    def _explain(self, reason: str, error: Exception | None = None, causes: Sequence[str] = ()) -> None:
        """Say why what serves is not the champion; its causes to the log alone, for they may name inner addresses."""
        if reason != self.standing.reason:
            self.standing = replace(self.standing, reason=reason)
            level = logging.INFO if reason == "ok" else logging.WARNING
            logger.log(level, "the champion: %s", " | ".join([reason, *causes]), exc_info=error)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            # A fault nobody thought of must not end the following; the reason tells of it.
            except Exception as error:
                self._explain(f"error: {type(error).__name__}", error)
            # The jitter keeps replicas that were started together from asking together.
            self._stop.wait(self._poll_seconds * random.uniform(0.8, 1.2))  # noqa: S311


def _is(release: Release, pointer: Pointer, source: Source) -> bool:
    """Whether a release is beyond doubt what a source's pointer names."""
    named = (pointer.version, source.name, pointer.bundle_sha256)
    return named == (release.version, release.source, release.bundle.sha256)
