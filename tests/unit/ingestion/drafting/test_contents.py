"""What can be read as a table that nothing is known about."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.domain.errors import SourceError
from sluice.ingestion.drafting import contents


def read(folder: Path, content: bytes) -> contents.Contents:
    path = folder / "some file.csv"
    path.write_bytes(content)
    return contents.read(path)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_told_from_the_rows(tmp_path: Path, delimiter: str) -> None:
    found = read(tmp_path, f"a{delimiter}b\n1{delimiter}2\n".encode())
    assert (found.delimiter, found.header, found.fields) == (delimiter, ("a", "b"), (["1"], ["2"]))


def test_decimal_commas_do_not_make_a_comma_the_delimiter(tmp_path: Path) -> None:
    found = read(tmp_path, b"a, in m;b\n1,5;2,5\n3,5;4,5\n")
    assert (found.delimiter, found.header) == (";", ("a, in m", "b"))


def test_a_byte_order_mark_quotes_and_line_ends_in_them_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, b'\xef\xbb\xbf"a", b\r\n"1,\n2",3\r\n\r\n4,5\r\n')
    assert found.header == ("a", "b")
    assert found.fields == (["1,\n2", "4"], ["3", "5"])


def test_a_few_ragged_rows_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, b"a,b\n" + b"1,2\n" * 30 + b"1,2,3\n" + b"1,2\n" * 30)
    assert (found.rows, found.ragged, found.first_ragged) == (60, 1, 32)


def test_of_many_rows_an_even_sample_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_ROWS", 100)
    lines = "".join(f"{i},x\n" for i in range(1000)).encode()
    found, again = read(tmp_path, b"a,b\n" + lines), read(tmp_path, b"a,b\n" + lines)
    assert (found.rows, found.kept) == (1000, 100)
    assert found.fields == again.fields
    assert 300 < sum(map(int, found.fields[0])) / 100 < 700


def test_of_wide_rows_fewer_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contents, "MOST_FIELDS", 100)
    found = read(tmp_path, b"a,b,c,d\n" + b"1,2,3,4\n" * 60)
    assert (found.rows, found.kept) == (60, 25)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"PK\x03\x04", "ZIP archive"),
        (b"\x89PNG\0\0", "binary"),
        (b"<html></html>", "HTML"),
        (b"a,b\n", "no rows"),
        (b"only\n1\n2\n", "one field only"),
        (b"a,b,a\n1,2,3\n", "'a' twice"),
        (b'a,"b\nc"\n1,2\n', r"names a field over several lines: 'b\nc'"),
        (b"a,b\n1,caf\xe9\n", "not UTF-8"),
        (b"a,b\n" + b"1,2\n" * 30_000 + b"1,\0\n", "line 30002 holds a NUL byte"),
        (b"a,b\n1,2\n1,2,3\n1,2\n", "1 of 3 rows have not the 2 fields that the header has, the first on line 3"),
        (b'a,b\n1,2\n1,"2\n1,2\n1,2\n', "line 3 cannot be read"),
        (b'a,b\n1,2\n"1,2\n1",2,3\n1,2\n', "line 3 cannot be read: a quote in it reaches over 1 line ends"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_table_is_refused_in_one_sentence(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(SourceError, match=r"some file\.csv") as error:
        read(tmp_path, content)
    assert says in str(error.value)
    assert error.value.action


def test_a_file_that_is_not_there_is_told_from_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "wine.csv").touch()
    with pytest.raises(SourceError, match=r"no such file .*whine\.csv.*has: wine\.csv"):
        contents.read(tmp_path / "whine.csv")
    with pytest.raises(SourceError, match="is a folder"):
        contents.read(tmp_path)
