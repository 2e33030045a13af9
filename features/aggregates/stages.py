"""Where a customer stands on the journey, since when, and by which transitions. The rules, in one place.

A customer is in

- `purchase` while a cart or checkout is live: touched within the last 7 days, not emptied, not ordered;
- else `advocacy` for 365 days after a stated act made after an order: a review of at least 4 stars (or without
  stars), a share, a referral, a survey answer of 9 or 10; a detractor's answer (0 to 6) ends it at once;
- else `retention` once there was an order;
- else `consideration` once there was a search, an item or list view, a wish, a cart or a checkout;
- else `awareness`.

Whether a cart was emptied follows from the numbers of events that add and remove; the memory `cart`, which gives
`cart_items`, counts by item and pieces instead.

The clock of the stage is `received`: it never runs backwards, so a late event changes the stage from the time at which
it is received. A live cart and advocacy also end by themselves; `read` and `update` compute that in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import (
    ADVOCACY_SECONDS,
    CART_SECONDS,
    CEILING,
    FOREVER,
    NAN,
    NEVER,
    UNSET,
    elapsed,
    second,
)  # fmt: skip
from features.events import (
    CART_ADD,
    CART_REMOVE,
    CART_VIEW,
    CHECKOUT_START,
    CHECKOUT_STEP,
    COUPON_REMOVE,
    PAYMENT_FAIL,
    PAYMENT_INFO,
    PURCHASE,
    REFER,
    REVIEW,
    SEARCH,
    SHARE,
    SURVEY_NPS,
    Stage,
)  # fmt: skip

STAGES = len(Stage)


def stage_at(moment: int, ordered: int, considered: int, cart_until: int, advocate_until: int) -> int:
    """The stage at a time in seconds, from what is known by then."""
    if moment < cart_until:
        return 2
    if moment < advocate_until:
        return 4
    if ordered:
        return 3
    return 1 if considered else 0


def stage_end(stage: int, cart_until: int, advocate_until: int) -> int:
    """The time in seconds at which a stage ends by itself."""
    if stage == 2:
        return cart_until
    return advocate_until if stage == 4 else FOREVER


def move_stage(stage: int, following: int, entered: int, moment: int, transitions: Any, stay: Any) -> None:
    """Record that a stage was left for another."""
    step = stage * 5 + following
    if transitions[step] < CEILING:
        transitions[step] += 1
    stay[stage] = (moment - entered) / 86_400.0


def cart_end(kind: int, moment: int, lines: int, cart_until: int) -> int:
    """Until when the cart is live after an event of the cart or checkout; `lines` counts what lies in it now."""
    if kind == PURCHASE or (kind == CART_REMOVE and lines == 0):
        return NEVER
    if kind == CART_VIEW and moment >= cart_until:
        return cart_until
    return moment + CART_SECONDS


def advocate_end(kind: int, moment: int, score: float, ordered: int, advocate_until: int) -> int:
    """Until when a customer is an advocate after a review, share, referral or survey answer."""
    if kind == SURVEY_NPS:
        if score <= 6.0:
            return NEVER
        acted = score >= 9.0
    else:
        acted = kind != REVIEW or not (score < 4.0)
    return moment + ADVOCACY_SECONDS if acted and ordered else advocate_until


@dataclass(frozen=True)
class Stages(Aggregate):
    """The stage of the journey, the stage before, when it changed, every transition and the latest stays."""

    texts: ClassVar[dict[str, str]] = {
        "current": "stage of the journey, 0 (awareness) to 4 (advocacy)",
        "previous": "stage before the present one",
        "time": "time in the present stage",
    }
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (stage_at, stage_end, move_stage, cart_end, advocate_end)

    def empty(self) -> Slots:
        """Not on the journey yet."""
        return {
            "entered": np.uint32(NEVER),
            "cart_until": np.uint32(NEVER),
            "advocate_until": np.uint32(NEVER),
            "stage": np.uint8(UNSET),
            "previous": np.uint8(UNSET),
            "ordered": np.uint8(0),
            "considered": np.uint8(0),
            "lines": np.uint8(0),
            "transitions": np.zeros(STAGES * STAGES, np.uint8),
            "stay": np.full(STAGES, np.nan, np.float32),
        }

    @staticmethod
    def update(
        entered: int, cart_until: int, advocate_until: int, stage: int, previous: int, ordered: int, considered: int,
        lines: int, transitions: Any, stay: Any, kind: int, received: int, score: float,
    ) -> tuple[int, int, int, int, int, int, int, int]:  # fmt: skip
        moment = second(received)
        while stage != UNSET and stage_end(stage, cart_until, advocate_until) <= moment:
            end = stage_end(stage, cart_until, advocate_until)
            following = stage_at(end, ordered, considered, cart_until, advocate_until)
            move_stage(stage, following, entered, end, transitions, stay)
            previous = stage
            stage = following
            entered = end
        if SEARCH <= kind <= PURCHASE or kind == PAYMENT_FAIL:
            considered = 1
        if kind == CART_ADD:
            lines = lines + 1 if lines < CEILING else lines
        elif kind == CART_REMOVE:
            lines = lines - 1 if lines > 0 else 0
        elif kind == PURCHASE:
            lines = 0
            ordered = 1
        if CART_ADD <= kind <= PAYMENT_INFO or kind in (PURCHASE, PAYMENT_FAIL):
            cart_until = cart_end(kind, moment, lines, cart_until)
        if (REVIEW <= kind <= REFER) or kind == SURVEY_NPS:
            advocate_until = advocate_end(kind, moment, score, ordered, advocate_until)
        following = stage_at(moment, ordered, considered, cart_until, advocate_until)
        if stage == UNSET:
            stage = following
            entered = moment
        elif following != stage:
            move_stage(stage, following, entered, moment, transitions, stay)
            previous = stage
            stage = following
            entered = moment
        return entered, cart_until, advocate_until, stage, previous, ordered, considered, lines

    @staticmethod
    def read_current(
        stage: int, ordered: int, considered: int, cart_until: int, advocate_until: int, now: int
    ) -> float:
        if stage == UNSET:
            return NAN
        moment = second(now)
        while stage_end(stage, cart_until, advocate_until) <= moment:
            stage = stage_at(
                stage_end(stage, cart_until, advocate_until), ordered, considered, cart_until, advocate_until
            )
        return float(stage)

    @staticmethod
    def read_previous(
        stage: int, previous: int, ordered: int, considered: int, cart_until: int, advocate_until: int, now: int
    ) -> float:
        moment = second(now)
        while stage != UNSET and stage_end(stage, cart_until, advocate_until) <= moment:
            previous = stage
            stage = stage_at(
                stage_end(stage, cart_until, advocate_until), ordered, considered, cart_until, advocate_until
            )
        return float(previous) if previous != UNSET else NAN

    @staticmethod
    def read_time(
        stage: int, entered: int, ordered: int, considered: int, cart_until: int, advocate_until: int, now: int
    ) -> float:
        if stage == UNSET:
            return NAN
        moment = second(now)
        while stage_end(stage, cart_until, advocate_until) <= moment:
            entered = stage_end(stage, cart_until, advocate_until)
            stage = stage_at(entered, ordered, considered, cart_until, advocate_until)
        return elapsed(entered, now)

    def timeline(self, history: Sequence[Row], now: int) -> list[tuple[int, int]]:
        """(second, stage) of every change of stage up to `now`.

        The stage is computed again after each event and at each second at which a cart or advocacy could end.
        """
        changes: list[tuple[int, int]] = []
        rows = self.selected(history)
        seconds = [row.received // 1_000_000 for row in rows] + [now // 1_000_000]
        for index in range(len(rows)):
            known = rows[: index + 1]
            start, stop = seconds[index], seconds[index + 1]
            ends = {touched + length for touched in seconds[: index + 1] for length in (CART_SECONDS, ADVOCACY_SECONDS)}
            for moment in [start, *sorted(end for end in ends if start < end <= stop)]:
                stage = _stage_from(known, moment)
                if not changes or changes[-1][1] != stage:
                    changes.append((moment, stage))
        return changes

    def meaning_current(self, history: Sequence[Row], now: int) -> float:
        """The stage, 0 (awareness) to 4 (advocacy); unknown before the first event."""
        changes = self.timeline(history, now)
        return float(changes[-1][1]) if changes else NAN

    def meaning_previous(self, history: Sequence[Row], now: int) -> float:
        """The stage before this one; unknown in the first."""
        changes = self.timeline(history, now)
        return float(changes[-2][1]) if len(changes) > 1 else NAN

    def meaning_time(self, history: Sequence[Row], now: int) -> float:
        """Microseconds since this stage was entered."""
        changes = self.timeline(history, now)
        return (now // 1_000_000 - changes[-1][0]) * 1e6 if changes else NAN

    def entries(self, slots: Any) -> dict[str, Any]:
        """`transitions`: counts of from x 5 + to; `stay_days`: days of the latest completed stay in each stage;
        `stage` and `entered` (in seconds): as of the latest event, before a cart or advocacy ends by itself."""
        return {
            "transitions": slots[f"{self.name}__transitions"].astype(np.uint16),
            "stay_days": slots[f"{self.name}__stay"].copy(),
            "stage": slots[f"{self.name}__stage"],
            "entered": slots[f"{self.name}__entered"],
        }

    def __str__(self) -> str:
        return "the stage of the journey"


def _stage_from(rows: Sequence[Row], moment: int) -> int:
    """The stage at a time in seconds, from all that is known then, by a scan of the whole history."""
    orders = [index for index, row in enumerate(rows) if row.kind == PURCHASE]
    if _cart_live(rows[orders[-1] + 1 :] if orders else rows, moment):
        return 2
    if orders and _advocates(rows, orders[0], moment):
        return 4
    if orders:
        return 3
    return int(any(SEARCH <= row.kind <= COUPON_REMOVE or row.kind == PAYMENT_FAIL for row in rows))


def _cart_live(rows: Sequence[Row], moment: int) -> bool:
    lines, touched = 0, None
    for row in rows:
        known = row.received // 1_000_000
        if row.kind == CART_ADD:
            lines, touched = min(lines + 1, CEILING), known
        elif row.kind == CART_REMOVE:
            lines = max(lines - 1, 0)
            touched = known if lines else None
        elif row.kind in (CHECKOUT_START, CHECKOUT_STEP, PAYMENT_INFO, PAYMENT_FAIL) or (
            row.kind == CART_VIEW and touched is not None and known < touched + CART_SECONDS
        ):
            touched = known
    return touched is not None and moment < touched + CART_SECONDS


def _advocates(rows: Sequence[Row], first_order: int, moment: int) -> bool:
    acted = None
    for row in rows[first_order:]:
        if row.kind == SURVEY_NPS and row.score <= 6:
            acted = None
        elif (
            row.kind in (SHARE, REFER)
            or (row.kind == REVIEW and not row.score < 4)
            or (row.kind == SURVEY_NPS and row.score >= 9)
        ):
            acted = row.received // 1_000_000
    return acted is not None and moment < acted + ADVOCACY_SECONDS
