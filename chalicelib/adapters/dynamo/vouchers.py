"""Vouchers on DynamoDB.

A voucher is `<program>#voucher#<code>`, its uses lie under it; the way from the entry that paid for
it is `<program>#event#<event>`; a pool's free codes lie under `<program>#pool#<reward>`.
"""

from collections.abc import Sequence

from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.adapters.dynamo.transactions import Item
from chalicelib.domain.rewards.voucher import Use, Voucher, VoucherChange

_VOUCHER, _EVENT, _FREE, _USE = "voucher", "voucher_event", "free_code", "voucher_use"


class DynamoVouchers:
    """Codes of rewards, and public ones."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def get(self, program_id: str, code: str) -> Voucher | None:
        return self._records.read(_key(program_id, code), _VOUCHER, Voucher)

    def of_event(self, program_id: str, event_id: str) -> Voucher | None:
        code = self._records.read(_event(program_id, event_id), _VOUCHER, str)
        return None if code is None else self.get(program_id, code)

    def of_member(
        self, program_id: str, member_id: str, after: str | None, limit: int
    ) -> list[Voucher]:
        found = self._records.by_other(_member(program_id, member_id), after or "", limit)
        return [value_of(record, Voucher) for record in found[:limit]]

    def use_of(self, program_id: str, code: str, use_id: str) -> Use | None:
        return self._records.read(_key(program_id, code), f"use#{use_id}", Use)

    def create(self, voucher: Voucher) -> bool:
        """A retry of a put that did commit is True too."""
        return self._records.put_new(self._voucher(voucher))

    def change(self, change: VoucherChange, use: Use, was: Use | None) -> bool:
        """The voucher and one use, all or none."""
        voucher = self._voucher(change.now)
        key = _key(change.now.program_id, change.now.code)
        record = self._records.record(key, f"use#{use.id}", _USE, use, revision=1 + use.undone)
        put = self._records.new(record) if was is None else self._records.over(record, 1)
        before = change.was.revision if change.was else 0
        parts = [self._records.over(voucher, before), put]
        return self._records.transact(parts) is None or self._records.holds(record)

    def add_free(self, program_id: str, reward: str, codes: Sequence[str]) -> int:
        """One by one: what is in the pool, or was taken out of it, stays as it is."""
        key = _pool(program_id, reward)
        added = 0
        for code in codes:
            if self.get(program_id, code) is None and self._records.find(key, code) is None:
                added += self._records.put_new(self._records.record(key, code, _FREE, code))
        return added

    def free(self, program_id: str, reward: str, limit: int) -> list[str]:
        found = self._records.after_under(_pool(program_id, reward), "", limit)
        return [record.sk for record in found]

    def parts(self, change: VoucherChange) -> list[Item]:
        """The parts of a transaction that issue a voucher, or change one."""
        voucher = change.now
        record = self._voucher(voucher)
        if change.was is not None:
            return [self._records.over(record, change.was.revision)]
        parts = [self._records.new(record)]
        if voucher.event_id is not None:
            key = _event(voucher.program_id, voucher.event_id)
            way = self._records.record(key, _VOUCHER, _EVENT, voucher.code)
            parts.append(self._records.new(way))
        if change.pooled:
            key = _pool(voucher.program_id, voucher.reward)
            free = self._records.record(key, voucher.code, _FREE, voucher.code)
            parts.append(self._records.removal_of(free))
        return parts

    def _voucher(self, voucher: Voucher) -> Record:
        more = {}
        if voucher.member_id is not None:
            more = {"gpk": _member(voucher.program_id, voucher.member_id), "gsk": voucher.code}
        key = _key(voucher.program_id, voucher.code)
        return self._records.record(
            key, _VOUCHER, _VOUCHER, voucher, revision=voucher.revision, **more
        )


def _key(program_id: str, code: str) -> str:
    return f"{program_id}#voucher#{code}"


def _event(program_id: str, event_id: str) -> str:
    return f"{program_id}#event#{event_id}"


def _member(program_id: str, member_id: str) -> str:
    return f"{program_id}#{member_id}#vouchers"


def _pool(program_id: str, reward: str) -> str:
    return f"{program_id}#pool#{reward}"
