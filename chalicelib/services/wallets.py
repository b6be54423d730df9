"""A member's account or profile changed: bring it to the phones.

The message only names the member; what is sent is the state of the moment, so that any number of
messages in any order end in the latest state. `pushed_revision` is written after the pushes: a
worker that dies between is repeated by its queue.
"""

from dataclasses import dataclass

from chalicelib.domain.card import Card
from chalicelib.domain.errors import Fault, Refusal, Unavailable
from chalicelib.domain.ports import (
    ApplePushService,
    GoogleWallet,
    PushOutcome,
    PushResult,
    Registration,
)
from chalicelib.services.context import Context
from chalicelib.services.passes import PassKey, issue, read_card


class PushRefused(Fault):
    """Apple does not take pushes from us: the certificate or the topic is wrong."""


@dataclass(frozen=True)
class Wallets:
    """The wallets that this installation is set up for."""

    apple: ApplePushService | None
    google: GoogleWallet | None


def refresh(context: Context, wallets: Wallets, key: PassKey) -> None:
    """Pushes what changed. Raises `Unavailable` where it must be tried again."""
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
