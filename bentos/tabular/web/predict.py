"""Predict: from a request to its answer, in either form."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tabular.answers import sides
from tabular.answers.desk import Call, Desk, serving
from tabular.answers.forms import Form
from tabular.answers.shadow import Shadow
from tabular.exchange import Exchange, Hangup, Header
from tabular.problem import ProblemError
from tabular.releases.standing import Challenger
from tabular.web.aside import INLINE, Aside

HINT = "send content-type: application/json, in UTF-8"


@dataclass(frozen=True)
class Predict:
    """Answers requests of one form.

    Attributes:
        marks: Headers for an answer by a version.
        aside: Where large bodies are worked on.
        shadow: Where challengers without a share are given requests; without it they get none.
    """

    desk: Desk
    form: Form
    marks: Callable[[int | None], tuple[Header, ...]]
    aside: Aside
    shadow: Shadow | None = None

    async def __call__(self, exchange: Exchange) -> None:
        """Answer the rows in a request's body."""
        outcome, version = "error", None
        challenger, call = None, None
        try:
            standing = self.desk.standing()
            champion, challenger = serving(standing), standing.challenger
            version = champion.version
            exchange.expect("application/json", HINT)
            body = await exchange.body(self.form.most(champion.bundle.schema))
            key = (exchange.sane("x-sluice-key") or exchange.request_id) if challenger else ""
            begun = time.perf_counter()
            call = Call(body, self.form, exchange.request_id, key, exchange.started, begun)
            work = (self.desk, champion, challenger, call)
            content, version = sides.answer(*work) if len(body) <= INLINE else await self.aside.run(sides.answer, *work)
            outcome = "ok"
        except ProblemError as problem:
            outcome = "not_ready" if problem.kind == "not-ready" else "refused"
            if problem.kind == "no-prediction":
                # Only what keeps the contract is something to try a challenger on.
                self._aside(challenger, call)
            raise
        except Hangup:
            outcome = "refused"
            raise
        finally:
            self.desk.metrics.answered(version, outcome, time.perf_counter() - exchange.started)
        await exchange.respond(content, headers=self.marks(version))
        self._aside(challenger, call)

    def _aside(self, challenger: Challenger | None, call: Call | None) -> None:
        if challenger and challenger.share == 0 and call and self.shadow:
            self.shadow.offer(challenger.release, call)
