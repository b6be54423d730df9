"""Customers, their cards, and setting cards up ("Customers", "Payment Methods")."""

from local.stripe_stand_in.cards import attach, card_of, declined, outcome, resolve
from local.stripe_stand_in.errors import invalid
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.lists import included, page
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object, listed
from local.stripe_stand_in.world import World

_TEXTS = ("description", "email", "name", "phone")
_CUSTOMER = "description email name phone metadata invoice_settings address preferred_locales "
_SETUP = "payment_method return_url client_secret mandate_data"


@route("POST", "/v1/customers", _CUSTOMER + "test_clock payment_method")
def create_customer(world: World, params: Params) -> Object:
    """By "Create a customer"; with `test_clock` time is that clock's."""
    clock = params.text("test_clock")
    if clock:
        world.get("test_helpers.test_clock", clock, "test_clock")
    customer = world.make("customer", test_clock=clock)
    customer["created"] = world.now(customer)
    customer["invoice_prefix"] = customer["id"][-8:].upper()
    with world.all_or_nothing():
        if method := params.text("payment_method"):
            attach(world, resolve(world, method), customer)
        _update(world, customer, params)
    world.record("created", customer)
    return customer


@route("GET", "/v1/customers", PAGED + "email test_clock")
def list_customers(world: World, params: Params) -> Object:
    """By "List all customers"; without `test_clock`, those who have none."""
    equal = {"email": params.text("email")} if "email" in params else {}
    rows = world.all("customer", test_clock=params.text("test_clock"), **equal)
    return page(params, "/v1/customers", rows)


@route("GET", "/v1/customers/{}")
def retrieve_customer(world: World, _: Params, customer_id: str) -> Object:
    """By "Retrieve a customer"; a deleted one says only that."""
    deleted = world.find("_deleted_customer", customer_id)
    return deleted or world.get("customer", customer_id)


@route("POST", "/v1/customers/{}", _CUSTOMER)
def update_customer(world: World, params: Params, customer_id: str) -> Object:
    """By "Update a customer"."""
    customer = world.get("customer", customer_id)
    with world.changing(customer):
        _update(world, customer, params)
    return customer


def _update(world: World, customer: Object, params: Params) -> None:
    settings = params.child("invoice_settings")
    if method_id := settings.text("default_payment_method"):
        check_attached(world, method_id, customer)
    for name in _TEXTS:
        if name in params:
            customer[name] = params.text(name)
    if "default_payment_method" in settings:
        customer["invoice_settings"]["default_payment_method"] = method_id
    if "address" in params:
        fields = ("city", "country", "line1", "line2", "postal_code", "state")
        customer["address"] = {name: params.child("address").text(name) for name in fields}
    if "preferred_locales" in params:
        customer["preferred_locales"] = params.texts("preferred_locales")
    customer["metadata"] = params.metadata(customer["metadata"])


def check_attached(world: World, method_id: str, customer: Object) -> Object:
    """The payment method, which must be this customer's."""
    method = resolve(world, method_id, "default_payment_method")
    if method["customer"] != customer["id"]:
        raise invalid(
            "The customer does not have a payment method with the ID "
            f"{method_id}. The payment method must be attached to the customer.",
            "default_payment_method",
            "resource_missing",
        )
    return method


@route("GET", "/v1/customers/{}/payment_methods", PAGED + "type")
def list_customer_methods(world: World, params: Params, customer_id: str) -> Object:
    """By "List a Customer's PaymentMethods"."""
    world.get("customer", customer_id)
    rows = world.all("payment_method", customer=customer_id)
    return page(params, f"/v1/customers/{customer_id}/payment_methods", rows)


@route("GET", "/v1/payment_methods", PAGED + "customer type")
def list_methods(world: World, params: Params) -> Object:
    """By "List PaymentMethods"."""
    rows = world.all("payment_method", customer=params.need("customer"))
    return page(params, "/v1/payment_methods", rows)


@route("GET", "/v1/payment_methods/{}")
def retrieve_method(world: World, _: Params, method_id: str) -> Object:
    """By "Retrieve a PaymentMethod"."""
    return resolve(world, method_id, "id")


@route("POST", "/v1/payment_methods/{}/attach", "customer")
def attach_method(world: World, params: Params, method_id: str) -> Object:
    """By "Attach a PaymentMethod to a Customer"; 402 where the card's bank refuses."""
    customer = world.get("customer", params.need("customer"), "customer")
    with world.all_or_nothing():
        method = resolve(world, method_id, "id")
        attach(world, method, customer)
    return method


@route("POST", "/v1/payment_methods/{}/detach")
def detach_method(world: World, _: Params, method_id: str) -> Object:
    """By "Detach a PaymentMethod from a Customer": nothing pays with it any more."""
    method = world.get("payment_method", method_id)
    customer = world.find("customer", method["customer"])
    if customer is None:
        raise invalid("The payment method you provided is not attached to a customer.")
    method["customer"] = None
    world.record("detached", method, {"customer": customer["id"]})
    settings = customer["invoice_settings"]
    with world.changing(customer):
        if settings["default_payment_method"] == method_id:
            customer["invoice_settings"] = settings | {"default_payment_method": None}
    for subscription in world.all("subscription", default_payment_method=method_id):
        with world.changing(subscription):
            subscription["default_payment_method"] = None
    return method


@route(
    "POST",
    "/v1/setup_intents",
    _SETUP + " customer usage metadata confirm payment_method_types automatic_payment_methods",
)
def create_setup_intent(world: World, params: Params) -> Object:
    """By "Create a SetupIntent"."""
    customer_id = params.text("customer")
    if customer_id:
        world.get("customer", customer_id, "customer")
    intent = make_setup_intent(world, customer_id)
    intent["metadata"] = params.metadata()
    if params.flag("confirm"):
        return confirm_setup(world, intent, params.need("payment_method"))
    return intent


def make_setup_intent(world: World, customer_id: str | None) -> Object:
    """A setup intent that waits for a card."""
    intent = world.make("setup_intent", created=world.now(customer_id), customer=customer_id)
    intent["client_secret"] = f"{intent['id']}_secret_{world.new_id('event')[4:]}"
    world.record("created", intent)
    return intent


@route("GET", "/v1/setup_intents/{}", "client_secret")
def retrieve_setup_intent(world: World, _: Params, intent_id: str) -> Object:
    """By "Retrieve a SetupIntent"."""
    return world.get("setup_intent", intent_id)


@route("POST", "/v1/setup_intents/{}/confirm", _SETUP)
def confirm_setup_intent(world: World, params: Params, intent_id: str) -> Object:
    """By "Confirm a SetupIntent"."""
    intent = world.get("setup_intent", intent_id)
    method = params.text("payment_method") or intent["payment_method"]
    if not method:
        raise invalid("You must provide a payment method.", "payment_method")
    return confirm_setup(world, intent, method)


def confirm_setup(world: World, intent: Object, method_id: str, proved: bool = False) -> Object:
    """Tries the card; `proved` says that the customer just approved it. Raises 402."""
    if intent["status"] in ("succeeded", "canceled"):
        raise invalid("This SetupIntent is done.", code="setup_intent_unexpected_state")
    method = resolve(world, method_id)
    card = card_of(method)
    intent["payment_method"] = method["id"]
    if card.attach:
        intent |= {"status": "requires_payment_method", "payment_method": None}
        world.record("setup_failed", intent)
        raise declined(card.attach, setup_intent=intent["id"])
    if card.authenticate != "never" and not proved and outcome(method, proved) != "succeeded":
        url = f"{world.url}/authenticate/{intent['id']}"
        redirect = {"url": url, "return_url": None}
        intent["next_action"] = {"type": "redirect_to_url", "redirect_to_url": redirect}
        intent["status"] = "requires_action"
        world.record("requires_action", intent)
        return intent
    method["_authenticated"] = True
    if intent["customer"]:
        attach(world, method, world.get("customer", intent["customer"]))
    intent |= {"status": "succeeded", "next_action": None}
    world.record("succeeded", intent)
    for subscription in world.all("subscription", pending_setup_intent=intent["id"]):
        with world.changing(subscription):
            subscription["default_payment_method"] = method["id"]
            subscription["pending_setup_intent"] = None
    return intent


@route("GET", "/v1/customers/{}/balance_transactions", PAGED)
def list_balance(world: World, params: Params, customer_id: str) -> Object:
    """By "List customer balance transactions"."""
    rows = world.all("customer_balance_transaction", customer=customer_id)
    return page(params, f"/v1/customers/{customer_id}/balance_transactions", rows)


@included("customer", "subscriptions")
def _subscriptions(world: World, customer_id: str) -> Object:
    rows = [
        one for one in world.all("subscription", customer=customer_id) if one["ended_at"] is None
    ]
    return listed(f"/v1/customers/{customer_id}/subscriptions", rows)
