"""Early access: some lines can be bought by some members first, and by everybody later."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from chalicelib.domain.conditions.condition import WhyNot
from chalicelib.domain.conditions.documents import ConditionDocument, Identifier
from chalicelib.domain.conditions.situation import Situation
from chalicelib.domain.earning.documents import SelectionDocument
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.orders import Order
from chalicelib.kernel.clock import Instant
from chalicelib.kernel.patterns import whole

MomentText = Annotated[
    str,
    msgspec.Meta(
        pattern=whole(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?(Z|[+-][0-9:]{5})")
    ),
]


class EarlyDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Since when those can buy of whom the condition holds; without one, all members."""

    since: MomentText
    condition: ConditionDocument | None = msgspec.field(name="if", default=None)


class AccessDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Lines that everybody can buy `since` a moment (null: never), and some members earlier."""

    id: Identifier
    include: SelectionDocument
    since: MomentText | None = None
    early: Annotated[tuple[EarlyDocument, ...], msgspec.Meta(min_length=1, max_length=10)]


@dataclass(frozen=True)
class Window:
    """When some members can buy."""

    since: Instant
    condition: WhyNot | None


@dataclass(frozen=True)
class Access:
    """One release of a compiled program."""

    id: str
    lines: Lines
    since: Instant | None
    early: tuple[Window, ...]

    def opens(self, situation: Situation, is_member: bool) -> tuple[Instant | None, str]:
        """When it opens for this customer (None: never), and why then."""
        moments = [(one.since, "for you as a member") for one in self.early if is_member
                   and not (one.condition and one.condition(situation))]  # fmt: skip
        if self.since is not None:
            moments.append((self.since, "for everybody"))
        return min(moments, default=(None, "only for some members"))


@dataclass(frozen=True)
class Entrance:
    """Whether a line can be bought now."""

    access: Access
    line_id: str
    is_open: bool
    opens_at: Instant | None
    why: str


def entrances(
    access: Sequence[Access], situation: Situation, order: Order, *, is_member: bool
) -> list[Entrance]:
    """Every line that is released to some members first, and whether it can be bought."""
    found = []
    for one in access:
        opens_at, why = one.opens(situation, is_member)
        is_open = opens_at is not None and opens_at <= order.placed_at
        found += [
            Entrance(one, line.id, is_open, opens_at, why)
            for line in order.lines
            if one.lines.hold(line)
        ]
    return found
