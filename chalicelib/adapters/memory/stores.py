"""Connected stores in memory; nothing expires here."""

import threading
from collections import Counter

from chalicelib.domain.members.member import Claim
from chalicelib.domain.stores.connection import Connection, Progress, Trouble
from chalicelib.domain.stores.facts import OrderSaid
from chalicelib.kernel.clock import Instant

_LOCK = threading.RLock()


class MemoryStores:
    """Keeps the port `Stores`."""

    def __init__(self) -> None:
        self._connections: dict[str, Connection] = {}
        self._heard: set[tuple[str, str]] = set()
        self._counts: dict[str, Counter[str]] = {}
        self._troubles: dict[str, dict[str, Trouble]] = {}
        self._kept: dict[tuple[str, Claim], dict[tuple[str, str], OrderSaid]] = {}
        self._progress: dict[str, Progress] = {}

    def create(self, connection: Connection) -> bool:
        with _LOCK:
            return self._connections.setdefault(connection.id, connection) == connection

    def get(self, store_id: str) -> Connection | None:
        with _LOCK:
            return self._connections.get(store_id)

    def of_program(self, program_id: str) -> list[Connection]:
        return [one for one in self.all() if one.program_id == program_id]

    def all(self) -> list[Connection]:
        with _LOCK:
            return sorted(self._connections.values(), key=lambda one: (one.program_id, one.id))

    def replace(self, connection: Connection, was: Connection) -> bool:
        with _LOCK:
            now = self._connections.get(connection.id)
            if now == connection:
                return True
            if now is None or now.revision != was.revision:
                return False
            self._connections[connection.id] = connection
            return True

    def remove(self, connection: Connection) -> None:
        with _LOCK:
            for rows in (self._connections, self._progress, self._counts):
                rows.pop(connection.id, None)

    def heard(self, store_id: str, message_id: str) -> bool:
        with _LOCK:
            return (store_id, message_id) in self._heard

    def mark_heard(self, store_id: str, message_id: str, expires_at: Instant) -> None:  # noqa: ARG002
        with _LOCK:
            self._heard.add((store_id, message_id))

    def count(self, store_id: str, topic: str) -> None:
        with _LOCK:
            self._counts.setdefault(store_id, Counter())[topic] += 1

    def counts(self, store_id: str) -> dict[str, int]:
        with _LOCK:
            return dict(sorted(self._counts.get(store_id, {}).items()))

    def add_trouble(self, trouble: Trouble) -> None:
        with _LOCK:
            self._troubles.setdefault(trouble.store_id, {})[trouble.id] = trouble

    def troubles(self, store_id: str, before: str | None, limit: int) -> list[Trouble]:
        with _LOCK:
            rows = sorted(self._troubles.get(store_id, {}).items(), reverse=True)
        return [one for key, one in rows if before is None or key < before][:limit]

    def keep(
        self,
        program_id: str,
        owner: Claim,
        said: OrderSaid,
        expires_at: Instant,  # noqa: ARG002
    ) -> None:
        key = (said.order.source, said.order.id)
        with _LOCK:
            rows = self._kept.setdefault((program_id, owner), {})
            known = rows.get(key)
            if known is None or (known.order.updated_at or 0) <= (said.order.updated_at or 0):
                rows[key] = said

    def kept(self, program_id: str, owner: Claim) -> list[OrderSaid]:
        with _LOCK:
            return [one for _, one in sorted(self._kept.get((program_id, owner), {}).items())]

    def unkeep(self, program_id: str, owner: Claim, said: OrderSaid) -> bool:
        key = (said.order.source, said.order.id)
        with _LOCK:
            rows = self._kept.get((program_id, owner), {})
            known = rows.get(key)
            if known and (known.order.updated_at or 0) > (said.order.updated_at or 0):
                return False
            rows.pop(key, None)
            return True

    def unkeep_some(self, program_id: str, source: str, limit: int) -> int:
        with _LOCK:
            mine = [rows for (program, _), rows in self._kept.items() if program == program_id]
            found = [(rows, key) for rows in mine for key in rows if key[0] == source][:limit]
            for rows, key in found:
                del rows[key]
            return len(found)

    def progress(self, store_id: str) -> Progress | None:
        with _LOCK:
            return self._progress.get(store_id)

    def put_progress(self, progress: Progress) -> bool:
        with _LOCK:
            now = self._progress.get(progress.store_id)
            if now == progress:
                return True
            if (now.revision if now else 0) != progress.revision - 1:
                return False
            self._progress[progress.store_id] = progress
            return True
