"""Vouchers on each engine: issued with their entry or not at all, each code once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from chalicelib.domain.ports import Store, Take, Wrote
from chalicelib.domain.rewards.voucher import Use, Voucher, VoucherChange
from tests.contract.samples import NOW, entry

FIRST = Voucher("prg_1", "AAA-1", "mug", "mem_1", "mem_1.1", NOW, NOW + 5, 1)


def test_a_voucher_comes_with_its_entry_or_not_at_all(store: Store) -> None:
    change = VoucherChange(FIRST, None)
    assert store.ledger.append_all([entry(1, "a#1")], [], [change]) is Wrote.STORED
    assert store.ledger.append_all([entry(1, "a#1")], [], [change]) is Wrote.STORED  # a retry
    assert store.vouchers.get("prg_1", "AAA-1") == FIRST
    assert store.vouchers.get("prg_2", "AAA-1") is None
    assert store.vouchers.of_event("prg_1", "mem_1.1") == FIRST
    assert store.vouchers.of_event("prg_1", "mem_1.2") is None
    assert store.ledger.append_all([entry(2, "a#2")], [], [change]) is Wrote.CHANGED
    assert store.ledger.entry(entry(2, "a#2").key, 2) is None
    second = VoucherChange(replace(FIRST, code="AAA-0", event_id="mem_1.2"), None)
    used_up = Take("prg_1", "stock#1", 1, 0)
    assert store.ledger.append_all([entry(2, "a#2")], [used_up], [second]) is Wrote.EXCEEDED
    assert store.ledger.append_all([entry(2, "a#2")], [], [second]) is Wrote.STORED
    codes = [one.code for one in store.vouchers.of_member("prg_1", "mem_1", None, 9)]
    assert codes == ["AAA-0", "AAA-1"]
    assert [one.code for one in store.vouchers.of_member("prg_1", "mem_1", "AAA-0", 9)] == ["AAA-1"]
    assert store.ledger.used("prg_1", "stock#1") == 0
    assert (
        store.ledger.append_all([entry(3, "a#3")], [Take("prg_1", "stock#1", 2, 5)]) is Wrote.STORED
    )
    assert store.ledger.used("prg_1", "stock#1") == 2


def test_a_use_is_written_with_its_voucher_once(store: Store) -> None:
    public = replace(FIRST, member_id=None, event_id=None)
    assert store.vouchers.create(public)
    assert store.vouchers.create(public)
    assert not store.vouchers.create(replace(public, uses_left=7))
    after = replace(public, uses_left=0, used=True, revision=2)
    use = Use("order-1", 300, NOW)
    assert store.vouchers.change(VoucherChange(after, public), use, None)
    assert store.vouchers.change(VoucherChange(after, public), use, None)  # a retry
    assert not store.vouchers.change(VoucherChange(after, public), Use("order-2", None, NOW), None)
    assert store.vouchers.use_of("prg_1", "AAA-1", "order-1") == use
    assert store.vouchers.use_of("prg_1", "AAA-1", "order-2") is None
    undone, back = replace(use, undone=True), replace(public, used=True, revision=3)
    assert store.vouchers.change(VoucherChange(back, after), undone, use)
    assert store.vouchers.get("prg_1", "AAA-1") == back
    assert store.vouchers.use_of("prg_1", "AAA-1", "order-1") == undone


def test_a_code_leaves_its_pool_with_the_voucher(store: Store) -> None:
    assert store.vouchers.add_free("prg_1", "mug", ["AAA-1", "BBB", "CCC"]) == 3
    assert store.vouchers.add_free("prg_1", "mug", ["BBB"]) == 0
    assert store.vouchers.free("prg_1", "mug", 2) == ["AAA-1", "BBB"]
    change = VoucherChange(FIRST, None, pooled=True)
    assert store.ledger.append_all([entry(1, "a#1")], [], [change]) is Wrote.STORED
    assert store.vouchers.free("prg_1", "mug", 9) == ["BBB", "CCC"]
    assert store.vouchers.add_free("prg_1", "mug", ["AAA-1"]) == 0
    unknown = replace(FIRST, code="DDD", event_id="mem_1.2")
    lost = store.ledger.append_all([entry(2, "a#2")], [], [VoucherChange(unknown, None, True)])
    assert lost is Wrote.CHANGED


def test_sixteen_uses_at_once_of_a_code_that_is_good_for_five(emulated: Store) -> None:
    public = replace(FIRST, member_id=None, event_id=None, uses_left=5)
    emulated.vouchers.create(public)

    def use(number: int) -> bool:
        for _ in range(60):
            was = emulated.vouchers.get("prg_1", "AAA-1")
            assert was is not None
            after = was.spend(None, NOW)
            if not isinstance(after, Voucher):
                return False
            change = VoucherChange(after, was)
            if emulated.vouchers.change(change, Use(f"o{number}", None, NOW), None):
                return True
        raise AssertionError("starved")

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(use, range(16))) == 5
    left = emulated.vouchers.get("prg_1", "AAA-1")
    assert left is not None and left.uses_left == 0
