"""The memory: what is wrong and who knows, kept in a file, because the warehouse may be what is away."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sluice.domain.alert import Alert

log = logging.getLogger(__name__)


@dataclass
class Fault:
    """One thing that is wrong.

    Attributes:
        alert: What.
        since: When it was first seen.
        told: Whether people know.
        stored: Whether the ledger of incidents knows.
        healed_at: When it was seen to be gone; what is left then is to say so.
        recovery_told: Whether people know that.
    """

    alert: Alert
    since: datetime
    told: bool = False
    stored: bool = False
    healed_at: datetime | None = None
    recovery_told: bool = False


class Memory:
    """The faults by their causes.

    Args:
        path: The file; what cannot be read in it is forgotten, and said in the log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.faults: dict[str, Fault] = {}
        try:
            self.faults = _read(path)
        except FileNotFoundError:
            pass
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s cannot be read, so what was told before may be told again: %s", path, error)

    def save(self) -> None:
        """Write the file, whole or not at all; where that fails, the faults are kept as long as the process lives."""
        draft = self._path.with_name(f".{self._path.name}.new")
        text = json.dumps([asdict(fault) for fault in self.faults.values()], default=datetime.isoformat, indent=1)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
                file.write(text)
            draft.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written, so a restart may tell again what was told: %s", self._path, error)


def alert_of(stored: Mapping[str, Any]) -> Alert:
    """An alert as it was before it was written as JSON."""
    pairs = {name: tuple((label, value) for label, value in stored[name]) for name in ("facts", "links")}
    return Alert(**{**stored, **pairs, "log": tuple(stored["log"])})


def _read(path: Path) -> dict[str, Fault]:
    found = {}
    for row in json.loads(path.read_text(encoding="utf-8")):
        moments = {name: datetime.fromisoformat(row[name]) for name in ("since", "healed_at") if row[name]}
        fault = Fault(**{**row, **moments, "alert": alert_of(row["alert"])})
        found[fault.alert.cause] = fault
    return found
