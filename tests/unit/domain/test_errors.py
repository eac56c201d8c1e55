"""Errors say what, where and what next, by stable codes, and survive a trip between processes."""

import pickle

import pytest

from sluice.domain import errors

ALL = [e for e in vars(errors).values() if isinstance(e, type) and issubclass(e, errors.SluiceError)]


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_an_error_reads_as_code_what_where_action(kind: type[errors.SluiceError]) -> None:
    error = kind("the file is empty", "a.csv", "send another")

    assert str(error) == f"{kind.code}: the file is empty [a.csv] -> send another"
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301  made one line above


def test_codes_are_unique_and_in_the_tree_that_the_docstring_draws() -> None:
    codes = [kind.code for kind in ALL]

    assert len(set(codes)) == len(codes)
    for kind in ALL:
        assert kind.__name__ in (errors.__doc__ or "")
