"""Referrals on DynamoDB.

A friend's referral is `<program>#referral#<friend>`, in the index by its state; the tally of an
advocate or partner is `<program>#referrer#<who>`; a code is `<program>#referral_code#<code>` and
says whose it is, its clicks lie under it; traces are `<program>#traces#<member>`; friends from one
network lie under `<program>#friends_from#<trace>` for some days.
"""

from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.adapters.dynamo.transactions import Item
from chalicelib.domain.errors import Contended
from chalicelib.domain.members.member import Member
from chalicelib.domain.ports import Origin
from chalicelib.domain.referrals.checks import Traces, together
from chalicelib.domain.referrals.referral import Referral, ReferralChange, State, Tally
from chalicelib.kernel.clock import SECOND, Instant

TRIES = 10
_REFERRAL, _TALLY, _CODE, _TRACES = "referral", "referrer", "referral_code", "traces"
_FRIEND, _CLICKS = "friend_from", "clicks"
_KEPT = dict[str, tuple[str, ...]]


class DynamoReferrals:
    """Keeps the port `Referrals`."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def parts(self, member: Member, origin: Origin) -> list[Item]:
        """The parts of a transaction that write where a new member comes from."""
        records = []
        if origin.traces:
            records.append(self._traces(member.program_id, member.id, origin.traces, 1))
        if origin.referral is not None:
            records.append(self._referral(origin.referral))
        if origin.network:
            place = f"{member.joined_at:015d}#{member.id}"
            ends = origin.forgotten_at // SECOND
            key = _network(member.program_id, origin.network)
            row = self._records.record(key, place, _FRIEND, None, expires_at=ends)
            records.append(row)
        return [self._records.new(record) for record in records]

    def of_friend(self, program_id: str, friend_id: str) -> Referral | None:
        return self._records.read(_friend(program_id, friend_id), _REFERRAL, Referral)

    def move(self, change: ReferralChange) -> bool:
        record, tally = self._referral(change.now), self._tally(change.tally)
        was = change.tally_was
        parts = [self._records.over(record, change.was.revision)]
        parts.append(
            self._records.new(tally) if was is None else self._records.over(tally, was.revision)
        )
        if self._records.transact(parts) is None:
            return True
        return self._records.holds(record)

    def in_state(
        self, program_id: str, state: State, after: str | None, limit: int
    ) -> tuple[list[Referral], str | None]:
        found = self._records.by_other(_state(program_id, state), after or "", limit)[:limit]
        following = found[-1].gsk if len(found) == limit else None
        return [value_of(record, Referral) for record in found], following

    def tally(self, program_id: str, referrer: str) -> Tally | None:
        return self._records.read(_referrer(program_id, referrer), _TALLY, Tally)

    def tallies(self, program_id: str, after: str | None, limit: int) -> list[Tally]:
        found = self._records.by_other(f"{program_id}#{_TALLY}s", after or "", limit)
        return [value_of(record, Tally) for record in found[:limit]]

    def owner(self, program_id: str, code: str) -> str | None:
        return self._records.read(_code(program_id, code), _CODE, str)

    def take_code(self, program_id: str, code: str, member_id: str) -> bool:
        record = self._records.record(_code(program_id, code), _CODE, _CODE, member_id)
        return self._records.put_new(record)

    def traces(self, program_id: str, member_id: str) -> Traces:
        return self._records.read(_trace(program_id, member_id), _TRACES, _KEPT) or {}

    def remember(self, program_id: str, member_id: str, traces: Traces) -> None:
        for _ in range(TRIES):
            found = self._records.find(_trace(program_id, member_id), _TRACES)
            known = value_of(found, _KEPT) if found is not None else {}
            now = together(known, traces)
            if now == known:
                return
            revision = int(found.revision) if found is not None else 0
            record = self._traces(program_id, member_id, now, revision + 1)
            if found is None and self._records.put_new(record):
                return
            if found is not None and self._records.put_over(record, revision):
                return
        raise Contended("what is known of the member changes again and again")

    def friends_from(
        self, program_id: str, network: str, since: Instant, until: Instant, limit: int
    ) -> int:
        key = _network(program_id, network)
        found = self._records.after_under(key, f"{since:015d}", limit)
        return sum(record.sk < f"{until + 1:015d}" for record in found)

    def count_click(self, program_id: str, code: str) -> None:
        self._records.add_hit(_code(program_id, code), _CLICKS, _CLICKS)

    def clicks(self, program_id: str, code: str) -> int:
        found = self._records.find(_code(program_id, code), _CLICKS)
        return int(found.hits) if found is not None else 0

    def forget(self, program_id: str, member_id: str) -> None:
        self._records.delete(_trace(program_id, member_id), _TRACES)

    def _referral(self, one: Referral) -> Record:
        return self._records.record(
            _friend(one.program_id, one.friend_id),
            _REFERRAL,
            _REFERRAL,
            one,
            revision=one.revision,
            gpk=_state(one.program_id, one.state.shown),
            gsk=f"{one.at:015d}#{one.friend_id}",
        )

    def _tally(self, one: Tally) -> Record:
        return self._records.record(
            _referrer(one.program_id, one.referrer),
            _TALLY,
            _TALLY,
            one,
            revision=one.revision,
            gpk=f"{one.program_id}#{_TALLY}s",
            gsk=one.referrer,
        )

    def _traces(self, program_id: str, member_id: str, traces: Traces, revision: int) -> Record:
        key = _trace(program_id, member_id)
        return self._records.record(key, _TRACES, _TRACES, traces, revision=revision)


def _friend(program_id: str, friend_id: str) -> str:
    return f"{program_id}#{_REFERRAL}#{friend_id}"


def _referrer(program_id: str, referrer: str) -> str:
    return f"{program_id}#{_TALLY}#{referrer}"


def _state(program_id: str, state: State) -> str:
    return f"{program_id}#{_REFERRAL}s#{state.value}"


def _code(program_id: str, code: str) -> str:
    return f"{program_id}#{_CODE}#{code}"


def _trace(program_id: str, member_id: str) -> str:
    return f"{program_id}#{_TRACES}#{member_id}"


def _network(program_id: str, trace: str) -> str:
    return f"{program_id}#friends_from#{trace}"
