"""The model servers of the stack in containers: `python -m local.compose` writes compose.serving.yaml.

One service per use case, on a port that it keeps. What else depends on which use cases there are stands there, too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import click

from local import secrets
from local.commands import Command
from local.environment import use_cases_folder
from local.state import REPOSITORY

FILE = "compose.serving.yaml"
MAIN = "docker-compose.yaml"
FIRST_PORT = 3000
NAMED = re.compile(r"\$\{(SLUICE_\w+)")
PUBLISHED = re.compile(r"^  serving-(?P<name>\w+):\n(?:    .*\n)*?    ports: .*:-(?P<port>\d+)}:3000", re.MULTILINE)

HEAD = """\
# The model servers, one per use case: written by `make compose-up`, beside docker-compose.yaml, from include/use_cases.
x-environment: &environment
  AWS_ACCESS_KEY_ID: ${SLUICE_S3_ACCESS_KEY:-}
  AWS_DEFAULT_REGION: ${SLUICE_S3_REGION:-us-east-1}
  AWS_EC2_METADATA_DISABLED: "true"
  AWS_ENDPOINT_URL: ${SLUICE_S3_ENDPOINT:-}
  AWS_SECRET_ACCESS_KEY: ${SLUICE_S3_SECRET_KEY:-}
  MLFLOW_TRACKING_URI: http://mlflow:5000
  SLUICE_ACCESS: ${SLUICE_ACCESS:-keys}
  SLUICE_API_KEYS: /sluice/var/api-keys.jsonl
  SLUICE_CORS_ORIGINS: ${SLUICE_CORS_ORIGINS:-}
  SLUICE_HASH_KEY: ${SLUICE_HASH_KEY:-}
  SLUICE_OBJECT_STORE: ${SLUICE_OBJECT_STORE:-file:///sluice/var/store}
  SLUICE_WAREHOUSE_DSN: postgresql://serving:${SLUICE_SERVING_DB_PASSWORD:?run make secrets}@postgres/warehouse
  SLUICE_WORKERS: ${SLUICE_WORKERS:-1}

x-serving: &serving
  image: ${SLUICE_SERVING_IMAGE:-sluice-serving}
  restart: unless-stopped
  # It reads releases and keys there; whoever breaks in can write neither.
  volumes: ["var:/sluice/var:ro"]
  read_only: true
  tmpfs: ["/tmp:size=1g,mode=1777"]
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  pids_limit: 256
  # By the name `serving` Prometheus finds all of them.
  networks:
    internal: {aliases: [serving]}
    edge: {}
  mem_limit: ${SLUICE_SERVING_MEMORY:-1g}
  cpus: ${SLUICE_SERVING_CPUS:-1}
  stop_grace_period: 20s
  logging:
    driver: json-file
    options: {max-size: 10m, max-file: "5"}
  # Whether it lives; whether it has a release to answer with is /readyz.
  healthcheck:
    test: [CMD, python, -c, "import urllib.request as r; r.urlopen('http://localhost:3000/livez', timeout=5)"]
    interval: 10s
    timeout: 10s
    retries: 6
    start_period: 120s
  depends_on:
    airflow-init: {condition: service_completed_successfully}
    mlflow: {condition: service_healthy}

services:
"""
SERVICE = """\
  serving-{name}:
    <<: *serving
    environment: {{<<: *environment, SLUICE_USE_CASE: {name}}}
    ports: ["127.0.0.1:${{SLUICE_PORT_{upper}:-{port}}}:3000"]

"""
WATCHER = """\
  watcher:
    environment:
      SLUICE_WATCHER_SERVING: {addresses}
"""


def document(names: Iterable[str], ports: Mapping[str, int]) -> str:
    """The file for some use cases.

    Args:
        names: Of the use cases.
        ports: Of those that have one; others get the next free one.
    """
    chosen = {name: port for name, port in ports.items() if name in set(names)}
    for name in sorted(set(names) - set(chosen)):
        chosen[name] = next(port for port in range(FIRST_PORT, 65536) if port not in chosen.values())
    servers = [SERVICE.format(name=name, upper=name.upper(), port=chosen[name]) for name in sorted(chosen)]
    addresses = ",".join(f"{name}=http://serving-{name}:3000" for name in sorted(chosen))
    return HEAD + "".join(servers) + WATCHER.format(addresses=addresses)


def published(text: str) -> dict[str, int]:
    """The port of each use case, as the file has it."""
    return {match["name"]: int(match["port"]) for match in PUBLISHED.finditer(text)}


def write(path: Path, names: Iterable[str]) -> bool:
    """Write the file, and return whether it is another one than before."""
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    text = document(names, published(before))
    if text != before:
        path.write_text(text, encoding="utf-8")
    return text != before


def overruled(text: str, shell: Mapping[str, str], kept: Mapping[str, str]) -> list[str]:
    """Names of the settings that a shell gives otherwise than .env does; compose takes the shell's.

    Args:
        text: Names what compose asks for.
        shell: The environment of who calls compose.
        kept: What .env holds.
    """
    return sorted({name for name in NAMED.findall(text) if shell.get(name, "") not in ("", kept.get(name))})


@click.command(cls=Command, help=__doc__)
def command() -> None:
    """Write the file beside docker-compose.yaml."""
    names = [path.parent.name for path in use_cases_folder().glob("*/use_case.yaml")]
    if write(REPOSITORY / FILE, names):
        click.echo(f"{FILE} was written for {', '.join(sorted(names))}")
    asked = "".join((REPOSITORY / name).read_text(encoding="utf-8") for name in (MAIN, FILE))
    if others := overruled(asked, os.environ, secrets.read(REPOSITORY / ".env")):
        click.echo(f"taken from this shell, not from .env: {', '.join(others)}; unset what was meant for another stack")


if __name__ == "__main__":
    command(prog_name="python -m local.compose")
