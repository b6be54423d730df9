"""Campaigns: rules that belong together for a while, for some members, up to a budget."""

import hashlib
from dataclasses import dataclass

from chalicelib.domain.conditions.condition import WhyNot
from chalicelib.domain.conditions.situation import Situation

USED_UP = "the campaign's budget is used up"


def why_not(
    campaign: "Campaign | None", condition: WhyNot | None, situation: Situation
) -> str | None:
    """Why what belongs to a campaign and has a condition does not apply; None where it does."""
    reason = campaign.why_not(situation) if campaign else None
    return reason or (condition(situation) if condition else None)


@dataclass(frozen=True)
class Budget:
    """What a campaign gives to all members together, at most."""

    limit: int
    counts_points: bool
    partial: bool  # at the edge an order gets what is left


@dataclass(frozen=True)
class Campaign:
    """One campaign of a compiled program."""

    id: str
    number: int
    runs: WhyNot | None  # from its first day to its last, and its own condition
    trial_days: int | None
    holdout_percent: int
    budget: Budget | None

    def why_not(self, situation: Situation) -> str | None:
        """Why the campaign is not for this member and this moment."""
        if self.number in situation.known.campaigns:
            return USED_UP
        if self.number in situation.known.held_out:
            return "the member belongs to those who are kept out, to compare with"
        if self.trial_days is not None:
            days = (situation.day - situation.joined_on).days
            if days >= self.trial_days:
                return f"only for {self.trial_days} days after joining"
        return self.runs(situation) if self.runs else None

    def holds_out(self, member_id: str) -> bool:
        """Whether a member belongs to those who are never in it: always the same of them."""
        mark = hashlib.sha256(f"{self.id}\0{member_id}".encode()).digest()
        return int.from_bytes(mark[:4]) % 100 < self.holdout_percent
