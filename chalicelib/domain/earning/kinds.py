"""The kinds of earn rules there are: one line a kind, from its document to its rule."""

from collections.abc import Callable
from typing import Any

from chalicelib.domain.earning.documents import (
    BasisDocument,
    EarnRuleDocument,
    PerAmountDocument,
    PerUnitDocument,
    SelectionDocument,
)
from chalicelib.domain.earning.per_amount import Basis, PerAmount
from chalicelib.domain.earning.per_unit import PerUnit
from chalicelib.domain.earning.rule import EarnRule, Pending, Rate, Rounding
from chalicelib.domain.earning.selection import Lines, Selection

EarnDocument = PerAmountDocument | PerUnitDocument


def compile_rule(document: EarnDocument, number: int, currency: int) -> EarnRule:
    """The rule that a document describes."""
    return _KINDS[type(document)](
        document,
        id=document.id,
        number=number,
        currency=currency,
        rate=rate_of(document),
        pending=Pending(document.pending.days) if document.pending else None,
    )


def rate_of(document: EarnRuleDocument) -> Rate:
    """The rate of any kind of rule."""
    return Rate(document.give, document.per, Rounding(document.rounding), document.carry_remainder)


def _per_amount(document: PerAmountDocument, **common: Any) -> PerAmount:
    return PerAmount(lines=_lines(document), basis=_basis(document.basis), **common)


def _per_unit(document: PerUnitDocument, **common: Any) -> PerUnit:
    return PerUnit(lines=_lines(document), **common)


_KINDS: dict[type, Callable[..., EarnRule]] = {
    PerAmountDocument: _per_amount,
    PerUnitDocument: _per_unit,
}


def _lines(document: EarnRuleDocument) -> Lines:
    return Lines(_selection(document.include), _selection(document.exclude))


def _selection(document: SelectionDocument | None) -> Selection | None:
    if document is None:
        return None
    return Selection(
        frozenset(document.skus or ()),
        frozenset(document.categories or ()),
        frozenset(document.labels or ()),
    )


def _basis(document: BasisDocument) -> Basis:
    return Basis(
        tax=document.tax == "included",
        shipping=document.shipping == "included",
        discounts_deducted=document.discounts == "deducted",
        gift_cards_bought=document.gift_cards_bought == "included",
        gift_card_payments=document.gift_card_payments == "included",
    )
