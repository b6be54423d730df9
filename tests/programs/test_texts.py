"""Texts in the member's language, on the API and on the card; warnings of the owner."""

from typing import Any

import pytest

from chalicelib.kernel.formats import format_money
from chalicelib.services.passes import PassKey, read_card
from tests.fakes.rules import account, at, document, opened, rule
from tests.fakes.shop import Shop, goods

BASE = rule("base", per=100)
SEVERAL: dict[str, Any] = {
    "language": "en",
    "languages": ["de", "pt-BR"],
    "currencies": {"points": {"label": {"en": "Points", "de": "Punkte", "pt-BR": "Pontos"}}},
    "counters": {"spend": {"of": "spend"}},
    "tiers": {
        "levels": [
            {"id": "base", "label": {"en": "Guest", "de": "Gast", "pt-BR": "Visita"}},
            {
                "id": "gold",
                "label": {"en": "Gold", "de": "Gold", "pt-BR": "Ouro"},
                "at_least": {"spend": 50000},
            },
        ]
    },
    "rewards": [
        {
            "id": "mug",
            "kind": "product",
            "name": {"en": "A mug", "de": "Ein Becher", "pt-BR": "Uma caneca"},
            "cost": {"currency": "points", "amount": 10},
        }
    ],
}


def texts(shop: Shop, **fields: Any) -> tuple[str, str]:
    member = shop.enrol(external_id="ada", **fields)
    found = account(shop, member)
    return found["balances"]["points"]["label"], found["tier"]["label"]


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("de", ("Punkte", "Gast")),
        ("de-AT", ("Punkte", "Gast")),
        ("pt-BR", ("Pontos", "Visita")),
        ("pt-PT", ("Points", "Guest")),
        ("fr", ("Points", "Guest")),
        (None, ("Points", "Guest")),
    ],
)
def test_the_account_speaks_the_members_language(
    locale: str | None, expected: tuple[str, str]
) -> None:
    shop = opened(document(BASE, **SEVERAL))
    fields = {} if locale is None else {"locale": locale}
    assert texts(shop, **fields) == expected


def test_the_public_program_in_a_language() -> None:
    shop = opened(document(BASE, **SEVERAL))

    def shown(**query: str) -> tuple[str, str]:
        found = shop.call("GET", "/v1/programs/current", query=query).json
        return found["currencies"]["points"]["label"], found["rewards"][0]["name"]

    assert shown(language="de") == ("Punkte", "Ein Becher")
    assert shown() == ("Points", "A mug")


def test_the_card_speaks_it_too_and_shows_tier_and_progress() -> None:
    shop = opened(document(BASE, **SEVERAL))
    ada = shop.enrol(locale="de-DE")
    shop.order(ada, "1", goods(45000))
    card = read_card(shop.runtime.context, PassKey(shop.program_id, ada))
    assert not hasattr(card, "code")
    assert card.values["first.label"] == "Punkte"
    assert card.values["tier"] == "Gast"
    assert card.values["tier.progress"] == "45000 / 50000"
    assert card.language == "de"
    before = card.digest
    shop.order(ada, "2", goods(5000))
    after = read_card(shop.runtime.context, PassKey(shop.program_id, ada))
    assert (after.values["tier"], after.values.get("tier.progress")) == ("Gold", None)
    assert after.digest != before


def warnings(*discounts: dict[str, Any], **parts: Any) -> list[str]:
    shop = opened(document(BASE))
    reply = shop.call("POST", "/v1/programs", document(BASE, discounts=list(discounts), **parts))
    assert reply.status == 201, reply.raw
    return [f"{one['field']}: {one['reason']}" for one in reply.json["warnings"]]


def percent(much: Any, **more: Any) -> dict[str, Any]:
    return {"id": "d", "kind": "percent", "percent": much, **more}


ONLY_APP = {"if": {"channels": ["app"]}}


def test_discounts_that_the_owner_may_regret_are_told_and_published() -> None:
    assert warnings(percent(49, **ONLY_APP)) == []
    assert warnings(percent(50, **ONLY_APP)) == ["discounts[0]: takes 50 % off"]
    assert warnings(percent(2, **ONLY_APP)) == []
    few = ["discounts[0]: takes only 1.5 % off: members will not see it"]
    assert warnings(percent("1.5", **ONLY_APP)) == few
    always = ["discounts[0]: is always on: it has no condition, campaign or code"]
    assert warnings(percent(10)) == always
    steps = [{"at": 100, "percent": 5}, {"at": 200, "percent": 60}]
    ladder = {"id": "l", "kind": "ladder", "steps": steps, **ONLY_APP}
    assert warnings(ladder) == ["discounts[0]: takes 60 % off"]


def test_the_thresholds_are_settings() -> None:
    own = {"discount_percent_from": 20, "discount_percent_below": 10}
    assert warnings(percent(20, **ONLY_APP), warnings=own) == ["discounts[0]: takes 20 % off"]
    few = ["discounts[0]: takes only 9 % off: members will not see it"]
    assert warnings(percent(9, **ONLY_APP), warnings=own) == few


def test_orders_that_cost_more_than_the_margin() -> None:
    cash = {"id": "cash", "kind": "cash", "name": "Cash", "worth": 10}
    cash["cost"] = {"currency": "points", "amount": 1}  # a point pays ten cents of each euro
    parts: dict[str, Any] = {"rewards": [cash], "warnings": {"margin_percent": 10}}
    assert warnings(**parts) == []
    parts["warnings"] = {"margin_percent": 9}
    told = "every order costs about 10 % of its price, more than the margin of 9 %"
    assert warnings(**parts) == [f"warnings.margin_percent: {told}"]
    parts["warnings"] = {"margin_percent": 14}
    assert len(warnings(percent(5), **parts)) == 2


@pytest.mark.parametrize(
    ("locale", "shown", "expires"),
    [
        ("de", "12,50\u00a0€", "12,50\u00a0€ · 01.02.2027"),
        ("en", "€12.50", "€12.50 · Feb 1, 2027"),
        ("pt-BR", "€\u00a012,50", "€\u00a012,50 · 1 de fev. de 2027"),
    ],
)
def test_the_card_writes_money_and_days_as_the_members_language_does(
    locale: str, shown: str, expires: str
) -> None:
    label = {"en": "Credit", "de": "Guthaben", "pt-BR": "Saldo"}
    credit = {"label": label, "money": True, "expires": {"months": 2, "end_of": "month"}}
    parts = {"currencies": {"points": credit}, "languages": ["de", "pt-BR"]}
    shop = opened(document(rule("base", give=10, per=100), **parts))
    ada = shop.enrol(locale=locale)
    at(shop, "2026-11-30T12:00:00Z")
    shop.order(ada, "1", goods(12500))
    card = read_card(shop.runtime.context, PassKey(shop.program_id, ada))
    assert (card.values["first.shown"], card.values["first.expires"]) == (shown, expires)


def test_a_language_without_rules_of_its_own_is_written_as_english_is() -> None:
    assert format_money(1250, "EUR", "xx") == "€12.50"
    assert format_money(1250, "KWD", "en") == "KWD1.250"
    assert format_money(1250, "JPY", "de") == "1.250\u00a0¥"
