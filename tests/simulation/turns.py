"""A shop whose calls to its store are made in turns, as a seed draws them."""

import dataclasses
import threading
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from chalicelib.services.context import Context
from tests.fakes.interference import Crash, DiesAfter, interfered
from tests.fakes.shop import Shop
from tests.simulation.world import Steps


def among(shop: Shop, around: Callable[[str, partial[Any]], Any]) -> Context:
    """The shop's context, with something around every call to its store."""
    context = shop.runtime.context
    return dataclasses.replace(context, store=interfered(context.store, around))


class Turns:
    """Runs works of one shop at once: before each call to its store it is drawn who goes on."""

    def __init__(self, shop: Shop, seed: int) -> None:
        self.random = Random(seed)
        self._shop = shop
        self._steps = Steps(self.random)
        self._mine = threading.local()

    def run(self, *works: Callable[[], Any]) -> list[Any]:
        """What each gave back, or the exception that ended it."""
        was = self._shop.runtime.context
        self._shop.runtime.context = among(self._shop, self._around)
        try:
            return self._steps.run(works)
        finally:
            self._shop.runtime.context = was

    def dying(self, work: Callable[[], Any], effects: int) -> Callable[[], Any]:
        """The work of a process that dies after so many effects."""

        def work_and_die() -> Any:
            self._mine.dies = DiesAfter(effects)
            return work()

        return work_and_die

    def give_way(self) -> None:
        """A step of something else than the store."""
        self._steps.give_way()

    def _around(self, name: str, call: partial[Any]) -> Any:
        self.give_way()
        dies = getattr(self._mine, "dies", None)
        return call() if dies is None else dies(name, call)


def at_once(shop: Shop, seed: int, *works: Callable[[], Any]) -> list[Any]:
    """Runs these in turns, none of which may fail."""
    outcomes = Turns(shop, seed).run(*works)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
    return outcomes


def died(outcome: Any) -> bool:
    """Whether this is what a process left that died."""
    return isinstance(outcome, Crash)
