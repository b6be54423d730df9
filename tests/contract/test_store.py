"""What the ports of the store promise, on every engine alike."""

from dataclasses import replace

import pytest

from chalicelib.domain.access.keys import KeyKind, Secret
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import LogKey
from chalicelib.domain.members.member import Claim
from chalicelib.domain.ports import Latest, Store
from tests.contract import samples
from tests.contract.samples import EMAIL, LOG, NOW, PHONE


def test_an_empty_log_has_no_head_and_no_story(store: Store) -> None:
    assert store.ledger.head(LOG, strong=False) is None
    assert store.ledger.head(LOG, strong=True) is None
    assert store.ledger.story(LOG, "shop:1#") == []
    assert store.ledger.entries(LOG, None, 10) == []
    assert store.ledger.entry(LOG, 1) is None


def test_an_entry_is_put_once_and_every_later_writer_is_shown_the_winner(store: Store) -> None:
    winner = samples.entry(1, "shop:1#paid")
    loser = samples.entry(1, "shop:2#paid")
    assert store.ledger.append(winner) is None
    assert store.ledger.append(loser) == winner
    assert store.ledger.append(winner) == winner
    assert store.ledger.head(LOG, strong=True) == Head.of(winner)
    assert store.ledger.story(LOG, "shop:2#") == []


def test_the_head_is_the_highest_version(store: Store) -> None:
    for number in range(1, 12):
        assert store.ledger.append(samples.entry(number, f"shop:{number}#paid")) is None
    head = store.ledger.head(LOG, strong=True)
    assert head is not None
    assert (head.version, head.ref) == (11, "shop:11#paid")
    assert store.ledger.head(LogKey("prg_1", "mem_2"), strong=True) is None


def test_a_story_is_one_orders_and_nobody_elses(store: Store) -> None:
    refs = ["shop:12#paid", "shop:123#paid", "shop:12#refund:1", "shop:1#paid", "key:12#redeem"]
    for number, ref in enumerate(refs, 1):
        store.ledger.append(samples.entry(number, ref))
    store.ledger.append(samples.entry(1, "shop:12#paid", LogKey("prg_2", "mem_1")))
    assert [one.ref for one in store.ledger.story(LOG, "shop:12#")] == [
        "shop:12#paid",
        "shop:12#refund:1",
    ]
    assert [one.version for one in store.ledger.story(LOG, "shop:12#")] == [1, 3]


def test_entries_come_newest_first_in_pages(store: Store) -> None:
    entries = [samples.entry(number, f"shop:{number}#paid") for number in range(1, 8)]
    for one in entries:
        store.ledger.append(one)
    assert store.ledger.entries(LOG, None, 3) == entries[:3:-1]
    assert store.ledger.entries(LOG, 5, 3) == entries[3:0:-1]
    assert store.ledger.entries(LOG, 2, 3) == entries[:1]
    assert store.ledger.entries(LOG, 1, 3) == []
    assert store.ledger.entry(LOG, 4) == entries[3]


def test_an_order_belongs_to_whoever_claimed_it_first(store: Store) -> None:
    mine, theirs = samples.order(), samples.order(member_id="mem_2")
    assert store.orders.get("prg_1", "shop", "1") is None
    assert store.orders.claim(mine) == mine
    assert store.orders.claim(mine) == mine
    assert store.orders.claim(theirs) == mine
    assert store.orders.get("prg_1", "shop", "1") == mine
    assert store.orders.get("prg_2", "shop", "1") is None
    assert store.orders.get("prg_1", "till", "1") is None


def test_a_member_comes_with_claims_and_a_log_or_not_at_all(store: Store) -> None:
    ada = samples.member("mem_1", EMAIL, PHONE)
    assert store.members.enrol(ada, samples.first(ada))
    assert store.members.enrol(ada, samples.first(ada)), "a retry meets its own"
    assert store.members.get("prg_1", "mem_1") == ada
    assert store.members.claimed_by("prg_1", EMAIL) == "mem_1"
    assert store.members.claimed_by("prg_2", EMAIL) is None

    eve = samples.member("mem_2", PHONE, Claim("external_id", "eve"))
    assert not store.members.enrol(eve, samples.first(eve))
    assert store.members.get("prg_1", "mem_2") is None
    assert store.members.claimed_by("prg_1", Claim("external_id", "eve")) is None
    assert store.ledger.head(LogKey("prg_1", "mem_2"), strong=True) is None


def test_a_changed_member_takes_new_claims_and_leaves_old_ones(store: Store) -> None:
    ada, bob = samples.member("mem_1", EMAIL), samples.member("mem_2", PHONE)
    for one in (ada, bob):
        store.members.enrol(one, samples.first(one))
    new = Claim("email", "a new address")
    changed = replace(ada, claims=(new,), revision=2)
    assert store.members.replace(changed, ada) is True
    assert store.members.replace(changed, ada) is True, "a retry meets its own"
    assert store.members.claimed_by("prg_1", EMAIL) is None
    assert store.members.claimed_by("prg_1", new) == "mem_1"

    greedy = replace(changed, claims=(new, PHONE), revision=3)
    assert store.members.replace(greedy, changed) == PHONE
    assert store.members.get("prg_1", "mem_1") == changed
    assert store.members.replace(replace(ada, claims=(), revision=2), ada) is False
    late = replace(changed, merged_into="mem_9")
    assert store.members.replace(late, ada) is False, "its claim is its own by now"
    assert store.members.get("prg_1", "mem_1") == changed


def test_a_version_and_the_head_that_names_it_come_together(store: Store) -> None:
    new = samples.program()
    assert store.programs.create(new)
    assert store.programs.head("prg_1") == new
    assert store.programs.head("prg_2") is None
    published = samples.program(2, (NOW, 1))
    assert store.programs.publish(samples.version(), published, new)
    assert store.programs.version("prg_1", 1) == samples.version()
    late = samples.program(2, (NOW, 2))
    assert not store.programs.publish(samples.version(2), late, new)
    assert store.programs.version("prg_1", 2) is None
    assert store.programs.head("prg_1") == published
    moved = replace(published, test_now=NOW, revision=3)
    assert store.programs.replace_head(moved, published)
    assert not store.programs.replace_head(replace(moved, test_now=NOW + 1), published)
    assert store.programs.head("prg_1") == moved


def test_a_key_is_found_by_every_secret_it_ever_had(store: Store) -> None:
    key = samples.key()
    assert store.keys.create(key)
    assert not store.keys.create(replace(key, name="other"))
    rotated = replace(key, secrets=(Secret(2, "b" * 64), key.secrets[0]), revision=2)
    assert store.keys.replace(rotated, key)
    assert not store.keys.replace(replace(rotated, name="other"), key)
    for secret in ("a" * 64, "b" * 64):
        assert store.keys.of_secret(secret) == rotated
    assert store.keys.of_secret("c" * 64) is None
    assert store.keys.get("key_1") == rotated
    assert store.keys.get("key_2") is None


def test_keys_are_listed_by_id_and_found_by_source(store: Store) -> None:
    for number in range(5):
        store.keys.create(samples.key(f"key_{number}", str(number) * 64))
    store.keys.create(samples.key("key_x", "x" * 64, program_id="prg_2"))
    secret = (Secret(1, ""),)
    webhook = samples.key("key_w", kind=KeyKind.WEBHOOK, source="web", secrets=secret)
    store.keys.create(webhook)
    listed = [one.id for one in store.keys.of_program("prg_1", None, 3)]
    assert listed == ["key_0", "key_1", "key_2"]
    assert [one.id for one in store.keys.of_program("prg_1", "key_2", 9)] == [
        "key_3",
        "key_4",
        "key_w",
    ]
    assert store.keys.of_source("web") == [webhook]
    assert store.keys.of_source("till") == []


def test_a_pass_is_replaced_revision_by_revision(store: Store) -> None:
    assert store.passes.issued("prg_1", "mem_1") is None
    assert store.passes.put_issued(samples.issued(), replaces=0)
    assert not store.passes.put_issued(samples.issued(1, google=True), replaces=0)
    second = samples.issued(2, digest=b"e" * 16)
    assert store.passes.put_issued(second, replaces=1)
    assert not store.passes.put_issued(samples.issued(3), replaces=1)
    store.passes.mark_pushed("prg_1", "mem_1", 2)
    store.passes.mark_pushed("prg_1", "mem_1", 1)
    assert store.passes.issued("prg_1", "mem_1") == replace(second, pushed_revision=2)


def test_what_google_was_told_is_noted_of_the_newest_revision_only(store: Store) -> None:
    assert not store.passes.mark_google("prg_1", "mem_1", 1, None)
    assert store.passes.put_issued(samples.issued(pushed_revision=1), replaces=0)
    for at in (3, None, 5, 7, 9):
        assert store.passes.mark_google("prg_1", "mem_1", 1, at)
    noted = samples.issued(pushed_revision=1, google_revision=1, google_notified=(5, 7, 9))
    assert store.passes.issued("prg_1", "mem_1") == noted
    assert store.passes.put_issued(noted.unchanged(), replaces=1)
    assert not store.passes.mark_google("prg_1", "mem_1", 1, 11)
    known = store.passes.issued("prg_1", "mem_1")
    assert known is not None
    assert (known.revision, known.pushed_revision, known.google_revision) == (2, 2, 2)


def test_phones_are_found_by_member_and_by_device(store: Store) -> None:
    phone, watch = samples.registration(), samples.registration("watch")
    assert store.passes.register(phone)
    assert store.passes.register(watch)
    renewed = replace(phone, push_token="token-2")
    assert not store.passes.register(renewed)
    assert store.passes.register(samples.registration(member_id="mem_2"))
    assert store.passes.registrations_of_member("prg_1", "mem_1") == [renewed, watch]
    of_phone = store.passes.registrations_of_device("phone", "pass.x")
    assert sorted(one.member_id for one in of_phone) == ["mem_1", "mem_2"]
    assert store.passes.registrations_of_device("phone", "pass.y") == []
    store.passes.unregister("prg_1", "mem_1", "phone", 9)
    store.passes.unregister("prg_1", "mem_1", "phone", 9)
    assert store.passes.registrations_of_member("prg_1", "mem_1") == [watch]


def test_messages_to_a_member_are_kept_once_changed_and_forgotten(store: Store) -> None:
    first = samples.pass_message()
    assert store.passes.add_message(first)
    assert not store.passes.add_message(replace(first, body="other"))
    second = samples.pass_message(id="m2", header={"en": "Two", "de": "Zwei"})
    assert store.passes.add_message(second)
    assert store.passes.add_message(samples.pass_message(member_id="mem_2"))
    found = store.passes.messages("prg_1", "mem_1")
    assert sorted(found, key=lambda one: one.id) == [first, second]
    tried = replace(first, tried_at=NOW)
    assert store.passes.change_message(first, tried)
    assert not store.passes.change_message(first, replace(first, sent=True))
    assert store.passes.change_message(tried, replace(tried, sent=True))
    store.passes.forget_messages("prg_1", "mem_1")
    assert store.passes.messages("prg_1", "mem_1") == []
    assert not store.passes.change_message(second, tried)
    assert len(store.passes.messages("prg_1", "mem_2")) == 1


def test_notes_lie_beside_their_entries(store: Store) -> None:
    store.notes.put(LOG, "shop:1#refund:1", "cold")
    assert store.notes.of(LOG, "shop:1#refund:1") == "cold"
    assert store.notes.of(LOG, "shop:1#refund:2") is None
    assert store.notes.of(LogKey("prg_1", "mem_2"), "shop:1#refund:1") is None


@pytest.mark.parametrize("name", ["a", "b"])
def test_counters_count(store: Store, name: str) -> None:
    assert [store.counters.hit(name, NOW) for _ in range(3)] == [1, 2, 3]
    assert store.counters.hit("other", NOW) == 1


def test_the_latest_content_of_an_order_is_said_by_one_at_a_time(store: Store) -> None:
    orders = store.orders
    claimed = orders.claim(samples.order())
    assert claimed.latest is None
    second, third = Latest(NOW + 1, b"b" * 16), Latest(NOW + 2, b"c" * 16)
    assert orders.put_latest(claimed, second)
    assert not orders.put_latest(claimed, third)  # over what it said before
    found = orders.get("prg_1", "shop", "1")
    assert found == replace(claimed, latest=second)
    assert orders.put_latest(found, third)
    assert orders.claim(samples.order()).latest == third
