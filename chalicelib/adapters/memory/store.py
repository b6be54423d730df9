"""The in-memory twin of the store: the same promises, in one process, under one lock.

What it keeps are frozen values and bytes, so nothing that was stored can be changed from outside.
"""

import threading
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, TypeVar

from chalicelib.adapters.memory.stores import MemoryStores
from chalicelib.adapters.units import entry_size
from chalicelib.domain.access.audit import AuditRow
from chalicelib.domain.access.keys import ApiKey
from chalicelib.domain.cards.card import IssuedPass
from chalicelib.domain.cards.message import PassMessage
from chalicelib.domain.jobs.exports import Export
from chalicelib.domain.jobs.imports import Import, RowError
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.domain.ledger.refs import order_key
from chalicelib.domain.members.member import Claim, Consent, Member
from chalicelib.domain.memberships.payments import Billing, Termination
from chalicelib.domain.orders import Order, without_free_text
from chalicelib.domain.ports import (
    DueRow,
    Latest,
    OrderRecord,
    Origin,
    Parked,
    PhoneLog,
    RefreshProgress,
    Registration,
    Store,
    Take,
    WalletEvent,
    WalletTotals,
    Wrote,
    shard_of,
)
from chalicelib.domain.program.program import ProgramHead, PublishedVersion
from chalicelib.domain.referrals.checks import Traces, together
from chalicelib.domain.referrals.referral import Referral, ReferralChange, State, Tally
from chalicelib.domain.rewards.voucher import Use, Voucher, VoucherChange
from chalicelib.domain.webhooks.delivery import Delivery, Health
from chalicelib.domain.webhooks.endpoint import Endpoint
from chalicelib.kernel.clock import LATEST, Instant
from chalicelib.kernel.meter import current

_LOCK = threading.RLock()
J = TypeVar("J", Import, Export)


class MemoryLedger:
    """Logs as lists: version n stands at n - 1."""

    def __init__(self, vouchers: "MemoryVouchers") -> None:
        self._vouchers = vouchers
        self._logs: dict[LogKey, list[StoredEntry]] = {}
        self._refs: dict[LogKey, list[tuple[str, int]]] = {}
        self._used: Counter[tuple[str, str]] = Counter()

    def head(self, key: LogKey, *, strong: bool) -> Head | None:
        with _LOCK:
            log = self._logs.get(key)
            current().count_read(entry_size(log[-1]) if log else 0, strong=strong)
            return Head.of(log[-1]) if log else None

    def story(self, key: LogKey, prefix: str) -> list[StoredEntry]:
        """By the refs in their order, as the index has them."""
        with _LOCK:
            refs = self._refs.get(key, [])
            found = []
            for ref, version in refs[bisect_left(refs, (prefix, 0)) :]:
                if not ref.startswith(prefix):
                    break
                found.append(self._logs[key][version - 1])
            keys_only = sum(len(str(key)) + len(one.ref) + 30 for one in found)
            current().count_read(keys_only, strong=True)
            for one in found:
                current().count_read(entry_size(one), strong=True)
            return sorted(found, key=lambda one: one.version)

    def append(self, entry: StoredEntry) -> StoredEntry | None:
        with _LOCK:
            log = self._logs.setdefault(entry.key, [])
            current().count_write(entry_size(entry))
            if entry.version <= len(log):
                return log[entry.version - 1]
            if entry.version != len(log) + 1:
                raise AssertionError("versions are dense")
            log.append(entry)
            insort(self._refs.setdefault(entry.key, []), (entry.ref, entry.version))
            current().count_write(0)  # the index
            return None

    def append_each(self, entries: Sequence[StoredEntry]) -> list[StoredEntry | None]:
        return [self.append(one) for one in entries]

    def append_all(
        self,
        entries: Sequence[StoredEntry],
        takes: Sequence[Take] = (),
        vouchers: Sequence[VoucherChange] = (),
    ) -> Wrote:
        with _LOCK:
            there = [self.entry(one.key, one.version) for one in entries]
            if any(there):
                return Wrote.STORED if there == list(entries) else Wrote.LOST
            used = Counter(self._used)
            for take in takes:
                name = (take.program_id, take.name)
                used[name] += take.amount
                if take.limit is not None and used[name] > take.limit:
                    return Wrote.EXCEEDED
            if not all(self._vouchers.can_write(change) for change in vouchers):
                return Wrote.CHANGED
            for change in vouchers:
                self._vouchers.write(change)
            for one in entries:
                self.append(one)
            self._used = used
            return Wrote.STORED

    def used(self, program_id: str, name: str) -> int:
        with _LOCK:
            return self._used[(program_id, name)]

    def entry(self, key: LogKey, version: int) -> StoredEntry | None:
        with _LOCK:
            log = self._logs.get(key, [])
            return log[version - 1] if 0 < version <= len(log) else None

    def entries(self, key: LogKey, before: int | None, limit: int) -> list[StoredEntry]:
        with _LOCK:
            log = self._logs.get(key, [])
            end = len(log) if before is None else before - 1
            return log[max(0, end - limit) : end][::-1]


class MemoryVouchers:
    """Vouchers by their codes, and the free codes of pools."""

    def __init__(self) -> None:
        self._vouchers: dict[tuple[str, str], Voucher] = {}
        self._uses: dict[tuple[str, str, str], Use] = {}
        self._free: dict[tuple[str, str], set[str]] = {}

    def get(self, program_id: str, code: str) -> Voucher | None:
        with _LOCK:
            return self._vouchers.get((program_id, code))

    def of_event(self, program_id: str, event_id: str) -> Voucher | None:
        with _LOCK:
            wanted = (program_id, event_id)
            found = self._vouchers.values()
            return next((one for one in found if (one.program_id, one.event_id) == wanted), None)

    def of_member(
        self, program_id: str, member_id: str, after: str | None, limit: int
    ) -> list[Voucher]:
        with _LOCK:
            found = [
                one
                for (program, code), one in sorted(self._vouchers.items())
                if program == program_id and one.member_id == member_id and code > (after or "")
            ]
            return found[:limit]

    def use_of(self, program_id: str, code: str, use_id: str) -> Use | None:
        with _LOCK:
            return self._uses.get((program_id, code, use_id))

    def create(self, voucher: Voucher) -> bool:
        with _LOCK:
            key = (voucher.program_id, voucher.code)
            return self._vouchers.setdefault(key, voucher) == voucher

    def change(self, change: VoucherChange, use: Use, was: Use | None) -> bool:
        with _LOCK:
            voucher = change.now
            key = (voucher.program_id, voucher.code, use.id)
            if self._uses.get(key) != was or not self.can_write(change):
                return self._uses.get(key) == use
            self._uses[key] = use
            self.write(change)
            return True

    def add_free(self, program_id: str, reward: str, codes: Sequence[str]) -> int:
        with _LOCK:
            pool = self._free.setdefault((program_id, reward), set())
            before = len(pool)
            pool.update(code for code in codes if (program_id, code) not in self._vouchers)
            return len(pool) - before

    def free(self, program_id: str, reward: str, limit: int) -> list[str]:
        with _LOCK:
            return sorted(self._free.get((program_id, reward), ()))[:limit]

    def can_write(self, change: VoucherChange) -> bool:
        """Whether a voucher is as the change expects it."""
        voucher = change.now
        known = self._vouchers.get((voucher.program_id, voucher.code))
        pool = self._free.get((voucher.program_id, voucher.reward), set())
        return known == change.was and (not change.pooled or voucher.code in pool)

    def write(self, change: VoucherChange) -> None:
        """Writes what `can_write` allowed."""
        voucher = change.now
        self._vouchers[voucher.program_id, voucher.code] = voucher
        if change.pooled:
            self._free[voucher.program_id, voucher.reward].discard(voucher.code)


class MemoryOrders:
    """Order records by program and order."""

    def __init__(self) -> None:
        self._records: dict[tuple[str, str], OrderRecord] = {}
        self._contents: dict[tuple[str, str, bytes], OrderRecord] = {}
        self._parked: dict[tuple[str, str], tuple[Parked, ...]] = {}

    def claim(self, record: OrderRecord) -> OrderRecord:
        key = (record.program_id, order_key(record.order.source, record.order.id))
        with _LOCK:
            if key not in self._records:
                parked = self._parked.pop(key, ())
                self._records[key] = replace(record, parked=parked)
                return self._records[key] if parked else record
            return self._records[key]

    def claim_each(self, records: Sequence[OrderRecord]) -> list[OrderRecord]:
        return [self.claim(one) for one in records]

    def get(self, program_id: str, source: str, order_id: str) -> OrderRecord | None:
        with _LOCK:
            return self._records.get((program_id, order_key(source, order_id)))

    def park(
        self, program_id: str, source: str, order_id: str, parked: Parked
    ) -> OrderRecord | None:
        key = (program_id, order_key(source, order_id))
        with _LOCK:
            if key in self._records:
                return self._records[key]
            already = self._parked.get(key, ())
            if all(one.refund != parked.refund for one in already):
                self._parked[key] = (*already, parked)
            return None

    def put_content(self, record: OrderRecord) -> None:
        with _LOCK:
            self._contents[self._content_key(record)] = record

    def content(
        self, program_id: str, source: str, order_id: str, fingerprint: bytes
    ) -> Order | None:
        with _LOCK:
            found = self._contents.get((program_id, order_key(source, order_id), fingerprint))
            return found.order if found else None

    def put_latest(self, record: OrderRecord, latest: Latest) -> bool:
        key = (record.program_id, order_key(record.order.source, record.order.id))
        with _LOCK:
            if self._records[key].latest != record.latest:
                return False
            self._records[key] = replace(self._records[key], latest=latest)
            return True

    def of_member(
        self, program_id: str, member_id: str, after: str | None, limit: int
    ) -> tuple[list[OrderRecord], str | None]:
        with _LOCK:
            every = [*self._records.values(), *self._contents.values()]
            mine = [
                one for one in every if (one.program_id, one.member_id) == (program_id, member_id)
            ]
            mine.sort(key=lambda one: (one.order.placed_at, one.order.id, one.fingerprint))
            start = int(after or 0)
            more = len(mine) > start + limit
            return mine[start : start + limit], str(start + limit) if more else None

    def forget_customer(self, record: OrderRecord) -> None:
        key = (record.program_id, order_key(record.order.source, record.order.id))
        plain = replace(record, order=without_free_text(record.order), parked=())
        with _LOCK:
            first = self._records.get(key)
            if first is not None and first.fingerprint == record.fingerprint:
                self._records[key] = plain
            else:
                self._contents[self._content_key(record)] = plain

    def _content_key(self, record: OrderRecord) -> tuple[str, str, bytes]:
        key = order_key(record.order.source, record.order.id)
        return (record.program_id, key, record.fingerprint)


class MemoryMembers:
    """Members and their claims."""

    def __init__(self, ledger: MemoryLedger, referrals: "MemoryReferrals") -> None:
        self._ledger = ledger
        self._referrals = referrals
        self._members: dict[tuple[str, str], Member] = {}
        self._claims: dict[tuple[str, Claim], str] = {}
        self._said: dict[tuple[str, str], list[Consent]] = {}
        self._roster: dict[tuple[str, int], list[str]] = {}

    def enrol(
        self,
        member: Member,
        first: StoredEntry,
        said: Sequence[Consent] = (),
        origin: Origin | None = None,
    ) -> bool:
        key = (member.program_id, member.id)
        with _LOCK:
            if key in self._members:
                same_log = self._ledger.entry(first.key, first.version) == first
                return same_log and self._members[key] == member
            if any((member.program_id, claim) in self._claims for claim in member.claims):
                return False
            if self._ledger.append(first) is not None:
                return False
            self._members[key] = member
            insort(self._roster.setdefault((member.program_id, shard_of(member.id)), []), member.id)
            self._said.setdefault(key, []).extend(said)
            for claim in member.claims:
                self._claims[member.program_id, claim] = member.id
            if origin is not None:
                self._referrals.begin(member, origin)
            return True

    def of_program(self, program_id: str, shard: int, after: str, limit: int) -> list[str]:
        with _LOCK:
            ids = self._roster.get((program_id, shard), [])
            start = bisect_right(ids, after)
            return ids[start : start + limit]

    def consents(self, program_id: str, member_id: str) -> list[Consent]:
        with _LOCK:
            said = self._said.get((program_id, member_id), [])
            return sorted(said, key=lambda one: (one.given_at, one.purpose))

    def forget(self, member: Member) -> bool:
        key = (member.program_id, member.id)
        with _LOCK:
            self._said.pop(key, None)
            if self._members.get(key) != member:
                return False
            del self._members[key]
            for claim in member.claims:
                self._claims.pop((member.program_id, claim), None)
            return True

    def get(self, program_id: str, member_id: str) -> Member | None:
        with _LOCK:
            return self._members.get((program_id, member_id))

    def claimed_by(self, program_id: str, claim: Claim) -> str | None:
        with _LOCK:
            return self._claims.get((program_id, claim))

    def claimed_by_each(self, program_id: str, claims: Sequence[Claim]) -> dict[Claim, str]:
        with _LOCK:
            found = {claim: self._claims.get((program_id, claim)) for claim in claims}
        return {claim: member_id for claim, member_id in found.items() if member_id is not None}

    def replace(self, member: Member, was: Member, said: Sequence[Consent] = ()) -> Claim | bool:
        key = (member.program_id, member.id)
        with _LOCK:
            for claim in member.claims:
                if self._claims.get((member.program_id, claim), member.id) != member.id:
                    return claim
            now = self._members.get(key)
            if now is None or now.revision != was.revision:
                return now == member
            self._said.setdefault(key, []).extend(said)
            for claim in was.claims:
                self._claims.pop((member.program_id, claim), None)
            for claim in member.claims:
                self._claims[member.program_id, claim] = member.id
            self._members[key] = member
            return True


class MemoryPrograms:
    """Programs and versions."""

    def __init__(self) -> None:
        self._heads: dict[str, ProgramHead] = {}
        self._versions: dict[tuple[str, int], PublishedVersion] = {}

    def create(self, head: ProgramHead) -> bool:
        with _LOCK:
            return self._heads.setdefault(head.program_id, head) == head

    def head(self, program_id: str) -> ProgramHead | None:
        with _LOCK:
            return self._heads.get(program_id)

    def replace_head(self, head: ProgramHead, was: ProgramHead) -> bool:
        with _LOCK:
            if self._heads[head.program_id].revision != was.revision:
                return self._heads[head.program_id] == head
            self._heads[head.program_id] = head
            return True

    def publish(self, version: PublishedVersion, head: ProgramHead, was: ProgramHead) -> bool:
        with _LOCK:
            if not self.replace_head(head, was):
                return False
            self._versions[version.program_id, version.version] = version
            return True

    def version(self, program_id: str, version: int) -> PublishedVersion | None:
        with _LOCK:
            return self._versions.get((program_id, version))


class MemoryKeys:
    """Keys, by id and by the hash of every secret they ever had."""

    def __init__(self) -> None:
        self._keys: dict[str, ApiKey] = {}
        self._of_secret: dict[str, str] = {}

    def create(self, key: ApiKey) -> bool:
        with _LOCK:
            if key.id in self._keys:
                return self._keys[key.id] == key
            self._put(key)
            return True

    def get(self, key_id: str) -> ApiKey | None:
        with _LOCK:
            return self._keys.get(key_id)

    def of_secret(self, secret_hash: str) -> ApiKey | None:
        with _LOCK:
            key_id = self._of_secret.get(secret_hash)
            return None if key_id is None else self._keys[key_id]

    def replace(self, key: ApiKey, was: ApiKey) -> bool:
        with _LOCK:
            if self._keys[key.id].revision != was.revision:
                return self._keys[key.id] == key
            self._put(key)
            return True

    def of_source(self, source: str) -> list[ApiKey]:
        with _LOCK:
            return [key for key in self._keys.values() if key.source == source]

    def of_program(self, program_id: str, after: str | None, limit: int) -> list[ApiKey]:
        with _LOCK:
            ids = sorted(key.id for key in self._keys.values() if key.program_id == program_id)
            start = bisect_left(ids, after + "\0") if after else 0
            return [self._keys[key_id] for key_id in ids[start : start + limit]]

    def _put(self, key: ApiKey) -> None:
        self._keys[key.id] = key
        for secret in key.secrets:
            if secret.hash:
                self._of_secret[secret.hash] = key.id


class MemoryPasses:
    """Issued passes and the phones that hold them."""

    def __init__(self) -> None:
        self._issued: dict[tuple[str, str], IssuedPass] = {}
        self._shards: dict[tuple[str, int], list[str]] = {}  # member ids in their order
        self._registrations: dict[tuple[str, str], dict[str, Registration]] = {}  # by device
        self._of_device: dict[str, set[tuple[str, str]]] = {}
        self._messages: dict[tuple[str, str], dict[str, PassMessage]] = {}
        self._events: dict[str, dict[str, WalletEvent]] = {}
        self._event_ids: dict[str, list[str]] = {}  # in their order
        self._totals: dict[str, WalletTotals] = {}
        self._log: dict[str, PhoneLog] = {}
        self._progress: dict[tuple[str, int], RefreshProgress] = {}

    def issued(self, program_id: str, member_id: str) -> IssuedPass | None:
        with _LOCK:
            return self._issued.get((program_id, member_id))

    def put_issued(
        self, issued: IssuedPass, replaces: int, event: WalletEvent | None = None
    ) -> bool:
        key = (issued.program_id, issued.member_id)
        with _LOCK:
            now = self._issued.get(key)
            if (now.revision if now else 0) != replaces:
                return False
            self._issued[key] = issued
            if now is None:
                insort(self._shard_of(*key), issued.member_id)
            if event is not None:
                self._tell(event)
            return True

    def of_program(
        self, program_id: str, shard: int, after: str | None, limit: int
    ) -> list[IssuedPass]:
        with _LOCK:
            found = self._shards.get((program_id, shard), [])
            start = bisect_right(found, after) if after is not None else 0
            return [self._issued[program_id, one] for one in found[start : start + limit]]

    def mark_pushed(self, program_id: str, member_id: str, revision: int) -> None:
        with _LOCK:
            now = self._issued.get((program_id, member_id))
            if now is not None and now.pushed_revision < revision:
                self._issued[program_id, member_id] = replace(now, pushed_revision=revision)

    def mark_google(
        self, program_id: str, member_id: str, revision: int, notified_at: Instant | None
    ) -> bool:
        with _LOCK:
            now = self._issued.get((program_id, member_id))
            if now is None or now.revision != revision:
                return False
            self._issued[program_id, member_id] = now.told_google(notified_at)
            return True

    def register(self, registration: Registration) -> bool:
        key = (registration.program_id, registration.member_id)
        with _LOCK:
            devices = self._registrations.setdefault(key, {})
            new = registration.device_id not in devices
            if new:
                self._of_device.setdefault(registration.device_id, set()).add(key)
                self._tell(registration.event(registration.registered_at, installed=True))
            devices[registration.device_id] = registration
            return new

    def mark_told(self, registration: Registration, revision: int) -> None:
        key = (registration.program_id, registration.member_id)
        with _LOCK:
            devices = self._registrations.get(key, {})
            if devices.get(registration.device_id) == registration:
                told = replace(registration, told_revision=revision)
                devices[registration.device_id] = told

    def unregister(self, program_id: str, member_id: str, device_id: str, at: Instant) -> None:
        key = (program_id, member_id)
        with _LOCK:
            was = self._registrations.get(key, {}).pop(device_id, None)
            if was is None:
                return
            self._tell(was.event(at, installed=False))
            self._of_device[device_id].discard(key)
            if not self._registrations[key]:
                del self._registrations[key]
            if not self._of_device[device_id]:
                del self._of_device[device_id]

    def forget(self, program_id: str, member_id: str, at: Instant) -> None:
        with _LOCK:
            for one in self.registrations_of_member(program_id, member_id):
                self.unregister(program_id, member_id, one.device_id, at)
            was = self._issued.pop((program_id, member_id), None)
            if was is None:
                return
            self._shard_of(program_id, member_id).remove(member_id)
            if was.google_saved:
                self._tell(WalletEvent(program_id, member_id, at, "google", installed=False))

    def add_message(self, message: PassMessage) -> bool:
        with _LOCK:
            mine = self._messages.setdefault((message.program_id, message.member_id), {})
            return mine.setdefault(message.id, message) == message

    def messages(self, program_id: str, member_id: str) -> list[PassMessage]:
        with _LOCK:
            return list(self._messages.get((program_id, member_id), {}).values())

    def change_message(self, was: PassMessage, now: PassMessage) -> bool:
        with _LOCK:
            mine = self._messages.get((was.program_id, was.member_id), {})
            if mine.get(was.id) not in (was, now):
                return False
            mine[was.id] = now
            return True

    def forget_messages(self, program_id: str, member_id: str) -> None:
        with _LOCK:
            self._messages.pop((program_id, member_id), None)

    def events(
        self, program_id: str, limit: int, after: str = "", before: str | None = None
    ) -> list[WalletEvent]:
        with _LOCK:
            rows, ids = self._events.get(program_id, {}), self._event_ids.get(program_id, [])
            if before is not None:
                end = bisect_left(ids, before)
                found = ids[max(0, end - limit) : end][::-1]
            else:
                start = bisect_right(ids, after)
                found = ids[start : start + limit]
            return [rows[one] for one in found]

    def totals(self, program_id: str) -> WalletTotals:
        with _LOCK:
            return self._totals.get(program_id, WalletTotals())

    def put_totals(self, program_id: str, totals: WalletTotals) -> None:
        with _LOCK:
            self._totals[program_id] = totals

    def progress(self, program_id: str, shard: int) -> RefreshProgress | None:
        with _LOCK:
            return self._progress.get((program_id, shard))

    def put_progress(self, progress: RefreshProgress) -> None:
        with _LOCK:
            self._progress[progress.program_id, progress.shard] = progress

    def log(self, line: PhoneLog, expires_at: Instant) -> None:  # noqa: ARG002
        with _LOCK:
            self._log[line.key] = line

    def logged(self, before: str | None, limit: int) -> list[PhoneLog]:
        with _LOCK:
            found = sorted(one for one in self._log if before is None or one < before)[::-1]
            return [self._log[one] for one in found[:limit]]

    def _tell(self, event: WalletEvent) -> None:
        rows = self._events.setdefault(event.program_id, {})
        if event.id not in rows:
            insort(self._event_ids.setdefault(event.program_id, []), event.id)
        rows[event.id] = event

    def _shard_of(self, program_id: str, member_id: str) -> list[str]:
        return self._shards.setdefault((program_id, shard_of(member_id)), [])

    def registrations_of_member(self, program_id: str, member_id: str) -> list[Registration]:
        with _LOCK:
            devices = self._registrations.get((program_id, member_id), {})
            return [devices[device_id] for device_id in sorted(devices)]

    def registrations_of_device(self, device_id: str, pass_type_id: str) -> list[Registration]:
        with _LOCK:
            keys = sorted(self._of_device.get(device_id, ()))
            found = [self._registrations[key][device_id] for key in keys]
            return [one for one in found if one.pass_type_id == pass_type_id]


class MemoryNotes:
    """Free text by entry."""

    def __init__(self) -> None:
        self._texts: dict[tuple[LogKey, str], str] = {}

    def put(self, key: LogKey, ref: str, text: str) -> None:
        with _LOCK:
            self._texts[key, ref] = text

    def of(self, key: LogKey, ref: str) -> str | None:
        with _LOCK:
            return self._texts.get((key, ref))

    def forget(self, key: LogKey) -> None:
        with _LOCK:
            for place in [one for one in self._texts if one[0] == key]:
                del self._texts[place]


class MemoryAudit:
    """Rows by program, in their order."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[str, AuditRow]] = {}

    def put(self, row: AuditRow) -> None:
        with _LOCK:
            self._rows.setdefault(row.program_id, {})[f"{row.at:015d}#{row.id}"] = row

    def of_program(
        self, program_id: str, before: str | None, limit: int
    ) -> tuple[list[AuditRow], str | None]:
        with _LOCK:
            rows = self._rows.get(program_id, {})
            places = sorted((one for one in rows if before is None or one < before), reverse=True)
            page = places[:limit]
            return [rows[one] for one in page], page[-1] if len(page) == limit else None

    def of_member(self, program_id: str, member_id: str) -> list[AuditRow]:
        with _LOCK:
            rows = sorted(self._rows.get(program_id, {}).items())
            mine = [row for _, row in rows if row.member_id == member_id]
            return [row for row in mine if row.before or row.after]

    def forget(self, program_id: str, member_id: str) -> None:
        with _LOCK:
            rows = self._rows.get(program_id, {})
            for place, row in rows.items():
                if row.member_id == member_id:
                    rows[place] = replace(row, before=None, after=None)


class MemoryDues:
    """Rows by member."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], DueRow] = {}
        self._swept: int | None = None

    def of(self, program_id: str, member_id: str) -> DueRow | None:
        with _LOCK:
            return self._rows.get((program_id, member_id))

    def put(self, program_id: str, member_id: str, row: DueRow | None) -> None:
        with _LOCK:
            self._rows.pop((program_id, member_id), None)
            if row is not None:
                self._rows[program_id, member_id] = row

    def until(self, partition: str, now: Instant, limit: int) -> list[DueRow]:
        with _LOCK:
            mine = [row for row in self._rows.values() if row.partition == partition]
            due = [row for row in mine if row.at <= now]
            return sorted(due, key=lambda row: (row.at, row.member_id))[:limit]

    def swept_until(self) -> int | None:
        with _LOCK:
            return self._swept

    def mark_swept(self, day: int) -> None:
        with _LOCK:
            self._swept = day


class MemoryBillings:
    """Keeps the port `Billings`."""

    def __init__(self) -> None:
        self._billings: dict[tuple[str, str], Billing] = {}
        self._programs: dict[str, None] = {}
        self._terminations: dict[tuple[str, str], Termination] = {}

    def of(self, program_id: str, member_id: str) -> Billing | None:
        with _LOCK:
            return self._billings.get((program_id, member_id))

    def create(self, billing: Billing) -> bool:
        with _LOCK:
            self._programs.setdefault(billing.program_id)
            key = (billing.program_id, billing.member_id)
            return self._billings.setdefault(key, billing) == billing

    def programs(self) -> list[str]:
        with _LOCK:
            return list(self._programs)

    def forget(self, program_id: str, member_id: str) -> None:
        with _LOCK:
            self._billings.pop((program_id, member_id), None)

    def of_program(self, program_id: str, after: str | None, limit: int) -> list[Billing]:
        with _LOCK:
            rows = sorted(self._billings.items())
        return [one for (of, member), one in rows if of == program_id and member > (after or "")][
            :limit
        ]

    def termination(self, program_id: str, subscription: str) -> Termination | None:
        with _LOCK:
            return self._terminations.get((program_id, subscription))

    def order(self, termination: Termination) -> bool:
        with _LOCK:
            key = (termination.program_id, termination.subscription)
            return self._terminations.setdefault(key, termination) == termination

    def close(self, termination: Termination) -> None:
        with _LOCK:
            key = (termination.program_id, termination.subscription)
            self._terminations[key] = replace(termination, done=True)

    def open_terminations(self, program_id: str) -> list[Termination]:
        with _LOCK:
            rows = list(self._terminations.values())
        return [one for one in rows if one.program_id == program_id and not one.done]


class MemoryReferrals:
    """Keeps the port `Referrals`."""

    def __init__(self) -> None:
        self._referrals: dict[tuple[str, str], Referral] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._codes: dict[tuple[str, str], str] = {}
        self._traces: dict[tuple[str, str], Traces] = {}
        self._friends: dict[tuple[str, str], list[tuple[Instant, str]]] = {}
        self._clicks: Counter[tuple[str, str]] = Counter()

    def begin(self, member: Member, origin: Origin) -> None:
        """Where a new member comes from."""
        key = (member.program_id, member.id)
        if origin.traces:
            self._traces[key] = origin.traces
        if origin.referral is not None:
            self._referrals[key] = origin.referral
        if origin.network:
            rows = self._friends.setdefault((member.program_id, origin.network), [])
            insort(rows, (member.joined_at, member.id))

    def of_friend(self, program_id: str, friend_id: str) -> Referral | None:
        with _LOCK:
            return self._referrals.get((program_id, friend_id))

    def move(self, change: ReferralChange) -> bool:
        now, tally = change.now, change.tally
        key, place = (now.program_id, now.friend_id), (tally.program_id, tally.referrer)
        with _LOCK:
            if self._referrals.get(key) == now and self._tallies.get(place) == tally:
                return True
            if self._referrals.get(key) != change.was:
                return False
            if self._tallies.get(place) != change.tally_was:
                return False
            self._referrals[key] = now
            self._tallies[place] = tally
            return True

    def in_state(
        self, program_id: str, state: State, after: str | None, limit: int
    ) -> tuple[list[Referral], str | None]:
        with _LOCK:
            rows = {
                f"{one.at:015d}#{one.friend_id}": one
                for one in self._referrals.values()
                if one.program_id == program_id and one.state.shown is state
            }
            places = sorted(place for place in rows if place > (after or ""))[:limit]
            following = places[-1] if len(places) == limit else None
            return [rows[place] for place in places], following

    def tally(self, program_id: str, referrer: str) -> Tally | None:
        with _LOCK:
            return self._tallies.get((program_id, referrer))

    def tallies(self, program_id: str, after: str | None, limit: int) -> list[Tally]:
        with _LOCK:
            rows = sorted(self._tallies.items())
            mine = [one for (of, who), one in rows if of == program_id and who > (after or "")]
            return mine[:limit]

    def owner(self, program_id: str, code: str) -> str | None:
        with _LOCK:
            return self._codes.get((program_id, code))

    def take_code(self, program_id: str, code: str, member_id: str) -> bool:
        with _LOCK:
            return self._codes.setdefault((program_id, code), member_id) == member_id

    def traces(self, program_id: str, member_id: str) -> Traces:
        with _LOCK:
            return self._traces.get((program_id, member_id), {})

    def remember(self, program_id: str, member_id: str, traces: Traces) -> None:
        with _LOCK:
            known = self._traces.get((program_id, member_id), {})
            self._traces[program_id, member_id] = together(known, traces)

    def friends_from(
        self, program_id: str, network: str, since: Instant, until: Instant, limit: int
    ) -> int:
        with _LOCK:
            rows = self._friends.get((program_id, network), [])
            first = bisect_left(rows, (since, ""))
            return min(limit, bisect_left(rows, (until + 1, "")) - first)

    def count_click(self, program_id: str, code: str) -> None:
        with _LOCK:
            self._clicks[program_id, code] += 1

    def clicks(self, program_id: str, code: str) -> int:
        with _LOCK:
            return self._clicks[program_id, code]

    def forget(self, program_id: str, member_id: str) -> None:
        with _LOCK:
            self._traces.pop((program_id, member_id), None)


class MemoryWebhooks:
    """Endpoints and deliveries; none is ever forgotten here."""

    def __init__(self) -> None:
        self._endpoints: dict[tuple[str, str], Endpoint] = {}
        self._health: dict[tuple[str, str], Health] = {}
        self._deliveries: dict[tuple[str, str], dict[str, Delivery]] = {}

    def create(self, endpoint: Endpoint) -> bool:
        with _LOCK:
            key = (endpoint.program_id, endpoint.id)
            return self._endpoints.setdefault(key, endpoint) == endpoint

    def get(self, program_id: str, endpoint_id: str) -> Endpoint | None:
        with _LOCK:
            return self._endpoints.get((program_id, endpoint_id))

    def of_program(self, program_id: str) -> list[Endpoint]:
        with _LOCK:
            rows = sorted(self._endpoints.items())
        return [one for (of, _), one in rows if of == program_id]

    def replace(self, endpoint: Endpoint, was: Endpoint) -> bool:
        with _LOCK:
            key = (endpoint.program_id, endpoint.id)
            now = self._endpoints.get(key)
            if now == endpoint:
                return True
            if now is None or now.revision != was.revision:
                return False
            self._endpoints[key] = endpoint
            return True

    def remove(self, endpoint: Endpoint) -> None:
        with _LOCK:
            key = (endpoint.program_id, endpoint.id)
            self._endpoints.pop(key, None)
            self._health.pop(key, None)

    def health(self, program_id: str, endpoint_id: str) -> Health:
        with _LOCK:
            key = (program_id, endpoint_id)
            return self._health.get(key, Health(program_id, endpoint_id))

    def put_health(self, health: Health) -> bool:
        with _LOCK:
            key = (health.program_id, health.endpoint_id)
            now = self.health(*key)
            if now == health:
                return True
            if now.revision != health.revision - 1:
                return False
            self._health[key] = health
            return True

    def add(self, delivery: Delivery) -> bool:
        with _LOCK:
            return self._of(delivery).setdefault(delivery.id, delivery) == delivery

    def delivery(self, program_id: str, endpoint_id: str, delivery_id: str) -> Delivery | None:
        with _LOCK:
            return self._deliveries.get((program_id, endpoint_id), {}).get(delivery_id)

    def put(self, delivery: Delivery) -> bool:
        with _LOCK:
            now = self._of(delivery).get(delivery.id)
            if now == delivery:
                return True
            if now is None or now.revision != delivery.revision - 1:
                return False
            self._of(delivery)[delivery.id] = delivery
            return True

    def newest(
        self, program_id: str, endpoint_id: str, before: str | None, limit: int
    ) -> list[Delivery]:
        with _LOCK:
            rows = sorted(self._deliveries.get((program_id, endpoint_id), {}).items())
        return [one for id_, one in rows[::-1] if before is None or id_ < before][:limit]

    def oldest(self, program_id: str, endpoint_id: str, after: str, limit: int) -> list[Delivery]:
        with _LOCK:
            rows = sorted(self._deliveries.get((program_id, endpoint_id), {}).items())
        return [one for id_, one in rows if id_ > after][:limit]

    def _of(self, delivery: Delivery) -> dict[str, Delivery]:
        key = (delivery.program_id, delivery.endpoint_id)
        return self._deliveries.setdefault(key, {})


class _MemoryJobs(Generic[J]):
    """Imports or exports, by their ids."""

    def __init__(self) -> None:
        self._jobs: dict[tuple[str, str], J] = {}

    def create(self, one: J) -> bool:
        with _LOCK:
            return self._jobs.setdefault((one.program_id, one.id), one) == one

    def get(self, program_id: str, job_id: str) -> J | None:
        with _LOCK:
            return self._jobs.get((program_id, job_id))

    def newest(self, program_id: str, after: str | None, limit: int) -> tuple[list[J], str | None]:
        with _LOCK:
            rows = {
                f"{LATEST - one.created_at:015d}#{one.id}": one
                for one in self._jobs.values()
                if one.program_id == program_id
            }
        places = sorted(place for place in rows if place > (after or ""))[:limit]
        following = places[-1] if len(places) == limit else None
        return [rows[place] for place in places], following

    def put(self, one: J) -> bool:
        with _LOCK:
            key = (one.program_id, one.id)
            now = self._jobs.get(key)
            if now == one:
                return True
            if now is None or now.revision != one.revision - 1:
                return False
            self._jobs[key] = one
            return True


class MemoryImports(_MemoryJobs[Import]):
    """Keeps the port `Imports`; no error is ever forgotten here."""

    def __init__(self) -> None:
        super().__init__()
        self._errors: dict[tuple[str, str], dict[int, RowError]] = {}

    def add_errors(
        self,
        one: Import,
        errors: Sequence[RowError],
        expires_at: Instant,  # noqa: ARG002
    ) -> None:
        with _LOCK:
            rows = self._errors.setdefault((one.program_id, one.id), {})
            rows |= {error.row: error for error in errors}

    def errors(self, program_id: str, import_id: str, after: int, limit: int) -> list[RowError]:
        with _LOCK:
            rows = self._errors.get((program_id, import_id), {})
            return [rows[row] for row in sorted(rows) if row > after][:limit]


class MemoryExports(_MemoryJobs[Export]):
    """Keeps the port `Exports`."""


class MemoryCounters:
    """Counters; they never end here."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def hit(self, name: str, expires_at: Instant) -> int:  # noqa: ARG002
        with _LOCK:
            self._counts[name] = self._counts.get(name, 0) + 1
            return self._counts[name]


def memory_store() -> Store:
    """An empty store."""
    vouchers = MemoryVouchers()
    ledger = MemoryLedger(vouchers)
    referrals = MemoryReferrals()
    return Store(
        ledger=ledger,
        vouchers=vouchers,
        orders=MemoryOrders(),
        members=MemoryMembers(ledger, referrals),
        programs=MemoryPrograms(),
        keys=MemoryKeys(),
        passes=MemoryPasses(),
        notes=MemoryNotes(),
        dues=MemoryDues(),
        audit=MemoryAudit(),
        billings=MemoryBillings(),
        referrals=referrals,
        webhooks=MemoryWebhooks(),
        stores=MemoryStores(),
        imports=MemoryImports(),
        exports=MemoryExports(),
        counters=MemoryCounters(),
    )
