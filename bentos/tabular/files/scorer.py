"""The scorer: an upload's bytes to its answer's, by one release from the first row to the last.

Imported with the first upload alone, as tables are.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np

from tabular import ids
from tabular.files import columns
from tabular.files.blocks import Block, Cutter
from tabular.files.cells import quoted
from tabular.files.echo import Echoed, echo, form, header
from tabular.files.table import Table
from tabular.record.entries import Sheet
from tabular.record.redaction import Redaction
from tabular.releases.standing import Release


class Part(NamedTuple):
    """The answer to a block of rows.

    Attributes:
        sheet: What the log keeps of it; None where no row has a prediction.
    """

    echoed: Echoed
    sheet: Sheet | None


class Scorer:
    """Answers one upload.

    Args:
        release: What answers.
        line: The upload's header.
        redaction: What the log keeps.
        request_id: Stands in the log.
        most: Rows that are answered at a time.

    Raises:
        ProblemError: The header is not of the release's contract.
    """

    def __init__(self, release: Release, line: bytes, redaction: Redaction, request_id: str, most: int) -> None:
        bundle = release.bundle
        self._release = release
        self._request_id = request_id
        self._form = form(bundle.contract)
        self._layout = columns.layout(line, bundle.contract, bundle.schema, header(self._form, bundle.schema.names))
        self._table = Table(bundle, self._layout.names, redaction)
        self._cutter = Cutter(self._layout.width, most)

    @property
    def header(self) -> bytes:
        """The answer's header."""
        return ",".join((self._layout.text, *map(quoted, self._layout.added))).encode()

    def cut(self, piece: bytes) -> list[Block]:
        """The rows that are whole with the upload's next bytes; without any, those that are left."""
        return [*(self._cutter.cut(piece) if piece else self._cutter.end())]

    def answer(self, block: Block) -> Part:
        """Answer some rows; blocks may be answered at the same time."""
        begun = time.perf_counter()
        bundle, answer_id = self._release.bundle, ids.fresh()
        checked = self._table.read(block)
        scored = bundle.predict(checked.tensors) if len(checked.places) else np.empty((0, bundle.outputs.width))
        echoed = echo(checked, bundle.outputs, self._form, scored, answer_id)
        if not echoed.size:
            return Part(echoed, None)
        sheet = Sheet(
            answer_id=answer_id,
            request_id=self._request_id,
            version=self._release.version,
            role="champion",
            names=self._table.logged,
            size=echoed.size,
            written=echoed.written,
            latency_ms=(time.perf_counter() - begun) * 1000,
            predicted_at=datetime.now(UTC),
        )
        return Part(echoed, sheet)
