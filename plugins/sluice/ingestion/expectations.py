"""Expectations: what must hold of a batch as a whole, checked inside Postgres by Great Expectations."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import SpecError
from sluice.domain.figures import plain
from sluice.domain.use_case import UseCase
from sluice.ingestion import tables

#: An expectation as the spec writes it, or as the result tells of it.
Check = Mapping[str, Any]

#: What arguments are called in a sentence, where not by their own names.
LIMITS = {"min_value": "at least", "max_value": "at most", "value_set": "one of"}


@dataclass(frozen=True)
class Validation:
    """What the suite found.

    Attributes:
        success: Whether every expectation was seen to hold; one that could not be checked does not.
        failed: A sentence for each that does not hold.
        result: The suite's result as JSON values.
    """

    success: bool
    failed: tuple[str, ...]
    result: dict[str, Any]


def checks(use_case: UseCase) -> Iterator[Check]:
    """The suite that a spec asks for: its columns' rules, its `min_rows`, and its own expectations."""
    yield {"type": "expect_table_row_count_to_be_between", "min_value": use_case.quality.min_rows}
    for column in use_case.columns:
        if not column.nullable:
            yield {"type": "expect_column_values_to_not_be_null", "column": column.name}
        if column.range:
            low, high = column.range
            yield {
                "type": "expect_column_values_to_be_between",
                "column": column.name,
                "min_value": low,
                "max_value": high,
            }
        if column.categories:
            yield {
                "type": "expect_column_values_to_be_in_set",
                "column": column.name,
                "value_set": list(column.categories),
            }
    yield from use_case.quality.expectations


def suite(use_case: UseCase) -> Any:
    """The suite as Great Expectations' own value.

    Raises:
        SpecError: An expectation of the spec does not exist, or has other arguments.
    """
    import great_expectations as gx

    return gx.ExpectationSuite(
        name=use_case.name, expectations=[_expectation(use_case, check) for check in checks(use_case)]
    )


def validate(warehouse: Warehouse, use_case: UseCase, batch_id: int) -> Validation:
    """Check a batch's rows where they are, and store the result in `ingest.validations`.

    Raises:
        SpecError: An expectation of the spec does not exist, or has other arguments.
    """
    # Quiet before the import, which logs each expectation, and after it, because one module wants to be heard.
    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    logging.getLogger(ProgressBarsConfig.__module__).setLevel(logging.ERROR)
    wanted = suite(use_case)
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_postgres(
        "warehouse",
        connection_string=warehouse.dsn.replace("postgresql://", "postgresql+psycopg2://", 1),
        kwargs={"connect_args": {"options": "-c search_path=landing"}},
    )
    try:
        asset = source.add_table_asset("batch", table_name=tables.partition_name(use_case, batch_id))
        batch = asset.add_batch_definition_whole_table("whole").get_batch()
        found = batch.validate(wanted, result_format="SUMMARY")
    finally:
        # The two hold connections of their own.
        source.get_execution_engine().close()
        source.get_engine().dispose()
    result: dict[str, Any] = json.loads(json.dumps(found.to_json_dict()), parse_constant=str)
    validation = Validation(bool(found.success), tuple(_failures(result)), result)
    statement = warehouse.statement("ingestion/validation_add")
    values = {"batch_id": batch_id, "success": validation.success, "result": json.dumps(result)}
    warehouse.execute(statement, values)
    return validation


def sentence(check: Check) -> str:
    """One expectation's demand and outcome, from its part of the result."""
    column = check["expectation_config"]["kwargs"].get("column")
    return f"{column}: {demand(check)}; {outcome(check)}" if column else f"{demand(check)}; {outcome(check)}"


def demand(check: Check) -> str:
    """What an expectation asks for."""
    config = check["expectation_config"]
    what = config["type"].removeprefix("expect_").removeprefix("column_").removeprefix("table_").replace("_", " ")
    arguments = sorted(config["kwargs"].items(), reverse=True)
    limits = [f"{LIMITS.get(k, k)} {_short(v)}" for k, v in arguments if k not in ("batch_id", "column")]
    return f"{what} ({', '.join(limits)})" if limits else what


def outcome(check: Check) -> str:
    """What was observed, or why nothing could be."""
    problem = _problem(check)
    if problem:
        return f"could not tell: {problem}"
    result = check["result"]
    if "observed_value" in result:
        return f"observed {_short(result['observed_value'])}"
    return f"{plain(result.get('unexpected_count', 0))} of {plain(result.get('element_count', 0))} rows do not fit"


def _expectation(use_case: UseCase, check: Check) -> Any:
    from great_expectations.exceptions import ExpectationNotFoundError
    from great_expectations.expectations.registry import (
        get_expectation_impl,
        list_registered_expectation_implementations,
    )
    from pydantic.v1 import ValidationError

    kind = str(check.get("type", ""))
    where = f"{use_case.name}: quality.expectations"
    arguments = {name: value for name, value in check.items() if name != "type"}
    column = arguments.get("column")
    if column is not None and column not in [c.name for c in use_case.columns]:
        raise SpecError(f"{kind} names the column {column!r}, which there is not", where, "correct the name")
    try:
        return get_expectation_impl(kind)(**arguments)
    except ExpectationNotFoundError as error:
        near = get_close_matches(kind, list_registered_expectation_implementations(), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "see the gallery of Great Expectations"
        raise SpecError(f"there is no expectation {kind!r}", where, hint) from error
    except (ValidationError, TypeError, ValueError) as error:
        message = " ".join(str(error).split())
        raise SpecError(f"{kind} cannot be made: {message}", where, "correct its arguments") from error


def _failures(result: Mapping[str, Any]) -> Iterator[str]:
    return (sentence(check) for check in result["results"] if not check["success"])


def _problem(check: Check) -> str:
    """The message of an exception that kept an expectation from being checked."""
    info = check.get("exception_info") or {}
    for part in (info, *info.values()):
        if isinstance(part, dict) and part.get("raised_exception"):
            return str(part.get("exception_message", "an error")).splitlines()[0]
    return ""


def _short(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = plain(value, 6) if is_number else str(value)
    return text if len(text) <= 120 else text[:117] + "..."
