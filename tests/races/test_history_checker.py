"""The checker itself: what it must find in a forged history."""

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest

from chalicelib.adapters.memory.store import memory_store
from chalicelib.domain.ledger.entries import LogKey, Snapshot, StoredEntry, decode, encode
from tests.fakes.shop import Shop, goods
from tests.races.corner import program
from tests.races.history import Call, Outcome, mistakes

Chain = list[StoredEntry]
REFS = ["till:1#paid", "till:2#paid", "till:3#paid"]
DONE, REFUSED, UNKNOWN = Outcome.DONE, Outcome.REFUSED, Outcome.UNKNOWN


@pytest.fixture(scope="module")
def log() -> Chain:
    """Ada enrols and buys three times, for ten euros each."""
    shop = Shop(memory_store())
    assert shop.call("POST", "/v1/programs", program()).status == 201
    ada = shop.enrol(external_id="ada")
    for number in (1, 2, 3):
        assert shop.order(ada, str(number), goods(1000)).status == 201
    ledger = shop.runtime.context.store.ledger
    return ledger.entries(LogKey(shop.program_id, ada), None, 9)[::-1]


def told(number: int, **other: object) -> Call:
    """What the till heard of order 1, 2 or 3, each sent after the one before was answered."""
    call = Call("ada", REFS[number - 1], "", number * 10, number * 10 + 5, DONE, number + 1)
    return replace(call, **other)  # type: ignore[arg-type]


def read(version: int, available: int, began: int) -> Call:
    return Call("ada", None, "", began, began + 1, DONE, version, available)


TRUTH = [told(1), told(2), told(3)]


def linked(chain: Chain) -> Chain:
    """The same entries with versions and hashes that fit."""
    made: Chain = []
    for version, stored in enumerate(chain, 1):
        prev = made[-1].hash if made else stored.prev
        made.append(replace(stored, version=version, prev=prev))
    return made


def words(history: list[Call], chain: Chain) -> str:
    return "\n".join(mistakes(history, {"ada": chain}))


def test_the_truth_is_believed(log: Chain) -> None:
    assert words(TRUTH, log) == ""


@pytest.mark.parametrize(
    "history",
    [
        [told(1), told(3), told(2, began=0, ended=99)],  # as long as the others together
        [told(1), told(2, outcome=UNKNOWN, version=0), told(3)],  # done, and nobody heard of it
        [*TRUTH, told(1, began=90, ended=95)],  # the same answer again
        [*TRUTH, told(1, request="other", began=90, ended=95, outcome=REFUSED)],
        [*TRUTH, Call("ada", "till:4#paid", "", 40, 45, REFUSED)],
        [*TRUTH, Call("ada", "till:4#paid", "", 40, 45, UNKNOWN)],  # never arrived
        [*TRUTH, read(2, 10, 16), read(3, 20, 22), read(3, 20, 27), read(4, 30, 32)],
    ],
)
def test_what_some_order_explains_is_believed(log: Chain, history: list[Call]) -> None:
    assert words(history, log) == ""


def test_a_lost_update_is_found(log: Chain) -> None:
    """Two were told the same version, and one of them is gone."""
    assert "till:3#paid was told of entry 3" in words([told(1), told(2), told(3, version=3)], log)
    assert "till:3#paid was told of entry 4" in words(TRUTH, log[:3])


def test_what_was_done_twice_is_found(log: Chain) -> None:
    twice = linked([*log, log[3]])
    assert "till:3#paid was done 2 times" in words(TRUTH, twice)
    assert "till:3#paid was answered in 2 ways" in words([*TRUTH, told(3, version=5)], twice)


def test_one_ref_for_two_requests_is_found(log: Chain) -> None:
    assert "till:1#paid was answered in 2 ways" in words([*TRUTH, told(1, request="b")], log)


def test_a_gap_is_found(log: Chain) -> None:
    assert "not dense" in words(TRUTH, [log[0], log[1], log[3]])
    assert "not dense" in words(TRUTH, log[1:])
    assert "entry 4: an entry is missing" in words(TRUTH, [log[0], log[1], log[3]])


def test_a_forged_entry_is_found(log: Chain) -> None:
    entry = decode(log[2].body)
    more = replace(log[2], body=encode(msgspec.structs.replace(entry, quantity=1)))
    assert "entry 4: the hash" in words(TRUTH, [*log[:2], more, log[3]])
    poor = msgspec.structs.replace(entry, snapshot=Snapshot(entry.snapshot.joined_at))
    less = replace(log[2], body=encode(poor))
    assert "its balances are not" in words(TRUTH, linked([*log[:2], less, log[3]]))


def test_what_nobody_asked_for_is_found(log: Chain) -> None:
    assert "nobody asked for till:3#paid" in words(TRUTH[:2], log)


def test_what_was_refused_and_done_is_found(log: Chain) -> None:
    assert "till:3#paid was refused and is there" in words(
        [told(1), told(2), told(3, outcome=REFUSED)], log
    )
    late = told(3, began=90, ended=95, outcome=REFUSED)
    assert "till:3#paid was refused after it was done" in words([*TRUTH, late], log)


def test_an_order_that_time_forbids_is_found(log: Chain) -> None:
    early = told(3, began=1, ended=2)
    assert "till:3#paid at 4 ended before till:1#paid at 2 began" in words(
        [told(1), told(2), early], log
    )


def test_a_late_try_does_not_hide_a_wrong_order(log: Chain) -> None:
    """An entry is as old as the first try of it: a replay proves nothing of what came between."""
    again = told(1, began=90, ended=95)
    first = told(1, outcome=UNKNOWN, version=0, began=26, ended=27)
    assert "comes after it" in words([first, again, told(2), told(3)], log)


@pytest.mark.parametrize(
    ("reading", "words_of_it"),
    [
        (read(2, 10, 26), "till:2#paid at 3 ended before a read at 2 began"),  # stale
        (read(4, 30, 8), "a read at 4 ended before"),  # of the future
        (read(3, 30, 26), "30 points were told at entry 3, not 20"),
        (read(9, 30, 50), "a read was told of entry 9"),
    ],
)
def test_a_wrong_reading_is_found(log: Chain, reading: Call, words_of_it: str) -> None:
    assert words_of_it in words([*TRUTH, reading], log)


def test_readings_that_go_back_are_found(log: Chain) -> None:
    history = [told(1), told(2, began=0, ended=99), told(3, began=0, ended=99)]
    assert words([*history, read(4, 30, 50), read(4, 30, 60)], log) == ""
    assert "ended before a read at 3" in words([*history, read(4, 30, 50), read(3, 20, 60)], log)


@pytest.fixture
def sent() -> dict[str, Chain]:
    """Ada gave Bob ten points."""
    shop = Shop(memory_store())
    assert shop.call("POST", "/v1/programs", program()).status == 201
    ada, bob = (shop.enrol(external_id=name) for name in ("ada", "bob"))
    assert shop.order(ada, "1", goods(1000)).status == 201
    body = {"to_member_id": bob, "currency": "points", "amount": 10}
    headers = {"idempotency-key": "k"}
    reply = shop.call("POST", f"/v1/members/{ada}/transfers", body, headers=headers)
    assert reply.status == 201
    ledger = shop.runtime.context.store.ledger
    logs = [ledger.entries(LogKey(shop.program_id, one), None, 9)[::-1] for one in (ada, bob)]
    return dict(zip(("ada", "bob"), logs, strict=True))


GIVEN = [
    Call("ada", "till:1#paid", "", 1, 2, DONE, 2),
    Call("ada", "key:k#transfer", "", 3, 4, DONE, 3),
]


def test_a_whole_transfer_is_believed(sent: dict[str, Chain]) -> None:
    assert mistakes(GIVEN, sent) == []


@pytest.mark.parametrize(
    ("cut", "words_of_it"),
    [
        (lambda logs: {**logs, "bob": logs["bob"][:1]}, "10 were sent and None received"),
        (lambda logs: {**logs, "ada": logs["ada"][:2]}, "None were sent and 10 received"),
    ],
)
def test_half_a_transfer_is_found(
    sent: dict[str, Chain],
    cut: Callable[[dict[str, Chain]], dict[str, Chain]],
    words_of_it: str,
) -> None:
    assert words_of_it in "\n".join(mistakes(GIVEN, cut(sent)))


def test_a_member_without_a_log_is_found() -> None:
    assert mistakes(TRUTH, {}) == ["ada: has no log"]
