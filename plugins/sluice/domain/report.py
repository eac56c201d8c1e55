"""Reports: pages for people that a stage stores, and the address each is kept and shown at."""

from __future__ import annotations

import hashlib
import re
from typing import Annotated, Literal

from pydantic import StringConstraints

from sluice.domain.frozen import Frozen

Kind = Literal["validation", "decision", "drift", "quality", "performance"]

#: The stage whose DAG makes each kind of report; who may read that DAG may read the report.
STAGES: dict[Kind, str] = {
    "validation": "ingest",
    "decision": "promote",
    "drift": "monitor",
    "quality": "monitor",
    "performance": "monitor",
}


_SEAL = re.compile(rb"\n<!-- sha256 ([0-9a-f]{64}) -->\n\Z")


def sealed(page: str) -> bytes:
    """A page as it is stored: with the digest of what comes before at its end."""
    content = page.encode()
    return content + f"\n<!-- sha256 {hashlib.sha256(content).hexdigest()} -->\n".encode()


def is_whole(stored: bytes) -> bool:
    """Whether a stored page is as it was made, to the byte."""
    seal = _SEAL.search(stored)
    return seal is not None and hashlib.sha256(stored[: seal.start()]).hexdigest() == seal[1].decode()


class Report(Frozen):
    """The address of one report. No value of it can point outside the reports' folder."""

    use_case: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
    kind: Kind
    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,159}$")]

    @classmethod
    def of_run(cls, use_case: str, kind: Kind, dag_run_id: str) -> Report:
        """The report of one DAG run; the same run always has the same address.

        Args:
            use_case: Its name.
            kind: What the report is about.
            dag_run_id: Any text; what does not fit into a name is replaced, and a digest keeps it unique.
        """
        readable = re.sub(r"[^A-Za-z0-9_]+", "-", dag_run_id)[:120].strip("-")
        digest = hashlib.sha256(dag_run_id.encode()).hexdigest()[:8]
        return cls(use_case=use_case, kind=kind, name=f"{readable}-{digest}".lstrip("-"))

    @property
    def key(self) -> str:
        """Where the object store keeps it."""
        return f"reports/{self.use_case}/{self.kind}/{self.name}.html"

    @property
    def snapshot(self) -> str:
        """Where the object store keeps what Evidently measured for it, where that is published."""
        return f"reports/{self.use_case}/{self.kind}/{self.name}.json"

    @property
    def path(self) -> str:
        """Where Airflow's web server shows it, below its own address."""
        return f"/sluice/reports/{self.use_case}/{self.kind}/{self.name}"

    @property
    def dag_id(self) -> str:
        """The DAG that makes it."""
        return f"{self.use_case}_{STAGES[self.kind]}"
