"""What a member's card shows, the same in every wallet.

A look (a folder in `passes/`) places these values; it decides nothing. The card's digest says
whether a phone would see any difference: a push goes out only when the digest changes.
"""

from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

from chalicelib.domain.cards.message import Said
from chalicelib.domain.cards.plan_texts import plan_texts
from chalicelib.domain.ledger.account import balance_of
from chalicelib.domain.ledger.entries import Snapshot
from chalicelib.domain.members.member import Member
from chalicelib.domain.program.card import LongText
from chalicelib.domain.program.expiry import NEVER
from chalicelib.domain.program.program import Currency, Program
from chalicelib.domain.texts import Text, text_in
from chalicelib.domain.tiers.tiers import Level
from chalicelib.kernel.canonical import fingerprint
from chalicelib.kernel.clock import DAY, SECOND, Instant, local_date, start_of_day, to_rfc3339
from chalicelib.kernel.formats import format_day, format_money, format_number

ALERTS_A_DAY = 3  # of one pass: developers.google.com/wallet, "Trigger push notifications"


@dataclass(frozen=True)
class CardBalance:
    """One currency on the card. With a `goal` it is drawn as stamps: `7 / 8`."""

    currency: str  # the program's name of it: points, stamps
    label: str  # as members read it
    amount: int  # available, or minus the debt
    goal: int | None = None
    text: str | None = None  # the amount as members read it, where it is money
    expires: str | None = None  # what is gone next, and when, as members read it

    def values(self, name: str) -> dict[str, str | int]:
        """What the placeholders that start with `name` stand for."""
        values: dict[str, str | int] = {}
        shown: str | int
        if self.text is not None:
            shown = self.text
            values = {name: shown, f"{name}.progress": shown, f"{name}.face": shown}
        elif self.goal is None:
            shown = self.amount
            values = {name: shown, f"{name}.amount": shown, f"{name}.face": shown}
        else:
            shown = f"{self.amount} / {self.goal}"
            values = {name: self.amount, f"{name}.goal": self.goal, f"{name}.progress": shown}
        if self.expires is not None:
            values[f"{name}.expires"] = self.expires
        return {**values, f"{name}.label": self.label, f"{name}.shown": shown}


@dataclass(frozen=True)
class Colors:
    """As `#rrggbb`."""

    background: str
    text: str
    label: str


@dataclass(frozen=True)
class BackText:
    """A text on the back of the card, or a link where it has a `url`."""

    id: str
    label: str
    text: str
    url: str | None = None


@dataclass(frozen=True)
class Place:
    """Near it the phone offers the card. Degrees of WGS 84."""

    latitude: float
    longitude: float
    text: str | None = None


@dataclass(frozen=True)
class Print:
    """What the shop puts on the cards of one tier, in one language, beside what members own."""

    colors: Colors | None = None  # None: those of the look
    tier: str | None = None  # its id
    barcodes: tuple[str, ...] = ("qr",)  # the best first
    texts: tuple[BackText, ...] = ()
    places: tuple[Place, ...] = ()
    relevant: tuple[tuple[str, str], ...] = ()  # RFC 3339, from and until
    news: str | None = None
    expires_at: str | None = None  # RFC 3339: the program ends


@dataclass(frozen=True)
class Card:
    """The face of one member's pass."""

    program_id: str
    program_name: str
    member_id: str  # what its barcode says
    look: str  # the folder in passes/
    language: str
    member_name: str | None
    balances: tuple[CardBalance, ...]
    voided: bool = False
    tier: str | None = None  # as members read it
    tier_progress: str | None = None  # how far it is to the next: `450 / 500`
    plan: str | None = None  # the paid plan, as members read it
    plan_state: str | None = None  # `Renews on 3 Mar 2027`
    printed: Print = Print()
    message: Said | None = None  # the newest that was said to this member alone
    referral_code: str | None = None  # for friends, where the program rewards who brings them
    referral_link: str | None = None

    @property
    def serial(self) -> str:
        """The pass's serial number: one among the passes of every program."""
        return f"{self.program_id}.{self.member_id}"

    @property
    def digest(self) -> bytes:
        """16 bytes that differ when the card does."""
        fields = _without(asdict(self), *_OPTIONAL)
        fields["balances"] = [_without(one, "text", "expires") for one in fields["balances"]]
        for place in fields["printed"]["places"]:
            place |= {name: str(place[name]) for name in ("latitude", "longitude")}
        if self.printed == Print():
            del fields["printed"]
        return fingerprint(fields)

    @property
    def google_digest(self) -> bytes:
        """16 bytes that differ when what Google's object shows does: messages go there apart."""
        return replace(self, message=None).digest

    @property
    def stamps(self) -> CardBalance | None:
        """What is drawn as stamps: the first currency with a goal."""
        return next((one for one in self.balances if one.goal is not None), None)

    @property
    def values(self) -> dict[str, str | int]:
        """What the placeholders of a look stand for.

        `{points}` is the amount of the currency `points`, `{points.label}` its label and
        `{stamps.progress}` a currency with a goal as `7 / 8`. A look for any program asks for the
        `{first}` and the `{second}` currency instead; `.shown` is the progress where there is a
        goal, and otherwise the amount. `{tier}` is the tier, `{tier.progress}` how far it is to the
        next as `450 / 500`; `{plan}` is the paid plan, `{plan.state}` when it renews or ends;
        `{referral.code}` is what friends join with, and `{referral.link}` where.
        `.expires` is what of a currency is gone next and when, as the member's language writes it,
        and `.face` is what is written over the picture: the balance where it is not drawn as
        stamps. What the card does not have is absent, and a look leaves out the field that asks
        for it.
        """
        values: dict[str, str | int] = {
            "program_name": self.program_name,
            "member_id": self.member_id,
            "language": self.language,
        }
        if self.member_name:
            values["member_name"] = self.member_name
        if self.tier:
            values["tier"] = self.tier
        if self.tier_progress:
            values["tier.progress"] = self.tier_progress
        if self.referral_code:
            values["referral.code"] = self.referral_code
        if self.referral_link:
            values["referral.link"] = self.referral_link
        if self.plan and self.plan_state:
            values |= {"plan": self.plan, "plan.state": self.plan_state}
        for balance in self.balances:
            values |= balance.values(balance.currency)
        for place, balance in zip(("first", "second"), self.balances, strict=False):
            values |= balance.values(place)
        return values


_OPTIONAL = (
    "tier",
    "tier_progress",
    "plan",
    "plan_state",
    "message",
    "referral_code",
    "referral_link",
)


def _without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    """Without what is not there: a card that has nothing new is what it ever was."""
    return {name: one for name, one in fields.items() if one is not None or name not in names}


@dataclass(frozen=True)
class IssuedPass:
    """What the wallets were last given of one member's card."""

    program_id: str
    member_id: str
    revision: int  # 1, 2, 3, ...: one for each change of the card
    digest: bytes
    modified_at: Instant  # whole seconds, later with every revision: the Last-Modified
    pushed_revision: int = 0  # the revision that every phone was told of
    google: bool = False  # whether the member has asked for it in Google Wallet
    link: int = 0  # how often the page's link was revoked
    google_saved: bool = False  # whether Google says that it is in somebody's wallet
    google_heard: int = 0  # the newest of Google's messages about it, by its own time
    google_notified: tuple[Instant, ...] = ()  # when the phone last spoke, at most three
    google_revision: int = 0  # the revision that Google was told of
    google_digest: bytes = b""  # of what Google's object shows of this revision

    def may_alert(self, now: Instant) -> bool:
        """Whether the phone of Google's wallet may speak of it once more."""
        lately = [one for one in self.google_notified if one > now - DAY]
        return self.google_saved and len(lately) < ALERTS_A_DAY

    def alerted(self, at: Instant) -> "IssuedPass":
        """The phone spoke of it."""
        return replace(self, google_notified=(*self.google_notified, at)[-ALERTS_A_DAY:])

    def told_google(self, notified_at: Instant | None) -> "IssuedPass":
        """Google has this revision, and perhaps the phone spoke of it."""
        told = replace(self, google_revision=self.revision)
        return told if notified_at is None else told.alerted(notified_at)

    def showing(self, card: Card, now: Instant) -> "IssuedPass":
        """The next revision, of another card.

        Where it differs in the message alone, Google knows of it what it knew: its object is given
        messages by themselves.
        """
        google_digest = card.google_digest
        is_known = google_digest == self.google_digest and self.google_revision == self.revision
        return replace(
            self,
            revision=self.revision + 1,
            digest=card.digest,
            modified_at=max(now, self.modified_at + SECOND),
            google_revision=self.google_revision + is_known,
            google_digest=google_digest,
        )

    def unchanged(self, **what: Any) -> "IssuedPass":
        """The next revision, which shows nothing new: who was told of this one knows it."""
        return replace(
            self,
            revision=self.revision + 1,
            pushed_revision=self.pushed_revision + (self.pushed_revision == self.revision),
            google_revision=self.google_revision + (self.google_revision == self.revision),
            **what,
        )


def card_of(program: Program, member: Member, snapshot: Snapshot, now: Instant) -> Card:
    """The card of a member as the newest version of the program shows it, in his language."""
    locale = member.profile.locale
    language = program.language_for(locale)
    today = local_date(now, program.zone).toordinal()
    level = program.tiers.tier(snapshot.held, today) if program.tiers else None
    look, printed = _printed(program, level.id if level else None, language)
    plan = plan_texts(program, snapshot.membership, now, language)
    balances = []
    for currency in program.currencies:
        balance = balance_of(snapshot, currency.number)
        amount = balance.available - balance.debt
        label = text_in(currency.label, language, program.language)
        text = format_money(amount, program.money, language) if currency.money else None
        expires = _expires(program, currency, snapshot, language)
        balances.append(CardBalance(currency.name, label, amount, currency.goal, text, expires))
    return Card(
        program_id=member.program_id,
        program_name=program.name,
        member_id=member.id,
        look=look,
        language=language,
        member_name=member.profile.display_name,
        balances=tuple(balances),
        tier=text_in(level.label, language, program.language) if level else None,
        tier_progress=_progress(program, snapshot, level, today),
        plan=plan[0] if plan else None,
        plan_state=plan[1] if plan else None,
        printed=printed,
    )


def _printed(program: Program, tier: str | None, language: str) -> tuple[str, Print]:
    """The look, and what the shop puts on it."""
    card = program.card
    special = card.tiers.get(tier or "")
    colors = special.colors if special and special.colors else card.colors

    def read(text: Text | LongText) -> str:
        return text_in(text, language, program.language)

    last = program.last_day_to_redeem
    end = start_of_day(last + timedelta(days=1), program.zone) if last else None
    printed = Print(
        Colors(colors.background, colors.text, colors.label) if colors else None,
        tier,
        card.barcodes,
        tuple(
            [BackText(one.id, read(one.label), read(one.text)) for one in card.texts]
            + [BackText(one.id, read(one.label), one.url, one.url) for one in card.links]
        ),
        tuple(
            Place(float(one.latitude), float(one.longitude), read(one.text) if one.text else None)
            for one in card.places
        ),
        tuple((one.since, one.until) for one in card.relevant),
        read(card.news) if card.news else None,
        to_rfc3339(end) if end is not None else None,
    )
    return (special.look if special and special.look else program.look), printed


def _expires(program: Program, currency: Currency, snapshot: Snapshot, language: str) -> str | None:
    """What of a currency is gone next: `120 · 1 Jul 2027`."""
    ending = [
        lot
        for lot in snapshot.lots
        if lot.currency == currency.number and lot.expires_on != NEVER and not lot.pending_until
    ]
    if not ending:
        return None
    day = min(lot.expires_on for lot in ending)
    amount = sum(lot.amount for lot in ending if lot.expires_on == day)
    shown = (
        format_money(amount, program.money, language)
        if currency.money
        else format_number(amount, language)
    )
    return f"{shown} \u00b7 {format_day(date.fromordinal(day), language)}"


def _progress(program: Program, snapshot: Snapshot, level: Level | None, today: int) -> str | None:
    """How far the first counter of the next tier is."""
    following = program.tiers.above(level) if program.tiers else None
    if following is None:
        return None
    counter, needed = following.needs[0]
    return f"{counter.value(snapshot.tallies, today)} / {needed}"
