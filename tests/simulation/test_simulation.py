"""The seeded world, some hundred times; and the proof that it would notice."""

import os
import subprocess
import sys
from typing import Any

import pytest

from chalicelib.domain.ledger.account import Account
from chalicelib.domain.ledger.entries import Lots
from chalicelib.domain.orders import Order
from chalicelib.services import appending, orders
from infra.package import ROOT
from tests.simulation.play import Play
from tests.simulation.promises import check_all

SEEDS_AT_ONCE = 50


def played(seed: int) -> str:
    play = Play(seed)
    play.run()
    return check_all(play)


@pytest.mark.parametrize("first", range(1, 801, SEEDS_AT_ONCE))
def test_every_promise_holds_whatever_goes_wrong(first: int) -> None:
    for seed in range(first, first + SEEDS_AT_ONCE):
        try:
            played(seed)
        except BaseException as error:
            raise AssertionError(f"again: make soak FROM={seed} SEEDS=1") from error


def test_a_seed_is_the_same_run_in_every_process() -> None:
    code = "from tests.simulation.test_simulation import played; print(played(7))"
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for hash_seed in ("1", "2")
    }
    assert digests == {played(7)}


def test_all_faults_happen_in_a_hundred_rounds() -> None:
    play = Play(1, rounds=400)
    play.run()
    assert set(play.world.faults) == {
        "lost before",
        "throttled",
        "lost answer",
        "sdk retry",
        "conflict",
        "crash before",
        "crash after",
        "stale read",
    }


def play_many() -> None:
    for seed in range(1, 101):
        played(seed)


def spends_expired_points(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(appending, "settle", lambda *_: [])


def applies_what_came_before(monkeypatch: pytest.MonkeyPatch) -> None:
    read = appending.read_story
    monkeypatch.setattr(
        appending,
        "read_story",
        lambda *args: [one for one in read(*args) if "refund" not in one.ref],
    )


def loses_to_a_faster_writer(monkeypatch: pytest.MonkeyPatch) -> None:
    put = appending._put
    monkeypatch.setattr(appending, "_put", lambda *args: put(*args) and None)


def forgets_the_debt(monkeypatch: pytest.MonkeyPatch) -> None:
    debit = Account.debit

    def no_more_than_there_is(self: Account, currency: int, amount: int) -> Lots:
        return debit(self, currency, min(amount, self.available(currency)))

    monkeypatch.setattr(Account, "debit", no_more_than_there_is)


def never_applies_what_was_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("chalicelib.services.orders.apply_parked", lambda *args: args[-1])


def takes_what_its_store_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "is_outdated_by", lambda *_: False)


def believes_every_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "_latest", lambda _, record, asked: (record, asked))


@pytest.mark.parametrize(
    "sabotage",
    [
        takes_what_its_store_said_before,
        believes_every_message,
        spends_expired_points,
        applies_what_came_before,
        loses_to_a_faster_writer,
        forgets_the_debt,
        never_applies_what_was_parked,
    ],
)
def test_a_ledger_that_does_wrong_is_caught(monkeypatch: pytest.MonkeyPatch, sabotage: Any) -> None:
    sabotage(monkeypatch)
    with pytest.raises((AssertionError, LookupError)):
        play_many()
