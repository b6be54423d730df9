"""The store's promises about several logs at once, parked refunds, rights and due rows."""

from dataclasses import replace

import pytest

from chalicelib.domain.access.audit import DONE, AuditRow
from chalicelib.domain.ledger.commands import RefundOrder
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.members.member import Consent
from chalicelib.domain.ports import DueRow, OrderRecord, Parked, Store, Take, Wrote
from tests.contract import samples

OTHER = LogKey(samples.LOG.program_id, "mem_other")
PROGRAM = samples.LOG.program_id


def test_entries_of_two_logs_come_together_or_not_at_all(store: Store) -> None:
    both = [samples.entry(1, "shop:1#paid", key) for key in (samples.LOG, OTHER)]
    assert store.ledger.append_all(both) is Wrote.STORED
    assert store.ledger.append_all(both) is Wrote.STORED  # a retry of what did commit
    assert [store.ledger.entry(one.key, 1) for one in both] == both
    lost = [samples.entry(2, "shop:2#paid"), samples.entry(1, "shop:9#paid", OTHER)]
    assert store.ledger.append_all(lost) is Wrote.LOST
    assert store.ledger.entry(samples.LOG, 2) is None


def test_what_all_share_is_taken_with_the_entry_and_never_too_often(store: Store) -> None:
    def take(number: int, amount: int) -> Wrote:
        taken = Take(PROGRAM, "stock#1", amount, limit=3)
        return store.ledger.append_all([samples.entry(number, f"k{number}")], [taken])

    assert take(1, 2) is Wrote.STORED
    assert take(1, 2) is Wrote.STORED  # a retry takes nothing more
    assert take(2, 2) is Wrote.EXCEEDED
    assert store.ledger.entry(samples.LOG, 2) is None
    assert take(2, 1) is Wrote.STORED
    back = Take(PROGRAM, "stock#1", -1, None)
    assert store.ledger.append_all([samples.entry(3, "k3")], [back]) is Wrote.STORED
    assert take(4, 1) is Wrote.STORED
    assert take(5, 1) is Wrote.EXCEEDED
    assert take(5, 4) is Wrote.EXCEEDED


REFUND = RefundOrder("shop", "o-1", "r-1", (), 100)


def test_a_refund_waits_for_its_order_and_is_handed_over_once(store: Store) -> None:
    parked = Parked(REFUND, "cold")
    record = samples.order("o-1")
    for _ in range(2):
        assert store.orders.park(PROGRAM, "shop", "o-1", parked) is None
    assert store.orders.get(PROGRAM, "shop", "o-1") is None
    cancelled = Parked(None)
    assert store.orders.park(PROGRAM, "shop", "o-1", cancelled) is None
    claimed = store.orders.claim(record)
    assert claimed == replace(record, parked=(parked, cancelled))
    assert store.orders.claim(record) == claimed
    late = Parked(replace(REFUND, refund_id="r-2"))
    assert store.orders.park(PROGRAM, "shop", "o-1", late) == claimed


def test_another_content_of_an_order_lies_beside_it(store: Store) -> None:
    record = samples.order("o-1")
    changed = replace(record.order, discount=1)
    content = replace(record, order=changed, fingerprint=changed.fingerprint)
    store.orders.claim(record)
    for _ in range(2):
        store.orders.put_content(content)
    found = store.orders.content(PROGRAM, "shop", "o-1", changed.fingerprint)
    assert found == changed
    assert store.orders.content(PROGRAM, "shop", "o-1", b"x" * 16) is None
    assert store.orders.get(PROGRAM, "shop", "o-1") == record


def test_a_members_orders_come_in_pages_and_are_his_alone(store: Store) -> None:
    records = [samples.order(f"o-{number}") for number in range(5)]
    for record in records:
        store.orders.claim(record)
    store.orders.claim(replace(samples.order("x"), member_id="mem_other"))
    found: list[OrderRecord] = []
    after: str | None = None
    while True:
        page, after = store.orders.of_member(PROGRAM, records[0].member_id, after, 2)
        assert len(page) <= 2
        found += page
        if after is None:
            break
    assert sorted(found, key=lambda one: one.order.id) == records


def test_the_customers_data_of_an_order_is_forgotten_and_the_order_stays(store: Store) -> None:
    record = samples.order("o-1")
    named = replace(record.order, lines=(replace(record.order.lines[0], name="for Ada"),))
    record = replace(record, order=named, fingerprint=named.fingerprint)
    edited = replace(named, discount=1)
    content = replace(record, order=edited, fingerprint=edited.fingerprint)
    store.orders.park(PROGRAM, "shop", "o-1", Parked(REFUND, "Ada was ill"))
    claimed = store.orders.claim(record)
    store.orders.put_content(content)
    for one in (claimed, content) * 2:
        store.orders.forget_customer(one)
    kept = store.orders.get(PROGRAM, "shop", "o-1")
    assert kept is not None
    assert (kept.fingerprint, kept.parked) == (record.fingerprint, ())
    beside = store.orders.content(PROGRAM, "shop", "o-1", edited.fingerprint)
    assert beside is not None
    for order in (kept.order, beside):
        assert [line.name for line in order.lines] == [None]
        assert order.lines[0].unit_price == named.lines[0].unit_price


SAID = Consent("marketing.email", True, "v1", 1000, "shop")
WITHDRAWN = Consent("marketing.email", False, "v1", 2000, "app")


def test_consents_are_kept_with_the_member_and_forgotten_with_him(store: Store) -> None:
    member = samples.member()
    first = samples.first(member)
    assert store.members.enrol(member, first, [SAID])
    assert store.members.enrol(member, first, [SAID])  # a retry of what did commit
    changed = replace(member, revision=2)
    assert store.members.replace(changed, member, [WITHDRAWN]) is True
    assert store.members.consents(member.program_id, member.id) == [SAID, WITHDRAWN]

    assert store.members.forget(member) is False  # it was changed meanwhile
    assert store.members.get(member.program_id, member.id) == changed
    assert store.members.forget(changed)
    assert store.members.get(member.program_id, member.id) is None
    assert store.members.consents(member.program_id, member.id) == []
    for claim in member.claims:
        assert store.members.claimed_by(member.program_id, claim) is None


def test_notes_of_a_log_are_forgotten_and_others_stay(store: Store) -> None:
    for key in (samples.LOG, OTHER):
        for ref in ("a", "b"):
            store.notes.put(key, ref, "note")
    for _ in range(2):
        store.notes.forget(samples.LOG)
    assert [store.notes.of(samples.LOG, ref) for ref in ("a", "b")] == [None, None]
    assert [store.notes.of(OTHER, ref) for ref in ("a", "b")] == ["note", "note"]


def test_a_due_row_moves_and_goes(store: Store) -> None:
    first, second = (DueRow(PROGRAM, "mem_1", at, "20000#1") for at in (500, 900))
    other = DueRow(PROGRAM, "mem_2", 700, "20000#1")
    elsewhere = DueRow(PROGRAM, "mem_3", 1, "20000#2")
    for row in (first, other, elsewhere):
        store.dues.put(row.program_id, row.member_id, row)
    assert store.dues.of(PROGRAM, "mem_1") == first
    assert store.dues.until("20000#1", 800, 10) == [first, other]
    assert store.dues.until("20000#1", 600, 10) == [first]
    assert store.dues.until("20000#1", 800, 1) == [first]
    store.dues.put(PROGRAM, "mem_1", second)
    assert store.dues.until("20000#1", 1000, 10) == [other, second]
    for _ in range(2):
        store.dues.put(PROGRAM, "mem_1", None)
    assert store.dues.of(PROGRAM, "mem_1") is None
    assert store.dues.until("20000#1", 1000, 10) == [other]


def test_how_far_was_swept_is_kept(store: Store) -> None:
    assert store.dues.swept_until() is None
    for day in (20000, 20003):
        store.dues.mark_swept(day)
        assert store.dues.swept_until() == day


def row(number: int, **changes: object) -> AuditRow:
    made = AuditRow(
        PROGRAM, f"aud_{number}", 1000 + number, "key_1", "till", "members.change", "/v1", DONE
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def test_the_audit_log_is_written_over_read_in_pages_and_forgets_a_member(store: Store) -> None:
    for number in range(5):
        store.audit.put(row(number, outcome="begun"))
    told = row(3, member_id="mem_1", before={"email": "a"}, after={"email": "b"})
    store.audit.put(told)
    store.audit.put(replace(row(9), program_id="prg_other"))
    page, following = store.audit.of_program(PROGRAM, None, 2)
    assert page == [row(4, outcome="begun"), told]
    rest = []
    while following is not None:
        more, following = store.audit.of_program(PROGRAM, following, 2)
        rest += more
    assert [one.id for one in rest] == ["aud_2", "aud_1", "aud_0"]

    assert store.audit.of_member(PROGRAM, "mem_1") == [told]
    for _ in range(2):
        store.audit.forget(PROGRAM, "mem_1")
    assert store.audit.of_member(PROGRAM, "mem_1") == []
    [_, forgotten], _ = store.audit.of_program(PROGRAM, None, 2)
    assert (forgotten.id, forgotten.before, forgotten.after) == ("aud_3", None, None)


@pytest.mark.parametrize("limit", [1, 3])
def test_units_of_a_take_above_its_limit_are_never_taken(store: Store, limit: int) -> None:
    take = Take(PROGRAM, "stock#2", limit + 1, limit)
    assert store.ledger.append_all([samples.entry(1, "k")], [take]) is Wrote.EXCEEDED
