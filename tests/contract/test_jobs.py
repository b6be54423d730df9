"""Imports, exports, the roster of members, and what the first claim of an order says."""

from dataclasses import replace

import pytest

from chalicelib.domain.jobs.exports import Export, File, Place
from chalicelib.domain.jobs.exports import Kind as Part
from chalicelib.domain.jobs.imports import Counts, Format, Import, Kind, RowError
from chalicelib.domain.ledger.commands import RefundOrder
from chalicelib.domain.ports import MEMBER_SHARDS, Parked, Store, shard_of
from tests.contract import samples
from tests.contract.samples import NOW


def an_import(number: int = 1) -> Import:
    return Import(
        "prg_1", f"imp_{number}", Kind.ORDERS, Format.NDJSON, dry_run=False, created_at=NOW + number
    )


def an_export(number: int = 1) -> Export:
    kinds = (Part.MEMBERS, Part.EVENTS)
    return Export("prg_1", f"exp_{number}", kinds, NOW + number)


def test_an_import_is_made_once_and_changed_by_one_writer(store: Store) -> None:
    waiting = an_import()
    assert store.imports.get("prg_1", waiting.id) is None
    assert store.imports.create(waiting)
    assert store.imports.create(waiting), "a retry of what did commit"
    assert not store.imports.create(replace(waiting, dry_run=True))
    started = waiting.started(NOW)
    assert store.imports.put(started)
    assert store.imports.put(started)
    assert not store.imports.put(waiting.started(NOW + 1))
    after = started.in_order("rows/x", 7).after(Counts(1, 2, 3), 99, None)
    assert not store.imports.put(after), "of a revision that is not there"
    assert store.imports.get("prg_1", waiting.id) == started
    assert store.imports.get("prg_2", waiting.id) is None


def test_an_export_keeps_where_it_is_and_what_it_wrote(store: Store) -> None:
    begun = an_export()
    assert store.exports.create(begun)
    assert store.exports.get("prg_1", begun.id) == begun
    after = begun.after([File(Part.HEADS, 1, 5, 99, "ab" * 32)], Place(2, "mem_1", 7), NOW)
    assert store.exports.put(after)
    assert store.exports.get("prg_1", begun.id) == after
    assert not store.exports.put(begun.after([], None, NOW))
    assert store.exports.put(after.after([], None, NOW))


def test_they_are_listed_newest_first(store: Store) -> None:
    for number in range(1, 6):
        assert store.imports.create(an_import(number))
        assert store.exports.create(an_export(number))
    page, following = store.imports.newest("prg_1", None, 3)
    assert [one.id for one in page] == ["imp_5", "imp_4", "imp_3"]
    rest, _ = store.imports.newest("prg_1", following, 3)
    assert [one.id for one in rest] == ["imp_2", "imp_1"]
    assert store.exports.newest("prg_1", None, 1)[0][0].id == "exp_5"
    assert store.imports.newest("prg_2", None, 3) == ([], None)


def test_errors_are_kept_by_their_row(store: Store) -> None:
    one = an_import()
    errors = [RowError(row, "email", "invalid_request", "is wrong") for row in (2, 10, 9)]
    store.imports.add_errors(one, errors, NOW)
    store.imports.add_errors(one, errors, NOW)
    assert [error.row for error in store.imports.errors("prg_1", one.id, 0, 2)] == [2, 9]
    assert store.imports.errors("prg_1", one.id, 9, 2) == [errors[1]]
    assert store.imports.errors("prg_1", "imp_2", 0, 2) == []


def test_whoever_ever_joined_is_on_the_roster_also_when_he_was_erased(store: Store) -> None:
    members = [samples.member(f"mem_{number}", *()) for number in range(9)]
    members = [replace(one, claims=()) for one in members]
    for one in members:
        assert store.members.enrol(one, samples.first(one))
    assert store.members.forget(members[0])
    for shard in range(MEMBER_SHARDS):
        mine = sorted(one.id for one in members if shard_of(one.id) == shard)
        assert store.members.of_program("prg_1", shard, "", 99) == mine
        assert store.members.of_program("prg_1", shard, "", 1) == mine[:1]
        after = mine[0] if mine else ""
        assert store.members.of_program("prg_1", shard, after, 99) == mine[1:]
        assert store.members.of_program("prg_2", shard, "", 99) == []


@pytest.mark.parametrize("parked", [False, True])
def test_only_the_first_claim_of_an_order_gives_back_what_it_was_given(
    store: Store, parked: bool
) -> None:
    if parked:
        refund = Parked(RefundOrder("shop", "1", "r"))
        assert store.orders.park("prg_1", "shop", "1", refund) is None
    mine, same = samples.order(), samples.order()
    assert (store.orders.claim(mine) is mine) is not parked
    assert store.orders.claim(same) is not same
    assert store.orders.claim(mine) is not mine
