"""Probes: what BentoML answers itself, with an empty body and without a key."""

from __future__ import annotations

from collections.abc import Mapping

#: Address -> what it tells.
PROBES: Mapping[str, str] = {
    "/livez": "Whether the process lives",
    "/readyz": "Whether a release is loaded",
    "/healthz": "The same as livez",
}
