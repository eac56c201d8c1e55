"""What a header may look like, and what is no table at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.domain.errors import SourceError
from sluice.domain.use_case import UseCase
from sluice.ingestion import layout


def read(folder: Path, use_case: UseCase, content: bytes) -> layout.Layout:
    path = folder / "file.csv"
    path.write_bytes(content)
    return layout.read(path, "file:///file.csv", use_case.columns)


@pytest.mark.parametrize(
    "header",
    [
        b"meter,reading,floor,heated,fuel,at\n",
        b"\xef\xbb\xbfmeter,reading,floor,heated,fuel,at\n",
        b" meter , reading,floor ,heated,fuel,at\r\n",
        b'"meter","reading","floor","heated","fuel","at"\n',
    ],
    ids=["plain", "byte order mark", "stray spaces", "quoted"],
)
def test_rows_begin_after_the_header(tmp_path: Path, heating: UseCase, header: bytes) -> None:
    found = read(tmp_path, heating, header + b"1,2,3,true,gas,\n")
    assert (found.fields, found.offset, found.extra) == ((0, 1, 2, 3, 4, 5), len(header), ())


def test_columns_come_in_any_order_and_other_fields_are_named(tmp_path: Path, heating: UseCase) -> None:
    found = read(tmp_path, heating, b"fuel,note,at,heated,floor,reading,meter\n")
    assert found.fields == (6, 5, 4, 3, 0, 2)
    assert found.extra == ("note",)


@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
def test_what_stands_between_fields_is_told_by_the_header(tmp_path: Path, heating: UseCase, delimiter: bytes) -> None:
    header = delimiter.join([b"meter", b"reading", b"floor", b"heated", b'"fuel"', b"at", b"note"]) + b"\n"
    found = read(tmp_path, heating, header)
    assert (found.delimiter.encode(), found.fields, found.offset) == (delimiter, (0, 1, 2, 3, 4, 5), len(header))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (b"PK\x03\x04rest", "ZIP archive"),
        (b"\x1f\x8brest", "gzip"),
        (b"meter\0reading", "binary"),
        (b"\xff\xfem\0e\0", "UTF-16"),
        (b"\n<!DOCTYPE html><html>", "HTML"),
        (b'{"meter": 1}', "JSON"),
        (b"meter,reading,floor,heated,fuel,at,meter\n", "'meter' twice"),
        (b"meter,reading,floor,heated,at\n", "lacks the column 'fuel'"),
        (b"meter,readings,floor,heated,fuel,at\n", "is it 'readings'?"),
        (b"meter:reading:floor:heated:fuel:at\n", "separated by commas, semicolons"),
        (b"meter;reading;floor;heated;at\n", "lacks the column 'fuel'"),
        (b"x" * 100_000, "longer than"),
    ],
)
def test_what_is_no_table_of_the_use_case_is_refused(
    tmp_path: Path, heating: UseCase, content: bytes, says: str
) -> None:
    with pytest.raises(SourceError, match=r"file:///file\.csv") as error:
        read(tmp_path, heating, content)
    assert says in str(error.value)
