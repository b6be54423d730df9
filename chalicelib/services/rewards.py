"""The catalogue, as one member sees it."""

from dataclasses import dataclass

from chalicelib.domain.errors import Refusal
from chalicelib.domain.ledger.account import Account
from chalicelib.domain.ledger.commands import Facts
from chalicelib.domain.ledger.redemptions import insufficient, refuse_reward
from chalicelib.domain.program.program import Program
from chalicelib.domain.rewards.reward import Reward
from chalicelib.services.accounts import account
from chalicelib.services.context import Context, Here
from chalicelib.services.members import NO_PROGRAM
from chalicelib.services.order_facts import person_of


@dataclass(frozen=True)
class Catalogue:
    """The rewards of the program in force, each with why the member cannot have it now."""

    program: Program
    rewards: list[tuple[Reward, Refusal | None]]


def catalogue(context: Context, here: Here, member_id: str) -> Catalogue | Refusal:
    """What the member could redeem once, now; a stock or a pool may still be empty."""
    head = account(context, here, member_id)
    if isinstance(head, Refusal):
        return head
    program = context.catalog.in_force(here.program, here.now)
    if program is None:
        return NO_PROGRAM
    facts = Facts(person_of(context, here, member_id, program))
    opened = Account.open(head.snapshot)
    rows: list[tuple[Reward, Refusal | None]] = []
    for reward in program.rewards:
        refusal = refuse_reward(head, opened, reward, 1, program, here.now, facts)
        available = opened.available(reward.currency)
        if refusal is None and available < reward.cost:
            name = program.currency_names[reward.currency]
            refusal = insufficient(name, reward.cost, available)
        rows.append((reward, refusal))
    return Catalogue(program, rows)
