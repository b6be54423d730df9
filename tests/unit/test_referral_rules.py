"""The rules of referrals by themselves: what becomes of one, and what two people share."""

from dataclasses import replace
from typing import Any

import pytest

from chalicelib.domain.members.member import Profile
from chalicelib.domain.program.compiling import compile_program
from chalicelib.domain.program.document import ProgramDocument, parse
from chalicelib.domain.program.numbers import Numbers
from chalicelib.domain.referrals.checks import (
    Evidence,
    Failed,
    Seen,
    failed,
    forms_of_profile,
    forms_of_seen,
    network_of,
    together,
    without_aliases,
)
from chalicelib.domain.referrals.referral import (
    Cause,
    Facts,
    Gone,
    Referral,
    State,
    decided,
    looks_again,
    next_state,
)
from chalicelib.domain.referrals.terms import Terms
from chalicelib.kernel.clock import DAY
from tests.fakes.referrals import program
from tests.fakes.shop import START

BOB = Referral("prg_1", "mem_bob", "mem_ada", "", "ABCD2345", START, 1, 0)
BOUGHT = Cause("mem_bob.2", START + DAY, "till:o-1", 2500)
WAITS = BOB.to(State.QUALIFIED, cause="mem_bob.2", order="till:o-1", due_at=START + 15 * DAY)
DUE = START + 15 * DAY
SOFT, HARD = Failed("velocity", "soft"), Failed("same_card", "hard")


def terms(**referrals: Any) -> Terms:
    document = parse(program(**referrals))
    assert isinstance(document, ProgramDocument), document
    compiled = compile_program(document, Numbers().extended_by(document), 1).referrals
    assert compiled is not None
    return compiled


@pytest.mark.parametrize(
    ("was", "facts", "now", "expected", "reasons"),
    [
        (BOB, Facts(), START, State.ENROLLED, ()),
        (BOB, Facts(), START + 61 * DAY, State.REFUSED, ("late",)),
        (BOB, Facts(causes=[BOUGHT]), START + DAY, State.QUALIFIED, ()),
        (BOB, Facts(causes=[replace(BOUGHT, kept=1999)]), START, State.ENROLLED, ()),
        (BOB, Facts(causes=[replace(BOUGHT, at=START - DAY)]), START, State.ENROLLED, ()),
        (BOB, Facts(causes=[replace(BOUGHT, at=START + 61 * DAY)]), START, State.ENROLLED, ()),
        (BOB, Facts(causes=[BOUGHT], failed=[SOFT]), START, State.HELD, ("velocity",)),
        (BOB, Facts(causes=[BOUGHT], failed=[SOFT, HARD]), START, State.REFUSED, ("same_card",)),
        (BOB, Facts(Gone.LOOP, [BOUGHT]), START, State.REFUSED, ("loop",)),
        (WAITS, Facts(causes=[BOUGHT]), DUE - 1, State.QUALIFIED, ()),
        (WAITS, Facts(causes=[BOUGHT]), DUE, State.REWARDING, ()),
        (WAITS, Facts(causes=[replace(BOUGHT, kept=0)]), DUE, State.ENROLLED, ()),
        (WAITS, Facts(causes=[BOUGHT], failed=[HARD]), DUE, State.REFUSED, ("same_card",)),
        (WAITS, Facts(Gone.ERASED, [BOUGHT]), DUE, State.REFUSED, ("erased",)),
        (WAITS.to(State.REWARDED), Facts(causes=[BOUGHT]), DUE, State.REWARDED, ()),
        (WAITS.to(State.REWARDED), Facts(causes=[]), DUE, State.REVERSING, ()),
        (WAITS.to(State.REWARDED), Facts(Gone.ERASED, [BOUGHT]), DUE, State.REWARDED, ()),
        (BOB.to(State.HELD, "velocity"), Facts(causes=[BOUGHT]), DUE, State.HELD, ("velocity",)),
        (BOB.to(State.HELD), Facts(Gone.ERASED), DUE, State.REFUSED, ("erased",)),
        (BOB.to(State.REFUSED, "cap"), Facts(causes=[BOUGHT]), DUE, State.REFUSED, ("cap",)),
        (BOB.to(State.REVERSED), Facts(causes=[BOUGHT]), DUE, State.REVERSED, ()),
    ],
)
def test_what_becomes_of_a_referral(
    was: Referral, facts: Facts, now: int, expected: State, reasons: tuple[str, ...]
) -> None:
    after = next_state(was, facts, terms(), now)
    assert (after.state, after.reasons) == (expected, reasons)
    assert after == was or after.revision == was.revision + 1


def test_what_qualified_it_is_forgotten_with_the_order() -> None:
    after = next_state(WAITS, Facts(causes=[]), terms(), DUE)
    assert (after.cause, after.order, after.due_at) == ("", "", 0)
    assert looks_again(after, terms()) == START + 60 * DAY + 1
    assert looks_again(WAITS, terms()) == DUE
    assert looks_again(WAITS.to(State.REWARDED), terms()) is None


def test_who_was_approved_is_held_no_more_by_what_is_soft() -> None:
    approved = decided(BOB.to(State.HELD, "velocity"), approved=True)
    facts = Facts(causes=[BOUGHT], failed=[SOFT])
    assert next_state(approved, facts, terms(), START).state is State.QUALIFIED
    hard = replace(facts, failed=[SOFT, HARD])
    assert next_state(approved, hard, terms(), START).reasons == ("same_card",)
    refused = decided(BOB.to(State.HELD, "velocity"), approved=False)
    assert (refused.state, refused.reasons) == (State.REFUSED, ("velocity", "review"))


def test_an_order_for_nothing_is_none() -> None:
    free = terms(qualifies={"order": {}})
    assert next_state(BOB, Facts(causes=[replace(BOUGHT, kept=0)]), free, START) == BOB
    kept = Facts(causes=[replace(BOUGHT, kept=1)])
    assert next_state(BOB, kept, free, START).state is State.QUALIFIED


@pytest.mark.parametrize(
    ("email", "plain"),
    [
        ("ada.b+shop@example.com", "adab@example.com"),
        ("a.d.a@x.example.com", "ada@x.example.com"),
        ("ada+@example.com", "ada@example.com"),
        ("+x@example.com", "@example.com"),
        ("ada.b@googlemail.com", "adab@gmail.com"),
    ],
)
def test_aliases_and_dots_are_taken_out_of_addresses(email: str, plain: str) -> None:
    assert without_aliases(email) == plain


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("203.0.113", None),
        ("", None),
        ("::ffff:zz", None),
        ("::ffff:203.0.113.9", "203.0.113.9"),
    ],
)
def test_a_network_is_what_one_household_has(address: str, network: str | None) -> None:
    assert network_of(address) == network


def test_forms_are_normal() -> None:
    ada = Profile(email="A.da@X.example", phone="+49 (151) 123", given_name="Éva", family_name="K")
    forms = forms_of_profile(ada)
    assert forms["email"] == ["ada@x.example"]
    assert forms["identity"] == ["ada@x.example", "+49151123"]
    assert forms["name"] == ["evak"]
    assert "name" not in forms_of_profile(replace(ada, family_name=None))
    seen = forms_of_seen(Seen(postal_address="1, Mill-Lane", email="ADA@x.example"), ada)
    assert seen == {"name_and_address": ["evak\n1milllane"], "buyer": ["ada@x.example"]}
    assert forms_of_seen(Seen(), ada) == {}


def test_a_check_fails_as_strictly_as_the_terms_say() -> None:
    checks = {"same_device": "off", "same_card": "soft", "velocity": {"check": "hard", "most": 3}}
    shared = {"device": ("d",), "card": ("a", "c")}
    evidence = Evidence(shared, {"device": ("d",), "card": ("b", "c")}, 4, bought_before=True)
    found = failed(terms(checks=checks), evidence)
    assert found == [
        Failed("same_card", "soft"),
        Failed("not_first_order", "hard"),
        Failed("velocity", "hard"),
    ]
    assert failed(terms(checks=checks), replace(evidence, from_one_address=3))[-1:] == found[1:2]
    assert failed(terms(), Evidence()) == []


def test_of_each_kind_the_newest_traces_are_kept() -> None:
    old = {"card": tuple(f"c{number}" for number in range(10))}
    assert together(old, {"card": ("new",), "device": ("d",)}) == {
        "card": (*old["card"][1:], "new"),
        "device": ("d",),
    }
    assert together(old, {"card": ("c3",)}) == old


def test_the_amount_goes_up_in_steps() -> None:
    found = terms(steps=[{"from": 3, "amount": 30}, {"from": 5, "amount": 50}])
    gift = found.variants[-1].advocate
    assert gift is not None
    assert [found.amount(gift, nth) for nth in range(1, 7)] == [20, 20, 30, 30, 50, 50]
