"""Redaction: what the prediction log keeps of inputs that the contract calls sensitive."""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from tabular.releases.bundle import Bundle
from tabular.releases.contract import Contract, Input, Value
from tabular.releases.schema import Row

logger = logging.getLogger("bentoml.tabular")

#: Bytes of a hash that are kept.
KEPT = 16

Take = Callable[[Value], Value]


@dataclass(frozen=True)
class Redaction:
    """How the rows of one contract are logged.

    Attributes:
        names: The inputs that are logged.
        takes: Of each of them its place in a row, and what is logged for its value; None where that is the value.
        whole: Whether rows are logged as they are.
        unhashed: Inputs that are left out because there is no key to hash them with.
    """

    names: Sequence[str]
    takes: Sequence[tuple[int, Take | None]]
    whole: bool = False
    unhashed: Sequence[str] = ()

    def rows(self, rows: Sequence[Row]) -> Sequence[Row]:
        """The rows as they are logged, with a value for each of `names`.

        Args:
            rows: Checked rows, with a value for each input of the contract.
        """
        if self.whole:
            return rows
        return [[take(row[place]) if take else row[place] for place, take in self.takes] for row in rows]


def redaction(contract: Contract, key: bytes | None) -> Redaction:
    """How the rows of a contract are logged.

    Args:
        contract: Says of each input whether its values are dropped or hashed.
        key: Of the hashes; without one nothing is hashed, and what should be is dropped.
    """
    kept = [
        (place, given)
        for place, given in enumerate(contract.inputs)
        if given.sensitive is None or (given.sensitive == "hash" and key)
    ]
    return Redaction(
        [given.name for _, given in kept],
        [(place, _hashes(contract, given, key) if given.sensitive and key else None) for place, given in kept],
        whole=all(given.sensitive is None for given in contract.inputs),
        unhashed=[given.name for given in contract.inputs if given.sensitive == "hash" and not key],
    )


class Redactor:
    """The redactions of whatever this process serves.

    Args:
        key: Of the hashes; None where there is none.
    """

    def __init__(self, key: bytes | None = None) -> None:
        self._key = key
        self._made: dict[str, Redaction] = {}

    def of(self, bundle: Bundle) -> Redaction:
        """How the rows of a release are logged; at its first sight, says what is not logged for want of a key."""
        made = self._made.get(bundle.sha256)
        if made is None:
            made = self._made[bundle.sha256] = redaction(bundle.contract, self._key)
            if made.unhashed:
                logger.warning(
                    "SLUICE_HASH_KEY is not set: left out of the prediction log instead of hashed: %s",
                    ", ".join(made.unhashed),
                )
        return made


def _hashes(contract: Contract, given: Input, key: bytes) -> Take:
    # Neither another input's hashes nor another use case's can be laid beside these.
    return partial(_hashed, key, f"{contract.use_case}.{given.name}=")


def _hashed(key: bytes, prefix: str, value: Value) -> str | None:
    """The same for equal values, however they were written; what is missing stays so."""
    if value is None:
        return None
    text = value if isinstance(value, str) else repr(float(value) + 0.0)
    return hmac.digest(key, f"{prefix}{text}".encode(), "sha256")[:KEPT].hex()
