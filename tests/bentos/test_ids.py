"""Ids: of requests, and of answers and their predictions."""

from __future__ import annotations

import os

from tabular import ids


def test_processes_that_come_of_one_make_different_ids() -> None:
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, ids.request().encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(reading, 64).decode() != ids.request()


def test_ids_made_later_sort_later_and_end_in_the_place_of_their_prediction() -> None:
    first, second = ids.fresh(), ids.fresh()

    assert first[:13] <= second[:13]
    assert ids.predictions(first, 3) == [first, f"{first[:-1]}1", f"{first[:-1]}2"]
    assert ids.place(ids.predictions(first, 3)[2]) == (first, 2)
