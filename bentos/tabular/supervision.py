"""The process that started this one: noticed when it is gone, asked to end when other code is needed."""

from __future__ import annotations

import logging
import os
import signal
import threading
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger("bentoml.tabular")


@dataclass(frozen=True)
class Supervision:
    """The server that supervises this worker process.

    Attributes:
        parent: Its process id, as it was when this process started.
        home: A folder that outlives both, for the note that keeps them from ending again and again.
    """

    parent: int
    home: Path

    def end(self, version: int, runtime_sha256: str) -> None:
        """End the whole server, so that whatever keeps it running starts it anew, with other code.

        Done once for a version and a runtime: where the new start brings the same code back, going on with
        what serves is better than ending again.
        """
        marker = self.home / "ended-for"
        wanted = f"{version} {runtime_sha256}\n"
        if marker.exists() and marker.read_text(encoding="ascii") == wanted:
            return
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(wanted, encoding="ascii")
        logger.warning("version %d needs other serving code: this server ends to be started with it", version)
        os.kill(self.parent, signal.SIGTERM)

    def watch(self, stop: threading.Event, every: float = 1.0) -> None:
        """End this process when its supervisor is gone, or it would hold the port for ever.

        Args:
            stop: Ends the watching.
            every: Seconds between two looks.
        """
        while not stop.wait(every):
            if os.getppid() != self.parent:
                logger.error("the supervising process is gone: this one ends too")
                os.kill(os.getpid(), signal.SIGTERM)
                return
