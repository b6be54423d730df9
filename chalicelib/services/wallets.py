"""A member's account or profile changed: bring it to the phones.

The message only names the member; what is sent is the state of the moment, so that any number of
messages in any order end in the latest state. `pushed_revision` is written after the pushes: a
worker that dies between is repeated by its queue. Google is told by a worker of its own
(`google_passes.py`), so that neither wallet waits for the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from chalicelib.domain.errors import PushRefused, Refusal, Unavailable
from chalicelib.domain.ledger.entries import LogKey, Standing
from chalicelib.domain.ports import (
    ApplePushService,
    PushOutcome,
    PushResult,
    Queue,
    Registration,
    WalletEvent,
    WalletTotals,
)
from chalicelib.kernel.clock import MINUTE
from chalicelib.services.appending import strong_head
from chalicelib.services.context import Context
from chalicelib.services.passes import PassKey, issue
from chalicelib.services.sweeps import message

PAGE = 500  # events read at a time
SETTLED = 10 * MINUTE


@dataclass(frozen=True)
class Wallets:
    """The wallets that a program may reach."""

    apple: ApplePushService | None
    google: Queue | None  # of Google's worker


def refresh(context: Context, wallets: Wallets, key: PassKey) -> None:
    """Brings one member's card to his phones (`refresh_all`)."""
    failed = refresh_all(context, wallets, [key])
    if failed:
        raise failed[key]


def refresh_all(
    context: Context, wallets: Wallets, keys: Sequence[PassKey]
) -> dict[PassKey, Exception]:
    """Brings members' cards to their phones, and those of everybody who was merged into them.

    All devices are told through one connection at a time. Nothing goes out while a member is
    restricted. What must be tried again is named with its reason; the others are done.
    """
    failed: dict[PassKey, Exception] = {}
    waiting: list[_Waiting] = []
    for key in dict.fromkeys(keys):
        try:
            for one in _passes_of(context, wallets, key):
                found = _prepared(context, wallets, one)
                waiting += [replace(found, cause=key)] if found else []
        except Exception as error:
            failed[key] = error
    return {**_push(context, wallets.apple, waiting), **failed}


@dataclass(frozen=True)
class _Waiting:
    """A pass whose phones must be told of a revision."""

    key: PassKey
    revision: int
    cause: PassKey  # of whom we were told


def _passes_of(context: Context, wallets: Wallets, key: PassKey) -> list[PassKey]:
    """The passes to look at; those of the erased are forgotten instead."""
    head = strong_head(context, LogKey(key.program_id, key.member_id))
    if head is None or head.snapshot.standing == Standing.RESTRICTED:
        return []
    ids = (head.key.member_id, *head.snapshot.merged)
    found = [PassKey(key.program_id, member_id) for member_id in ids]
    if head.snapshot.standing != Standing.ERASED:
        return found
    for one in found:
        _forget(context, wallets, one)
    return []


def _forget(context: Context, wallets: Wallets, key: PassKey) -> None:
    """Has the pass in Google Wallet emptied, then forgets that there was one."""
    was = context.store.passes.issued(key.program_id, key.member_id)
    if was is None:
        return
    if wallets.google is not None and was.google:
        wallets.google.send([message(key.program_id, key.member_id)])
    context.store.passes.forget(key.program_id, key.member_id, context.clock.now())


def _prepared(context: Context, wallets: Wallets, key: PassKey) -> _Waiting | None:
    """Writes the revision down and hands it to Google's worker; None where no phone is to know."""
    was = context.store.passes.issued(key.program_id, key.member_id)
    if was is None:
        return None  # nobody has this pass
    found = issue(context, key)
    if isinstance(found, Refusal):
        return None
    _, issued = found
    if wallets.google is not None and issued.google and issued.google_revision != issued.revision:
        wallets.google.send([message(key.program_id, key.member_id)])
    if issued.revision == issued.pushed_revision:
        return None
    return _Waiting(key, issued.revision, key)


def counted(context: Context, program_id: str) -> WalletTotals:
    """How many passes came into wallets and left them, up to now.

    What is older than some minutes is counted once and kept: no event may still come before it.
    """
    passes = context.store.passes
    kept = totals = passes.totals(program_id)
    settled = f"{context.clock.now() - SETTLED:020d}"
    while True:
        page = passes.events(program_id, PAGE, after=totals.until)
        for event in page:
            totals = _with(totals, event)
            if event.id < settled:
                kept = totals
        if len(page) < PAGE:
            break
    if kept != passes.totals(program_id):
        passes.put_totals(program_id, kept)
    return totals


def _with(totals: WalletTotals, event: WalletEvent) -> WalletTotals:
    side = totals.installed if event.installed else totals.removed
    more = {**side, event.platform: side.get(event.platform, 0) + 1}
    if event.installed:
        return replace(totals, until=event.id, installed=more)
    return replace(totals, until=event.id, removed=more)


def _push(
    context: Context, apple: ApplePushService | None, waiting: Sequence[_Waiting]
) -> dict[PassKey, Exception]:
    """Tells the devices of all these passes, and marks the passes of which every device knows.

    A device that was told is not told again because another one could not be.
    """
    passes = context.store.passes
    devices = [
        (one, registration)
        for one in waiting
        for registration in passes.registrations_of_member(one.key.program_id, one.key.member_id)
        if registration.told_revision < one.revision
    ]
    failed: dict[PassKey, Exception] = {}
    if devices and apple is not None:
        try:
            results = apple.push([registration.push_token for _, registration in devices])
        except (Unavailable, PushRefused) as error:
            failed = {one.cause: error for one, _ in devices}
            results = []
        answers = list(zip(devices, results, strict=False))
        for (one, registration), result in answers:
            trouble = _taken_in(context, registration, result)
            if trouble is not None:
                failed[one.cause] = trouble
        for (one, registration), result in answers:
            if one.cause in failed and result.outcome is PushOutcome.SENT:
                passes.mark_told(registration, one.revision)
    for one in waiting:
        if one.cause not in failed:
            passes.mark_pushed(one.key.program_id, one.key.member_id, one.revision)
    return failed


def _taken_in(context: Context, registration: Registration, result: PushResult) -> Exception | None:
    """What a device's answer means; the reason to try again."""
    if _is_gone(registration, result):
        context.store.passes.unregister(
            registration.program_id,
            registration.member_id,
            registration.device_id,
            context.clock.now(),
        )
    if result.outcome is PushOutcome.REFUSED:
        return PushRefused(result.reason)
    if result.outcome is PushOutcome.RETRY:
        return Unavailable("some devices must be told again")
    return None


def _is_gone(registration: Registration, result: PushResult) -> bool:
    """Whether the device threw the pass away after it had registered."""
    if result.outcome is not PushOutcome.GONE:
        return False
    return result.gone_since is None or registration.registered_at <= result.gone_since
