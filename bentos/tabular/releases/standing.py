"""What serves: the champion's release, the challenger beside it, and why they are not others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tabular.releases.bundle import Bundle
from tabular.releases.sources import Name


@dataclass(frozen=True)
class Release:
    """A version that answers.

    Attributes:
        load_seconds: Time to fetch, check and load it.
    """

    version: int
    source: Name
    bundle: Bundle
    loaded_at: datetime
    load_seconds: float = 0.0


@dataclass(frozen=True)
class Challenger:
    """A release that is tried beside the champion.

    Attributes:
        share: Of the requests, that it answers; 0 for none: it answers aside, seen by nobody.
    """

    release: Release
    share: float


@dataclass(frozen=True)
class Standing:
    """What serves, and why it is not something else; replaced whole, so that every reader sees one moment.

    Attributes:
        release: None until a bundle is loaded.
        reason: `ok`, or a code and words: why the champion itself does not serve, or not from the registry.
        challenger: None where there is none, or where it may not be used.
        challenger_reason: `ok`, or a code and words: why the challenger is not used; None where there is none.
    """

    release: Release | None = None
    reason: str = "starting"
    challenger: Challenger | None = None
    challenger_reason: str | None = None

    @property
    def source(self) -> Name:
        """Where the bundle in use came from."""
        return self.release.source if self.release else "none"
