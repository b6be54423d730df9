"""What a store says becomes entries: the ledger is brought to each fact, in any order of arrival.

An order finds its member by his account in the store, then by his e-mail address. An order of
nobody we know is kept for some time, and credited to whoever turns out to have bought it: the store
says so of an account, or says that the address is his. Everything may be said any number of times:
each part of it is once by its own id.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.commands import CancelOrder, RefundOrder
from chalicelib.domain.ledger.standing import IS_ERASED, IS_RESTRICTED
from chalicelib.domain.members.member import (
    COUNTRY,
    LOCALE,
    LONGEST_NAME,
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
TO_FORGET = "to_forget"
# An order of an erased member that comes late is nobody's to answer.
QUIET = frozenset(
    {RECORDED, UNCHANGED, PARKED, KEPT, IGNORED, TO_FETCH, TO_ERASE, TO_FORGET, IS_ERASED.code}
)
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
    return list(members.claims_of(counter.context, counter.here, profile))


def credit_kept(
    context: Context, here: Here, member_id: str, owners: Sequence[Claim]
) -> list[Took]:
    """Gives a member what was kept for him, oldest order first."""
    kept = [one for owner in owners for one in context.store.stores.kept(here.program_id, owner)]
    done = []
    for said in sorted(kept, key=lambda one: one.order.placed_at):
        done += _record_kept(context, here, member_id, said, owners)
    return done


def credit_account(context: Context, here: Here, member: Member) -> None:
    """Gives a member what was kept for the account that the shop just said is his."""
    owners = [one for one in member.claims if one.kind == "external_id"]
    credit_kept(context, here, member.id, owners)


def _order(counter: Counter, said: OrderSaid) -> list[Took]:
    """An order, and the codes of ours that were used for it, whoever it is of."""
    if said.is_test and counter.here.program.mode is Mode.LIVE:
        return [Took(_name(said.order.id), IGNORED, "a test order")]
    return [*_give(counter, said), *_codes(counter.context, counter.here, said)]


def _give(counter: Counter, said: OrderSaid) -> list[Took]:
    """An order once recorded stays its member's, whoever is found by it now: what comes back of it
    is taken from him."""
    context, here, order = counter.context, counter.here, said.order
    record = context.store.orders.get(here.program_id, order.source, order.id)
    if record is not None:
        claims = (_kept_under(counter, said.customer), _vouched_for(counter, said.customer))
        known_by = list(dict.fromkeys(one for each in claims for one in each))
        return _record_kept(context, here, record.member_id, said, known_by)
    member = _find(counter, said.customer)
    if member is not None:
        return _give_to(counter, member, said)
    owners = _keep(counter, said)
    is_new = counter.connection.enrols and said.customer.id is not None
    if is_new and _find(counter, said.customer) is None:
        done = _enrol(counter, said.customer)
        if [one.outcome for one in done] == [IS_ERASED.code]:
            forget_kept(context, here.program_id, owners)
        return done
    # Whoever enrolled meanwhile has looked for kept orders before or after ours was there.
    member = _find(counter, said.customer)
    if member is not None:
        return _give_to(counter, member, said)
    return [Took(_name(order.id), KEPT if owners else IGNORED, "nobody we know")]


def _keep(counter: Counter, said: OrderSaid) -> list[Claim]:
    """Keeps an order without who bought it: what it is kept under is all that is needed."""
    until = counter.connection.kept_until(said.order.placed_at)
    if until <= counter.context.clock.now():
        return []
    owners = _kept_under(counter, said.customer)
    nameless = replace(said, customer=Customer())
    for owner in owners:
        counter.context.store.stores.keep(counter.here.program_id, owner, nameless, until)
    return owners


def _give_to(counter: Counter, member: Member, said: OrderSaid) -> list[Took]:
    """An order of a member. One from before he joined counts as if it had come before, too, and was
    kept; where he only has the address that somebody typed, it waits for one of whom the store says
    so."""
    context, here, order = counter.context, counter.here, said.order
    is_older = order.placed_at < member.joined_at // SECOND * SECOND  # stores tell whole seconds
    if _is_same(counter, member, said.customer):
        if is_older:
            _keep(counter, said)
        owners = _vouched_for(counter, said.customer)
        done = _record_kept(context, here, member.id, said, owners)
        return [*done, *credit_kept(context, here, member.id, owners)]
    if not is_older:
        return _record(context, here, member.id, said, credited=False)
    owners = _keep(counter, said)
    if context.store.orders.get(here.program_id, order.source, order.id) is not None:
        return _give(counter, said)  # it was credited meanwhile, perhaps without this change
    detail = "placed before the owner of the address joined"
    return [Took(_name(order.id), KEPT if owners else IGNORED, detail)]


def _record_kept(
    context: Context, here: Here, member_id: str, said: OrderSaid, owners: Sequence[Claim]
) -> list[Took]:
    """An order that may be kept under these: it earns if it is, and is kept no longer. What a
    restricted member cannot have now waits on."""
    stores, order = context.store.stores, said.order
    waiting = [
        (owner, one)
        for owner in owners
        for one in stores.kept(here.program_id, owner)
        if (one.order.source, one.order.id) == (order.source, order.id)
    ]
    done = _record(context, here, member_id, said, credited=bool(waiting))
    if done[0].outcome == IS_RESTRICTED.code:
        return done
    for owner, one in waiting:
        if one.revision > said.revision:
            done += _record(context, here, member_id, one, credited=True)
        if not stores.unkeep(here.program_id, owner, one):  # it changed meanwhile
            done += _record_kept(context, here, member_id, one, [owner])
    return done


def _record(
    context: Context, here: Here, member_id: str, said: OrderSaid, *, credited: bool
) -> list[Took]:
    order, about = said.order, _name(said.order.id)
    if said.state is OrderState.CANCELLED:
        return _gone(context, here, order.source, order.id)
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
    if isinstance(done, Refusal) and done != IS_RESTRICTED:  # what takes back goes on
        return took
    back = [_refund(context, here, order.source, order.id, refund) for refund in said.refunds]
    if any(one.needs_somebody for one in back) and _is_outdated(context, here, order):
        back = [one for one in back if not one.needs_somebody]
    return [*took, *back]


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


def _codes(context: Context, here: Here, said: OrderSaid) -> list[Took]:
    """Codes of ours that were used in the store are used up, and good again where the order is
    cancelled, for ever."""
    if said.state is OrderState.PENDING:
        return []
    done: list[Took] = []
    for code in said.discount_codes:
        voucher = vouchers.read(context, here, code)
        if isinstance(voucher, Refusal):
            continue  # a code of the store's own
        use_id = _use_id(said)
        if said.state is OrderState.CANCELLED:
            used = vouchers.undo_for_ever(context, here, code, use_id)
        elif context.store.vouchers.use_of(here.program_id, voucher.code, use_id) is None:
            used = vouchers.use(context, here, code, use_id, voucher.value_left)
        else:
            continue
        done.append(_took(f"a code of {_name(said.order.id)}", used))
    return done


def _use_id(said: OrderSaid) -> str:
    return f"{said.order.source}:{said.order.id}"


def _customer(counter: Counter, said: CustomerSaid) -> list[Took]:
    """An account: its owner's profile is filled in, and what was kept for him is his."""
    customer = said.customer
    member = _find(counter, customer)
    if member is None:
        enrols = counter.connection.enrols and customer.id is not None
        return _enrol(counter, customer) if enrols else []
    if not _is_same(counter, member, customer):
        return []
    return [*_fill_in(counter, member, customer), *_credit(counter, member, customer)]


def _is_same(counter: Counter, member: Member, customer: Customer) -> bool:
    """Whether the store vouches that its customer is this member; an address alone does not."""
    if customer.email_verified:
        return True
    by_account = _find(counter, replace(customer, email=None))
    return by_account is not None and by_account.id == member.id


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
    consents = [one for one in said.consents if _is_news(one, known, customer)]
    context, here, source = counter.context, counter.here, counter.connection.source
    changed = members.change(context, here, member.id, changes, consents, source)
    if isinstance(changed, Refusal):
        members.change(context, here, member.id, {}, consents, source)  # heeded in any case
        return [Took(f"member {member.id}", changed.code, changed.detail)]
    return [Took(f"member {member.id}", UNCHANGED if changed.was == changed.member else RECORDED)]


def _is_news(one: Consent, known: Profile, customer: Customer) -> bool:
    """Whether he said so after what is known. A no that bears no time is always heeded."""
    before = [said.given_at for said in known.consents if said.purpose == one.purpose]
    if customer.accepted_at is None:
        return not before or not one.granted
    return one.given_at > max(before, default=-1)


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
        # Another message of him was faster: a first order comes with its new account.
        faster = members.find(context, here, Profile(external_id=profile.external_id))
        if faster is None:
            return [Took("a customer", enrolled.code, enrolled.detail)]
        enrolled = members.Enrolled(faster, replayed=True)
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
        at = now if customer.accepted_at is None else min(customer.accepted_at, now)
        asked = (Consent(MARKETING, customer.accepts_marketing, source, at, source),)
    country, locale = customer.country or "", customer.locale or ""
    profile = Profile(
        external_id=counter.connection.external_id(customer.id) if customer.id else None,
        email=customer.email,
        phone=customer.phone,
        given_name=_name_of(customer.given_name),
        family_name=_name_of(customer.family_name),
        country=country if re.fullmatch(COUNTRY, country) else None,
        locale=locale if re.fullmatch(LOCALE, locale) else None,
        consents=asked,
    )
    wrong = {error.field for error in check_identities(identities(profile))}
    return replace(
        profile,
        email=None if "email" in wrong else profile.email,
        phone=None if "phone" in wrong else profile.phone,
    )


def _name_of(person: str | None) -> str | None:
    """A name that a member may have: who buys may type anything."""
    fits = person is not None and len(person) <= LONGEST_NAME and person.isprintable()
    return person if fits else None


def _erasure(counter: Counter, asked: ErasureAsked) -> list[Took]:
    """What was kept goes at once; a member is erased by the worker, since it takes its time."""
    by_address = replace(asked.customer, id=None)
    owners = [_kept_under(counter, one) for one in (asked.customer, by_address)]
    forget_kept(counter.context, counter.here.program_id, [*owners[0], *owners[1]])
    member = _find(counter, asked.customer)
    if member is None:
        return []
    known_as = member.profile.external_id or ""
    is_another = known_as.startswith(counter.connection.external_id(""))
    if is_another and not _is_same(counter, member, asked.customer):
        detail = "another account of the store has his address: erase him only if he asked"
        return [Took(f"member {member.id}", TO_ANSWER, detail)]
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
    return [Took("the store", TO_FORGET)]


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
