"""The program's small numbers: what entries store instead of names.

A name keeps its number in every later version, so that an old entry can be read for ever. A rule
that carries remainders is numbered together with its rate: what an order left over under one rate
is not mixed with what another rate leaves.
"""

from collections.abc import Iterable

import msgspec

from chalicelib.domain.earning.documents import EarnRuleDocument
from chalicelib.domain.program.document import ProgramDocument


class Numbers(msgspec.Struct, frozen=True):
    """Names of one program to their numbers, from 1 on."""

    currencies: dict[str, int] = {}
    rules: dict[str, int] = {}
    rewards: dict[str, int] = {}

    def extended_by(self, document: ProgramDocument) -> "Numbers":
        """The same numbers, and new ones for what the document names anew."""
        return Numbers(
            _extend(self.currencies, document.currencies),
            _extend(self.rules, [rule_name(rule) for rule in document.earn]),
            _extend(self.rewards, [reward.id for reward in document.rewards]),
        )


def rule_name(rule: EarnRuleDocument) -> str:
    """What a rule is numbered by."""
    return f"{rule.id} {rule.give}/{rule.per}" if rule.carry_remainder else rule.id


def _extend(numbers: dict[str, int], names: Iterable[str]) -> dict[str, int]:
    extended = dict(numbers)
    for name in names:
        extended.setdefault(name, len(extended) + 1)
    return extended
