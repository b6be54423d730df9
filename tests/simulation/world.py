"""The world: one store, several processes with clocks of their own, and faults.

Whatever runs at the same time runs in threads of which only one goes on at a time; before every
call to the store it is drawn who that is. All that is random comes from one generator.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random
from typing import Any

from chalicelib.adapters.memory.store import (
    MemoryLedger,
    MemoryMembers,
    MemoryReferrals,
    MemoryVouchers,
    memory_store,
)
from chalicelib.adapters.vault import Vault
from chalicelib.domain.errors import Contended, Unavailable
from chalicelib.domain.ledger.account import Head
from chalicelib.domain.ledger.entries import LogKey, StoredEntry
from chalicelib.domain.ports import Store
from chalicelib.domain.program.program import Mode, ProgramHead, Versions
from chalicelib.kernel.clock import MINUTE, Instant
from chalicelib.services.catalog import Catalog
from chalicelib.services.context import Context, Keyring
from chalicelib.services.sweeps import message
from tests.fakes.interference import Crash, interfered, is_effect
from tests.fakes.shop import START, NoPause

PROCESSES = 3
SKEW = 2 * MINUTE
PROGRAM = "prg_sim"
STALE = 0.2  # of the reads that may be stale
RATES = {
    "lost before": 0.006,
    "throttled": 0.004,
    "lost answer": 0.02,
    "sdk retry": 0.02,
    "conflict": 0.02,
    "crash before": 0.006,
    "crash after": 0.006,
}
_OF_EFFECTS = {"lost answer", "sdk retry", "conflict", "crash before", "crash after"}
_TRANSACTIONS = {"ledger.append_all", "members.enrol", "members.replace"}


class RecordedLedger(MemoryLedger):
    """The twin's ledger, and the order in which its entries came."""

    def __init__(self, vouchers: MemoryVouchers) -> None:
        super().__init__(vouchers)
        self.commits: list[StoredEntry] = []

    def append(self, entry: StoredEntry) -> StoredEntry | None:
        winner = super().append(entry)
        if winner is None:
            self.commits.append(entry)
        return winner

    def used(self, program_id: str) -> dict[str, int]:
        """What was taken of what all members share."""
        return {name: used for (of, name), used in self._used.items() if of == program_id}


class Steps:
    """Runs several things at once, one step at a time; whose step is next is drawn."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._done = threading.Semaphore(0)
        self._mine = threading.local()

    def run(self, works: Iterable[Callable[[], Any]]) -> list[Any]:
        """What each gave back, or the exception that ended it."""
        outcomes: dict[int, Any] = {}
        turns: dict[int, threading.Semaphore] = {}
        for number, work in enumerate(works):
            turns[number] = threading.Semaphore(0)
            args = (number, work, turns[number], outcomes)
            threading.Thread(target=self._live, args=args, daemon=True).start()
        waiting = sorted(turns)
        while waiting:
            number = self._random.choice(waiting)
            turns[number].release()
            self._done.acquire()
            if number in outcomes:
                waiting.remove(number)
        return [outcomes[number] for number in sorted(outcomes)]

    def give_way(self) -> None:
        """Ends a step; goes on when it is drawn again."""
        turn = getattr(self._mine, "turn", None)
        if turn is not None:
            self._done.release()
            turn.acquire()

    def _live(
        self,
        number: int,
        work: Callable[[], Any],
        turn: threading.Semaphore,
        outcomes: dict[int, Any],
    ) -> None:
        self._mine.turn = turn
        turn.acquire()
        try:
            outcomes[number] = work()
        except BaseException as error:
            outcomes[number] = error
        self._done.release()


@dataclass
class SkewedClock:
    """The world's time, as one process sees it."""

    world: "World"
    skew: Instant

    def now(self) -> Instant:
        return self.world.now + (0 if self.world.calm else self.skew)


@dataclass
class SeededIds:
    """Identifiers that are the same in every run."""

    random: Random

    def new(self, prefix: str) -> str:
        return f"{prefix}_{self.random.getrandbits(60):015x}"

    def secret(self, prefix: str) -> str:
        return self.new(prefix)


@dataclass
class Messages:
    """A queue: at least once, in any order, at any time."""

    kept: list[str] = field(default_factory=list)

    def send(self, messages: Iterable[str]) -> None:
        self.kept += messages


class World:
    """Everything that is there, and what has gone wrong so far."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.now = START
        self.calm = True
        vouchers, referrals = MemoryVouchers(), MemoryReferrals()
        self.ledger = RecordedLedger(vouchers)
        self.twin = replace(
            memory_store(),
            ledger=self.ledger,
            vouchers=vouchers,
            members=MemoryMembers(self.ledger, referrals),
            referrals=referrals,
        )
        self.twin.programs.create(ProgramHead(PROGRAM, Mode.LIVE, "Simulated"))
        self.steps = Steps(self.random)
        self.faults: Counter[str] = Counter()
        self.queue = Messages()
        self._store: Store = interfered(self.twin, self._around)
        self._keyring = Keyring(b"s" * 32)
        self._processes = [self._process() for _ in range(PROCESSES)]
        self._routed = 0

    def process(self) -> Context:
        """One of the processes, drawn."""
        return self.random.choice(self._processes)

    def crashed(self, context: Context) -> None:
        """A process died: another takes its place, with another clock, and remembers nothing."""
        self._processes = [self._process() if one is context else one for one in self._processes]

    def route(self) -> None:
        """What the stream does with the entries that are new."""
        new = self.ledger.commits[self._routed :]
        self._routed += len(new)
        self.queue.send(message(PROGRAM, entry.key.member_id) for entry in new)

    @property
    def versions(self) -> Versions:
        """The program's versions, as they lie in the store."""
        head = self.twin.programs.head(PROGRAM)
        assert head is not None
        return Catalog(self.twin.programs).versions(head)

    def log(self, member_id: str) -> list[StoredEntry]:
        """A member's entries, oldest first."""
        return self.ledger.entries(LogKey(PROGRAM, member_id), None, 10**9)[::-1]

    def _process(self) -> Context:
        return Context(
            store=self._store,
            catalog=Catalog(self._store.programs),
            keyring=self._keyring,
            clock=SkewedClock(self, self.random.randint(-SKEW, SKEW)),
            ids=SeededIds(self.random),
            pause=NoPause(),
            payments=lambda *_: None,
            sealer=Vault(self._keyring.key("store secrets")),
        )

    def _around(self, name: str, call: partial[Any]) -> Any:
        self.steps.give_way()
        if self.calm:
            return call()
        fault = self._drawn(name, call)
        if fault is not None:
            self.faults[fault] += 1
        match fault:
            case "lost before" | "throttled":
                raise Unavailable(fault)
            case "conflict":
                raise Contended(fault)
            case "crash before":
                raise Crash(fault)
            case "stale read":
                return self._older(*call.args)
            case "sdk retry":
                call()
                self.steps.give_way()
        answer = call()
        if fault == "lost answer":
            raise Unavailable(fault)
        if fault == "crash after":
            raise Crash(fault)
        return answer

    def _drawn(self, name: str, call: partial[Any]) -> str | None:
        may_be_stale = name == "ledger.head" and not call.keywords["strong"]
        if may_be_stale and self.random.random() < STALE:
            return "stale read"
        drawn = self.random.random()
        for fault, rate in RATES.items():
            if drawn < rate:
                if fault in _OF_EFFECTS and not is_effect(name):
                    return None
                return None if fault == "conflict" and name not in _TRANSACTIONS else fault
            drawn -= rate
        return None

    def _older(self, key: LogKey) -> Head | None:
        """What an eventually consistent read may still see: what was the newest a moment ago."""
        log = self.ledger.entries(key, None, 4)
        seen = [Head.of(stored) for stored in log]
        moment = self.now - 2 * SKEW
        pairs = zip(seen[1:], seen, strict=False)
        recent = [one for one, then in pairs if then.recorded_at > moment]
        return self.random.choice([*seen[:1], *recent]) if seen else None
