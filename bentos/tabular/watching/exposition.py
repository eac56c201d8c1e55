"""What Prometheus reads: the series of every worker process of this server."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psutil
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Metric, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from tabular.watching.metrics import PRESENT

MEDIA_TYPE = CONTENT_TYPE_LATEST

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"


class _Series(Collector):
    """Every series of every worker process, less those that say by their absence what they have to say."""

    def collect(self) -> Iterable[Metric]:
        for family in self._families():
            if family.name in PRESENT:
                family.samples = [sample for sample in family.samples if sample.value]
            yield family

    def _families(self) -> Iterable[Metric]:
        if _FOLDER not in os.environ:
            return REGISTRY.collect()
        # The library's own listing takes in a file that a starting worker has made and not yet filled, and fails on it.
        files = [str(path) for path in _of_the_living(Path(os.environ[_FOLDER])) if _is_filled(path)]
        families: Iterable[Metric] = MultiProcessCollector.merge(files)  # type: ignore[no-untyped-call]
        return families


def _of_the_living(folder: Path) -> Iterable[Path]:
    """The files of all workers, less what killed ones showed: nobody else removes it, and their rows would wait on."""
    for path in folder.glob("*.db"):
        if path.name.startswith("gauge_live") and not psutil.pid_exists(int(path.stem.rpartition("_")[2])):
            # Another worker may be asked at the same moment.
            path.unlink(missing_ok=True)
        else:
            yield path


def _is_filled(path: Path) -> bool:
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def collection() -> CollectorRegistry:
    """Every series of every worker process, collected when it is read."""
    registry = CollectorRegistry()
    registry.register(_Series())
    return registry


def text() -> bytes:
    """Every series of every worker process, as text."""
    return generate_latest(collection())
