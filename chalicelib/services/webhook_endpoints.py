"""Webhook endpoints: make, change, remove them, and rotate their secrets."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from chalicelib.domain.access.keys import ROTATION_GRACE, Secret
from chalicelib.domain.errors import FieldError, Refusal
from chalicelib.domain.ports import WebhookSender
from chalicelib.domain.webhooks.endpoint import MAX_ENDPOINTS, Disabled, Endpoint
from chalicelib.domain.webhooks.events import known_patterns
from chalicelib.kernel.clock import Instant
from chalicelib.services.context import Context, Here, new_id
from chalicelib.services.keys import signing_secret
from chalicelib.services.revising import TRIES, revise

NOT_FOUND = Refusal("endpoint_not_found", "there is no such webhook endpoint")


@dataclass(frozen=True)
class Made:
    """An endpoint, and its secret the only time it can be seen: a replay has none."""

    endpoint: Endpoint
    secret: str | None


@dataclass(frozen=True)
class Wish:
    """What of an endpoint shall be; None: as it is."""

    url: str | None = None
    description: str | None = None
    event_types: tuple[str, ...] | None = None
    enabled: bool | None = None


def create_endpoint(
    context: Context,
    here: Here,
    sender: WebhookSender,
    wish: Wish,
    idempotency_key: str | None,
) -> Made | Refusal:
    """Makes an endpoint. The same request with the same Idempotency-Key has no secret.

    Two at the same moment may make one more than there should be.
    """
    errors = _problems(sender, wish)
    if errors:
        return _invalid(errors)
    endpoint_id = new_id(context, here, "whe", idempotency_key)
    endpoint = Endpoint(
        program_id=here.program_id,
        id=endpoint_id,
        url=wish.url or "",
        description=wish.description or "",
        event_types=wish.event_types or (),
        secrets=(Secret(1, ""),),
        created_at=context.clock.now(),
    )
    known = context.store.webhooks.get(here.program_id, endpoint_id)
    if known is None and len(context.store.webhooks.of_program(here.program_id)) >= MAX_ENDPOINTS:
        return Refusal("too_many_endpoints", f"a program has {MAX_ENDPOINTS} endpoints at most")
    if known is None and context.store.webhooks.create(endpoint):
        return Made(endpoint, signing_secret(context, endpoint_id, 1))
    known = known or context.store.webhooks.get(here.program_id, endpoint_id)
    if known is None or _asked_of(known) != _asked_of(endpoint):
        return Refusal("different_request", "the Idempotency-Key was used for another endpoint")
    return Made(known, None)


def find_endpoint(context: Context, here: Here, endpoint_id: str) -> Endpoint | Refusal:
    """One endpoint of the program."""
    return context.store.webhooks.get(here.program_id, endpoint_id) or NOT_FOUND


def change_endpoint(
    context: Context, here: Here, sender: WebhookSender, endpoint_id: str, wish: Wish
) -> tuple[Endpoint, Endpoint] | Refusal:
    """As it was and as it is. Whoever enables an endpoint lets it begin anew."""
    errors = _problems(sender, wish)
    if errors:
        return _invalid(errors)
    now = context.clock.now()
    found = _write(context, here, endpoint_id, lambda was: _changed(was, wish, now))
    if not isinstance(found, Refusal) and found[0].disabled and not found[1].disabled:
        _forget_health(context, found[1])
    return found


def rotate_secret(
    context: Context, here: Here, endpoint_id: str, generation: int
) -> Made | Refusal:
    """Makes the next secret; for a day messages are signed with that of `generation` too.

    Asked again for a generation that was rotated already, it answers without a secret.
    """
    now = context.clock.now()
    found = _write(context, here, endpoint_id, lambda was: _rotated(was, generation, now))
    if isinstance(found, Refusal):
        return found
    was, endpoint = found
    if was == endpoint:
        return Made(endpoint, None)
    return Made(endpoint, signing_secret(context, endpoint.id, endpoint.generation))


def remove_endpoint(context: Context, here: Here, endpoint_id: str) -> Endpoint | Refusal:
    """Ends an endpoint; what was on its way to it is dropped."""
    found = find_endpoint(context, here, endpoint_id)
    if not isinstance(found, Refusal):
        context.store.webhooks.remove(found)
    return found


def disable(context: Context, here: Here, endpoint_id: str, why: Disabled) -> None:
    """Stops sending to an endpoint that does not want it or cannot take it."""
    now = context.clock.now()

    def disabled(was: Endpoint) -> Endpoint:
        return was if was.disabled else replace(was, disabled=why, disabled_at=now)

    _write(context, here, endpoint_id, disabled)


def secrets_of(context: Context, endpoint: Endpoint, now: Instant) -> list[str]:
    """Those that a message to the endpoint is signed with, newest first."""
    good = endpoint.good_secrets(now)
    return [signing_secret(context, endpoint.id, one.generation) for one in good]


def _write(
    context: Context,
    here: Here,
    endpoint_id: str,
    change: Callable[[Endpoint], Endpoint | Refusal],
) -> tuple[Endpoint, Endpoint] | Refusal:
    find = partial(find_endpoint, context, here, endpoint_id)
    return revise(context, find, change, context.store.webhooks.replace)


def _changed(was: Endpoint, wish: Wish, now: Instant) -> Endpoint:
    disabled, disabled_at = was.disabled, was.disabled_at
    if wish.enabled is True:
        disabled, disabled_at = None, None
    elif wish.enabled is False and was.disabled is None:
        disabled, disabled_at = Disabled.BY_HAND, now
    return replace(
        was,
        url=was.url if wish.url is None else wish.url,
        description=was.description if wish.description is None else wish.description,
        event_types=was.event_types if wish.event_types is None else wish.event_types,
        disabled=disabled,
        disabled_at=disabled_at,
    )


def _rotated(was: Endpoint, generation: int, now: Instant) -> Endpoint | Refusal:
    if generation == was.generation - 1:
        return was
    if generation != was.generation:
        why = f"the newest secret is of generation {was.generation}"
        return Refusal("wrong_generation", why)
    newest = Secret(was.generation + 1, "")
    old = replace(was.secrets[0], good_until=now + ROTATION_GRACE)
    older = [one for one in was.secrets[1:] if one in was.good_secrets(now)]
    return replace(was, secrets=(newest, old, *older))


def _forget_health(context: Context, endpoint: Endpoint) -> None:
    for _ in range(TRIES):
        known = context.store.webhooks.health(endpoint.program_id, endpoint.id)
        fresh = replace(
            known, strikes=0, rests_until=0, failing_since=None, revision=known.revision + 1
        )
        if context.store.webhooks.put_health(fresh):
            return


def _problems(sender: WebhookSender, wish: Wish) -> list[FieldError]:
    errors = []
    if wish.url is not None and (problem := sender.problem(wish.url)):
        errors.append(FieldError("url", problem))
    return errors + _unknown(wish.event_types or ())


def _unknown(event_types: Sequence[str]) -> list[FieldError]:
    known = known_patterns()
    return [
        FieldError("event_types", f"{one} is no type of event")
        for one in event_types
        if one not in known
    ]


def _invalid(errors: Sequence[FieldError]) -> Refusal:
    return Refusal("invalid_request", "there can be no such endpoint", tuple(errors))


def _asked_of(endpoint: Endpoint) -> tuple[str, str, tuple[str, ...]]:
    return endpoint.url, endpoint.description, endpoint.event_types
