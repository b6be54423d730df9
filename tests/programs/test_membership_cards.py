"""What a card says of a paid membership, and when the phone speaks of it."""

from collections.abc import Iterator

import pytest

from chalicelib.adapters.apple.passes import face_of
from chalicelib.adapters.looks import Looks
from chalicelib.domain.cards.card import Card
from chalicelib.services.passes import PassKey, read_card
from chalicelib.wiring import LOOKS
from local.stripe_stand_in import StripeStandIn
from tests.fakes.payments import FAILS_LATER, PlanShop


@pytest.fixture
def shop() -> Iterator[PlanShop]:
    with StripeStandIn() as stand_in:
        shop = PlanShop(stand_in)
        shop.set_clock("2027-01-04T10:00:00Z")
        assert shop.publish("amazon_prime").status == 201
        yield shop


def card(shop: PlanShop, member: str) -> Card:
    found = read_card(shop.runtime.context, PassKey(shop.program_id, member))
    assert isinstance(found, Card)
    return found


def shown(shop: PlanShop, member: str) -> tuple[str | None, str | None]:
    found = card(shop, member)
    return found.plan, found.plan_state


def test_the_card_says_when_the_trial_ends_and_then_what_it_will_cost(shop: PlanShop) -> None:
    ada = shop.enrol(given_name="Ada")
    nothing = card(shop, ada)
    assert (nothing.plan, nothing.plan_state) == (None, None)
    shop.pays(ada, "monthly")
    assert shown(shop, ada) == ("Prime", "Free until Feb 3, 2027")
    before = card(shop, ada)
    assert before.digest != nothing.digest
    shop.set_clock("2027-01-31T10:00:00Z")  # three days before
    assert shown(shop, ada) == ("Prime", "Free until Feb 3, 2027, then $14.99")
    assert card(shop, ada).digest != before.digest
    shop.set_clock("2027-02-03T11:30:00Z")
    assert shown(shop, ada) == ("Prime", "Renews on Mar 3, 2027")
    shop.set_clock("2027-02-28T11:00:00Z")
    assert shown(shop, ada) == ("Prime", "Renews on Mar 3, 2027 for $14.99")
    shop.membership(ada, "cancel", {"when": "period_end"})
    assert shown(shop, ada) == ("Prime", "Ends on Mar 3, 2027")
    shop.set_clock("2027-03-03T10:00:00Z")
    assert shown(shop, ada) == (None, None)


def test_a_failed_payment_and_a_pause_stand_on_the_card(shop: PlanShop) -> None:
    ada, bob = shop.enrol(locale="de-AT"), shop.enrol()
    shop.pays(ada, "monthly", card=FAILS_LATER)
    shop.pays(bob, "monthly")
    assert shop.membership(bob, "pause").status == 200
    assert shown(shop, bob) == ("Prime", "Paused")
    shop.set_clock("2027-02-03T11:30:00Z")
    assert shown(shop, ada) == ("Prime", "The payment failed: please check your card")
    document = shop.call("GET", "/v1/programs/1").json["document"]
    languages = {**document, "languages": ["de"]}
    assert shop.call("POST", "/v1/programs", languages).status == 201
    assert shown(shop, ada) == ("Prime", "Die Zahlung schlug fehl: bitte Karte prüfen")


def test_the_phone_speaks_when_the_state_changes_and_only_then(shop: PlanShop) -> None:
    ada = shop.enrol(given_name="Ada")
    look = Looks(LOOKS).get("classic")
    fields = face_of(look, card(shop, ada))["storeCard"]
    assert not [one for place in fields.values() for one in place if one["key"].startswith("plan")]
    shop.pays(ada, "monthly")
    fields = face_of(look, card(shop, ada))["storeCard"]
    assert fields["secondaryFields"][-1] == {"key": "plan", "label": "Plan", "value": "Prime"}
    assert fields["backFields"][0] == {
        "key": "plan_state",
        "label": "Membership",
        "value": "Free until Feb 3, 2027",
        "changeMessage": "%@",
    }
