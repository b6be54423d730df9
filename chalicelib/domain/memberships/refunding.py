"""What of a charge for a plan is given back, by the rules of the program."""

from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from chalicelib.domain.memberships.membership import Membership
from chalicelib.domain.memberships.plan import Plan
from chalicelib.kernel.clock import Instant, local_date
from chalicelib.kernel.money import step_of

_SATURDAY = 5


@dataclass(frozen=True)
class Charge:
    """The last charge of a subscription. Money in minor units, as it was charged."""

    payment: str  # what can be refunded
    amount: int
    refunded: int
    money: str
    paid_at: Instant
    is_first: bool  # of the subscription
    period_start: Instant


@dataclass(frozen=True)
class Refundable:
    """How much of a charge comes back, and by which rule."""

    amount: int
    money: str
    why: str


NOTHING = "no rule of the program gives anything back"


def refundable(
    plan: Plan,
    membership: Membership,
    charge: Charge,
    country: str | None,
    now: Instant,
    zone: ZoneInfo,
) -> Refundable:
    """The best of the rules that apply; what was refunded before is not given back again.

    Benefits count where they were used in the period that the charge is for.
    """
    rules = plan.refunds
    this_period = membership.period_start == charge.period_start
    uses = membership.uses if this_period else 0
    less_used = max(0, charge.amount - (membership.used if this_period else 0))
    step = step_of(charge.money)
    less_used += -less_used % step  # in the member's favour
    paid_on, today = local_date(charge.paid_at, zone), local_date(now, zone)
    found = []
    if rules.unused_in_full and this_period and not uses:
        found.append((charge.amount, "no benefit was used in this period"))
    within = rules.less_benefits
    if within and today <= _last_day(paid_on, within.days, business=within.business):
        found.append((less_used, f"within {within.days} days of the charge, less benefits used"))
    days = rules.withdrawal_days.get(country or "")
    if days and charge.is_first and today <= _last_day(paid_on, days, business=False):
        found.append((less_used, f"withdrawn within {days} days, less benefits used"))
    amount, why = max(found, default=(0, NOTHING), key=lambda row: row[0])
    return Refundable(max(0, min(amount, charge.amount - charge.refunded)), charge.money, why)


def _last_day(first: date, days: int, *, business: bool) -> date:
    """The last of so many days after a day; of business days Monday to Friday only."""
    if not business:
        return first + timedelta(days=days)
    day = first
    while days:
        day += timedelta(days=1)
        days -= day.weekday() < _SATURDAY
    return day
