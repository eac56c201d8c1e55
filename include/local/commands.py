"""Commands: how every command, and every group of them, tells an error."""

from __future__ import annotations

from collections.abc import Callable

import click

from sluice.domain.errors import SluiceError


class Commands(click.Group):
    """Commands whose errors are one line, because each says itself what to do."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        return _told(ctx, super().invoke)


class Command(click.Command):
    """A command by itself, whose errors are one line too."""

    def invoke(self, ctx: click.Context) -> object:
        """Run it."""
        return _told(ctx, super().invoke)


def _told(ctx: click.Context, run: Callable[[click.Context], object]) -> object:
    try:
        return run(ctx)
    except SluiceError as error:
        click.echo(f"{click.style('error', fg='red')} {error}", err=True)
        ctx.exit(1)
