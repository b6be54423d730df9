"""What every use case works with: the store, the clock, the programs and the derived keys."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from chalicelib.domain.ports import Payments, Sealer, Store
from chalicelib.domain.program.program import Mode, ProgramHead
from chalicelib.kernel.clock import Clock, Instant, Pause
from chalicelib.kernel.ids import Ids
from chalicelib.kernel.keys import derive, derived_id
from chalicelib.services.catalog import Catalog


class Keyring:
    """The keys of all purposes, derived from the one master secret."""

    def __init__(self, master: bytes) -> None:
        self._of = lru_cache(maxsize=64)(lambda purpose: derive(master, purpose))

    def key(self, purpose: str) -> bytes:
        """The 32-byte key of one purpose."""
        return self._of(purpose)


@dataclass(frozen=True)
class Context:
    """Made once by the composition root, and given to every use case."""

    store: Store
    catalog: Catalog
    keyring: Keyring
    clock: Clock
    ids: Ids
    pause: Pause
    payments: Callable[[str, Mode], Payments | None]  # who takes a program's money, if anybody
    sealer: Sealer
    base_url: str = ""  # where people reach us; empty: as each caller did


@dataclass(frozen=True)
class Here:
    """The program that is called, what time it is there, and whether what is done is history."""

    program: ProgramHead
    now: Instant
    imports: bool = False  # an import brings what happened elsewhere: nobody is told of it

    @property
    def program_id(self) -> str:
        return self.program.program_id


def new_id(context: Context, here: Here, prefix: str, idempotency_key: str | None) -> str:
    """A new identifier. An Idempotency-Key names it: the same key in the same program is the same
    identifier, so that a repeated call meets what it made."""
    if idempotency_key is None:
        return context.ids.new(prefix)
    return derived_id(context.keyring.key("ids"), prefix, here.program_id, idempotency_key)


def enter(context: Context, program_id: str) -> Here | None:
    """The program as it is now. A test program's clock may stand still."""
    now = context.clock.now()
    head = context.catalog.head(program_id, now)
    if head is None:
        return None
    return Here(head, now if head.test_now is None else head.test_now)
