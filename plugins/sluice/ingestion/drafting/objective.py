"""The objective: which column a model of a CSV file predicts, and as what."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.stats import skew

from sluice.domain.errors import DataError, SpecError
from sluice.domain.measures import Task
from sluice.ingestion.drafting.profile import Field, Profile
from sluice.ingestion.readings import FALSE, TRUE

#: Most different integers that are taken for classes, and most classes that there may be at all.
FEW_INTEGERS = 20
MOST_CLASSES = 50

#: Fewest different rows that a class can be learned and judged from, and the most rows that may be given up for that.
FEWEST_OF_CLASS = 8
MOST_GIVEN_UP = 0.02

#: Skewness from which a target that is never negative is learned as its logarithm.
SKEWED = 1.0

#: A class that says of itself that it is the positive one.
POSITIVE = frozenset({"true", "t", "yes", "y", "1", "1.0", "on", "positive", "pos"})


@dataclass(frozen=True, eq=False)
class Objective:
    """What is to be predicted.

    Attributes:
        field: The target.
        task: What kind of prediction.
        classes: Rows of each class as the spec writes it, in the spec's order; none for a number.
        boolean: Whether the classes are written in several ways, and so read as a boolean.
        positive: The class looked for; None unless there are two.
        given_up: Classes with too few rows, and how many each has.
        observed: By row a number, or a class's position in `order`; NaN where a row cannot be used.
        reason: In words, why this task and this positive class.
        log: Whether the logarithm is learned; settled when it is known which rows are trained on.
    """

    field: Field
    task: Task
    classes: dict[str, int]
    boolean: bool
    positive: str | None
    given_up: dict[str, int]
    observed: NDArray[np.float64] = dataclasses.field(repr=False)
    reason: str
    log: bool = False

    @property
    def order(self) -> tuple[str, ...]:
        """The classes as a model's probabilities are ordered, the positive one last."""
        return tuple(sorted(self.classes, key=lambda name: name == self.positive))


def choose(
    profile: Profile,
    target: str,
    task: Task | None,
    positive: str | None,
    identity: NDArray[np.int64] | None = None,
) -> Objective:
    """Find the target and tell the task.

    Args:
        profile: The file's.
        target: A header, or the name it was given.
        task: What a person says it is; told from the values where None.
        positive: The class that a person looks for.
        identity: By row the same number for rows with equal inputs, which count once in a class; negative for rows
            that ingestion will refuse. Each row counts where None.

    Raises:
        SpecError: There is no such column, or it does not fit the task or the positive class.
        DataError: The target has no values, one only, some over several lines, or classes with too few rows.
    """
    found = _find(profile, target)
    where = f"{profile.contents.path}: {found.header}"
    if not len(found.known):
        raise DataError("the target has no values", where, "name another TARGET, or fill it in")
    if found.broken:
        raise DataError("values of the target hold line ends", where, "write each value on one line")
    if found.distinct == 1:
        only = next(iter(found.counts))
        raise DataError(f"the target has one value only, {only!r}: there is nothing to tell apart", where, "add rows")
    decided, reason = _task(found, task, where)
    if decided == "regression":
        if positive is not None:
            raise SpecError("a number has no positive class", where, "leave out POSITIVE, or say TASK=binary")
        return Objective(found, "regression", {}, False, None, {}, found.values, reason)
    return _classes(found, decided, reason, task is None, positive, where, identity)


def learns_logarithm(observed: NDArray[np.float64], train: NDArray[np.bool_]) -> bool:
    """Whether a number's logarithm is learned: it is never negative, and skewed in the rows to train on."""
    values = observed[train]
    skewness = float(skew(values))
    if observed.min() < 0 or skewness <= SKEWED:
        return False
    return abs(float(skew(np.log1p(values)))) < skewness


def _find(profile: Profile, target: str) -> Field:
    for each in profile.fields:
        if target.strip() in (each.header, each.name):
            return each
    known = [each.header for each in profile.fields]
    near = get_close_matches(target, known, n=1, cutoff=0.5)
    near = [k for k in known if k.lower() == target.strip().lower()] or near
    hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(known)[:300]}"
    raise SpecError(f"there is no column {target!r} to predict", str(profile.contents.path), hint)


def _task(found: Field, asked: Task | None, where: str) -> tuple[Task, str]:
    values = len(np.unique(found.known)) if found.kind != "category" else found.distinct
    whole = found.kind == "integer" or (found.kind == "number" and bool(np.all(found.known == np.round(found.known))))
    if asked == "regression" and not found.numeric:
        raise SpecError(f"a regression needs numbers, and the target holds {_examples(found)}", where, "leave out TASK")
    if asked is not None:
        return asked, f"TASK={asked} says so"
    if values == 2 and found.kind in ("category", "boolean", "integer", "number"):
        return "binary", "it has two different values"
    if found.kind == "category" and values <= FEW_INTEGERS:
        return "multiclass", f"it has {values} different texts"
    if whole and values <= FEW_INTEGERS:
        return "multiclass", f"it has only {values} different whole numbers (TASK=regression makes it a quantity)"
    if found.numeric:
        return "regression", f"it is a number with {values:,} different values"
    raise SpecError(
        f"the target holds {_examples(found)} and {values - 1:,} other values: too many for classes, and no numbers",
        where,
        f"name another TARGET, or merge its values into {FEW_INTEGERS} classes at most",
    )


def _classes(
    found: Field,
    task: Task,
    reason: str,
    inferred: bool,
    positive: str | None,
    where: str,
    identity: NDArray[np.int64] | None,
) -> Objective:
    named, boolean = _named(found, where)
    counted = Counter(name for name in named if name is not None)
    different = _different(named, identity)
    rare = {name: n for name, n in sorted(counted.items()) if different[name] < FEWEST_OF_CLASS}
    kept = {name: counted[name] for name in sorted(counted, key=_natural) if name not in rare}
    if len(kept) < 2 or sum(rare.values()) > MOST_GIVEN_UP * len(named) or (rare and not inferred):
        _refuse_rare({name: different[name] for name in rare}, where)
    if rare and inferred:
        task = "binary" if len(kept) == 2 else "multiclass"
    if (task == "binary") != (len(kept) == 2) or len(kept) > MOST_CLASSES:
        shown = ", ".join(list(kept)[:10])
        raise SpecError(f"TASK={task} does not fit the target's {len(kept)} classes: {shown}", where, "leave out TASK")
    if positive is not None and (task != "binary" or positive not in kept):
        raise SpecError(
            f"POSITIVE={positive} is none of the two classes of a binary target",
            where,
            f"the classes are: {', '.join(kept)}",
        )
    said = ""
    if task == "binary":
        positive, said = (positive, "POSITIVE says so") if positive is not None else _positive(kept)
        reason += f"; {positive!r} is the positive class, because {said}"
    order = {name: float(i) for i, name in enumerate(sorted(kept, key=lambda name: name == positive))}
    observed = np.array([order.get(name, np.nan) if name is not None else np.nan for name in named])
    return Objective(found, task, kept, boolean, positive, rare, observed, reason)


def _different(named: list[Any], identity: NDArray[np.int64] | None) -> Counter[Any]:
    """How many different rows each class has."""
    numbers = range(len(named)) if identity is None else identity.tolist()
    pairs = {(name, number) for name, number in zip(named, numbers, strict=True) if name is not None and number >= 0}
    return Counter(name for name, _ in pairs)


def _refuse_rare(rare: dict[str, int], where: str) -> None:
    shown = ", ".join(f"{name} ({n})" for name, n in list(rare.items())[:8])
    raise DataError(
        f"some classes have fewer than {FEWEST_OF_CLASS} different rows, too few to learn and to judge: {shown}; "
        "rows with equal inputs count once",
        where,
        "merge them, collect more rows or columns, or say TASK=regression if they are quantities",
    )


def _named(found: Field, where: str) -> tuple[list[Any], bool]:
    """Each row's class as the spec writes it, and whether that is a boolean."""
    if found.kind == "category":
        return list(found.values), False
    if found.kind not in ("integer", "number", "boolean"):
        raise SpecError(f"the target holds {_examples(found)}, which are no classes", where, "name another TARGET")
    by_value: dict[float, set[str]] = {}
    for text in found.counts:
        by_value.setdefault(_value(found, text), set()).add(text)
    repeated = next((texts for texts in by_value.values() if len(texts) > 1), None)
    if repeated is None:
        names = {value: next(iter(texts)) for value, texts in by_value.items()}
        return [names.get(v) for v in found.values.tolist()], False
    if all(text.lower() in TRUE | FALSE for text in found.counts):
        return [None if v != v else ("true" if v else "false") for v in found.values.tolist()], True
    written = ", ".join(repr(text) for text in sorted(repeated))
    raise SpecError(f"the target writes one class in several ways: {written}", where, "write each class in one way")


def _value(found: Field, text: str) -> float:
    if found.kind == "boolean":
        return float(text.lower() in TRUE)
    if found.thousands:
        raise SpecError("a class cannot be a number with separators", found.header, "say TASK=regression")
    return float(text)


def _positive(classes: dict[str, int]) -> tuple[str, str]:
    """The class that is looked for, and why."""
    says = [name for name in classes if name.lower() in POSITIVE]
    if len(says) == 1:
        return says[0], "it says yes"
    rarer = min(classes, key=lambda name: (classes[name], name))
    return rarer, "it is the rarer one" if len(set(classes.values())) > 1 else "it comes first in the alphabet"


def _natural(name: str) -> tuple[bool, float, str]:
    """Numbers in their order, before words in theirs."""
    try:
        return False, float(name), name
    except ValueError:
        return True, 0.0, name


def _examples(found: Field) -> str:
    kinds: dict[str, Literal["dates", "texts such as", "values such as"]] = {
        "timestamp": "dates",
        "text": "texts such as",
    }
    return f"{kinds.get(found.kind, 'values such as')} {next(iter(found.counts))[:60]!r}"
