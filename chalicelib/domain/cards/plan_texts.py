"""What a card says of a paid membership, in the member's language.

`{day}` is a day and `{amount}` money, both as the language writes them.
"""

from chalicelib.domain.memberships.membership import Membership, Standing, standing_at
from chalicelib.domain.memberships.plan import Plan
from chalicelib.domain.program.program import Program
from chalicelib.domain.texts import text_in
from chalicelib.kernel.clock import Instant, local_date
from chalicelib.kernel.formats import format_day, format_money

_TEXTS = {
    "trial": {
        "en": "Free until {day}",
        "de": "Kostenlos bis {day}",
        "es": "Gratis hasta el {day}",
        "fr": "Gratuit jusqu’au {day}",
        "it": "Gratis fino al {day}",
    },
    "trial_ends": {
        "en": "Free until {day}, then {amount}",
        "de": "Kostenlos bis {day}, dann {amount}",
        "es": "Gratis hasta el {day}, luego {amount}",
        "fr": "Gratuit jusqu’au {day}, puis {amount}",
        "it": "Gratis fino al {day}, poi {amount}",
    },
    "renews": {
        "en": "Renews on {day}",
        "de": "Verlängert sich am {day}",
        "es": "Se renueva el {day}",
        "fr": "Renouvellement le {day}",
        "it": "Si rinnova il {day}",
    },
    "renews_soon": {
        "en": "Renews on {day} for {amount}",
        "de": "Verlängert sich am {day} für {amount}",
        "es": "Se renueva el {day} por {amount}",
        "fr": "Renouvellement le {day} pour {amount}",
        "it": "Si rinnova il {day} per {amount}",
    },
    "ends": {
        "en": "Ends on {day}",
        "de": "Endet am {day}",
        "es": "Termina el {day}",
        "fr": "Se termine le {day}",
        "it": "Termina il {day}",
    },
    "unpaid": {
        "en": "The payment failed: please check your card",
        "de": "Die Zahlung schlug fehl: bitte Karte prüfen",
        "es": "El pago ha fallado: revisa tu tarjeta",
        "fr": "Le paiement a échoué : vérifiez votre carte",
        "it": "Il pagamento non è riuscito: controlla la carta",
    },
    "paused": {
        "en": "Paused",
        "de": "Pausiert",
        "es": "En pausa",
        "fr": "En pause",
        "it": "In pausa",
    },
    "suspended": {
        "en": "Suspended",
        "de": "Ausgesetzt",
        "es": "Suspendida",
        "fr": "Suspendu",
        "it": "Sospeso",
    },
}


def plan_texts(
    program: Program, membership: Membership | None, now: Instant, language: str
) -> tuple[str, str] | None:
    """The plan's name and what is to be known of it; None where there is none any more."""
    plan = program.plans_by_number.get(membership.plan) if membership else None
    if membership is None or plan is None:
        return None
    standing = standing_at(membership, now)
    if standing is Standing.ENDED:
        return None
    key = _key(membership, standing)
    amount = _amount(plan, membership, language)
    if key in _WITHOUT and (amount is None or membership.notice_at or not plan.notice):
        key = _WITHOUT[key]
    day = membership.cancels_at or membership.period_end
    shown = format_day(local_date(day, program.zone), language)
    said = text_in(_TEXTS[key], language, "en").format(day=shown, amount=amount)
    return text_in(plan.name, language, program.language), said


_WITHOUT = {"trial_ends": "trial", "renews_soon": "renews"}  # before the notice, and without amount


def _key(membership: Membership, standing: Standing) -> str:
    if standing in (Standing.PAST_DUE, Standing.LAPSED):
        return "unpaid"
    if standing in (Standing.PAUSED, Standing.SUSPENDED):
        return standing.name.lower()
    if membership.cancels_at:
        return "ends"
    return "trial_ends" if standing is Standing.TRIALING else "renews_soon"


def _amount(plan: Plan, membership: Membership, language: str) -> str | None:
    """What the next charge is, where the plan still has the price."""
    price = next((one for one in plan.prices if one.number == membership.price), None)
    return None if price is None else format_money(price.amount, price.money, language)
