"""Customers of the payment service on DynamoDB, and the ends of subscriptions that were ordered."""

from dataclasses import replace

from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.domain.memberships.payments import Billing, Termination

_BILLING = "billing"
_TERMINATION = "termination"
_PROGRAMS = "billing_programs"


class DynamoBillings:
    """Keeps the port `Billings`."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def of(self, program_id: str, member_id: str) -> Billing | None:
        return self._records.read(_billing(program_id, member_id), _BILLING, Billing)

    def create(self, billing: Billing) -> bool:
        record = self._records.record(
            _billing(billing.program_id, billing.member_id),
            _BILLING,
            _BILLING,
            billing,
            gpk=f"{billing.program_id}#{_BILLING}",
            gsk=billing.member_id,
        )
        program = self._records.record(_PROGRAMS, billing.program_id, _PROGRAMS, None)
        self._records.put(program)
        return self._records.put_new(record)

    def programs(self) -> list[str]:
        return [record.sk for record in self._records.under(_PROGRAMS)]

    def forget(self, program_id: str, member_id: str) -> None:
        self._records.delete(_billing(program_id, member_id), _BILLING)

    def of_program(self, program_id: str, after: str | None, limit: int) -> list[Billing]:
        found = self._records.by_other(f"{program_id}#{_BILLING}", after or "", limit)
        return [value_of(record, Billing) for record in found[:limit]]

    def termination(self, program_id: str, subscription: str) -> Termination | None:
        key = _termination(program_id, subscription)
        return self._records.read(key, _TERMINATION, Termination)

    def order(self, termination: Termination) -> bool:
        place = f"{termination.program_id}#{_TERMINATION}"
        return self._records.put_new(
            self._record(termination, gpk=place, gsk=termination.subscription)
        )

    def close(self, termination: Termination) -> None:
        self._records.put(self._record(replace(termination, done=True)))

    def open_terminations(self, program_id: str) -> list[Termination]:
        found = self._records.by_other(f"{program_id}#{_TERMINATION}")
        return [value_of(record, Termination) for record in found]

    def _record(self, one: Termination, **place: str) -> Record:
        key = _termination(one.program_id, one.subscription)
        return self._records.record(key, _TERMINATION, _TERMINATION, one, **place)


def _billing(program_id: str, member_id: str) -> str:
    return f"{program_id}#{_BILLING}#{member_id}"


def _termination(program_id: str, subscription: str) -> str:
    return f"{program_id}#{_TERMINATION}#{subscription}"
