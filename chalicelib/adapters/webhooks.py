"""Requests to webhook endpoints."""

import time
from collections.abc import Mapping

from chalicelib.adapters.public_http import SECONDS, NoAnswer, PublicHttp, Resolve, Unsafe, resolve
from chalicelib.domain.ports import Sent

EXCERPT_BYTES = 1024
EXCERPT_CHARACTERS = 500


class Webhooks:
    """Keeps the port `WebhookSender`."""

    def __init__(
        self,
        *,
        allow_local: bool = False,
        resolve: Resolve = resolve,
        seconds: float = SECONDS,
        authority: str | None = None,
    ) -> None:
        """As `PublicHttp` says."""
        self._http = PublicHttp(
            allow_local=allow_local, resolve=resolve, seconds=seconds, authority=authority
        )

    def problem(self, url: str) -> str | None:
        return self._http.problem(url)

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Sent:
        began = time.monotonic()
        try:
            answer = self._http.send("POST", url, headers, body, EXCERPT_BYTES)
        except Unsafe as unsafe:
            return Sent(None, "", _since(began), f"the address {unsafe}")
        except NoAnswer as silence:
            return Sent(None, "", _since(began), str(silence))
        return Sent(
            answer.status,
            answer.body.decode("utf-8", "replace")[:EXCERPT_CHARACTERS],
            _since(began),
            retry_after=answer.headers.get("retry-after"),
        )


def _since(began: float) -> int:
    return round((time.monotonic() - began) * 1000)
