"""Samples: rows drawn from a declaration, the same bytes for the same seed."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from sluice.domain.columns import Column
from sluice.domain.errors import SpecError
from sluice.domain.sample import Drift, Sample

SAMPLE_FILE = "sample.yaml"

#: Rows drawn at a time; part of what a seed means, so changing it changes every sample.
CHUNK = 20_000


def read(folder: Path) -> Sample:
    """Read the sample's declaration from a use case's folder.

    Raises:
        SpecError: There is none, or it breaks a rule.
    """
    path = folder / SAMPLE_FILE
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Sample.model_validate(document, strict=False)
    except FileNotFoundError as error:
        advice = f"write {SAMPLE_FILE}, or name a source.uri in the spec"
        raise SpecError("the use case has no source and no sample", str(path), advice) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SpecError(f"the sample cannot be read: {error}", str(path), "correct the YAML") from error
    except ValidationError as error:
        parts = [f"{'.'.join(map(str, row['loc'])) or 'sample'}: {row['msg']}" for row in error.errors()]
        raise SpecError("; ".join(parts), str(path), "correct the sample's declaration") from error


def generate(
    sample: Sample,
    columns: tuple[Column, ...],
    rows: int | None = None,
    seed: int | None = None,
    drift: Drift | str | None = None,
) -> Iterator[str]:
    """Draw a sample as CSV, in pieces of many lines, the header first.

    Features come from a Gaussian copula over the declared marginals (Nelsen, An Introduction to Copulas,
    2006), shifted by hidden group; the target from the declared mechanism.

    Args:
        sample: The declaration.
        columns: The use case's columns, in the order they are written.
        rows: How many rows; the declaration's number where None.
        seed: The declaration's seed where None; the same seed gives the same bytes.
        drift: A change of the world, as a value or by its name in the declaration.

    Raises:
        SpecError: A column cannot be drawn, or no drift has that name.
    """
    # Local: orchestration imports this module when a DAG is parsed, which must stay light.
    import numpy as np

    from sluice.ingestion.draws import Draw

    _check(sample, columns)
    random = np.random.Generator(np.random.PCG64(sample.seed if seed is None else seed))
    draw = Draw(sample, _change(sample, drift))
    yield _lines([[column.source_header for column in columns]])
    left = sample.rows if rows is None else rows
    while left > 0:
        table = draw(random, min(CHUNK, left))
        written = [_text(c, table[c.name].tolist(), sample.decimals(c.name)) for c in columns]
        yield _lines(zip(*written, strict=True))
        left -= CHUNK


def write(
    path: Path,
    sample: Sample,
    columns: tuple[Column, ...],
    rows: int | None = None,
    seed: int | None = None,
    drift: Drift | str | None = None,
) -> None:
    """Draw a sample into a file; see `generate`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(generate(sample, columns, rows, seed, drift))


def _change(sample: Sample, drift: Drift | str | None) -> Drift:
    if not isinstance(drift, str):
        return drift or Drift()
    if drift not in sample.drift:
        known = ", ".join(sample.drift) or "none"
        raise SpecError(f"the sample declares no drift {drift!r}", action=f"use one of: {known}")
    return sample.drift[drift]


def _check(sample: Sample, columns: tuple[Column, ...]) -> None:
    """Refuse a sample that cannot fill the use case's columns."""
    for column in columns:
        if column.name not in sample.produced:
            raise SpecError(f"the sample does not draw {column.name!r}", action="declare its marginal")
        drawn = sample.drawn_as_text(column.name)
        stray = ", ".join(sorted(text for text in drawn if not _fits(column, text)))
        if not drawn and column.type not in ("number", "integer"):
            stray = "numbers"
        elif not drawn and column.type == "integer" and sample.decimals(column.name):
            stray = "fractions"
        if stray:
            raise SpecError(
                f"the sample draws {stray} for the {column.type} column {column.name!r}",
                action="draw what the spec's columns allow",
            )


def _fits(column: Column, text: str) -> bool:
    """Whether a column may hold a category that is drawn for it."""
    if column.type == "boolean":
        return text in ("true", "false")
    if column.type == "integer":
        return text.removeprefix("-").isdecimal() and column.allows(int(text))
    return column.type == "category" and column.allows(text)


def _text(column: Column, values: Sequence[Any], decimals: int) -> list[str]:
    if values and isinstance(next((v for v in values if v is not None), None), str):
        return ["" if v is None else v for v in values]
    pattern = f"%.{decimals}f"
    texts = ["" if v is None or v != v else pattern % v for v in values]
    # Where a point separates thousands, a comma stands for the point.
    return [text.replace(".", ",") for text in texts] if column.thousands == "." else texts


def _lines(rows: Iterable[Sequence[str]]) -> str:
    buffer = StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue()
