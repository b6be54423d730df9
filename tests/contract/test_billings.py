"""What the port `Billings` promises, on every engine alike."""

from dataclasses import replace

from chalicelib.domain.memberships.payments import Billing, Termination
from chalicelib.domain.ports import Store

ADA = Billing("prg_1", "mem_1", "cus_1", "clock_1")
END = Termination("prg_1", "mem_1", "sub_1", "pi_1", 1499, "USD", "unused")


def test_a_member_becomes_a_customer_once(store: Store) -> None:
    billings = store.billings
    assert billings.of("prg_1", "mem_1") is None
    assert billings.create(ADA)
    assert billings.create(ADA)  # a put whose answer was lost
    assert not billings.create(replace(ADA, customer_id="cus_2"))
    assert billings.of("prg_1", "mem_1") == ADA
    assert billings.of("prg_2", "mem_1") is None
    billings.forget("prg_1", "mem_1")
    billings.forget("prg_1", "mem_1")
    assert billings.of("prg_1", "mem_1") is None
    assert billings.of_program("prg_1", None, 10) == []


def test_customers_are_listed_by_program_page_by_page(store: Store) -> None:
    made = [Billing("prg_1", f"mem_{number}", f"cus_{number}") for number in range(1, 6)]
    for one in [*made[::-1], Billing("prg_2", "mem_9", "cus_9")]:
        assert store.billings.create(one)
    assert store.billings.of_program("prg_1", None, 2) == made[:2]
    assert store.billings.of_program("prg_1", "mem_2", 10) == made[2:]
    assert store.billings.of_program("prg_1", "mem_5", 10) == []
    assert sorted(store.billings.programs()) == ["prg_1", "prg_2"]


def test_an_end_is_ordered_once_and_open_until_it_is_closed(store: Store) -> None:
    billings = store.billings
    assert billings.termination("prg_1", "sub_1") is None
    assert billings.order(END)
    assert not billings.order(replace(END, amount=1))
    assert billings.termination("prg_1", "sub_1") == END
    second = replace(END, subscription="sub_2", payment="", amount=0)
    other = replace(END, program_id="prg_2")
    assert billings.order(second)
    assert billings.order(other)
    assert billings.open_terminations("prg_1") == [END, second]
    billings.close(END)
    billings.close(END)
    assert billings.termination("prg_1", "sub_1") == replace(END, done=True)
    assert not billings.order(END)
    assert billings.open_terminations("prg_1") == [second]
    assert billings.open_terminations("prg_2") == [other]
