"""Vouchers as codes of a store: a reward that a member takes can be used in the checkout.

A message says only which voucher changed; the store is brought to what the voucher is then. Whoever
made a code looks once more, because the voucher may have been cancelled meanwhile by one who found
no code to end. So messages may come twice and in any order.
"""

from chalicelib.domain.ports import StoreApi
from chalicelib.domain.pricing.amount import AmountOff
from chalicelib.domain.pricing.percent import PercentOff
from chalicelib.domain.program.program import Program
from chalicelib.domain.rewards.coupon import Coupon
from chalicelib.domain.rewards.reward import Reward
from chalicelib.domain.rewards.voucher import Voucher
from chalicelib.domain.stores.connection import Connection
from chalicelib.domain.stores.facts import StoreDiscount
from chalicelib.domain.texts import text_in
from chalicelib.services.context import Context, Here

GOOD = "issued"
_PERCENT = 100  # basis points


def store_of(context: Context, here: Here, code: str) -> Connection | None:
    """The connected store that a voucher's code is for."""
    reward = _reward_of(context, here, context.store.vouchers.get(here.program_id, code))
    source = reward.voucher.store if reward and reward.voucher else None
    connected = context.store.stores.of_program(here.program_id) if source else []
    return next((one for one in connected if one.source == source), None)


def bring(context: Context, here: Here, api: StoreApi, code: str) -> None:
    """Makes the code in the store, or ends it. Raises as the store's API does."""
    voucher = context.store.vouchers.get(here.program_id, code)
    discount = _discount(context, here, voucher)
    if discount is None:
        api.end_discount(code)
        return
    api.put_discount(discount)
    if _discount(context, here, context.store.vouchers.get(here.program_id, code)) is None:
        api.end_discount(code)


def _discount(context: Context, here: Here, voucher: Voucher | None) -> StoreDiscount | None:
    """What the code is good for; None where it is good for nothing."""
    program = _program_of(context, here, voucher)
    reward = _reward_of(context, here, voucher)
    if voucher is None or reward is None or program is None:
        return None
    # One whose money was spent in part would still take off all of it in the store.
    if voucher.used or voucher.status(here.now) != GOOD:
        return None
    amount, percent = _worth(program, reward, voucher)
    return StoreDiscount(
        code=voucher.code,
        title=text_in(reward.name, None, program.language),
        currency=program.money,
        amount=amount,
        percent=percent,
        ends_at=voucher.expires_at,
    )


def _worth(program: Program, reward: Reward, voucher: Voucher) -> tuple[int | None, int | None]:
    """An amount in minor units, or percents."""
    if voucher.value_left is not None or not isinstance(reward.terms, Coupon):
        return voucher.value_left, None
    terms = next(one.terms for one in program.discounts if one.id == reward.terms.discount)
    if isinstance(terms, AmountOff):
        return terms.amount, None
    return None, terms.basis_points // _PERCENT if isinstance(terms, PercentOff) else None


def _reward_of(context: Context, here: Here, voucher: Voucher | None) -> Reward | None:
    program = _program_of(context, here, voucher)
    return program.rewards_by_id.get(voucher.reward) if program and voucher else None


def _program_of(context: Context, here: Here, voucher: Voucher | None) -> Program | None:
    """That of when it was issued: its code is in a store, whatever is offered now."""
    return context.catalog.in_force(here.program, voucher.issued_at) if voucher else None
