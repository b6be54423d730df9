"""Vouchers: issued with the entry that pays for them, used in stores, cancelled with it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ledger.commands import CancelRedemption, Command, OfReferral
from chalicelib.domain.ledger.entries import Entry, Kind, LogKey, StoredEntry, decode
from chalicelib.domain.program.program import Program
from chalicelib.domain.rewards.voucher import Use, Voucher, VoucherChange
from chalicelib.kernel.clock import local_date, start_of_day
from chalicelib.kernel.keys import derived_id
from chalicelib.services.context import Context, Here

TRIES = 20
NOT_FOUND = Refusal("voucher_not_found", "there is no such voucher")
NO_CODES = Refusal("no_codes_left", "the reward has no codes left")
USE_NOT_FOUND = Refusal("use_not_found", "the voucher has no such use")
DIFFERENT = Refusal("different_request", "the same identifier was used for something else")
_FREE_LOOKED_AT = 50  # of a pool's codes, so that callers at once seldom want the same


@dataclass(frozen=True)
class Used:
    """A use of a voucher, now or by the same call before."""

    voucher: Voucher
    use: Use
    replayed: bool


def changes_with(
    context: Context, stored: StoredEntry, entry: Entry, command: Command | None, program: Program
) -> list[VoucherChange] | Refusal:
    """What is written of vouchers together with an entry. What gives points back ends their voucher
    whether the program still offers the reward or not."""
    if entry.kind in (Kind.REDEMPTION, Kind.REFERRAL):
        reward = program.rewards_by_number.get(entry.reward)
        has_voucher = reward is not None and reward.voucher is not None
        return _issue(context, stored, entry, program) if has_voucher else []
    if entry.kind == Kind.REFERRAL_REVERSED and isinstance(command, OfReferral):
        return _withdraw(context, stored, command)
    if entry.kind == Kind.REDEMPTION_CANCELLED and isinstance(command, CancelRedemption):
        was = context.store.vouchers.of_event(stored.key.program_id, command.event_id)
        cancelled = was and was.cancel()
        if isinstance(cancelled, Refusal):
            return cancelled
        return [VoucherChange(cancelled, was)] if cancelled and cancelled != was else []
    return []


def read(context: Context, here: Here, code: str) -> Voucher | Refusal:
    """A voucher, or a public code that nobody has used yet."""
    plain = code.strip().upper()
    found = context.store.vouchers.get(here.program_id, plain)
    program = context.catalog.in_force(here.program, here.now)
    public = program.codes.get(plain) if program else None
    if found is None and public is not None and program is not None:
        until = public.valid_until
        return Voucher(
            here.program_id,
            plain,
            plain,
            None,
            None,
            here.now,
            start_of_day(until, program.zone) if until else None,
            public.uses,
            revision=0,
        )
    return found or NOT_FOUND


def of_member(
    context: Context, here: Here, member_id: str, after: str | None, limit: int
) -> list[Voucher]:
    """A member's vouchers, by code."""
    return context.store.vouchers.of_member(here.program_id, member_id, after, limit)


def use(context: Context, here: Here, code: str, use_id: str, amount: int | None) -> Used | Refusal:
    """Uses a voucher, once for ever for one id of the store's."""
    for attempt in range(TRIES):
        voucher = read(context, here, code)
        if isinstance(voucher, Refusal):
            return voucher
        vouchers = context.store.vouchers
        known = vouchers.use_of(here.program_id, voucher.code, use_id)
        if known is not None:
            return Used(voucher, known, replayed=True) if known.amount == amount else DIFFERENT
        voucher = _made(context, voucher)
        after = voucher.spend(amount, here.now)
        if isinstance(after, Refusal):
            return after
        made = Use(use_id, amount, here.now)
        if vouchers.change(VoucherChange(after, voucher), made, None):
            return Used(after, made, replayed=False)
        context.pause.before(attempt)
    raise Contended("the voucher was used again and again")


def undo(context: Context, here: Here, code: str, use_id: str) -> Used | Refusal:
    """Takes a use of a voucher back, once: the order that it was for came back."""
    return _undo(context, here, code, use_id, USE_NOT_FOUND)


def undo_for_ever(context: Context, here: Here, code: str, use_id: str) -> Used | Refusal:
    """The same; one that is not known yet will never be: its order is cancelled already."""
    return _undo(context, here, code, use_id, Use(use_id, None, here.now))


def _undo(
    context: Context, here: Here, code: str, use_id: str, unknown: Use | Refusal
) -> Used | Refusal:
    for attempt in range(TRIES):
        voucher = read(context, here, code)
        if isinstance(voucher, Refusal):
            return voucher
        vouchers = context.store.vouchers
        known = vouchers.use_of(here.program_id, voucher.code, use_id)
        use = known or unknown
        if isinstance(use, Refusal):
            return use
        if use.undone:
            return Used(voucher, use, replayed=True)
        undone = replace(use, undone=True)
        if known is None:
            voucher = _made(context, voucher)
            after = replace(voucher, revision=voucher.revision + 1)
        else:
            after = voucher.give_back(known.amount)
        if vouchers.change(VoucherChange(after, voucher), undone, known):
            return Used(after, undone, replayed=False)
        context.pause.before(attempt)
    raise Contended("the voucher was used again and again")


def _made(context: Context, voucher: Voucher) -> Voucher:
    """A voucher that is stored: a public code is with its first use."""
    if voucher.revision:
        return voucher
    made = replace(voucher, revision=1)
    context.store.vouchers.create(made)
    return made


def add_codes(context: Context, here: Here, reward_id: str, codes: Sequence[str]) -> int | Refusal:
    """Adds codes to a reward's pool; how many were new."""
    program = context.catalog.in_force(here.program, here.now)
    reward = program.rewards_by_id.get(reward_id) if program else None
    if reward is None or reward.voucher is None or not reward.voucher.pooled:
        return Refusal("unknown_reward", f"{reward_id} is no reward with a pool of codes")
    return context.store.vouchers.add_free(here.program_id, reward_id, codes)


def _issue(
    context: Context, stored: StoredEntry, entry: Entry, program: Program
) -> list[VoucherChange] | Refusal:
    reward = program.rewards_by_number[entry.reward]
    terms = reward.voucher
    assert terms is not None  # noqa: S101 (asked before)
    code = _code(context, stored) if not terms.pooled else _from_pool(context, stored, reward.id)
    if code is None:
        return NO_CODES
    last = terms.last(local_date(entry.recorded_at, program.zone))
    price = -sum(effect.amount for effect in entry.effects)
    voucher = Voucher(
        stored.key.program_id,
        code,
        reward.id,
        stored.key.member_id,
        stored.event_id,
        entry.recorded_at,
        start_of_day(last, program.zone) if last else None,
        terms.uses,
        reward.worth_of(price),
    )
    return [VoucherChange(voucher, None, terms.pooled)]


def _withdraw(
    context: Context, stored: StoredEntry, command: OfReferral
) -> list[VoucherChange] | Refusal:
    """Cancels what a referral handed out; one that was used stays."""
    program_id = stored.key.program_id
    merged = decode(stored.body).snapshot.merged
    logs = [LogKey(program_id, one) for one in (*merged, stored.key.member_id)]
    found = [one for log in logs for one in context.store.ledger.story(log, command.story)]
    for given in (one for one in found if one.ref.endswith("#given")):
        was = context.store.vouchers.of_event(program_id, given.event_id)
        cancelled = was.cancel() if was else None
        if isinstance(cancelled, Voucher) and cancelled != was:
            return [VoucherChange(cancelled, was)]
    return []


def _code(context: Context, stored: StoredEntry) -> str:
    """`K7QD-2M9X-P4RT`: 60 bits, the same for the same entry."""
    key = context.keyring.key("vouchers")
    text = derived_id(key, "v", stored.key.program_id, stored.event_id).partition("_")[2].upper()
    return f"{text[:4]}-{text[4:8]}-{text[8:12]}"


def _from_pool(context: Context, stored: StoredEntry, reward: str) -> str | None:
    free = context.store.vouchers.free(stored.key.program_id, reward, _FREE_LOOKED_AT)
    if not free:
        return None
    return free[int.from_bytes(sha256(stored.event_id.encode()).digest()[:4]) % len(free)]
