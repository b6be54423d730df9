"""Which lines of an order a rule is about."""

from dataclasses import dataclass

from chalicelib.domain.earning.documents import SelectionDocument
from chalicelib.domain.orders import OrderLine


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

    def hold(self, line: OrderLine) -> bool:
        if self.include is not None and not self.include.holds(line):
            return False
        return self.exclude is None or not self.exclude.holds(line)
