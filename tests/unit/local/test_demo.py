"""The demo's source: the sample, or the public data set, or a clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.demo import source
from local.errors import StackError
from sluice.domain.use_case import UseCase


def test_the_sample_needs_no_source(housing: UseCase) -> None:
    assert source(housing, "sample") is None


def test_the_public_data_set_is_found_by_the_name_in_the_spec(housing: UseCase, tmp_path: Path) -> None:
    (tmp_path / "housing.csv").touch()

    assert source(housing, "real", tmp_path) == str(tmp_path / "housing.csv")


def test_a_missing_data_set_is_an_error_that_says_what_to_do(housing: UseCase, tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"housing\.csv\] -> name its folder with SLUICE_REAL_DATA"):
        source(housing, "real", tmp_path)


def test_a_use_case_without_a_public_data_set_says_so(housing: UseCase, tmp_path: Path) -> None:
    plain = housing.model_copy(update={"source": housing.source.model_copy(update={"real_data": None})})

    with pytest.raises(StackError, match="names no public data set"):
        source(plain, "real", tmp_path)
