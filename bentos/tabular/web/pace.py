"""Pace: how fast a caller may ask; a bucket per caller, of one worker process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv6Address, ip_network

#: Callers that are remembered. Whoever has not asked for the longest is forgotten first, and his bucket is full again.
MOST_CALLERS = 50_000
#: What one household, server or attacker is given of IPv6 at least.
IPV6_PREFIX = 64


@dataclass(frozen=True)
class Pace:
    """A bucket of requests per caller, which fills again as time goes by.

    Attributes:
        rate: Requests per second in the long run.
        burst: Requests at once after a pause; at least 1.
        clock: Seconds, from any beginning.
    """

    rate: float
    burst: int
    clock: Callable[[], float] = time.monotonic
    #: Caller -> when his bucket is full again; one moment is all there is to know of a bucket.
    _full_at: OrderedDict[str, float] = field(default_factory=OrderedDict, init=False, repr=False)

    @property
    def remembered(self) -> int:
        """How many callers are."""
        return len(self._full_at)

    def wait(self, caller: str) -> float:
        """Take one request out of a caller's bucket.

        Returns:
            0 where there was one; otherwise the seconds until there is.
        """
        now = self.clock()
        full_at = max(self._full_at.get(caller, now), now) + 1 / self.rate
        wait = full_at - now - self.burst / self.rate
        # A rounding error is no reason to refuse.
        if wait > 1e-9:
            return wait
        self._full_at[caller] = full_at
        self._full_at.move_to_end(caller)
        if len(self._full_at) > MOST_CALLERS:
            self._full_at.popitem(last=False)
        return 0


@lru_cache(maxsize=4096)
def household(address: str) -> str:
    """Who is taken for one caller by his address: an IPv4 address, or a whole network of IPv6.

    Args:
        address: As the server tells it; anything else stands for itself.
    """
    try:
        host = IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if host.ipv4_mapped:
        return str(host.ipv4_mapped)
    return str(ip_network((host, IPV6_PREFIX), strict=False))
