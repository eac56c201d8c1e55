"""Pods: the model servers' manifests for Kubernetes; `python -m local.pods --image <image> <use case>...` prints them.

What they say is in include/kubernetes/serving.yaml; nothing of it knows which use cases there are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import Template

import click

from local import environment
from local.commands import Command
from local.errors import StackError
from local.state import REPOSITORY
from sluice import registry

SERVING = REPOSITORY / "include" / "kubernetes" / "serving.yaml"
#: Of include/images/serving.Dockerfile; a release's own image has 1034.
USER = 50_000
#: A name with registry, tag and digest, each as far as it is there.
IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]*")
#: Stands for every use case there is.
ALL = "all"


def serving(use_case: str, image: str, user: int = USER) -> str:
    """The manifests of one use case's model servers, as YAML.

    Args:
        use_case: Its name.
        image: What they run, with registry and tag or digest.
        user: The number of the image's user; the cluster can only tell from it that this is not root.
    """
    text = SERVING.read_text(encoding="utf-8")
    return Template(text).substitute(name=resource(use_case), use_case=use_case, image=image, user=user)


def resource(use_case: str) -> str:
    """What the cluster calls the servers of a use case; its names have no underscores and end in a letter or digit."""
    return f"serving-{use_case}".replace("_", "-").rstrip("-")


def of_all(names: Sequence[str], image: str, user: int = USER) -> str:
    """The manifests of several use cases, one document after the other.

    Args:
        names: Which; `all` for every one that there is.
        image: As for `serving`.
        user: As for `serving`.

    Raises:
        SpecError: There is no such use case, or one is broken.
        StackError: What is named is no image.
    """
    if not IMAGE.fullmatch(image):
        action = "SLUICE_SERVING_IMAGE=<registry>/sluice-serving:<tag>"
        raise StackError(f"{image!r} is no image that the servers could run", action=action)
    found = registry.find(environment.use_cases_folder())
    if ALL in names and found.broken:
        raise found.broken[0]
    chosen = [use_case.name for use_case in found.use_cases] if ALL in names else [found.get(n).name for n in names]
    return "---\n".join(serving(name, image, user) for name in chosen)


@click.command(cls=Command, help=__doc__)
@click.option("--image", default="", help="What the servers run: sluice-serving, or a release's own image.")
@click.option("--user", default=USER, show_default=True, help="Number of the image's user; 1034 for a release's own.")
@click.argument("names", nargs=-1, required=True, metavar="USE_CASE...")
def command(image: str, user: int, names: tuple[str, ...]) -> None:
    """Print the manifests."""
    click.echo(of_all(names, image, user), nl=False)


if __name__ == "__main__":
    command(prog_name="python -m local.pods")
