"""Issued passes and the phones that hold them, on DynamoDB: one partition a member's pass."""

from dataclasses import replace

from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.domain.cards.card import IssuedPass
from chalicelib.domain.errors import Contended
from chalicelib.domain.ports import Registration

_PASS = "pass"
_DEVICE = "device"
MARK_TRIES = 10


class DynamoPasses:
    """Which passes were issued, and on which devices they are."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def issued(self, program_id: str, member_id: str) -> IssuedPass | None:
        return self._records.read(_key(program_id, member_id), _PASS, IssuedPass)

    def put_issued(self, issued: IssuedPass, replaces: int) -> bool:
        record = self._record(issued)
        if replaces == 0:
            return self._records.put_new(record)
        return self._records.put_over(record, replaces)

    def mark_pushed(self, program_id: str, member_id: str, revision: int) -> None:
        """Never takes a later mark back, and leaves a newer revision as it is."""
        for _ in range(MARK_TRIES):
            now = self.issued(program_id, member_id)
            if now is None or now.pushed_revision >= revision:
                return
            marked = replace(now, pushed_revision=revision)
            if self._records.put_over(self._record(marked), now.revision):
                return
        raise Contended("the pass was changed again and again")

    def register(self, registration: Registration) -> bool:
        record = self._registration(registration)
        if self._records.put_new(record):
            return True
        self._records.put(record)
        return False

    def unregister(self, program_id: str, member_id: str, device_id: str) -> None:
        self._records.delete(_key(program_id, member_id), f"{_DEVICE}#{device_id}")

    def forget(self, program_id: str, member_id: str) -> None:
        for one in self.registrations_of_member(program_id, member_id):
            self.unregister(program_id, member_id, one.device_id)
        self._records.delete(_key(program_id, member_id), _PASS)

    def registrations_of_member(self, program_id: str, member_id: str) -> list[Registration]:
        found = self._records.under(_key(program_id, member_id), f"{_DEVICE}#")
        return [value_of(record, Registration) for record in found]

    def registrations_of_device(self, device_id: str, pass_type_id: str) -> list[Registration]:
        found = self._records.by_other(_device(device_id, pass_type_id))
        return [value_of(record, Registration) for record in found]

    def _record(self, issued: IssuedPass) -> Record:
        key = _key(issued.program_id, issued.member_id)
        return self._records.record(key, _PASS, _PASS, issued, revision=issued.revision)

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


def _device(device_id: str, pass_type_id: str) -> str:
    return f"{_DEVICE}#{pass_type_id}#{device_id}"
