"""Imports: a file of members or orders, worked row by row, a part after the other.

A row is idempotent by itself, so a part may be worked twice, by two workers, or half. The record
only says which part is next. Where a worker died, the rows that it had done count as unchanged.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum

from chalicelib.domain.jobs.status import Status
from chalicelib.domain.members.member import Profile
from chalicelib.domain.orders import Order
from chalicelib.domain.referrals.checks import Seen
from chalicelib.kernel.clock import Instant

MAX_ERRORS = 5_000  # of one import that are kept


class Kind(Enum):
    """What the rows are."""

    MEMBERS = "members"
    ORDERS = "orders"


class Format(Enum):
    """How the rows are written."""

    CSV = "csv"
    NDJSON = "ndjson"


@dataclass(frozen=True)
class RowError:
    """Why a row was refused. `row` counts as a spreadsheet does: the header of a CSV file is 1."""

    row: int
    field: str  # empty: the row as a whole
    code: str
    reason: str


@dataclass(frozen=True)
class Opening:
    """What a member brings of one currency."""

    currency: str
    amount: int
    expires_on: date | None = None  # the first day on which it is gone; None: as the program says


@dataclass(frozen=True)
class MemberRow:
    """A member who comes from elsewhere."""

    profile: Profile
    joined_at: Instant | None = None  # None: now
    tier: str | None = None
    tier_until: date | None = None  # the first day on which it holds no longer; None: for ever
    openings: tuple[Opening, ...] = ()


@dataclass(frozen=True)
class OrderRow:
    """An order from elsewhere, of a member who is named by his id or found by `wanted`."""

    order: Order
    paid: bool
    member_id: str | None
    wanted: Profile
    buyer: Seen | None = None


class Became(Enum):
    """What became of a row that was not refused."""

    CREATED = "created"
    UNCHANGED = "unchanged"


@dataclass(frozen=True)
class Counts:
    """Rows, by what became of them."""

    created: int = 0
    unchanged: int = 0
    refused: int = 0

    @property
    def done(self) -> int:
        return self.created + self.unchanged + self.refused

    def plus(self, other: "Counts") -> "Counts":
        return Counts(
            self.created + other.created,
            self.unchanged + other.unchanged,
            self.refused + other.refused,
        )


@dataclass(frozen=True)
class Import:
    """One import of a program."""

    program_id: str
    id: str
    kind: Kind
    format: Format
    dry_run: bool  # says what would happen, and writes nothing
    created_at: Instant
    status: Status = Status.WAITING
    started_at: Instant | None = None
    ended_at: Instant | None = None
    revision: int = 1
    part: int = 0  # the next; 0 puts the rows in order
    rows_file: str = ""  # where they lie in their order
    offset: int = 0  # of the first row that is not done, in bytes of that file
    rows: int = 0
    counts: Counts = Counts()
    failure: str | None = None

    @property
    def upload(self) -> str:
        """The name of the file that the shop puts."""
        return f"uploads/{self.program_id}/{self.id}"

    def started(self, now: Instant) -> "Import":
        return replace(self, status=Status.RUNNING, started_at=now, revision=self.revision + 1)

    def failed(self, why: str, now: Instant) -> "Import":
        return replace(
            self, status=Status.FAILED, failure=why, ended_at=now, revision=self.revision + 1
        )

    def in_order(self, rows_file: str, rows: int) -> "Import":
        """After the rows were put in order."""
        return replace(self, rows_file=rows_file, rows=rows, part=1, revision=self.revision + 1)

    def after(self, counts: Counts, offset: int, ended_at: Instant | None) -> "Import":
        """After one more part; `ended_at` of the last."""
        return replace(
            self,
            counts=self.counts.plus(counts),
            offset=offset,
            part=self.part + 1,
            status=self.status if ended_at is None else Status.DONE,
            ended_at=ended_at,
            revision=self.revision + 1,
        )

    def kept(self, errors: Sequence[RowError]) -> Sequence[RowError]:
        """Those of the next part that are kept: of very many the first ones say enough."""
        return errors[: max(0, MAX_ERRORS - self.counts.refused)]
