"""Members and their claims on DynamoDB.

A member is `<program>#member#<id>`; a claim is `<program>#claim#<kind>#<mark>` and says the id of
the member who has it. That somebody ever joined is a row of `<program>#roster#<shard>`: it says
nothing of him but his id, is never removed, and is what all logs of a program are found by. An
index would cost a write with every change of a profile, and would forget the erased.
"""

from collections.abc import Sequence

from chalicelib.adapters.dynamo.ledger import DynamoLedger
from chalicelib.adapters.dynamo.records import Record, Records, value_of
from chalicelib.adapters.dynamo.referrals import DynamoReferrals
from chalicelib.adapters.dynamo.transactions import Item
from chalicelib.domain.ledger.entries import StoredEntry
from chalicelib.domain.members.member import Claim, Consent, Member
from chalicelib.domain.ports import Origin, shard_of

_MEMBER, _CLAIM, _CONSENT, _ROSTER = "member", "claim", "consent", "roster"


class DynamoMembers:
    """Profiles, and what only one member may have."""

    def __init__(self, records: Records, ledger: DynamoLedger, referrals: DynamoReferrals) -> None:
        self._records = records
        self._ledger = ledger
        self._referrals = referrals

    def enrol(
        self,
        member: Member,
        first: StoredEntry,
        said: Sequence[Consent] = (),
        origin: Origin | None = None,
    ) -> bool:
        """The member, every claim, what he said, where he comes from and the first entry of the
        log, all or none."""
        record = self._member(member)
        claims = [self._records.new(self._claim(member, claim)) for claim in member.claims]
        parts = [self._records.new(record), *claims, self._ledger.part(first)]
        parts.append(self._records.put_part(self._listed(member)))
        parts += [self._records.put_part(self._consent(member, one)) for one in said]
        if origin is not None:
            parts += self._referrals.parts(member, origin)
        if self._records.transact(parts) is None:
            return True
        return self._records.holds(record)

    def get(self, program_id: str, member_id: str) -> Member | None:
        return self._records.read(_member_key(program_id, member_id), _MEMBER, Member)

    def claimed_by(self, program_id: str, claim: Claim) -> str | None:
        return self._records.read(_claim_key(program_id, claim), _CLAIM, str)

    def claimed_by_each(self, program_id: str, claims: Sequence[Claim]) -> dict[Claim, str]:
        keys = {_claim_key(program_id, claim): claim for claim in claims}
        found = self._records.read_each(list(keys), _CLAIM, str)
        return {keys[pk]: member_id for pk, member_id in found.items()}

    def of_program(self, program_id: str, shard: int, after: str, limit: int) -> list[str]:
        found = self._records.after_under(_roster_key(program_id, shard), after, limit)
        return [record.sk for record in found]

    def consents(self, program_id: str, member_id: str) -> list[Consent]:
        found = self._records.under(_consent_key(program_id, member_id))
        return [value_of(record, Consent) for record in found]

    def forget(self, member: Member) -> bool:
        """Consents first, for without the profile nobody would look for them again."""
        key = _consent_key(member.program_id, member.id)
        for record in self._records.under(key):
            self._records.delete(key, record.sk)
        parts = [self._records.removal_of(self._member(member))]
        parts += [self._removal(member, claim) for claim in member.claims]
        return self._records.transact(parts) is None

    def replace(self, member: Member, was: Member, said: Sequence[Consent] = ()) -> Claim | bool:
        """Writes a changed member, moves its claims and keeps what he said, all or none."""
        record = self._member(member)
        added = [claim for claim in member.claims if claim not in was.claims]
        dropped = [claim for claim in was.claims if claim not in member.claims]
        parts = [self._records.over(record, was.revision)]
        parts += [self._records.new(self._claim(member, claim)) for claim in added]
        parts += [self._removal(was, claim) for claim in dropped]
        parts += [self._records.put_part(self._consent(member, one)) for one in said]
        failed = self._records.transact(parts)
        if failed is None or self._records.holds(record):
            return True
        if failed[0]:
            return False  # the claims that are taken may be the member's own by now
        for claim, lost in zip(added, failed[1:], strict=False):
            if lost:
                return claim
        return False

    def _member(self, member: Member) -> Record:
        key = _member_key(member.program_id, member.id)
        return self._records.record(key, _MEMBER, _MEMBER, member, revision=member.revision)

    def _listed(self, member: Member) -> Record:
        key = _roster_key(member.program_id, shard_of(member.id))
        return self._records.record(key, member.id, _ROSTER, None)

    def _claim(self, member: Member, claim: Claim) -> Record:
        return self._records.record(_claim_key(member.program_id, claim), _CLAIM, _CLAIM, member.id)

    def _consent(self, member: Member, one: Consent) -> Record:
        key = _consent_key(member.program_id, member.id)
        return self._records.record(key, f"{one.given_at:015d}#{one.purpose}", _CONSENT, one)

    def _removal(self, member: Member, claim: Claim) -> Item:
        return self._records.removal_of(self._claim(member, claim))


def _member_key(program_id: str, member_id: str) -> str:
    return f"{program_id}#{_MEMBER}#{member_id}"


def _roster_key(program_id: str, shard: int) -> str:
    return f"{program_id}#{_ROSTER}#{shard}"


def _consent_key(program_id: str, member_id: str) -> str:
    return f"{program_id}#{_CONSENT}#{member_id}"


def _claim_key(program_id: str, claim: Claim) -> str:
    return f"{program_id}#{_CLAIM}#{claim.kind}#{claim.mark}"
