"""Which lines of an order a rule is about."""

from dataclasses import dataclass

from chalicelib.domain.earning.documents import SelectionDocument
from chalicelib.domain.orders import Order, OrderLine


@dataclass(frozen=True)
class Selection:
    """Names of products, categories and labels; a line is in it when it carries any of them."""

    skus: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()

    @classmethod
    def of(cls, document: SelectionDocument) -> "Selection":
        return cls(
            frozenset(document.skus or ()),
            frozenset(document.categories or ()),
            frozenset(document.labels or ()),
        )

    def places(self, order: Order) -> set[int]:
        """Where the lines stand that are in it."""
        found: set[int] = set()
        for names, kind in (
            (self.skus, "skus"),
            (self.categories, "categories"),
            (self.labels, "labels"),
        ):
            if names:
                carried = order.places[kind]
                for name in names & carried.keys():
                    found.update(carried[name])
        return found

    def holds(self, line: OrderLine) -> bool:
        return (
            line.sku in self.skus
            or not self.categories.isdisjoint(line.categories)
            or not self.labels.isdisjoint(line.labels)
        )


@dataclass(frozen=True)
class Lines:
    """Included lines (all, where nothing is named) without the excluded ones."""

    include: Selection | None = None
    exclude: Selection | None = None

    @classmethod
    def of(cls, include: SelectionDocument | None, exclude: SelectionDocument | None) -> "Lines":
        return cls(
            Selection.of(include) if include else None, Selection.of(exclude) if exclude else None
        )

    @property
    def all(self) -> bool:
        """Whether every line is chosen."""
        return self.include is None and self.exclude is None

    def choose(self, values: tuple[int, ...], order: Order) -> tuple[int, ...]:
        """One value a line: 0 for a line that is not chosen."""
        if self.all:
            return values
        chosen = range(len(values)) if self.include is None else self.include.places(order)
        without = self.exclude.places(order) if self.exclude is not None else ()
        weights = [0] * len(values)
        for at in chosen:
            if at not in without:
                weights[at] = values[at]
        return tuple(weights)

    def hold(self, line: OrderLine) -> bool:
        if self.include is not None and not self.include.holds(line):
            return False
        return self.exclude is None or not self.exclude.holds(line)
