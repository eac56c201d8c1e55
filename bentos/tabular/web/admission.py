"""Admission: which request comes in, by its key and its caller's pace."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field

from tabular.exchange import Exchange
from tabular.problem import ProblemError
from tabular.settings import Settings
from tabular.web.keys import Keyring, presented
from tabular.web.pace import Pace, household

logger = logging.getLogger("bentoml.tabular")

#: Requests per second of one key in one process, where the settings name no other number.
USUAL_RATE = 1000.0
#: Requests per second, and at once, that one address may send without a key that opens.
STRANGER_RATE, STRANGER_BURST = 20.0, 100
#: Callers without an address share one bucket.
NOWHERE = "nowhere"


@dataclass(frozen=True)
class Admission:
    """The door.

    Attributes:
        keyring: What opens it; None where it is open to everybody.
        pace: How fast one key, or where there is none one address, may ask; None for any.
        strangers: How fast one address may ask without a key that opens; whoever has one is not held up by that.
    """

    keyring: Keyring | None = None
    pace: Pace | None = None
    strangers: Pace = field(default_factory=lambda: Pace(STRANGER_RATE, STRANGER_BURST))

    @classmethod
    def of(cls, settings: Settings) -> Admission:
        """Whom the settings let in."""
        if settings.access == "open":
            logger.warning("SLUICE_ACCESS is open: whoever reaches this service is answered")
            keyring, usual = None, 0.0
        else:
            keyring, usual = Keyring(settings.api_keys), USUAL_RATE
        rate = usual if settings.rate is None else settings.rate
        return cls(keyring, Pace(rate, settings.burst or math.ceil(rate)) if rate else None)

    def admit(self, exchange: Exchange) -> None:
        """Let a request in, and note its key's name on it.

        Raises:
            ProblemError: It may not come in; says the same whether its key is unknown, expired, or not there.
        """
        if self.keyring is not None:
            given = presented(exchange.header("x-api-key"), exchange.header("authorization"))
            exchange.caller = self.keyring.admit(given)
            if exchange.caller is None:
                wait = self.strangers.wait(_place(exchange))
                raise _too_fast(self.strangers, wait) if wait else _unknown()
        if self.pace is not None:
            wait = self.pace.wait(caller(exchange))
            if wait:
                raise _too_fast(self.pace, wait)


def caller(exchange: Exchange) -> str:
    """Who asks: the key's name, or where there is none the address."""
    return exchange.caller or _place(exchange)


def _place(exchange: Exchange) -> str:
    client = exchange.scope.get("client")
    return household(client[0]) if client else NOWHERE


def _unknown() -> ProblemError:
    detail = "send a valid key in the header x-api-key, or as authorization: Bearer; who runs the service gives it out"
    return ProblemError(401, "unauthorized", detail, headers={"www-authenticate": 'Bearer realm="sluice"'})


def _too_fast(pace: Pace, wait: float) -> ProblemError:
    seconds = math.ceil(wait)
    detail = f"{pace.rate:g} requests per second are answered, {pace.burst} at once; ask again in {seconds} s"
    return ProblemError(429, "too-many-requests", detail, headers={"retry-after": str(seconds)})
