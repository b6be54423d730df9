"""What the long steps say while they run."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic


class Failed(Exception):
    """A step could not be done. The message is one clear line for the person at the terminal."""


def say(text: str) -> None:
    """One line, at once."""
    print(text, flush=True)  # noqa: T201


@contextmanager
def step(title: str) -> Iterator[None]:
    """Announces a step and says how long it took."""
    say(f"{title} ...")
    began = monotonic()
    yield
    say(f"  done in {monotonic() - began:.1f} s")
