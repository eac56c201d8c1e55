"""How text is read: tolerantly, but never by guessing."""

from __future__ import annotations

import io
import json
from typing import Literal

import pytest

from sluice.domain.columns import Column, ColumnType
from sluice.domain.use_case import UseCase
from sluice.ingestion.layout import Layout
from sluice.ingestion.readings import Reading, reader


def column(kind: ColumnType) -> Column:
    categories = ("gas", "NA", "a b") if kind == "category" else None
    return Column(name="x", type=kind, role="ignore", categories=categories)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("number", " 41.50 ", "41.5"),
        ("number", "1e3", "1000.0"),
        ("number", "0.1", "0.1"),
        ("number", "-Infinity", "-inf"),
        ("integer", "41.0", "41"),
        ("integer", " 7", "7"),
        ("integer", "9223372036854775807", "9223372036854775807"),
        ("boolean", "Yes", "t"),
        ("boolean", "0", "f"),
        ("boolean", "1.0", "t"),
        ("category", " gas ", "gas"),
        ("category", "NA", "NA"),
        ("category", "a b", "a b"),
        ("category", "a\tb", "a\\tb"),
        ("timestamp", "2024-05-01 10:00", "2024-05-01T10:00:00+00:00"),
        ("timestamp", "2024-05-01T10:00:00+02:00", "2024-05-01T10:00:00+02:00"),
    ],
)
def test_a_value_is_read_as_it_was_meant(kind: ColumnType, text: str, value: str) -> None:
    assert reader(column(kind))(text) == value


@pytest.mark.parametrize("text", ["", "  ", "?", "NaN", " null", "na", "N/A", "#N/A", "None", "-", "--"])
@pytest.mark.parametrize("kind", ["number", "integer", "boolean", "timestamp"])
def test_a_missing_value_has_many_spellings(kind: ColumnType, text: str) -> None:
    assert reader(column(kind))(text) == "\\N"


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("number", "1,5"),
        ("number", "1_000"),
        ("integer", "41.5"),
        ("integer", "9223372036854775808"),
        ("boolean", "2"),
        ("boolean", "maybe"),
        ("timestamp", "01/05/2024"),
    ],
)
def test_what_cannot_be_meant_is_not_guessed(kind: ColumnType, text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        reader(column(kind))(text)


@pytest.mark.parametrize(
    ("thousands", "text", "value"),
    [
        (",", "1,234,567.5", "1234567.5"),
        (",", "-1,234", "-1234.0"),
        (",", "1234.5", "1234.5"),
        (",", ".5", "0.5"),
        (",", "1.5e3", "1500.0"),
        (".", "1.234,5", "1234.5"),
        (".", "1.234", "1234.0"),
        (".", "0,25", "0.25"),
        (".", ",5", "0.5"),
        (" ", "1 234.5", "1234.5"),
        (" ", "1\N{NO-BREAK SPACE}234", "1234.0"),
        ("'", "1'234.5", "1234.5"),
        ("'", "1\N{RIGHT SINGLE QUOTATION MARK}234", "1234.0"),
        (".", " NA ", "\\N"),
        (",", "-", "\\N"),
    ],
)
def test_separated_thousands_are_read(thousands: Literal[",", ".", " ", "'"], text: str, value: str) -> None:
    assert reader(Column(name="x", type="number", thousands=thousands))(text) == value


@pytest.mark.parametrize(
    ("thousands", "text"),
    [(",", "1,5"), (",", "12,34"), (",", "1,2345"), (",", "1234,567"), (".", "1.5"), (".", "1,234.5"), (" ", "1  234")],
)
def test_separators_in_other_places_are_not_guessed(thousands: Literal[",", ".", " ", "'"], text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        reader(Column(name="x", type="number", thousands=thousands))(text)


def test_an_integer_may_have_separated_thousands() -> None:
    read = reader(Column(name="x", type="integer", thousands=","))
    assert read("1,234,567") == "1234567"
    with pytest.raises(ValueError, match=r"1234\.5"):
        read("1,234.5")


@pytest.mark.parametrize(
    ("pattern", "text", "value"),
    [
        ("%d.%m.%Y", " 31.12.2024", "2024-12-31T00:00:00+00:00"),
        ("%m/%d/%y %H:%M", "12/31/24 10:30", "2024-12-31T10:30:00+00:00"),
        ("%d/%m/%Y %H:%M %z", "31/12/2024 10:30 +0200", "2024-12-31T10:30:00+02:00"),
        ("%d.%m.%Y", "NA", "\\N"),
    ],
)
def test_a_timestamp_is_read_as_its_column_says(pattern: str, text: str, value: str) -> None:
    assert reader(Column(name="x", type="timestamp", role="ignore", format=pattern))(text) == value


@pytest.mark.parametrize("text", ["2024-12-31", "12.31.2024", "31.12.2024 10:30"])
def test_a_timestamp_that_is_written_otherwise_is_not_guessed(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        reader(Column(name="x", type="timestamp", role="ignore", format="%d.%m.%Y"))(text)


def read(use_case: UseCase, text: str) -> tuple[Reading, list[list[str]], list[tuple[str, object, str]]]:
    """All rows of a text: the pass, the good rows, and number, content and reasons of the others."""
    names = ("meter", "reading", "floor", "heated", "fuel", "at", "note")
    reading = Reading(use_case.columns, Layout(names, (0, 1, 2, 3, 4, 5), 0))
    aside = io.BytesIO()
    good = b"".join(reading.good(io.BytesIO(text.encode()), 5, aside)).decode().splitlines()
    bad = [line.split("\t") for line in aside.getvalue().decode().splitlines()]
    return (
        reading,
        [line.split("\t") for line in good],
        [(b[1], json.loads(b[2].replace("\\\\", "\\")), b[3]) for b in bad],
    )


def test_good_rows_keep_their_number_in_the_file(heating: UseCase) -> None:
    reading, good, bad = read(heating, "1,2,3,yes,gas,,x\n\n1,bad,3.5,yes,gas,,x\n2, 2 ,,no,oil,,x\n")
    assert [row[-1] for row in good] == ["1", "3"]
    assert (reading.rows, reading.bad) == (3, 1)
    number, content, reasons = bad[0]
    assert (number, reasons) == ("2", '{"unreadable:reading","unreadable:floor"}')
    assert content == dict(
        zip(
            ("meter", "reading", "floor", "heated", "fuel", "at", "note"),
            ("1", "bad", "3.5", "yes", "gas", "", "x"),
            strict=True,
        )
    )


@pytest.mark.parametrize("line", ["1,2,3", "1,2,3,yes,gas,,x,y", '"1,2,3,yes,gas,,x'])
def test_a_row_with_other_fields_is_malformed(heating: UseCase, line: str) -> None:
    _, good, bad = read(heating, f"1,2,3,yes,gas,,x\n{line}\n")
    assert len(good) == 1
    assert bad[0][2] == '{"malformed"}'


def test_a_stray_quote_costs_its_own_line_only(heating: UseCase) -> None:
    line = "1,2,3,yes,gas,,x\n"
    reading, good, bad = read(heating, line * 3 + '1,2,3,yes,"gas,,x\n' + line * 4 + '1,2,3,yes,gas",,x\n' + line)
    assert (reading.rows, len(good), len(bad)) == (10, 9, 1)


def test_a_quote_that_is_never_closed_does_not_swallow_the_file(heating: UseCase) -> None:
    line = "1,2,3,yes,gas,,x\n"
    reading, good, bad = read(heating, '1,2,3,yes,"gas,,x\n' + line * 20_000)
    assert (reading.rows, len(good), len(bad)) == (20_001, 20_000, 1)


def test_a_field_that_is_not_a_column_may_hold_line_ends(heating: UseCase) -> None:
    _, good, bad = read(heating, '1,2,3,yes,gas,,"two\nlines"\n')
    assert (len(good), len(bad)) == (1, 0)


def test_bytes_that_are_no_text_spoil_their_own_value_only(heating: UseCase) -> None:
    reading = Reading(
        heating.columns, Layout(("meter", "reading", "floor", "heated", "fuel", "at"), tuple(range(6)), 0)
    )
    lines = b"".join(reading.good(io.BytesIO(b"1,2,3,yes,g\xe4s,\n1,2,3,yes,g\0s,\n"), 1, io.BytesIO()))
    assert lines.decode().count("g\N{REPLACEMENT CHARACTER}s") == 2
