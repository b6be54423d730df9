"""Changing a record that somebody else may change at the same time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

from chalicelib.domain.errors import Contended, Refusal
from chalicelib.services.context import Context

TRIES = 5
T = TypeVar("T", bound=Any)


def revise(
    context: Context,
    find: Callable[[], T | Refusal],
    change: Callable[[T], T | Refusal],
    write: Callable[[T, T], bool],
) -> tuple[T, T] | Refusal:
    """Writes what `change` makes of it, with the next revision; as it was, and as it is.

    Raises `Contended` where others are faster again and again.
    """
    for attempt in range(TRIES):
        was = find()
        if isinstance(was, Refusal):
            return was
        changed = change(was)
        if isinstance(changed, Refusal):
            return changed
        if changed == was:
            return was, was
        now = replace(changed, revision=was.revision + 1)
        if write(now, was):
            return was, now
        context.pause.before(attempt)
    raise Contended("it was changed again and again")
