"""Work that is done at the same time, so that nothing waits for the answer of something else."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from chalicelib.kernel.meter import Units, current, measured

THREADS = 16  # below the connections that the store's client keeps

A = TypeVar("A")
B = TypeVar("B")


def side_by_side(work: Callable[[A], B], items: Iterable[A]) -> list[B]:
    """What comes of each, in their order; what all of it cost is counted for the caller."""

    def counted(item: A) -> tuple[B, Units]:
        with measured() as units:
            return work(item), units

    with ThreadPoolExecutor(THREADS) as threads:
        done = list(threads.map(counted, items))
    for _, units in done:
        current().add(units)
    return [result for result, _ in done]
