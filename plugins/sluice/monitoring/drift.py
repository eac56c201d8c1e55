"""Drift: whether today's rows still look like those the release learned from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from sluice.adapters.histograms import PREDICTION
from sluice.adapters.warehouse import Warehouse
from sluice.domain.errors import BundleError
from sluice.domain.figures import plain
from sluice.domain.histograms import Categories, Histograms, Numbers
from sluice.domain.use_case import UseCase
from sluice.monitoring import comparison, page, sampling, windows
from sluice.monitoring.comparison import ColumnDrift
from sluice.monitoring.sampling import Scale
from sluice.monitoring.windows import Wanted, Window

if TYPE_CHECKING:
    from sluice.adapters.bundles import Bundle

Verdict = Literal["stable", "drifted", "unknown"]


@dataclass(frozen=True)
class Drift:
    """What one check found.

    Attributes:
        version: The release that was looked after.
        verdict: `unknown` is a verdict of its own and never counts as stable.
        message: The verdict and its grounds in a sentence.
        window: The rows that were looked at.
        reference_rows: How many rows they were compared with.
        drifted_share: Drifted columns among those that could be judged, 0 to 1; None where none could.
        columns: What each column did; empty where nothing was compared.
        html: A page for people; None where nothing was compared.
        sample: What Evidently said of a sample; None where it was not asked.
    """

    version: int
    verdict: Verdict
    message: str
    window: Window
    reference_rows: int
    drifted_share: float | None = None
    columns: tuple[ColumnDrift, ...] = ()
    html: str | None = None
    sample: sampling.Sample | None = None


def check(
    warehouse: Warehouse, use_case: UseCase, bundle: Bundle, version: int, wanted: Wanted | Window, now: datetime
) -> Drift:
    """Compare all rows of a window with all that the release learned from, and draw a sample of both.

    Args:
        warehouse: Holds the current rows.
        use_case: Whose release.
        bundle: The release's: its histograms are what is compared with, and its reference what is drawn.
        version: The release's version.
        wanted: Yesterday's `predictions`, the newest `validated` batch, `auto`, or any window.
        now: The moment the check is for; aware. "Yesterday" is the UTC day before it.

    Raises:
        BundleError: The release's histograms lack an input.
    """
    found, current = measure(warehouse, use_case, bundle, version, wanted, now)
    if current is None:
        return found
    sample = _sample(warehouse, use_case, bundle, version, found.window, _unlogged(bundle))
    said = sample.columns if sample else {}
    columns = tuple(replace(c, sampled=said.get(c.column)) for c in found.columns)
    found = replace(found, columns=columns, message=found.message + _disputed(columns))
    html = page.draw(use_case, found, bundle.histograms(), current, sample.html if sample else None)
    return replace(found, html=html, sample=sample)


def measure(
    warehouse: Warehouse, use_case: UseCase, bundle: Bundle, version: int, wanted: Wanted | Window, now: datetime
) -> tuple[Drift, Histograms | None]:
    """Compare as `check` does, and draw nothing; also return the current rows' histograms, where there are any.

    It decides all that `check` decides, in a fraction of its time. The arguments and what is raised are the same.
    """
    frozen = bundle.histograms()
    _refuse_incomplete(use_case, frozen, version)
    if isinstance(wanted, Window):
        window = windows.counted(warehouse, use_case, version, wanted)
    else:
        window = windows.find(warehouse, use_case, version, wanted, now)
    policy = use_case.monitoring
    for what, rows in ((f"{window}", window.rows or 0), (f"a reference of {plain(frozen.rows)} rows", frozen.rows)):
        if rows < policy.min_rows:
            message = (
                f"Could not tell: {what} is too little to judge by; at least {plain(policy.min_rows)} rows are needed."
            )
            return Drift(version, "unknown", message, window, frozen.rows), None
    unlogged = _unlogged(bundle)
    current = windows.distribution(warehouse, use_case, version, window, frozen, unlogged)
    truth = windows.labels(warehouse, use_case, version, window, frozen)
    if truth is not None and truth.values >= policy.min_rows:
        current = current.model_copy(update={"columns": (*current.columns, truth)})
    columns = comparison.compare(frozen, current, policy)
    verdict, share, message = judge(columns, policy.max_drifted_share)
    message += f" Compared: {window} with the {plain(frozen.rows)} training rows of version {version}."
    message += _remarks(use_case, columns, current, truth, unlogged)
    return Drift(version, verdict, message, window, frozen.rows, share, columns), current


def judge(columns: tuple[ColumnDrift, ...], max_share: float) -> tuple[Verdict, float | None, str]:
    """Turn what the columns did into a verdict, the share that drifted, and a sentence.

    A column that could not be judged may have drifted: the data is called stable only when it would be
    stable even then.

    Args:
        columns: What each did.
        max_share: Share of drifted columns from which the data has drifted.
    """
    drifted = [c.column for c in columns if c.drifted]
    untold = [c.column for c in columns if c.drifted is None]
    judged = len(columns) - len(untold)
    if not judged:
        return "unknown", None, "Could not tell: no column could be judged."
    share = len(drifted) / judged
    moved = f"{len(drifted)} of {judged} columns drifted" + (f" ({', '.join(drifted)})" if drifted else "")
    limit = f"{max_share:.0%} is the limit"
    doubt = f"; no verdict on {', '.join(untold)}" if untold else ""
    if len(drifted) >= max_share * len(columns):
        return "drifted", share, f"Drifted: {moved}, {limit}{doubt}."
    if len(drifted) + len(untold) >= max_share * len(columns):
        return "unknown", share, f"Could not tell: {moved}, {limit}{doubt}."
    return "stable", share, f"Stable: {moved}, {limit}{doubt}."


def _remarks(
    use_case: UseCase,
    columns: tuple[ColumnDrift, ...],
    current: Histograms,
    truth: Numbers | Categories | None,
    unlogged: list[str],
) -> str:
    """What else a reader must know of the comparison."""
    text = ""
    for column in columns:
        if column.method == comparison.MISSING and column.score and column.drifted is not False:
            histogram = current.column(column.column)
            held = "holds no value" if not histogram.values else "held no value in the release"
            text += f" {column.column} {held}: its missing share changed by {column.score:.0%}."
        elif column.drifted is None and column.score is not None:
            text += f" {column.column} is {plain(column.score, 3)} off, which so few rows may be by chance."
    hidden = [name for name in unlogged if name not in current.names]
    if hidden:
        text += f" Left out, because the log does not hold what is sensitive: {', '.join(hidden)}."
    if truth is not None and 0 < truth.values < use_case.monitoring.min_rows:
        text += f" {plain(truth.values)} labels are too few to compare {use_case.target} by."
    return text


def _unlogged(bundle: Bundle) -> list[str]:
    # The contract's word, not the spec's: it is what this release was logged by.
    return [given.name for given in bundle.contract.inputs if given.sensitive]


def _disputed(columns: tuple[ColumnDrift, ...]) -> str:
    """Where the sample says otherwise than all rows."""
    disputed = [c for c in columns if c.sampled is not None and c.disputed]
    if not disputed:
        return ""
    scores = ", ".join(f"{c.column} {_words(c)}" for c in disputed)
    return f" The sample that the page shows says otherwise of {scores}; all rows decide."


def _words(column: ColumnDrift) -> str:
    scores = (column.score, column.sampled.score if column.sampled else None)
    exact, sampled = ("no score" if score is None else f"{score:.3g}" for score in scores)
    return f"({sampled} instead of {exact})"


def _sample(
    warehouse: Warehouse, use_case: UseCase, bundle: Bundle, version: int, window: Window, unlogged: list[str]
) -> sampling.Sample | None:
    """The release's reference and a sample of the window, side by side."""
    reference = bundle.reference()
    current = windows.sample(warehouse, use_case, version, window, unlogged)
    scales = {name: scale(use_case, name) for name in current.columns.astype(str) if name in reference}
    most = use_case.monitoring.sample_rows
    bounded = reference if len(reference) <= most else reference.sample(most, random_state=0)
    return sampling.compare(bounded, current, scales, use_case.monitoring) if scales else None


def scale(use_case: UseCase, name: str) -> Scale:
    """How a compared column is read: an input, the target or the prediction."""
    # A class is written by its name, among the labels and among the answers.
    if name in (PREDICTION, use_case.target):
        return "categorical" if use_case.classes else "numerical"
    kind = use_case.column(name).type
    return "numerical" if kind in ("number", "integer") else "boolean" if kind == "boolean" else "categorical"


def _refuse_incomplete(use_case: UseCase, frozen: Histograms, version: int) -> None:
    missing = sorted({column.name for column in use_case.inputs} - set(frozen.names))
    if missing:
        raise BundleError(
            f"the reference lacks {', '.join(missing)}",
            f"{use_case.name} version {version}",
            "train and promote again",
        )
