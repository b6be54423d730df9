"""Wallets: how many passes are in them, what phones say, what Google says, pictures for Google."""

import re
from http import HTTPStatus

import msgspec

from chalicelib.api.application import PNG
from chalicelib.api.endpoints import PUBLIC, SHOP, Answer, Call, Resource
from chalicelib.api.limits import limited
from chalicelib.api.paging import PageQuery, cursor_to, place_of
from chalicelib.api.passes import NOT_CONFIGURED
from chalicelib.api.shapes import MomentText
from chalicelib.domain.cards.card import Colors
from chalicelib.domain.errors import Refusal
from chalicelib.domain.ports import PASS_SHARDS, WalletEvent
from chalicelib.kernel.clock import to_rfc3339
from chalicelib.services import passes, wallets
from chalicelib.services.passes import PassKey

resource = Resource(__name__, "wallets")

_NO_PICTURE = Refusal("not_found", "there is no such picture")
_STRANGER = Refusal("unauthorized", "the message is not Google's")
_YEAR = "public, max-age=31536000, immutable"
_MOST_PLACES = 50


class PlatformView(msgspec.Struct, frozen=True):
    """One kind of wallet: how often a pass came in, how often one left, how many are there."""

    configured: bool
    installed: int
    removed: int
    active: int
    certificate_expires_at: MomentText | None = None


class RefreshView(msgspec.Struct, frozen=True):
    """How far the phones were told of the newest version that changed cards."""

    version: int
    done: int
    began_at: MomentText
    ended_at: MomentText | None


class WalletsView(msgspec.Struct, frozen=True):
    """The wallets of a program's members. An Apple pass counts once for each device."""

    apple: PlatformView
    google: PlatformView
    refresh: RefreshView | None


class WalletEventView(msgspec.Struct, frozen=True):
    """A pass came into a wallet (`pass.installed`) or left it (`pass.removed`)."""

    id: str
    type: str
    platform: str
    member_id: str
    at: MomentText


class WalletEventsView(msgspec.Struct, frozen=True):
    """Events, newest first."""

    data: list[WalletEventView]
    next_cursor: str | None


class PhoneLogView(msgspec.Struct, frozen=True):
    """What a phone complained about."""

    at: MomentText
    text: str


class PhoneLogsView(msgspec.Struct, frozen=True):
    """Lines, newest first."""

    data: list[PhoneLogView]
    next_cursor: str | None


@resource.endpoint("GET", "/v1/wallets", callers=SHOP, answer=WalletsView)
def read_wallets(call: Call) -> WalletsView:
    """Read how many passes are in wallets, and how far a change of all cards has come."""
    totals = wallets.counted(call.context, call.here.program_id)
    builder = call.runtime.apple_passes(call.here.program_id)

    def platform(name: str, configured: bool, expires_at: str | None = None) -> PlatformView:
        came, left = totals.installed.get(name, 0), totals.removed.get(name, 0)
        return PlatformView(configured, came, left, came - left, expires_at)

    ends = to_rfc3339(builder.expires_at) if builder else None
    return WalletsView(
        platform("apple", builder is not None, ends),
        platform("google", call.runtime.google is not None),
        _refresh(call),
    )


def _refresh(call: Call) -> RefreshView | None:
    progress = call.context.store.passes.progress
    shards = [progress(call.here.program_id, shard) for shard in range(PASS_SHARDS)]
    known = [one for one in shards if one is not None]
    if not known:
        return None
    version = max(one.version for one in known)
    newest = [one for one in known if one.version == version]
    ends = [one.ended_at for one in newest if one.ended_at is not None]
    return RefreshView(
        version,
        sum(one.done for one in newest),
        to_rfc3339(min(one.began_at for one in newest)),
        to_rfc3339(max(ends)) if len(ends) == PASS_SHARDS else None,
    )


@resource.endpoint(
    "GET", "/v1/wallets/events", callers=SHOP, query=PageQuery, answer=WalletEventsView
)
def list_events(call: Call) -> WalletEventsView | Refusal:
    """List when passes came into wallets and left them, newest first."""
    place = place_of(call, "wallet events", call.query.cursor)
    if isinstance(place, Refusal):
        return place
    limit = call.query.limit
    rows = call.context.store.passes.events(call.here.program_id, limit, before=place or "~")
    following = rows[-1].id if len(rows) == limit else None
    views = [_event(one) for one in rows]
    return WalletEventsView(views, cursor_to(call, "wallet events", following))


@resource.endpoint("GET", "/v1/wallets/log", callers=SHOP, query=PageQuery, answer=PhoneLogsView)
def list_phone_log(call: Call) -> PhoneLogsView | Refusal:
    """List what phones complained about in the last 30 days, newest first.

    Phones do not say whose they are: these are the lines of the whole installation.
    """
    place = place_of(call, "phone log", call.query.cursor)
    if isinstance(place, Refusal):
        return place
    limit = call.query.limit
    rows = call.context.store.passes.logged(place, limit)
    following = rows[-1].key if len(rows) == limit else None
    views = [PhoneLogView(to_rfc3339(one.at), one.text) for one in rows]
    return PhoneLogsView(views, cursor_to(call, "phone log", following))


@resource.endpoint("POST", "/google/callbacks", callers=PUBLIC, body=bytes, body_types=())
def hear_google(call: Call) -> Answer | Refusal:
    """Hear from Google that a pass was saved or deleted; 401 where it was not Google.

    What is not about a pass of ours is heard and forgotten, so that Google does not repeat it.
    """
    if refusal := limited(call, "google callbacks"):
        return refusal
    callbacks = call.runtime.google_callbacks
    if callbacks is None:
        return NOT_CONFIGURED
    said = callbacks.read(call.body)
    if said is None:
        return _STRANGER
    _, _, serial = said.object_id.partition(".")
    key = PassKey.of_serial(serial)
    passes.heard_of_google(call.context, key, said.saved, said.message_time)
    return Answer("")


@resource.endpoint("GET", "/stamps/{look}/{goal}/{count}/{colors}", callers=PUBLIC, answer_type=PNG)
def draw_stamps(call: Call, look: str, goal: str, count: str, colors: str) -> Answer | Refusal:
    """Fetch the picture of so many stamps: `/stamps/classic/8/5/1f4037-f6efe2.png`.

    It is the same for ever, and for everybody: Google Wallet shows it on the card.
    """
    if refusal := limited(call, "stamps"):
        return refusal
    inks = re.fullmatch(r"([0-9a-f]{6})-([0-9a-f]{6})\.png", colors)
    sizes = [int(one) if re.fullmatch(r"[0-9]{1,2}", one) else -1 for one in (goal, count)]
    known = re.fullmatch(r"[a-z][a-z0-9_]{0,39}", look)
    if not inks or not known or not 0 <= sizes[1] <= sizes[0] <= _MOST_PLACES or not sizes[0]:
        return _NO_PICTURE
    paint = Colors(f"#{inks[1]}", f"#{inks[2]}", f"#{inks[2]}")
    picture = call.runtime.looks.stamps(look, sizes[0], sizes[1], paint)
    if picture is None:
        return _NO_PICTURE
    return Answer(picture, HTTPStatus.OK, {"Content-Type": PNG, "Cache-Control": _YEAR})


def _event(one: WalletEvent) -> WalletEventView:
    kind = "pass.installed" if one.installed else "pass.removed"
    return WalletEventView(one.id, kind, one.platform, one.member_id, to_rfc3339(one.at))
