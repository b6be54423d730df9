"""A member's account or profile changed: bring it to the phones.

The message only names the member; what is sent is the state of the moment, so that any number of
messages in any order end in the latest state. `pushed_revision` is written after the pushes: a
worker that dies between is repeated by its queue.
"""

from dataclasses import dataclass, replace

from chalicelib.domain.cards.card import Card, card_of
from chalicelib.domain.errors import Fault, Refusal, Unavailable
from chalicelib.domain.ledger.entries import LogKey, Snapshot, Standing
from chalicelib.domain.members.member import Member, Profile
from chalicelib.domain.ports import (
    ApplePushService,
    GoogleWallet,
    PushOutcome,
    PushResult,
    Registration,
)
from chalicelib.services.appending import strong_head
from chalicelib.services.context import Context, enter
from chalicelib.services.passes import PassKey, issue, read_card


class PushRefused(Fault):
    """Apple does not take pushes from us: the certificate or the topic is wrong."""


@dataclass(frozen=True)
class Wallets:
    """The wallets that this installation is set up for."""

    apple: ApplePushService | None
    google: GoogleWallet | None


def refresh(context: Context, wallets: Wallets, key: PassKey) -> None:
    """Pushes what changed, to the passes of everybody who was merged into this member too.

    Nothing goes out while the member is restricted. Raises `Unavailable` where it must be tried
    again.
    """
    head = strong_head(context, LogKey(key.program_id, key.member_id))
    if head is None or head.snapshot.standing == Standing.RESTRICTED:
        return
    for member_id in (head.key.member_id, *head.snapshot.merged):
        one = PassKey(key.program_id, member_id)
        if head.snapshot.standing == Standing.ERASED:
            _empty(context, wallets, one)
        else:
            _refresh(context, wallets, one)


def _empty(context: Context, wallets: Wallets, key: PassKey) -> None:
    """Takes the person out of the pass in Google Wallet, then forgets that there was one."""
    was = context.store.passes.issued(key.program_id, key.member_id)
    here = enter(context, key.program_id)
    program = context.catalog.current(here.program) if here else None
    if was is None or here is None or program is None:
        return
    if wallets.google is not None and was.google:
        nobody = Member(key.program_id, key.member_id, Profile(), (), 0)
        wallets.google.put(replace(card_of(program, nobody, Snapshot(0), here.now), voided=True))
    context.store.passes.forget(key.program_id, key.member_id)


def _refresh(context: Context, wallets: Wallets, key: PassKey) -> None:
    was = context.store.passes.issued(key.program_id, key.member_id)
    if was is None:
        return  # nobody has this pass
    card = read_card(context, key)
    if isinstance(card, Refusal):
        return
    issued = issue(context, key, card)
    if issued.revision == issued.pushed_revision:
        return
    if wallets.google is not None and issued.google:
        wallets.google.put(card)
    if wallets.apple is not None:
        _push(context, wallets.apple, key)
    context.store.passes.mark_pushed(key.program_id, key.member_id, issued.revision)


def save_to_google(context: Context, google: GoogleWallet, key: PassKey, card: Card) -> str:
    """Makes the Google object of a card and returns the link that saves it."""
    issue(context, key, card, google=True)
    google.put(card)
    return google.save_link(card)


def _push(context: Context, apple: ApplePushService, key: PassKey) -> None:
    passes = context.store.passes
    registrations = passes.registrations_of_member(key.program_id, key.member_id)
    if not registrations:
        return
    results = apple.push([one.push_token for one in registrations])
    for registration, result in zip(registrations, results, strict=True):
        if _is_gone(registration, result):
            passes.unregister(key.program_id, key.member_id, registration.device_id)
    outcomes = {result.outcome for result in results}
    if PushOutcome.REFUSED in outcomes:
        raise PushRefused(next(one.reason for one in results if one.outcome is PushOutcome.REFUSED))
    if PushOutcome.RETRY in outcomes:
        raise Unavailable("some devices must be told again")


def _is_gone(registration: Registration, result: PushResult) -> bool:
    """Whether the device threw the pass away after it had registered."""
    if result.outcome is not PushOutcome.GONE:
        return False
    return result.gone_since is None or registration.registered_at <= result.gone_since
