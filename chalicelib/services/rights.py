"""What a member may ask for by law: to see everything, to be left alone, to be forgotten.

GDPR (EU 2016/679): access and portability (Articles 15 and 20), restriction (18), erasure (17).
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from chalicelib.domain.access.audit import AuditRow
from chalicelib.domain.cards.card import IssuedPass
from chalicelib.domain.cards.message import PassMessage
from chalicelib.domain.errors import Contended, Corrupt, Fault, Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import ChangeStanding, Void
from chalicelib.domain.ledger.entries import LogKey, Standing
from chalicelib.domain.ledger.standing import (
    ERASED,
    HAS_RESERVATIONS,
    IS_ERASED,
    RESTRICTED,
    UNRESTRICTED,
)
from chalicelib.domain.members.member import Consent, Member
from chalicelib.domain.memberships.payments import Billing
from chalicelib.domain.ports import OrderRecord, Registration
from chalicelib.domain.program.program import Program
from chalicelib.domain.referrals.referral import Referral
from chalicelib.domain.rewards.voucher import Voucher
from chalicelib.services.accounts import Row, entries
from chalicelib.services.appending import NOT_FOUND, TRIES, append, strong_head
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.store_orders import forget_kept

PAGE = 100
_LOG = logging.getLogger("regulars")


@dataclass(frozen=True)
class Held:
    """What is kept of one person: of the member, and of each who was merged into him."""

    head: Head
    profiles: list[Member]
    consents: list[Consent]
    passes: list[IssuedPass]
    devices: list[Registration]
    messages: list[PassMessage]
    operations: list[AuditRow]
    vouchers: list[Voucher]
    billings: list[Billing]
    referrals: list[Referral]

    @property
    def member_ids(self) -> tuple[str, ...]:
        return (self.head.key.member_id, *self.head.snapshot.merged)


@dataclass(frozen=True)
class Pages:
    """A part of what is long: the orders and the entries of each of the members in turn."""

    orders: list[OrderRecord]
    rows: list[Row]
    following: str | None  # where to go on


def export(context: Context, here: Here, member_id: str) -> Held | Refusal:
    """What is held of a member, beside his orders and entries."""
    head = strong_head(context, LogKey(here.program_id, member_id))
    if head is None:
        return NOT_FOUND
    store, program_id = context.store, here.program_id
    ids = (head.key.member_id, *head.snapshot.merged)
    found = (store.members.get(program_id, one) for one in ids)
    phones = store.passes.registrations_of_member
    issued = (store.passes.issued(program_id, one) for one in ids)
    customers = (store.billings.of(program_id, one) for one in ids)
    brought = (store.referrals.of_friend(program_id, one) for one in ids)
    return Held(
        head=head,
        profiles=[one for one in found if one is not None],
        consents=[said for one in ids for said in store.members.consents(program_id, one)],
        passes=[one for one in issued if one is not None],
        devices=[phone for one in ids for phone in phones(program_id, one)],
        messages=[said for one in ids for said in store.passes.messages(program_id, one)],
        operations=[row for one in ids for row in store.audit.of_member(program_id, one)],
        vouchers=[voucher for one in ids for voucher in _vouchers(context, program_id, one)],
        billings=[one for one in customers if one is not None],
        referrals=[one for one in brought if one is not None],
    )


def _vouchers(context: Context, program_id: str, member_id: str) -> Iterator[Voucher]:
    after = None
    while True:
        page = context.store.vouchers.of_member(program_id, member_id, after, PAGE)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].code


def export_pages(context: Context, here: Here, held: Held, place: str | None) -> Pages:
    """Orders, oldest first, and then entries, newest first."""
    index, _, rest = (place or "0 orders ").partition(" ")
    what, _, after = rest.partition(" ")
    number = int(index)
    member_id = held.member_ids[number]
    if what == "orders":
        orders = context.store.orders.of_member(here.program_id, member_id, after or None, PAGE)
        return Pages(
            orders[0], [], f"{index} orders {orders[1]}" if orders[1] else f"{index} entries "
        )
    page = entries(context, here, member_id, int(after) if after else None, PAGE)
    if isinstance(page, Refusal):
        raise Corrupt("a member has no log")
    if page.before is not None:
        return Pages([], page.rows, f"{index} entries {page.before}")
    last = number + 1 == len(held.member_ids)
    return Pages([], page.rows, None if last else f"{number + 1} orders ")


def consents(context: Context, here: Here, member_id: str) -> list[Consent]:
    """Everything that a member ever said, oldest first."""
    return context.store.members.consents(here.program_id, member_id)


def restrict(context: Context, here: Here, member_id: str, restricted: bool) -> Head | Refusal:
    """Stops all new use of a member's data and points, or allows it again."""
    wanted = Standing.RESTRICTED if restricted else Standing.OPEN
    event = RESTRICTED if restricted else UNRESTRICTED
    return _stand(context, here, member_id, wanted, event)


def erase(context: Context, here: Here, member_id: str) -> Head | Refusal:
    """Forgets a person, for ever; what he owned is forfeited, his chain of entries stays.

    The tombstone comes first, so that nothing new comes in. Whatever was cut off half way is
    finished by the same call again, or by the sweep an hour later (`sweeps.py`): also where the
    payment service cannot be reached now. A pass in Google Wallet is emptied by the worker of its
    queue, once the tombstone was seen.
    """
    for attempt in range(TRIES):
        voided = _void_reservations(context, here, member_id)
        if isinstance(voided, Refusal):
            return voided
        head = _stand(context, here, member_id, Standing.ERASED, ERASED)
        if isinstance(head, Head):
            _forget_here(context, head)
            try:
                _forget_there(context, here, head)
            except Fault:
                _LOG.exception("a customer is forgotten by the next sweep")
            return head
        if head != HAS_RESERVATIONS:
            return head
        context.pause.before(attempt)
    raise Contended("reservations are made again and again")


def forget(context: Context, here: Here, head: Head) -> None:
    """Removes everything that is kept of an erased member and of those merged into him.

    Raises `Fault` where the payment service keeps what it should not.
    """
    _forget_here(context, head)
    _forget_there(context, here, head)


def _forget_here(context: Context, head: Head) -> None:
    for one in _everybody(head):
        _forget(context, LogKey(head.key.program_id, one))


def _forget_there(context: Context, here: Here, head: Head) -> None:
    """Deletes the member as a customer, which ends what he pays for."""
    billings = context.store.billings
    payments = context.payments(here.program_id, here.program.mode)
    for one in _everybody(head):
        billing = billings.of(here.program_id, one)
        if billing is None:
            continue
        if payments is None:
            raise Fault("an erased member is a customer, and payments are not set up")
        payments.forget_customer(billing.customer_id)
        billings.forget(here.program_id, one)


def _everybody(head: Head) -> tuple[str, ...]:
    return (*head.snapshot.merged, head.key.member_id)


def _stand(
    context: Context, here: Here, member_id: str, wanted: Standing, event: str
) -> Head | Refusal:
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    key = LogKey(here.program_id, member_id)
    for attempt in range(TRIES):
        head = strong_head(context, key)
        if head is None:
            return NOT_FOUND
        if head.snapshot.standing == wanted:
            return head
        if head.snapshot.standing == Standing.ERASED:
            return IS_ERASED
        command = ChangeStanding(event, head.version + 1)
        done = append(context, here, head.key, command, program, head=head)
        if isinstance(done, Refusal):
            return done
        context.pause.before(attempt)
    raise Contended(f"{TRIES} writers were faster")


def _void_reservations(context: Context, here: Here, member_id: str) -> Refusal | None:
    """Ends what is open, so that a reserved reward goes back to its stock."""
    head = strong_head(context, LogKey(here.program_id, member_id))
    program = context.catalog.in_force(here.program, here.now)
    if head is None or program is None:
        return NOT_FOUND if head is None else NO_PROGRAM
    for hold in head.snapshot.holds:
        _void(context, here, head.key, hold.number, program)
    return None


def _void(context: Context, here: Here, key: LogKey, number: int, program: Program) -> None:
    append(context, here, key, Void(f"{key.member_id}.{number}"), program, lambda _: number)


def _forget(context: Context, key: LogKey) -> None:
    store = context.store
    after: str | None = None
    while True:
        records, after = store.orders.of_member(key.program_id, key.member_id, after, PAGE)
        for record in records:
            store.orders.forget_customer(record)
        if after is None:
            break
    store.notes.forget(key)
    store.audit.forget(key.program_id, key.member_id)
    store.referrals.forget(key.program_id, key.member_id)
    store.passes.forget_messages(key.program_id, key.member_id)
    now = context.clock.now()
    issued = store.passes.issued(key.program_id, key.member_id)
    for one in store.passes.registrations_of_member(key.program_id, key.member_id):
        store.passes.unregister(key.program_id, key.member_id, one.device_id, now)
    if issued is not None and not issued.google:
        store.passes.forget(key.program_id, key.member_id, now)
    for _ in range(TRIES):
        member = store.members.get(key.program_id, key.member_id)
        if member is not None:
            forget_kept(context, key.program_id, member.claims)
        if member is None or store.members.forget(member):
            return
    raise Contended("the member was changed again and again")
