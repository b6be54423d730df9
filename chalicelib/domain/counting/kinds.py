"""From the document of a counter to the counter."""

from chalicelib.domain.counting.counter import Counter, Measure
from chalicelib.domain.counting.documents import CounterDocument
from chalicelib.domain.counting.documents import Window as WindowIs
from chalicelib.domain.counting.windows import Calendar, Lifetime, Rolling, UntilIdle, Window
from chalicelib.domain.earning.per_activity import Doing
from chalicelib.domain.earning.per_amount import Basis, BasisDocument, Money
from chalicelib.domain.earning.per_unit import Units
from chalicelib.domain.earning.selection import Lines
from chalicelib.domain.earning.weighing import Weighing

_MEASURES = {
    "spend": Measure.WEIGHT,
    "units": Measure.WEIGHT,
    "activity": Measure.WEIGHT,
    "orders": Measure.ORDERS,
    "points": Measure.EARNED,
}


def compile_counter(name: str, document: CounterDocument, number: int, currency: int) -> Counter:
    """The counter that a document describes; `currency` is the number of its currency, or 0."""
    return Counter(
        name,
        number,
        _MEASURES[document.of],
        window_of(document.window),
        _weighing(document),
        currency,
        frozenset(document.channels) if document.channels else None,
        frozenset(document.stores) if document.stores else None,
    )


def window_of(document: WindowIs) -> Window:
    """The window that a document names."""
    if document == "lifetime":
        return Lifetime()
    if isinstance(document, str):
        return Calendar(document)
    if document.rolling_days or document.rolling_months:
        return Rolling(document.rolling_days or 0, document.rolling_months or 0)
    return UntilIdle(document.until_idle_days or 0, document.until_idle_months or 0)


def _weighing(document: CounterDocument) -> Weighing | None:
    lines = Lines.of(document.include, document.exclude)
    if document.of == "spend":
        return Money(lines, Basis.of(document.basis or BasisDocument(tax="included")))
    if document.of == "units":
        return Units(lines)
    if document.of == "activity":
        return Doing(document.activity or "", document.property)
    return None
