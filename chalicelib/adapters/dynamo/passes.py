"""Issued passes and the phones that hold them, on DynamoDB: one partition a member's pass."""

from dataclasses import replace

from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.domain.cards.card import IssuedPass
from chalicelib.domain.cards.message import KEPT, PassMessage
from chalicelib.domain.errors import Contended
from chalicelib.domain.ports import (
    PhoneLog,
    RefreshProgress,
    Registration,
    WalletEvent,
    WalletTotals,
    shard_of,
)
from chalicelib.kernel.clock import SECOND, Instant

_PASS = "pass"
_DEVICE = "device"
_MESSAGE = "pass_message"
_EVENTS = "wallet_events"
_TOTALS = "wallet_totals"
_LOG = "phone_log"
_PROGRESS = "wallet_refresh"
MARK_TRIES = 10


class DynamoPasses:
    """Which passes were issued, and on which devices they are."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def issued(self, program_id: str, member_id: str) -> IssuedPass | None:
        return self._records.read(_key(program_id, member_id), _PASS, IssuedPass)

    def put_issued(
        self, issued: IssuedPass, replaces: int, event: WalletEvent | None = None
    ) -> bool:
        records, record = self._records, self._record(issued)
        if event is not None:
            part = records.new(record) if replaces == 0 else records.over(record, replaces)
            failed = records.transact([part, records.put_part(self._event(event))])
            return failed is None or records.holds(record)
        if replaces == 0:
            return records.put_new(record)
        return records.put_over(record, replaces)

    def of_program(
        self, program_id: str, shard: int, after: str | None, limit: int
    ) -> list[IssuedPass]:
        found = self._records.by_other(_shard(program_id, shard), after or "", limit)
        return [value_of(record, IssuedPass) for record in found]

    def mark_pushed(self, program_id: str, member_id: str, revision: int) -> None:
        """Never takes a later mark back, and leaves a newer revision as it is."""
        for _ in range(MARK_TRIES):
            now = self.issued(program_id, member_id)
            if now is None or now.pushed_revision >= revision:
                return
            marked = replace(now, pushed_revision=revision)
            if self._records.change(self._record(now), self._record(marked)):
                return
        raise Contended("the pass was changed again and again")

    def mark_google(
        self, program_id: str, member_id: str, revision: int, notified_at: Instant | None
    ) -> bool:
        for _ in range(MARK_TRIES):
            now = self.issued(program_id, member_id)
            if now is None or now.revision != revision:
                return False
            told = now.told_google(notified_at)
            if self._records.change(self._record(now), self._record(told)):
                return True
        raise Contended("the pass was changed again and again")

    def register(self, registration: Registration) -> bool:
        record = self._registration(registration)
        event = self._event(registration.event(registration.registered_at, installed=True))
        if self._records.transact([self._records.new(record), self._records.put_part(event)]):
            self._records.put(record)
            return False
        return True

    def mark_told(self, registration: Registration, revision: int) -> None:
        was, now = registration, replace(registration, told_revision=revision)
        self._records.change(self._registration(was), self._registration(now))

    def unregister(self, program_id: str, member_id: str, device_id: str, at: Instant) -> None:
        records = self._records
        for _ in range(MARK_TRIES):
            record = records.find(_key(program_id, member_id), f"{_DEVICE}#{device_id}")
            if record is None:
                return
            event = value_of(record, Registration).event(at, installed=False)
            parts = [records.removal_of(record), records.put_part(self._event(event))]
            if records.transact(parts) is None:
                return
        raise Contended("the registration was changed again and again")

    def forget(self, program_id: str, member_id: str, at: Instant) -> None:
        for one in self.registrations_of_member(program_id, member_id):
            self.unregister(program_id, member_id, one.device_id, at)
        records = self._records
        for _ in range(MARK_TRIES):
            record = records.find(_key(program_id, member_id), _PASS)
            if record is None:
                return
            parts = [records.removal_of(record)]
            if value_of(record, IssuedPass).google_saved:
                event = WalletEvent(program_id, member_id, at, "google", installed=False)
                parts.append(records.put_part(self._event(event)))
            if records.transact(parts) is None:
                return
        raise Contended("the pass was changed again and again")

    def add_message(self, message: PassMessage) -> bool:
        return self._records.put_new(self._message(message))

    def messages(self, program_id: str, member_id: str) -> list[PassMessage]:
        found = self._records.under(_key(program_id, member_id), f"{_MESSAGE}#")
        return [value_of(record, PassMessage) for record in found]

    def change_message(self, was: PassMessage, now: PassMessage) -> bool:
        return self._records.change(self._message(was), self._message(now))

    def forget_messages(self, program_id: str, member_id: str) -> None:
        for one in self.messages(program_id, member_id):
            self._records.delete(_key(program_id, member_id), f"{_MESSAGE}#{one.id}")

    def events(
        self, program_id: str, limit: int, after: str = "", before: str | None = None
    ) -> list[WalletEvent]:
        key = f"{program_id}#{_EVENTS}"
        if before is not None:
            found = self._records.newest_under(key, before, limit)
        else:
            found = self._records.after_under(key, after, limit)
        return [value_of(record, WalletEvent) for record in found]

    def totals(self, program_id: str) -> WalletTotals:
        found = self._records.read(f"{program_id}#{_TOTALS}", _TOTALS, WalletTotals)
        return found or WalletTotals()

    def put_totals(self, program_id: str, totals: WalletTotals) -> None:
        key = f"{program_id}#{_TOTALS}"
        self._records.put(self._records.record(key, _TOTALS, _TOTALS, totals))

    def progress(self, program_id: str, shard: int) -> RefreshProgress | None:
        return self._records.read(f"{program_id}#{_PROGRESS}", str(shard), RefreshProgress)

    def put_progress(self, progress: RefreshProgress) -> None:
        key = f"{progress.program_id}#{_PROGRESS}"
        row = self._records.record(key, str(progress.shard), _PROGRESS, progress)
        self._records.put(row)

    def log(self, line: PhoneLog, expires_at: Instant) -> None:
        record = self._records.record(_LOG, line.key, _LOG, line, expires_at=expires_at // SECOND)
        self._records.put(record)

    def logged(self, before: str | None, limit: int) -> list[PhoneLog]:
        found = self._records.newest_under(_LOG, before, limit)
        return [value_of(record, PhoneLog) for record in found]

    def registrations_of_member(self, program_id: str, member_id: str) -> list[Registration]:
        found = self._records.under(_key(program_id, member_id), f"{_DEVICE}#")
        return [value_of(record, Registration) for record in found]

    def registrations_of_device(self, device_id: str, pass_type_id: str) -> list[Registration]:
        found = self._records.by_other(_device(device_id, pass_type_id))
        return [value_of(record, Registration) for record in found]

    def _record(self, issued: IssuedPass) -> Record:
        key = _key(issued.program_id, issued.member_id)
        return self._records.record(
            key,
            _PASS,
            _PASS,
            issued,
            revision=issued.revision,
            gpk=_shard(issued.program_id, shard_of(issued.member_id)),
            gsk=issued.member_id,
        )

    def _message(self, one: PassMessage) -> Record:
        return self._records.record(
            _key(one.program_id, one.member_id),
            f"{_MESSAGE}#{one.id}",
            _MESSAGE,
            one,
            expires_at=(one.at + KEPT) // SECOND,
        )

    def _event(self, event: WalletEvent) -> Record:
        return self._records.record(f"{event.program_id}#{_EVENTS}", event.id, _EVENTS, event)

    def _registration(self, one: Registration) -> Record:
        return self._records.record(
            _key(one.program_id, one.member_id),
            f"{_DEVICE}#{one.device_id}",
            _DEVICE,
            one,
            gpk=_device(one.device_id, one.pass_type_id),
            gsk=f"{one.program_id}#{one.member_id}",
        )


def _key(program_id: str, member_id: str) -> str:
    return f"{program_id}#{_PASS}#{member_id}"


def _shard(program_id: str, shard: int) -> str:
    return f"{program_id}#{_PASS}#{shard}"


def _device(device_id: str, pass_type_id: str) -> str:
    return f"{_DEVICE}#{pass_type_id}#{device_id}"
