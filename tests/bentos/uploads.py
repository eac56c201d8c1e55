"""CSV files as Schemathesis sends them: of the contract's columns for the most part, with cells of every kind."""

from __future__ import annotations

import csv
import io

import schemathesis
from hypothesis import strategies as st
from schemathesis.schemas import BaseSchema

MEDIA = "text/csv"
ODD = ("", "0", "-1", "1e400", "NaN", "inf", "true", '"', '"",""', "\x00", "\n", "a,b", "=1+1", "\u202e", "9" * 400)


@schemathesis.hook
def after_load_schema(_: schemathesis.HookContext, schema: BaseSchema) -> None:
    """Make files of what the description itself sends as its example."""
    for method in ("post", "put"):
        upload = schema.raw_schema["paths"]["/predict/file"][method]["requestBody"]["content"][MEDIA]
        # Where files are made by a strategy, it takes none from the description.
        header, row = csv.reader(io.StringIO(upload.pop("example")))
    schemathesis.openapi.media_type(MEDIA, files(header, row))


def files(header: list[str], row: list[str]) -> st.SearchStrategy[bytes]:
    """Files with a header of its own or another, and rows whose cells are its own or others."""
    others = st.sampled_from(ODD) | st.text(max_size=20)
    rows = st.lists(st.tuples(*(st.just(cell) | others for cell in row)), max_size=20)
    headers = st.just(header) | st.permutations(header) | st.lists(st.sampled_from(header) | others, max_size=12)
    written = st.builds(_written, headers, rows, st.sampled_from(("\n", "\r\n", "\r")), st.booleans())
    return written | st.binary(max_size=200)


def _written(header: list[str], rows: list[tuple[str, ...]], end: str, quoted: bool) -> bytes:
    lines = [header, *rows]
    if quoted:
        text = io.StringIO()
        csv.writer(text, lineterminator=end).writerows(lines)
        return text.getvalue().encode("utf-8", "surrogatepass")
    return "".join(",".join(line) + end for line in lines).encode("utf-8", "surrogatepass")
