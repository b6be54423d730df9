"""What a shop says to one member through his pass.

It is personal: it lies beside the pass, ends by itself, and goes with the member. No entry of the
ledger knows of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from chalicelib.domain.program.card import LongText
from chalicelib.domain.texts import Text, text_in
from chalicelib.kernel.clock import DAY, Instant, to_rfc3339

KEPT = 30 * DAY  # in the wallets and here

Reach = Literal["alert", "silent", "none"]  # the phone speaks, only shows it, or has no such pass


@dataclass(frozen=True)
class PassMessage:
    """One message. The shop's `id` makes it happen once."""

    program_id: str
    member_id: str
    id: str
    header: Text
    body: LongText
    notify: bool
    at: Instant
    apple: Reach
    google: Reach
    tried_at: Instant = 0  # when a worker last began to bring it to Google
    sent: bool = False  # whether Google has it

    def repeats(self, other: "PassMessage") -> bool:
        """Whether it says the same."""
        return all(
            getattr(self, name) == getattr(other, name) for name in ("header", "body", "notify")
        )


@dataclass(frozen=True)
class Said:
    """A message in one language, as a wallet shows it."""

    id: str
    header: str
    body: str
    alert: bool
    until: str  # RFC 3339


def newest(messages: Sequence[PassMessage], now: Instant) -> PassMessage | None:
    """The one that a card shows; none that is too old."""
    current = [one for one in messages if now < one.at + KEPT]
    return max(current, key=lambda one: (one.at, one.id), default=None)


def said_in(message: PassMessage, reader: str, program: str) -> Said:
    """A message in the reader's language, else in the program's."""
    return Said(
        message.id,
        text_in(message.header, reader, program),
        text_in(message.body, reader, program),
        message.notify,
        to_rfc3339(message.at + KEPT),
    )
