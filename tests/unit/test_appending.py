"""The way into the ledger under stale reads, lost answers and faster writers."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.errors import Contended, Refusal
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.commands import Redeem
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.services import redemptions
from chalicelib.services.appending import TRIES, Appended
from chalicelib.services.context import Context, Here, enter
from tests.fakes.shop import Shop, drink


class Trouble:
    """A ledger that reads the past where it may, and loses answers and races where it is told."""

    def __init__(self, real: Any) -> None:
        self._real = real
        self.stale: Head | None = None
        self.lose_answers = 0
        self.faster: list[StoredEntry] = []
        self.strong_reads = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def head(self, key: LogKey, *, strong: bool) -> Head | None:
        """The past, unless it must be the present."""
        self.strong_reads += strong
        return self._real.head(key, strong=True) if strong else self.stale

    def append(self, entry: StoredEntry) -> StoredEntry | None:
        """Sometimes somebody was faster, sometimes the answer is lost and the put sent again."""
        if self.faster:
            return self.faster.pop()
        winner: StoredEntry | None = self._real.append(entry)
        if self.lose_answers:
            self.lose_answers -= 1
            winner = self._real.append(entry)
        return winner


@pytest.fixture
def scene() -> tuple[Shop, str, Trouble, Context, Here]:
    shop = Shop(memory_store())
    shop.publish("coffee_stamps")
    ada = shop.enrol()
    real = shop.runtime.context
    trouble = Trouble(real.store.ledger)
    trouble.stale = real.store.ledger.head(LogKey(shop.program_id, ada), strong=True)
    shop.order(ada, "1", drink(8))
    context = replace(real, store=replace(real.store, ledger=trouble))
    here = enter(context, shop.program_id)
    assert here is not None
    return shop, ada, trouble, context, here


def redeem(scene: Any, key: str = "k") -> Any:
    _, ada, _, context, here = scene
    return redemptions.redeem(context, here, ada, Redeem(key, "free_drink", 1))


def test_fault_16_a_refusal_of_the_past_is_decided_again_in_the_present(scene: Any) -> None:
    assert isinstance(redeem(scene), Appended)
    assert scene[2].strong_reads == 1
    refused = redeem(scene, "another")
    assert isinstance(refused, Refusal)
    assert refused.code == "insufficient_balance"


def test_a_member_of_whom_the_past_knows_nothing_is_looked_for_in_the_present(scene: Any) -> None:
    scene[2].stale = None
    assert isinstance(redeem(scene), Appended)
    _, _, _, context, here = scene
    nobody = redemptions.redeem(context, here, "mem_x", Redeem("k", "free_drink", 1))
    assert isinstance(nobody, Refusal)
    assert nobody.code == "member_not_found"


def test_a_put_whose_answer_was_lost_is_ours_and_no_replay(scene: Any) -> None:
    scene[2].lose_answers = 1
    done = redeem(scene)
    assert isinstance(done, Appended)
    assert not done.replayed
    assert scene[0].balance(scene[1], "stamps") == 0


def test_whoever_is_beaten_for_ever_is_told_to_come_again(scene: Any) -> None:
    shop, ada, trouble, _, _ = scene
    first = trouble.entry(LogKey(shop.program_id, ada), 1)
    trouble.faster = [first] * TRIES
    with pytest.raises(Contended):
        redeem(scene)
    assert shop.balance(ada, "stamps") == 8
