"""What a column's values say that it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sluice.ingestion.drafting import contents, profile
from sluice.ingestion.drafting.profile import Field
from tests.unit.ingestion.drafting import files


def field(folder: Path, texts: list[str], header: str = "x", delimiter: str = ",") -> Field:
    """One field's profile, beside another."""
    path = files.write(folder / "file.csv", [header, "beside"], [(text, "1") for text in texts], delimiter)
    return profile.take(contents.read(path)).fields[0]


@pytest.mark.parametrize(
    ("texts", "kind"),
    [
        (["1", "2", "-3", "+4"], "integer"),
        (["1.0", "2.0"], "number"),
        (["1", "2.5", "1e3"], "number"),
        (["0", "1"], "integer"),
        (["yes", "No", "TRUE", "0", "n"], "boolean"),
        (["red", "blue"], "category"),
        (["1", "2", "3+"], "category"),
        (["007", "012", "123"], "category"),
        (["2024-05-01", "2024-05-02 10:00", "2024/05/03"], "timestamp"),
        (["", "NA", "?", " - "], "empty"),
        (["99999999999999999", "1"], "number"),
    ],
)
def test_a_kind_is_told_from_all_values(tmp_path: Path, texts: list[str], kind: str) -> None:
    assert field(tmp_path, texts * 10).kind == kind


@pytest.mark.parametrize(
    ("texts", "delimiter", "thousands", "values"),
    [
        (["1,234", "12", "1,234,567"], ",", ",", [1234, 12, 1234567]),
        (["1,234.5", "0.25"], ",", ",", [1234.5, 0.25]),
        (["1.234,5", "7"], ",", ".", [1234.5, 7]),
        (["1,5", "2,25"], ";", ".", [1.5, 2.25]),
        (["3,271", "837"], ";", ",", [3271, 837]),
        (["3,271", "0,5"], ";", ".", [3.271, 0.5]),
        (["1 234", "5"], ",", " ", [1234, 5]),
        (["1\N{NARROW NO-BREAK SPACE}234,5", "5"], ",", None, None),
        (["1'234.5", "5"], ",", "'", [1234.5, 5]),
        (["1,23,4", "5"], ",", None, None),
    ],
)
def test_separated_thousands_are_recognised_where_they_belong(
    tmp_path: Path, texts: list[str], delimiter: str, thousands: str | None, values: list[float] | None
) -> None:
    found = field(tmp_path, texts * 10, delimiter=delimiter)
    assert found.thousands == thousands
    if values is None:
        assert found.kind == "category"
    else:
        assert found.values[: len(values)].tolist() == values


@pytest.mark.parametrize(
    ("texts", "pattern"),
    [
        (["31.12.2023", "01.02.2024"], "%d.%m.%Y"),
        (["12/31/2023", "01/02/2024"], "%m/%d/%Y"),
        (["31/12/2023 10:30", "01/02/2024 11:00"], "%d/%m/%Y %H:%M"),
        (["31 Dec 2023", "1 Feb 2024"], "%d %b %Y"),
    ],
)
def test_a_date_tells_how_it_is_written(tmp_path: Path, texts: list[str], pattern: str) -> None:
    found = field(tmp_path, texts * 10)
    assert (found.kind, found.format) == ("timestamp", pattern)


def test_missing_values_are_counted_however_they_are_spelt(tmp_path: Path) -> None:
    found = field(tmp_path, ["1", "", "NA", "null", "?", "-", "N/A", "2"] * 5)
    assert (found.kind, found.missing, found.unreadable, found.distinct) == ("integer", 30, 0, 2)
    assert int(np.isnan(found.values).sum()) == 30


@pytest.mark.parametrize("text", ["12\n", "\r\n12", "1\n2"])
def test_a_field_with_line_ends_is_text(tmp_path: Path, text: str) -> None:
    found = field(tmp_path, ["1", "2", text] * 30)
    assert (found.kind, found.broken) == ("text", True)
    assert not field(tmp_path, ["red\N{LINE SEPARATOR}", "blue"] * 30).broken


def test_none_is_a_value_among_words(tmp_path: Path) -> None:
    found = field(tmp_path, ["None", "Shed", "NA"] * 10)
    assert (found.counts, found.missing) == ({"None": 10, "Shed": 10}, 10)


def test_a_few_mistakes_among_many_numbers_are_unreadable(tmp_path: Path) -> None:
    found = field(tmp_path, [f"{i / 7:.3f}" for i in range(300)] + ["12 apples"] * 3)
    assert (found.kind, found.unreadable, found.example) == ("number", 3, "12 apples")
    assert (~found.readable).tolist() == [False] * 300 + [True] * 3


@pytest.mark.parametrize(("distinct", "rows", "kind"), [(50, 500, "category"), (51, 600, "text"), (40, 150, "text")])
def test_many_different_texts_are_no_categories(tmp_path: Path, distinct: int, rows: int, kind: str) -> None:
    assert field(tmp_path, [f"word {i % distinct}" for i in range(rows)]).kind == kind


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("having_IP_Address", "having_IP_Address"),
        (" Age ", "Age"),
        ("income (EUR)", "income_eur"),
        ("od280/od315", "od280_od315"),
        ("Größe", "groe"),
        ("1st floor", "column_1st_floor"),
        ("_row", "row"),
        ("prediction", "column_prediction"),
        ("ctid", "column_ctid"),
        ("xmin", "column_xmin"),
        ("TableOID", "TableOID"),
        ("年齢", "column"),
        ("x" * 60, "x" * 48),
    ],
)
def test_a_header_becomes_a_name(header: str, name: str) -> None:
    assert profile.name_of(header.strip()) == name


def test_no_two_columns_get_one_name(tmp_path: Path) -> None:
    header = ["a b", "a-b", "a_b", "A b", "年", "月", ""]
    path = files.write(tmp_path / "f.csv", header, [range(7)] * 3)
    found = profile.take(contents.read(path))
    assert [f.name for f in found.fields] == ["a_b_2", "a_b_3", "a_b", "a_b_4", "column", "column_2"]
    assert found.unnamed == 1
