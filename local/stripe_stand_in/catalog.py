"""Products and prices ("Products", "Prices", "Supported currencies")."""

from local.stripe_stand_in.errors import invalid, required
from local.stripe_stand_in.forms import Params
from local.stripe_stand_in.lists import page
from local.stripe_stand_in.routes import PAGED, route
from local.stripe_stand_in.shapes import Object, made
from local.stripe_stand_in.world import World

MOST_AMOUNT = 99_999_999  # minor units ("Supported currencies")
LONGEST = {"day": 1095, "week": 156, "month": 36, "year": 3}  # interval_count, three years
# "Supported currencies": without minor units, and with three decimals whose last must be 0.
NO_DECIMALS = frozenset(
    "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split()  # noqa: SIM905
)
AS_IF_TWO = frozenset(("isk", "ugx"))  # without decimals, and written as if they had two
THREE_DECIMALS = frozenset(("bhd", "jod", "kwd", "omr", "tnd"))
_PRODUCT = "active description metadata name statement_descriptor tax_code unit_label url "
_PRICE = "active lookup_key metadata nickname tax_behavior transfer_lookup_key "


def currency_of(params: Params) -> str:
    """A currency in small letters, as Stripe writes it."""
    code = params.need("currency").lower()
    if len(code) != 3 or not code.isascii() or not code.isalpha():
        raise invalid(f"Invalid currency: {code}", "currency")
    return code


def smallest(currency: str) -> int:
    """What an amount in the currency is a multiple of, in minor units."""
    if currency in AS_IF_TWO:
        return 100
    return 10 if currency in THREE_DECIMALS else 1


def check_amount(amount: int, currency: str, param: str) -> int:
    """The amount, where a charge in the currency can have it."""
    if not 0 <= amount <= MOST_AMOUNT:
        raise invalid(f"Amount must be between 0 and {MOST_AMOUNT}.", param)
    if amount % smallest(currency):
        step = smallest(currency)
        raise invalid(f"Amounts in {currency} must be multiples of {step}.", param)
    return amount


def pricing(price: Object) -> Object:
    """What a line of an invoice says of its price."""
    return {
        "price_details": {"price": price["id"], "product": price["product"]},
        "type": "price_details",
        "unit_amount_decimal": price["unit_amount_decimal"],
    }


@route("POST", "/v1/products", _PRODUCT + "id images shippable")
def create_product(world: World, params: Params) -> Object:
    """By "Create a product"; with `id` the caller names it."""
    product_id = params.text("id")
    if world.find("product", product_id):
        raise invalid("Product already exists.", "id", "resource_already_exists")
    product = world.make("product", id=product_id, created=world.now(), name=params.need("name"))
    _update_product(world, product, params)
    world.record("created", product)
    return product


@route("GET", "/v1/products", PAGED + "active ids url")
def list_products(world: World, params: Params) -> Object:
    """By "List all products"."""
    rows = active(params, world.all("product"))
    ids = params.texts("ids")
    return page(params, "/v1/products", [row for row in rows if not ids or row["id"] in ids])


@route("GET", "/v1/products/{}")
def retrieve_product(world: World, _: Params, product_id: str) -> Object:
    """By "Retrieve a product"."""
    return world.get("product", product_id)


@route("POST", "/v1/products/{}", _PRODUCT + "default_price")
def update_product(world: World, params: Params, product_id: str) -> Object:
    """By "Update a product"."""
    product = world.get("product", product_id)
    with world.changing(product):
        _update_product(world, product, params)
    return product


def _update_product(world: World, product: Object, params: Params) -> None:
    for name in ("name", "description", "statement_descriptor", "tax_code", "unit_label", "url"):
        if name in params:
            product[name] = params.text(name)
    product["active"] = params.flag("active", product["active"])
    product["metadata"] = params.metadata(product["metadata"])
    product["updated"] = world.now()
    if price := params.text("default_price"):
        product["default_price"] = world.get("price", price, "default_price")["id"]


@route("DELETE", "/v1/products/{}")
def delete_product(world: World, _: Params, product_id: str) -> Object:
    """By "Delete a product": only one that never had a price."""
    if world.all("price", product=product_id):
        raise invalid("This product cannot be deleted because it has one or more prices.")
    return world.drop("product", product_id)


@route("POST", "/v1/prices", _PRICE + "currency product recurring unit_amount billing_scheme")
def create_price(world: World, params: Params) -> Object:
    """By "Create a price"."""
    currency = currency_of(params)
    product = world.get("product", params.need("product"), "product")
    amount = params.whole("unit_amount", 0)
    if amount is None:
        raise required("unit_amount")
    recurring = _recurring(params.child("recurring")) if "recurring" in params else None
    values = {
        "unit_amount": check_amount(amount, currency, "unit_amount"),
        "unit_amount_decimal": str(amount),
        "recurring": recurring,
        "type": "recurring" if recurring else "one_time",
    }
    key = params.text("lookup_key")
    _take_lookup_key(world, key, params.flag("transfer_lookup_key"))
    price = world.make(
        "price", created=world.now(), currency=currency, product=product["id"], **values
    )
    _update_price(price, params)
    world.record("created", price)
    return price


def _recurring(params: Params) -> Object:
    interval = params.need("interval")
    count = params.whole("interval_count", 1) or 1
    if interval not in LONGEST or count > LONGEST[interval]:
        raise invalid("Invalid recurring interval.", "recurring[interval]")
    blank: Object = made("price")["recurring"]
    return blank | {"interval": interval, "interval_count": count}


def _take_lookup_key(world: World, key: str | None, transfer: bool) -> None:
    """One price has a lookup key; `transfer_lookup_key` takes it from the one before."""
    for price in world.all("price", lookup_key=key) if key else []:
        if not transfer:
            raise invalid(
                f"A price (`{price['id']}`) already uses that lookup key.",
                "lookup_key",
                "resource_already_exists",
            )
        with world.changing(price):
            price["lookup_key"] = None


@route("GET", "/v1/prices", PAGED + "active currency lookup_keys product recurring type")
def list_prices(world: World, params: Params) -> Object:
    """By "List all prices"."""
    equal = {name: params.text(name) for name in ("currency", "product", "type") if name in params}
    keys = params.texts("lookup_keys")
    rows = active(params, world.all("price", **equal))
    return page(params, "/v1/prices", [p for p in rows if not keys or p["lookup_key"] in keys])


@route("GET", "/v1/prices/{}")
def retrieve_price(world: World, _: Params, price_id: str) -> Object:
    """By "Retrieve a price"."""
    return world.get("price", price_id)


@route("POST", "/v1/prices/{}", _PRICE)
def update_price(world: World, params: Params, price_id: str) -> Object:
    """By "Update a price": its amount, currency and interval stay for ever."""
    price = world.get("price", price_id)
    key = params.text("lookup_key")
    if key and key != price["lookup_key"]:
        _take_lookup_key(world, key, params.flag("transfer_lookup_key"))
    with world.changing(price):
        _update_price(price, params)
    return price


def _update_price(price: Object, params: Params) -> None:
    for name in ("lookup_key", "nickname", "tax_behavior"):
        if name in params:
            price[name] = params.text(name)
    price["active"] = params.flag("active", price["active"])
    price["metadata"] = params.metadata(price["metadata"])


def active(params: Params, rows: list[Object]) -> list[Object]:
    wanted = params.flag("active") if "active" in params else None
    return [row for row in rows if wanted is None or row["active"] == wanted]
