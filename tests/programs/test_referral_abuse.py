"""Somebody makes friends up, guesses codes, or sends what is no code: it costs nothing beyond the
cap, tells nothing, and takes as long as ever."""

import logging
import time
from statistics import median

import pytest

from chalicelib.domain.ledger.entries import Kind, LogKey, decode
from chalicelib.kernel.clock import MINUTE
from tests.fakes.referrals import code_of, joins, program, settle
from tests.fakes.rules import opened
from tests.fakes.shop import Shop, goods

FRIENDS = 10_000
CAP = 5


def made_up(shop: Shop, code: str, number: int) -> float:
    """A friend joins, buys and is looked at; how long it took."""
    began = time.perf_counter()
    friend = joins(shop, code).json["id"]
    assert shop.order(friend, f"o-{number}", goods(2500)).status == 201
    settle(shop, friend)
    return time.perf_counter() - began


def given(shop: Shop, member: str) -> int:
    """What referrals gave a member."""
    ledger = shop.runtime.context.store.ledger
    entries = [
        decode(one.body) for one in ledger.entries(LogKey(shop.program_id, member), None, 10**6)
    ]
    return sum(
        effect.amount
        for entry in entries
        if entry.kind == Kind.REFERRAL
        for effect in entry.effects
    )


def test_fault_28_10_000_made_up_friends_cost_the_shop_nothing_beyond_the_cap(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING, "regulars")  # a line a call would take most of the time
    terms = {"order": {"return_days": 0}}
    shop = opened(program(qualifies=terms, caps=[{"per": "lifetime", "times": CAP}]))
    ada = shop.enrol()
    code = code_of(shop, ada)
    took = [made_up(shop, code, number) for number in range(FRIENDS)]
    assert given(shop, ada) == CAP * 20
    tally = shop.runtime.context.store.referrals.tally(shop.program_id, ada)
    assert tally is not None
    assert tally.states == {"rewarded": CAP, "refused": FRIENDS - CAP}
    assert (tally.earned, tally.welcomed) == ({1: CAP * 20}, {1: CAP * 5})
    assert median(took[-500:]) < 3 * median(took[:500])
    head = shop.runtime.context.store.ledger.head(LogKey(shop.program_id, ada), strong=True)
    assert head is not None and head.version == 1 + CAP


def test_guessing_is_limited_and_the_answer_says_nothing() -> None:
    shop = opened(program())
    code = code_of(shop, shop.enrol())
    answers = []
    for guess in [code, "ABCDEFGH", *(f"GUESS{number:03d}" for number in range(58))]:
        reply = shop.call("GET", f"/r/{shop.program_id}.{guess}", key=None)
        location = reply.headers.pop("location").replace(guess, "...")
        answers.append((reply.status, location, reply.raw, str(reply.headers)))
    assert len(set(answers)) == 1
    assert answers[0][:2] == (303, f"https://shop.test/join/{shop.program_id}?code=...")
    limited = shop.call("GET", f"/r/{shop.program_id}.{code}", key=None)
    assert limited.status == 429
    assert "location" not in limited.headers
    shop.clock.at += MINUTE
    assert shop.call("GET", f"/r/{shop.program_id}.{code}", key=None).status == 303


def test_all_addresses_of_one_household_are_one_who_guesses() -> None:
    shop = opened(program())
    path = f"/r/{shop.program_id}.ABCDEFGH"
    for number in range(60):
        shop.address = f"2001:db8:1:2::{number:x}"
        assert shop.call("GET", path, key=None).status == 303
    shop.address = "2001:db8:1:2:ffff::1"
    assert shop.call("GET", path, key=None).status == 429
    shop.address = "2001:db8:1:3::1"
    assert shop.call("GET", path, key=None).status == 303


def test_the_way_of_a_link_is_private_and_needs_no_script() -> None:
    shop = opened(program())
    code = code_of(shop, shop.enrol())
    reply = shop.call("GET", f"/r/{shop.program_id}.{code}", key=None)
    assert reply.headers["x-robots-tag"] == "noindex"
    assert reply.headers["referrer-policy"] == "no-referrer"
    assert reply.headers["cache-control"] == "private, no-store"
    assert "set-cookie" not in reply.headers


def test_a_link_works_with_what_social_networks_add_to_it() -> None:
    shop = opened(program())
    code = code_of(shop, shop.enrol())
    added = {"fbclid": "IwAR0", "utm_source": "facebook"}
    reply = shop.call("GET", f"/r/{shop.program_id}.{code}", key=None, query=added)
    assert reply.status == 303
    path = f"/join/{shop.program_id}"
    page = shop.call("GET", path, key=None, query={"code": code, **added})
    assert page.status == 200
    assert f'value="{code}"'.encode() in page.raw


def test_what_is_no_link_leads_nowhere() -> None:
    shop = opened(program())
    for token in ("x", "prg_1", "prg_1.", "prg_1.a b", f"prg_1.{'A' * 41}", "//evil.example"):
        path = f"/r/{token.replace('/', '%2F')}"
        reply = shop.call("GET", path, key=None)
        assert reply.status == 404, token
        assert "location" not in reply.headers
    reply = shop.call("GET", "/r/prg_1.<script>", key=None)
    assert (reply.status, b"<script" in reply.raw) == (404, False)


def test_a_code_in_the_form_is_written_as_text() -> None:
    shop = opened(program())
    path = f"/join/{shop.program_id}"
    page = shop.call("GET", path, key=None, query={"code": '"><script>alert(1)'}).raw.decode()
    assert "<script" not in page
    assert 'value="&quot;&gt;&lt;script&gt;alert(1)"' in page


def test_clicks_of_no_code_are_counted_as_such() -> None:
    shop = opened(program())
    code = code_of(shop, shop.enrol())
    for guess in (code, code.lower(), "ABCDEFGH"):
        shop.call("GET", f"/r/{shop.program_id}.{guess}", key=None)
    referrals = shop.runtime.context.store.referrals
    assert referrals.clicks(shop.program_id, code) == 2
    assert referrals.clicks(shop.program_id, "ABCDEFGH") == 0
