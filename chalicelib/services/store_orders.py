"""What a store says becomes entries: the ledger is brought to each fact, in any order of arrival.

An order finds its member by his account in the store, then by his e-mail address. An order of
nobody we know is kept for some time, and credited to whoever turns out to have bought it: the store
says so of an account, or says that the address is his. Everything may be said any number of times:
each part of it is once by its own id.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import CancelOrder, RefundOrder
from chalicelib.domain.ledger.standing import IS_ERASED
from chalicelib.domain.members.member import (
    Claim,
    Consent,
    Member,
    Profile,
    check_identities,
    identities,
)
from chalicelib.domain.orders import Order
from chalicelib.domain.ports import Parked
from chalicelib.domain.program.program import Mode
from chalicelib.domain.referrals.checks import Seen
from chalicelib.domain.stores.connection import Connection
from chalicelib.domain.stores.facts import (
    Customer,
    CustomerGone,
    CustomerSaid,
    DataAsked,
    ErasureAsked,
    Fact,
    OrderGone,
    OrderSaid,
    OrderState,
    OrderToFetch,
    RefundSaid,
    StoreGone,
    StoreRefund,
)
from chalicelib.kernel.clock import SECOND
from chalicelib.services import members, orders, refunds, traces, vouchers
from chalicelib.services.attribution import arrival
from chalicelib.services.context import Context, Here
from chalicelib.services.refunds import OrderChange

RECORDED, UNCHANGED, PARKED, KEPT = "recorded", "unchanged", "parked", "kept"
IGNORED, TO_FETCH, TO_ERASE, TO_ANSWER = "ignored", "to_fetch", "to_erase", "data_request"
QUIET = frozenset({RECORDED, UNCHANGED, PARKED, KEPT, IGNORED, TO_FETCH, TO_ERASE, IS_ERASED.code})
_OF_ANOTHER_CONTENT = frozenset({"unknown_line", "refund_exceeds_order"})
MARKETING = "marketing.email"


@dataclass(frozen=True)
class Counter:
    """Where a store's facts come in."""

    context: Context
    here: Here
    connection: Connection


@dataclass(frozen=True)
class Took:
    """What became of one fact, or of a part of it."""

    about: str  # which order or member; nothing personal
    outcome: str  # one of those above, or the code of a refusal
    detail: str = ""
    order_id: str = ""  # to fetch
    member_id: str = ""  # to erase

    @property
    def needs_somebody(self) -> bool:
        """Whether a person should see it."""
        return self.outcome not in QUIET


def take(counter: Counter, fact: Fact) -> list[Took]:
    """Brings the ledger to one fact.

    Raises `Contended` and `Unavailable`: whoever told it must tell it again.
    """
    return _TAKES[type(fact)](counter, fact)


def _kept_under(counter: Counter, customer: Customer) -> list[Claim]:
    """What an order of somebody unknown is kept under: his account, or the address he typed."""
    if customer.id is not None:
        return _claims(counter, Profile(external_id=counter.connection.external_id(customer.id)))
    return _claims(counter, Profile(email=customer.email))


def _vouched_for(counter: Counter, customer: Customer) -> list[Claim]:
    """What is his for certain: his account, and the address where the store says that it is."""
    external_id = counter.connection.external_id(customer.id) if customer.id is not None else None
    email = customer.email if customer.email_verified else None
    return _claims(counter, Profile(external_id=external_id, email=email))


def _claims(counter: Counter, profile: Profile) -> list[Claim]:
    forms = identities(profile)
    return list(members.claims_of(counter.context, counter.here.program_id, forms))


def credit_kept(
    context: Context, here: Here, member_id: str, owners: Sequence[Claim]
) -> list[Took]:
    """Gives a member what was kept for him, oldest order first.

    Then it looks again: an order may have changed meanwhile, and was kept anew.
    """
    stores, program_id = context.store.stores, here.program_id
    took: list[Took] = []
    done: list[tuple[Claim, OrderSaid]] = []
    while True:
        kept = [(owner, said) for owner in owners for said in stores.kept(program_id, owner)]
        kept = [one for one in kept if one not in done]
        if not kept:
            return took
        for owner, said in sorted(kept, key=lambda one: one[1].order.placed_at):
            took += _record(context, here, member_id, said, credited=True)
            stores.unkeep(program_id, owner, said)
        done += kept


def credit_account(context: Context, here: Here, member: Member) -> None:
    """Gives a member what was kept for the account that the shop just said is his."""
    owners = [one for one in member.claims if one.kind == "external_id"]
    credit_kept(context, here, member.id, owners)


def _order(counter: Counter, said: OrderSaid) -> list[Took]:
    context, here = counter.context, counter.here
    if said.is_test and here.program.mode is Mode.LIVE:
        return [Took(_name(said.order.id), IGNORED, "a test order")]
    done = _give(counter, said)
    if done is not None:
        return done
    owners = _keep(counter, said)
    is_new = counter.connection.enrols and said.customer.id is not None
    if is_new and _find(counter, said.customer) is None:
        done = _enrol(counter, said.customer)
        if [one.outcome for one in done] == [IS_ERASED.code]:
            forget_kept(context, here.program_id, owners)
        return done
    # Whoever proved meanwhile to be him has looked for kept orders before or after ours was there.
    done = _give(counter, said)
    if done is None:
        return [Took(_name(said.order.id), KEPT if owners else IGNORED, "nobody we know")]
    for owner in owners:
        context.store.stores.unkeep(here.program_id, owner, said)
    return done


def _keep(counter: Counter, said: OrderSaid) -> list[Claim]:
    owners = _kept_under(counter, said.customer)
    until = counter.connection.kept_until(counter.context.clock.now())
    for owner in owners:
        counter.context.store.stores.keep(counter.here.program_id, owner, said, until)
    return owners


def _give(counter: Counter, said: OrderSaid) -> list[Took] | None:
    """Gives an order to its member; None where it is nobody's yet.

    What is somebody's stays his. One from before he joined counts if it was kept for him; where he
    only has the address that somebody typed, it waits for one of whom the store says so.
    """
    context, here, order = counter.context, counter.here, said.order
    record = context.store.orders.get(here.program_id, order.source, order.id)
    if record is not None:
        return _record(context, here, record.member_id, said, credited=record.credited)
    member = _find(counter, said.customer)
    if member is None:
        return None
    if order.placed_at >= member.joined_at // SECOND * SECOND:  # stores tell whole seconds
        return _record(context, here, member.id, said, credited=False)
    if not _is_same(counter, member, said.customer):
        return None
    owners = _vouched_for(counter, said.customer)
    kept = [
        one.order for each in owners for one in context.store.stores.kept(here.program_id, each)
    ]
    credited = (order.source, order.id) in [(one.source, one.id) for one in kept]
    done = _record(context, here, member.id, said, credited=credited)
    return [*done, *credit_kept(context, here, member.id, owners)] if credited else done


def _record(
    context: Context, here: Here, member_id: str, said: OrderSaid, *, credited: bool
) -> list[Took]:
    order, about = said.order, _name(said.order.id)
    if said.state is OrderState.CANCELLED:
        return [*_gone(context, here, order.source, order.id), *_undo_codes(context, here, said)]
    if said.seen != Seen():
        traces.remember(context, here, member_id, said.seen)
    done = orders.record_order(
        context,
        here,
        member_id,
        order,
        paid=said.state is OrderState.PAID,
        editable=True,
        credited=credited,
    )
    took = [_took(about, done)]
    if isinstance(done, Refusal):
        return took
    back = [_refund(context, here, order.source, order.id, refund) for refund in said.refunds]
    if any(one.needs_somebody for one in back) and _is_outdated(context, here, order):
        back = [one for one in back if not one.needs_somebody]
    return [*took, *back, *_use_codes(context, here, said)]


def _is_outdated(context: Context, here: Here, order: Order) -> bool:
    """Whether the store said something later of the order: that is held against its refunds."""
    record = context.store.orders.get(here.program_id, order.source, order.id)
    if record is None:
        return False
    latest = record.latest.at if record.latest else record.order.updated_at or 0
    return latest > (order.updated_at or 0)


def _refund(context: Context, here: Here, source: str, order_id: str, refund: StoreRefund) -> Took:
    command = RefundOrder(source, order_id, refund.id, refund.lines, refund.amount)
    done = refunds.refund_order(context, here, command)
    return _took(f"refund {refund.id} of {_name(order_id)}", done)


def _refund_alone(counter: Counter, said: RefundSaid) -> list[Took]:
    """A refund without its order. What it brings back may be in an order that we do not know yet as
    it is now: then the order is fetched, if it can be."""
    source = counter.connection.source
    done = _refund(counter.context, counter.here, source, said.order_id, said.refund)
    if done.outcome in _OF_ANOTHER_CONTENT and counter.connection.access is not None:
        return [Took(done.about, TO_FETCH, order_id=said.order_id)]
    return [done]


def _gone(context: Context, here: Here, source: str, order_id: str) -> list[Took]:
    done = refunds.cancel_order(context, here, CancelOrder(source, order_id))
    return [_took(_name(order_id), done)]


def _use_codes(context: Context, here: Here, said: OrderSaid) -> list[Took]:
    """Codes of ours that the customer used in the store are used up.

    Whoever cancels the order gives back what he finds used: so who used a code looks again.
    """
    if said.state is not OrderState.PAID:
        return []
    done: list[Took] = []
    ours = False
    for code in said.discount_codes:
        voucher = vouchers.read(context, here, code)
        if isinstance(voucher, Refusal):
            continue  # a code of the store's own
        ours = True
        use_id = _use_id(said)
        known = context.store.vouchers.use_of(here.program_id, voucher.code, use_id)
        if known is None:
            used = vouchers.use(context, here, code, use_id, voucher.value_left)
            done += [_took(f"a code of {_name(said.order.id)}", used)]
    if ours and orders.is_cancelled(context, here, said.order.source, said.order.id):
        done += _undo_codes(context, here, said)
    return done


def _undo_codes(context: Context, here: Here, said: OrderSaid) -> list[Took]:
    done: list[Took] = []
    for code in said.discount_codes:
        undone = vouchers.undo(context, here, code, _use_id(said))
        if not isinstance(undone, Refusal):
            done.append(_took(f"a code of {_name(said.order.id)}", undone))
    return done


def _use_id(said: OrderSaid) -> str:
    return f"{said.order.source}:{said.order.id}"


def _customer(counter: Counter, said: CustomerSaid) -> list[Took]:
    """An account: its owner's profile is filled in, and what was kept for him is his."""
    customer = said.customer
    member = _find(counter, customer)
    if member is None:
        return _enrol(counter, customer) if counter.connection.enrols else []
    if not _is_same(counter, member, customer):
        return []
    return [*_fill_in(counter, member, customer), *_credit(counter, member, customer)]


def _is_same(counter: Counter, member: Member, customer: Customer) -> bool:
    """Whether the store vouches that its customer is this member; an address alone does not."""
    external_id = counter.connection.external_id(customer.id or "")
    return customer.email_verified or member.profile.external_id == external_id


def _fill_in(counter: Counter, member: Member, customer: Customer) -> list[Took]:
    """Only what is not known: messages overtake each other, and what a member says himself stays.

    An address that the store says is his is followed.
    """
    said = _profile(counter, customer)
    known = member.profile
    names = ("external_id", "email", "phone", "given_name", "family_name", "country", "locale")
    changes = {
        name: getattr(said, name)
        for name in names
        if getattr(known, name) is None and getattr(said, name) is not None
    }
    if customer.email_verified and said.email is not None and known.email != said.email:
        changes["email"] = said.email
    changed = members.change(
        counter.context, counter.here, member.id, changes, said.consents, counter.connection.source
    )
    if isinstance(changed, Refusal):
        return [Took(f"member {member.id}", changed.code, changed.detail)]
    return [Took(f"member {member.id}", UNCHANGED if changed.was == changed.member else RECORDED)]


def _enrol(counter: Counter, customer: Customer) -> list[Took]:
    """A customer of a store whose customers are members; his address may be somebody else's."""
    context, here = counter.context, counter.here
    profile = _profile(counter, customer)
    key = f"store {profile.external_id}"
    origin_of = arrival(context, here, profile, None, Seen())
    enrolled = members.enrol(context, here, profile, key, counter.connection.source, origin_of)
    if isinstance(enrolled, Refusal) and enrolled.code == "member_exists":
        nameless = replace(profile, email=None, phone=None)
        key = f"store again {profile.external_id}"
        enrolled = members.enrol(context, here, nameless, key, counter.connection.source, origin_of)
    if isinstance(enrolled, Refusal):
        # Another message of his may have been faster, and have said something else of him.
        member = _find(counter, customer)
        if member is not None and _is_same(counter, member, customer):
            return _credit(counter, member, customer)
        return [Took("a customer", enrolled.code, enrolled.detail)]
    return [
        Took(f"member {enrolled.member.id}", UNCHANGED if enrolled.replayed else RECORDED),
        *_credit(counter, enrolled.member, customer),
    ]


def _credit(counter: Counter, member: Member, customer: Customer) -> list[Took]:
    owners = _vouched_for(counter, customer)
    return credit_kept(counter.context, counter.here, member.id, owners)


def _find(counter: Counter, customer: Customer) -> Member | None:
    """By the account first; then by the address, whoever typed it: points are never taken by it."""
    context, here = counter.context, counter.here
    wanted = []
    if customer.id is not None:
        wanted.append(Profile(external_id=counter.connection.external_id(customer.id)))
    if customer.email is not None:
        wanted.append(Profile(email=customer.email))
    found = (members.find(context, here, one) for one in wanted)
    return next(filter(None, found), None)


def _profile(counter: Counter, customer: Customer) -> Profile:
    """What of an account can be in a profile: stores take what we do not."""
    source, now = counter.connection.source, counter.here.now
    asked: tuple[Consent, ...] = ()
    if customer.accepts_marketing is not None:
        asked = (Consent(MARKETING, customer.accepts_marketing, source, now, source),)
    profile = Profile(
        external_id=counter.connection.external_id(customer.id) if customer.id else None,
        email=customer.email,
        phone=customer.phone,
        given_name=customer.given_name,
        family_name=customer.family_name,
        country=customer.country,
        locale=customer.locale,
        consents=asked,
    )
    wrong = {error.field for error in check_identities(identities(profile))}
    return replace(
        profile,
        email=None if "email" in wrong else profile.email,
        phone=None if "phone" in wrong else profile.phone,
    )


def _erasure(counter: Counter, asked: ErasureAsked) -> list[Took]:
    """What was kept goes at once; a member is erased by the worker, since it takes its time."""
    by_address = replace(asked.customer, id=None)
    owners = [_kept_under(counter, one) for one in (asked.customer, by_address)]
    forget_kept(counter.context, counter.here.program_id, [*owners[0], *owners[1]])
    member = _find(counter, asked.customer)
    if member is None:
        return []
    return [Took(f"member {member.id}", TO_ERASE, member_id=member.id)]


def forget_kept(context: Context, program_id: str, owners: Sequence[Claim]) -> None:
    """Removes all orders that are kept under these."""
    stores = context.store.stores
    for owner in owners:
        for said in stores.kept(program_id, owner):
            stores.unkeep(program_id, owner, said)


def _data(counter: Counter, asked: DataAsked) -> list[Took]:
    member = _find(counter, asked.customer)
    if member is None:
        return []
    detail = f"send him what GET /v1/members/{member.id}/export answers"
    return [Took(f"member {member.id}", TO_ANSWER, detail)]


def _store_gone(counter: Counter, _: StoreGone) -> list[Took]:
    counter.context.store.stores.remove(counter.connection)
    return []


def _took(about: str, done: Any) -> Took:
    if isinstance(done, Refusal):
        return Took(about, done.code, done.detail)
    if isinstance(done, Parked):
        return Took(about, PARKED)
    changed = (
        any(not one.replayed for one in done.entries)
        if isinstance(done, OrderChange)
        else not done.replayed
    )
    return Took(about, RECORDED if changed else UNCHANGED)


def _name(order_id: str) -> str:
    return f"order {order_id}"


_TAKES: dict[type, Callable[[Counter, Any], list[Took]]] = {
    OrderSaid: _order,
    RefundSaid: _refund_alone,
    OrderGone: lambda at, gone: _gone(at.context, at.here, at.connection.source, gone.order_id),
    OrderToFetch: lambda _, one: [Took(_name(one.order_id), TO_FETCH, order_id=one.order_id)],
    CustomerSaid: _customer,
    CustomerGone: lambda *_: [],
    ErasureAsked: _erasure,
    DataAsked: _data,
    StoreGone: _store_gone,
}
