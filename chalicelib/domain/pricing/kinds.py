"""The kinds of discounts: one line a kind, from its document to its terms."""

from collections.abc import Callable, Mapping
from typing import Any

from chalicelib.domain.counting.counter import Counter
from chalicelib.domain.pricing.amount import AmountDocument, AmountOff
from chalicelib.domain.pricing.cheapest import Cheapest, CheapestDocument
from chalicelib.domain.pricing.discount import Terms
from chalicelib.domain.pricing.ladder import Ladder, LadderDocument
from chalicelib.domain.pricing.percent import PercentDocument, PercentOff
from chalicelib.domain.pricing.price_list import PriceList, PriceListDocument

AnyDiscount = (
    PercentDocument | AmountDocument | PriceListDocument | LadderDocument | CheapestDocument
)
Counters = Mapping[str, Counter]
_KINDS: dict[type, Callable[[Any, Counters], Terms]] = {
    PercentDocument: lambda one, _: PercentOff.of(one),
    AmountDocument: lambda one, _: AmountOff.of(one),
    PriceListDocument: lambda one, _: PriceList.of(one),
    CheapestDocument: lambda one, _: Cheapest.of(one),
    LadderDocument: lambda one, counters: Ladder.of(one, counters.get(one.counter or "")),
}


def terms_of(document: AnyDiscount, counters: Counters) -> Terms:
    """The terms of any kind of discount."""
    return _KINDS[type(document)](document, counters)
