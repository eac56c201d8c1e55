from pathlib import Path

import pytest

from sluice.domain.errors import SpecError
from sluice.orchestration.health import check_specs
from sluice.settings import settings


def test_the_shipped_specs_are_sound() -> None:
    assert "housing" in check_specs()


def test_a_broken_spec_is_named_with_its_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loans").mkdir()
    (tmp_path / "loans" / "use_case.yaml").write_text("name: loans\ntask: clustering\n", encoding="utf-8")
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path))
    settings.cache_clear()

    with pytest.raises(SpecError, match=r"1 of 1 use cases have no DAGs.*loans/use_case\.yaml:\d+"):
        check_specs()
    settings.cache_clear()


def test_a_folder_without_use_cases_is_no_sound_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_USE_CASES", str(tmp_path / "elsewhere"))
    settings.cache_clear()

    with pytest.raises(SpecError, match="there is no use case"):
        check_specs()
    settings.cache_clear()
