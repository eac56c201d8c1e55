"""The series that a service shows, read as Prometheus reads them."""

from __future__ import annotations

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.bentos.servers import Service


def samples(service: Service, name: str, **labels: str) -> list[Sample]:
    """Those of one name that have these labels."""
    text = httpx.get(f"{service.url}/metrics").raise_for_status().text
    return [
        sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    ]


def value(service: Service, name: str, **labels: str) -> float:
    """The sum of those of one name that have these labels; 0 where there are none."""
    return sum(sample.value for sample in samples(service, name, **labels))
