"""How a stream of bytes becomes rows, whatever it holds and however it comes."""

from __future__ import annotations

import csv
import io
import tracemalloc
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabular.files.blocks import ASTRAY, LONGEST, TOO_LONG, Block, Cutter

Rows = list[tuple[bytes, str | None]]


def cut(data: bytes, width: int = 2, piece: int | None = None, most: int = 1000) -> list[Block]:
    cutter = Cutter(width, most)
    step = piece or max(len(data), 1)
    pieces = [data[place : place + step] for place in range(0, len(data), step)]
    return [*chain.from_iterable(cutter.cut(each) for each in pieces), *cutter.end()]


def rows(blocks: list[Block]) -> Rows:
    return [(block.row(place), block.faults.get(place)) for block in blocks for place in range(block.size)]


EXAMPLES = {
    "the last line end may be missing": (b"a,b\nc,d", [(b"a,b", None), (b"c,d", None)]),
    "CRLF": (b"a,b\r\nc,d\r\n", [(b"a,b", None), (b"c,d", None)]),
    "CR": (b"a,b\rc,d\r", [(b"a,b", None), (b"c,d", None)]),
    "empty lines are no rows": (b"\n\na,b\n\r\n\nc,d\n\n", [(b"a,b", None), (b"c,d", None)]),
    "nothing": (b"", []),
    "a row of several lines": (b'"a\nb",c\nd,e\n', [(b'"a\nb",c', None), (b"d,e", None)]),
    "an empty line in quotes": (b'"a\n\nb",c\n\nd,e\n', [(b'"a\n\nb",c', None), (b"d,e", None)]),
    "doubled quotes": (b'"a""b",c\n"""",""\n', [(b'"a""b",c', None), (b'"""",""', None)]),
    "a quote that means nothing": (b'5" x,c\nd,e\n', [(b'5" x,c', None), (b"d,e", None)]),
    "an open quote costs its line alone": (b'"a,b\nc,d\ne,f\n', [(b'"a,b', ASTRAY), (b"c,d", None), (b"e,f", None)]),
    "an open quote before a row in quotes": (b'"a,b\n"c",d\n', [(b'"a,b', ASTRAY), (b'"c",d', None)]),
    "two quotes that close nothing": (b'ab"c,"d\nx,y\n', [(b'ab"c,"d', ASTRAY), (b"x,y", None)]),
    "text after a closing quote": (b'"a"b,c\nd,e\n', [(b'"a"b,c', ASTRAY), (b"d,e", None)]),
    "an open quote at the end": (b'a,b\n"c,d', [(b"a,b", None), (b'"c,d', ASTRAY)]),
}


@pytest.mark.parametrize(("data", "expected"), EXAMPLES.values(), ids=EXAMPLES)
def test_rows_are_told_apart(data: bytes, expected: Rows) -> None:
    assert rows(cut(data)) == expected


@pytest.mark.parametrize(("data", "expected"), EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.parametrize("piece", [1, 2, 3, 5])
def test_the_pieces_in_which_a_stream_comes_do_not_matter(data: bytes, expected: Rows, piece: int) -> None:
    assert rows(cut(data, piece=piece)) == expected


@given(
    st.lists(st.lists(st.text('ab",\n é', max_size=5), min_size=3, max_size=3), max_size=12),
    st.integers(1, 40),
    st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=300, deadline=None)
def test_what_a_csv_writer_writes_comes_back_row_by_row(table: list[list[str]], piece: int, end: str) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator=end).writerows(table)
    found = rows(cut(text.getvalue().encode(), width=3, piece=piece))
    assert [next(csv.reader([row.decode()], strict=True)) for row, _ in found] == table
    assert not any(fault for _, fault in found)


def test_a_block_has_no_more_rows_than_it_may() -> None:
    blocks = cut(b"a,b\n" * 25, most=10)
    assert [block.size for block in blocks] == [10, 10, 5]
    assert rows(blocks) == [(b"a,b", None)] * 25


def test_faults_keep_their_places_when_blocks_are_divided() -> None:
    assert rows(cut(b"a,b\n" * 14 + b'"c,d\n' + b"e,f\n" * 3, most=10))[13:16] == [
        (b"a,b", None),
        (b'"c,d', ASTRAY),
        (b"e,f", None),
    ]


@pytest.mark.parametrize("piece", [1000, 1 << 16, 1 << 20])
def test_a_line_that_is_too_long_costs_itself_alone(piece: int) -> None:
    long = b"x" * (3 * LONGEST)
    expected = [(b"a,b", None), (b"", TOO_LONG), (b"c,d", None)]
    assert rows(cut(b"a,b\n" + long + b"\nc,d\n", piece=piece)) == expected
    assert rows(cut(b"a,b\n" + long, piece=piece)) == expected[:2]


def test_an_open_quote_holds_up_no_more_than_a_row_may_take() -> None:
    cutter = Cutter(2)
    assert not list(cutter.cut(b'"a,b\n'))
    found = rows(list(cutter.cut(b"c,d\n" * LONGEST)))
    assert found[:2] == [(b'"a,b', ASTRAY), (b"c,d", None)]


def test_a_line_without_end_takes_no_memory() -> None:
    cutter, piece = Cutter(2), b"x" * (1 << 16)
    tracemalloc.start()
    try:
        for _ in range(500):
            assert not list(cutter.cut(piece))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * LONGEST
