"""`python -m watcher`: watch until told to stop; with `--once`, look, print what is seen, and end."""

from __future__ import annotations

import logging
import signal
import sys
import time
from datetime import UTC, datetime
from threading import Event

import click
import httpx
from pydantic import ValidationError

from sluice.adapters.incidents import Incidents
from sluice.adapters.warehouse import Warehouse
from sluice.settings import Settings, settings
from watcher import settings as own_settings
from watcher.confirmation import Confirmation
from watcher.journal import Journal
from watcher.looks import looks
from watcher.mail import Postman, Server
from watcher.memory import Memory
from watcher.page import Page, table
from watcher.rounds import Rounds
from watcher.serving import Deployed
from watcher.settings import Watching
from watcher.sight import Seen
from watcher.watch import Round, Watch

COMPONENT = "watcher"
ASK_SECONDS = 8.0
"""How long one question may take."""

log = logging.getLogger("watcher")


@click.command(
    help="Watch the stack, and mail when something is wrong or well again, until told to stop.",
    epilog=f"\b\nSettings:\n{own_settings.described()}",
)
@click.option("--once", is_flag=True, help="Look once, mail nobody, print what is seen; 1 when anything is bad.")
def watch(once: bool) -> None:
    """Watch."""
    logging.basicConfig(
        level=logging.ERROR if once else logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    # It has a line for each request.
    logging.getLogger("httpx").setLevel(logging.WARNING)
    try:
        own, shared = Watching(), settings()
        server = Server.at(own.smtp.get_secret_value())
    except (ValidationError, ValueError) as error:
        raise click.ClickException(str(error)) from error
    warehouse = Warehouse(shared.warehouse_dsn, shared.sql)
    # No proxy stands between the parts of one stack.
    with httpx.Client(timeout=ASK_SECONDS, trust_env=False) as http:
        if once:
            sys.exit(_once(own, shared, http, warehouse))
        _watch(own, shared, http, warehouse, server)


def _once(own: Watching, shared: Settings, http: httpx.Client, warehouse: Warehouse) -> int:
    deployed = Deployed(warehouse)
    deployed.refresh()
    asked = looks(own, shared, http, warehouse, deployed, told=lambda: ())
    rounds = Rounds(asked)
    sights = rounds.ask()
    rounds.close()
    verdict = Confirmation(asked, 0, 0, began=0).judge(sights, (), time.monotonic())
    click.echo(table(Round(sights, verdict.silent, at=datetime.now(UTC))))
    bad = [name for name, sight in sights.items() if isinstance(sight, Seen) and sight.alerts]
    return 1 if bad else 0


def _watch(own: Watching, shared: Settings, http: httpx.Client, warehouse: Warehouse, server: Server) -> None:
    stop = Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: stop.set())
    deployed = Deployed(warehouse)
    postman = Postman(server, shared.alerts_from, shared.alerts_to, shared.use_cases)
    journal = Journal(Incidents(warehouse), postman.deliver, Memory(own.state), shared.runbook_url)
    asked = looks(own, shared, http, warehouse, deployed, told=journal.open)

    def beat(word: str) -> None:
        warehouse.execute(warehouse.statement("watcher/beat"), {"component": COMPONENT, "note": word})

    watching = Watch(
        asked,
        Confirmation(asked, own.patience, own.start, time.monotonic()),
        journal,
        (beat, lambda _: deployed.refresh()),
        own.interval,
    )
    try:
        page = Page(watching, own.host, own.port)
    except OSError as error:
        raise click.ClickException(f"port {own.port} cannot be used: {error}; set SLUICE_WATCHER_PORT") from error
    page.start()
    log.info("watching %d things every %g s; %s shows them", len(asked), own.interval, own.page)
    watching.run(stop)
    page.stop()
    log.info("stopped")


if __name__ == "__main__":
    watch(prog_name="python -m watcher")
