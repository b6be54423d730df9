"""Payment intents and the charges that they make ("Payment status updates", "Charges")."""

from local.stripe_stand_in.cards import decline, outcome
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.lists import page
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object, listed, made, shown
from local.stripe_stand_in.world import World

SUCCEEDED, AUTHENTICATE = "succeeded", "authenticate"  # what an attempt can come to


def make_intent(
    world: World, amount: int, currency: str, customer: str, **values: object
) -> Object:
    """A payment intent that waits for a card."""
    intent = world.make(
        "payment_intent",
        amount=amount,
        created=world.now(customer),
        currency=currency,
        customer=customer,
        setup_future_usage="off_session",
        **values,
    )
    intent["client_secret"] = f"{intent['id']}_secret_{world.new_id('event')[4:]}"
    world.record("created", intent)
    return intent


def attempt(world: World, intent: Object, method: Object, proved: bool) -> str:
    """One try to take the money: `succeeded`, `authenticate`, or a decline code.

    `proved` says that the customer approved just now, to its bank.
    """
    if intent["status"] in (SUCCEEDED, "canceled"):
        message = f"This PaymentIntent's status is {intent['status']}."
        raise invalid(message, code="payment_intent_unexpected_state")
    result = outcome(method, proved)
    intent["payment_method"] = method["id"]
    if result == AUTHENTICATE:
        url = f"{world.url}/authenticate/{intent['id']}"
        redirect = {"url": url, "return_url": None}
        intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": redirect}
        intent["status"] = "requires_action"
        world.record("requires_action", intent)
    elif result == SUCCEEDED:
        _take(world, intent, method, proved)
    else:
        refuse(world, intent, method, result)
    return result


def _take(world: World, intent: Object, method: Object, proved: bool) -> None:
    method["_authenticated"] = method["_authenticated"] or proved
    charge = _charge(world, intent, method, status="succeeded", paid=True)
    charge["amount_captured"] = charge["amount"]
    charge["receipt_url"] = f"{world.url}/receipts/{charge['id']}"
    intent |= {"amount_received": intent["amount"], "status": SUCCEEDED}
    intent |= {"latest_charge": charge["id"], "next_action": None, "last_payment_error": None}
    world.record("succeeded", charge)
    world.record("succeeded", intent)


def refuse(world: World, intent: Object, method: Object, code: str) -> None:
    """The bank, or the customer before its bank, said no."""
    charge = _charge(world, intent, method, status="failed", paid=False, captured=False)
    said = decline(code)
    charge |= {"failure_code": said["code"], "failure_message": said["message"]}
    charge["outcome"] |= {"network_status": "declined_by_network", "type": "issuer_declined"}
    charge["outcome"] |= {"reason": code, "seller_message": said["message"]}
    error = {"type": "card_error", **said, "charge": charge["id"], "payment_method": shown(method)}
    intent |= {"status": "requires_payment_method", "payment_method": None, "next_action": None}
    intent |= {"last_payment_error": error, "latest_charge": charge["id"]}
    world.record("failed", charge)
    world.record("payment_failed", intent)


def _charge(world: World, intent: Object, method: Object, **values: object) -> Object:
    blank = made("charge")
    card = method["card"]
    face = ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    details = blank["payment_method_details"]["card"] | {name: card[name] for name in face}
    details |= {"network": card["brand"], "wallet": None, "installments": None}
    approved = {"network_status": "approved_by_network", "type": "authorized"}
    charge = world.make(
        "charge",
        amount=intent["amount"],
        billing_details=method["billing_details"],
        created=world.now(intent["customer"]),
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        metadata=dict(intent["metadata"]),
        outcome=blank["outcome"] | approved,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"card": details, "type": "card"},
        receipt_url=None,
        **values,
    )
    charge["refunds"] = listed(f"/v1/charges/{charge['id']}/refunds", [])
    return charge


def cancel(world: World, intent: Object) -> None:
    """Nothing is taken by this intent any more."""
    if intent["status"] in (SUCCEEDED, "canceled"):
        return
    intent |= {"status": "canceled", "canceled_at": world.now(intent["customer"])}
    intent |= {"cancellation_reason": "void_invoice", "next_action": None}
    world.record("canceled", intent)


@route("GET", "/v1/payment_intents/{}", "client_secret")
def retrieve_intent(world: World, _: Params, intent_id: str) -> Object:
    """By "Retrieve a PaymentIntent"."""
    return world.get("payment_intent", intent_id)


@route("GET", "/v1/payment_intents", PAGED + "customer")
def list_intents(world: World, params: Params) -> Object:
    """By "List all PaymentIntents"."""
    return page(params, "/v1/payment_intents", _rows(world, "payment_intent", params))


@route("GET", "/v1/charges/{}")
def retrieve_charge(world: World, _: Params, charge_id: str) -> Object:
    """By "Retrieve a charge"."""
    return world.get("charge", charge_id)


@route("GET", "/v1/charges", PAGED + "customer payment_intent")
def list_charges(world: World, params: Params) -> Object:
    """By "List all charges"."""
    return page(params, "/v1/charges", _rows(world, "charge", params))


@route("POST", "/v1/refunds", "amount charge metadata payment_intent reason")
def create_refund(world: World, params: Params) -> Object:
    """By "Create a refund": all that is left, or a part; never more than was paid. Raises 400."""
    charge = _charge_of(world, params)
    left = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != SUCCEEDED:
        raise invalid(f"Charge {charge['id']} has not been paid.", "charge")
    if charge["disputed"]:
        raise invalid(f"Charge {charge['id']} has been charged back.", code="charge_disputed")
    if left == 0:
        message = f"Charge {charge['id']} has already been refunded."
        raise invalid(message, code="charge_already_refunded")
    asked = params.whole("amount", 1)
    amount = left if asked is None else asked
    if amount > left:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})"
        raise invalid(message, "amount")
    reasons = ("requested_by_customer", "duplicate", "fraudulent")
    reason = params.choice("reason", *reasons) if params.text("reason") else None
    return _refund(world, charge, amount, reason=reason, metadata=params.metadata())


def _charge_of(world: World, params: Params) -> Object:
    if intent_id := params.text("payment_intent"):
        intent = world.get("payment_intent", intent_id, "payment_intent")
        if intent["latest_charge"] is None:
            raise invalid("This PaymentIntent does not have a successful charge to refund.")
        return world.get("charge", intent["latest_charge"])
    return world.get("charge", params.need("charge"), "charge")


def _refund(world: World, charge: Object, amount: int, **values: object) -> Object:
    fields = ("currency", "customer", "payment_intent", "payment_method")
    refund = world.make(
        "refund",
        amount=amount,
        charge=charge["id"],
        created=world.now(charge["customer"]),
        **{name: charge[name] for name in fields},
        **values,
    )
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    charge["refunds"]["data"].insert(0, refund)
    world.record("created", refund)
    world.record("refunded", charge)
    return refund


@route("GET", "/v1/refunds/{}")
def retrieve_refund(world: World, _: Params, refund_id: str) -> Object:
    """By "Retrieve a refund"."""
    return world.get("refund", refund_id)


@route("GET", "/v1/refunds", PAGED + "charge payment_intent")
def list_refunds(world: World, params: Params) -> Object:
    """By "List all refunds"."""
    return page(params, "/v1/refunds", _rows(world, "refund", params))


def _rows(world: World, kind: str, params: Params) -> list[Object]:
    names = ("customer", "charge", "payment_intent")
    return world.all(kind, **{name: params.text(name) for name in names if name in params})


@route("POST", "/_local/disputes", "charge amount reason")
def create_dispute(world: World, params: Params) -> Object:
    """The customer asks its bank for the money back ("How disputes work"). Local only."""
    charge = world.get("charge", params.need("charge"), "charge")
    if charge["status"] != SUCCEEDED or charge["disputed"]:
        raise invalid("Only a paid charge is disputed, and only once.", "charge")
    now = world.now(charge["customer"])
    dispute = world.make(
        "dispute",
        amount=params.whole("amount", 1) or charge["amount"] - charge["amount_refunded"],
        charge=charge["id"],
        created=now,
        currency=charge["currency"],
        payment_intent=charge["payment_intent"],
        reason=params.text("reason") or "fraudulent",
    )
    dispute["evidence_details"]["due_by"] = now + 7 * 86_400
    charge["disputed"] = True
    world.record("created", dispute)
    world.record("funds_withdrawn", dispute)
    return dispute


@route("POST", "/_local/disputes/{}/close", "outcome")
def close_dispute(world: World, params: Params, dispute_id: str) -> Object:
    """The bank decides: `won` (for the shop) or `lost`. Local only."""
    dispute = world.get("dispute", dispute_id)
    if dispute["status"] in ("won", "lost"):
        raise invalid("This dispute is already closed.")
    dispute["status"] = params.choice("outcome", "won", "lost")
    if dispute["status"] == "won":
        world.record("funds_reinstated", dispute)
    world.record("closed", dispute)
    return dispute


@route("GET", "/v1/disputes/{}")
def retrieve_dispute(world: World, _: Params, dispute_id: str) -> Object:
    """By "Retrieve a dispute"."""
    return world.get("dispute", dispute_id)


@route("GET", "/v1/disputes", PAGED + "charge payment_intent")
def list_disputes(world: World, params: Params) -> Object:
    """By "List all disputes"."""
    return page(params, "/v1/disputes", _rows(world, "dispute", params))
