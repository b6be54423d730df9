"""Idempotency keys, and failures that a test asks for ("Idempotent requests")."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from local.stripe_stand_in.errors import Refused, invalid
from local.stripe_stand_in.world import World

KEPT_SECONDS = 86_400
LONGEST_KEY = 255


class Keys:
    """Remembers answers in the world, and which keys are being worked on."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._working: set[str] = set()
        self._lock = threading.Lock()

    @contextmanager
    def working(self, key: str | None) -> Iterator[None]:
        """Raises 409 where another request with the key is being worked on."""
        if key is None:
            yield
            return
        if len(key) > LONGEST_KEY:
            raise invalid(f"An idempotency key has at most {LONGEST_KEY} characters.")
        with self._lock:
            if key in self._working:
                message = "There is currently another in-progress request using this key."
                raise Refused(409, "idempotency_error", message, code="idempotency_key_in_use")
            self._working.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._working.discard(key)

    def stored(self, key: str, mark: str) -> tuple[int, Any] | None:
        """The answer that the key had within a day. Raises 400 where it was another request."""
        kept = self._world.answers.get(key)
        if kept is None or self._world.now() - kept["at"] >= KEPT_SECONDS:
            return None
        if kept["mark"] != mark:
            message = "Keys for idempotent requests can only be used with the same parameters."
            raise Refused(400, "idempotency_error", message)
        return kept["status"], kept["body"]

    def store(self, key: str, mark: str, status: int, body: Any) -> None:
        """What the key is answered with from now on."""
        kept = {"at": self._world.now(), "mark": mark, "status": status, "body": body}
        self._world.answers[key] = kept


def mark(method: str, path: str, form: str) -> str:
    """What makes two requests the same one."""
    pairs = "&".join(sorted(form.split("&")))
    return hashlib.sha256(f"{method} {path} {pairs}".encode()).hexdigest()


@dataclass(frozen=True)
class Before:
    """Answers with this status, and does nothing."""

    status: int


@dataclass(frozen=True)
class After:
    """Does it, and answers with this status: what was done is lost on the way."""

    status: int


@dataclass(frozen=True)
class Delay:
    """Does it so much later, and answers well."""

    seconds: float


How = Before | After | Delay


class Faults:
    """What goes wrong next, by method and beginning of the path."""

    def __init__(self) -> None:
        self._planned: list[tuple[str, str, How]] = []
        self._lock = threading.Lock()

    def plan(self, method: str, path_prefix: str, how: How) -> None:
        """The next such request fails so; several plans for it are used one by one."""
        self._planned.append((method, path_prefix, how))

    def take(self, method: str, path: str) -> How | None:
        """What happens to this request, if anything."""
        with self._lock:
            for place, (wanted, prefix, how) in enumerate(self._planned):
                if wanted == method and path.startswith(prefix):
                    del self._planned[place]
                    return how
        return None
