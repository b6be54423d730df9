"""A store in which something happens around every call: faults, crashes, other writers."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from chalicelib.domain.ports import Store

Around = Callable[[str, partial[Any]], Any]  # is given "ledger.append", and the call itself

EFFECTS = frozenset(
    {
        "append",
        "append_each",
        "append_all",
        "claim",
        "claim_each",
        "park",
        "put_content",
        "forget_customer",
        "enrol",
        "replace",
        "replace_head",
        "publish",
        "create",
        "forget",
        "put",
        "put_health",
        "add",
        "put_issued",
        "mark_pushed",
        "mark_swept",
        "register",
        "unregister",
        "hit",
        "order",
        "close",
        "move",
        "take_code",
        "remember",
        "count_click",
        "put_latest",
        "mark_heard",
        "count",
        "add_trouble",
        "keep",
        "unkeep",
        "unkeep_some",
        "put_progress",
    }
)


class Crash(BaseException):
    """The process dies here: nothing catches it."""


@dataclass(frozen=True)
class _Port:
    real: Any
    name: str
    around: Around

    def __getattr__(self, method: str) -> Any:
        target = getattr(self.real, method)
        return lambda *args, **options: self.around(
            f"{self.name}.{method}", partial(target, *args, **options)
        )


def interfered(store: Store, around: Around) -> Store:
    """The same store, behind `around`."""
    ports = {one.name: _Port(getattr(store, one.name), one.name, around) for one in fields(store)}
    return Store(**ports)  # type: ignore[arg-type]


def is_effect(name: str) -> bool:
    """Whether a call writes something."""
    return name.partition(".")[2] in EFFECTS


@dataclass
class DiesAfter:
    """Lets so many effects happen, then dies; before the next, or right after the last."""

    effects: int

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        if not is_effect(name):
            return call()
        if self.effects == 0:
            raise Crash
        self.effects -= 1
        return call()
