"""Rewards: the catalogue, as one member sees it."""

import msgspec

from chalicelib.api.endpoints import SHOP_AND_MEMBER, Call, Resource
from chalicelib.domain.errors import Refusal
from chalicelib.domain.texts import text_in
from chalicelib.services import accounts, rewards

resource = Resource(__name__, "rewards")


class RewardView(msgspec.Struct, frozen=True):
    """One reward: what it costs, whether the member could have one now, and why not."""

    id: str
    name: str
    kind: str
    currency: str | None
    cost: int
    voucher: bool
    available: bool
    code: str | None
    why: str | None


class CatalogueView(msgspec.Struct, frozen=True):
    """All rewards of the program, in its order."""

    member_id: str
    rewards: list[RewardView]


@resource.endpoint(
    "GET", "/v1/members/{member_id}/rewards", callers=SHOP_AND_MEMBER, answer=CatalogueView
)
def list_rewards(call: Call, member_id: str) -> CatalogueView | Refusal:
    """List the rewards for a member: what he could redeem now, and why not the rest."""
    found = rewards.catalogue(call.context, call.here, member_id)
    if isinstance(found, Refusal):
        return found
    program = found.program
    language = accounts.language_of(call.context, call.here, member_id, program)
    views = [
        RewardView(
            id=reward.id,
            name=text_in(reward.name, language, program.language),
            kind=reward.terms.kind,
            currency=program.currency_names.get(reward.currency),
            cost=reward.cost,
            voucher=reward.voucher is not None,
            available=refusal is None,
            code=refusal.code if refusal else None,
            why=refusal.detail if refusal else None,
        )
        for reward, refusal in found.rewards
    ]
    return CatalogueView(member_id, views)
