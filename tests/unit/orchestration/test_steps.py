"""A run is refused when it was asked for with a field that its form does not have."""

from types import SimpleNamespace
from typing import Any

import pytest

from sluice.domain.errors import StateError
from sluice.orchestration.steps import refuse_unknown_fields


def context(conf: dict[str, Any] | None) -> dict[str, Any]:
    declared = {"source": None, "reason": None}
    return {
        "dag": SimpleNamespace(params=declared),
        "params": declared | (conf or {}),
        "dag_run": SimpleNamespace(conf=conf),
    }


@pytest.mark.parametrize("conf", [None, {}, {"source": "a.csv"}, {"source": None, "reason": "because"}])
def test_known_fields_pass(conf: dict[str, Any] | None) -> None:
    refuse_unknown_fields(context(conf))


@pytest.mark.parametrize(("field", "said"), [("sorce", "use 'source'"), ("zzz", "use one of: source, reason")])
def test_an_unknown_field_is_refused_with_the_one_that_was_meant(field: str, said: str) -> None:
    with pytest.raises(StateError, match=said):
        refuse_unknown_fields(context({field: "a.csv"}))
