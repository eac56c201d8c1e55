"""Commands: how every group of them tells an error."""

from __future__ import annotations

import click

from sluice.domain.errors import SluiceError


class Commands(click.Group):
    """Commands whose errors are one line, because each says itself what to do."""

    def invoke(self, ctx: click.Context) -> object:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except SluiceError as error:
            click.echo(f"{click.style('error', fg='red')} {error}", err=True)
            ctx.exit(1)
