"""Objects made of Stripe's published fixtures, so that each has all the keys of its type.

`fixtures3.json` is trimmed from the file of that name in github.com/stripe/openapi (MIT licence,
Copyright (c) Stripe, Inc.). Its values are examples; `_NEUTRAL` says which of them mean nothing in
an object that has just been made.
"""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

Object = dict[str, Any]

_FILE = Path(__file__).with_name("fixtures3.json")
FIXTURES: dict[str, Object] = json.loads(_FILE.read_text())["resources"]

_NO_TAX = {
    "enabled": False,
    "liability": None,
    "status": None,
    "provider": None,
    "disabled_reason": None,
}
_NEUTRAL: dict[str, Object] = {
    "product": {"default_price": None, "description": None, "package_dimensions": None}
    | {"type": "service"},
    "price": {"custom_unit_amount": None, "transform_quantity": None},
    "plan": {"nickname": None, "transform_usage": None, "billing_scheme": "per_unit"},
    "customer": {"currency": None, "discount": None, "shipping": None, "address": None},
    "payment_method": {"metadata": {}},
    "setup_intent": {
        "automatic_payment_methods": None,
        "last_setup_error": None,
        "next_action": None,
        "payment_method_configuration_details": None,
    },
    "checkout.session": {
        "after_expiration": None,
        "automatic_tax": _NO_TAX,
        "consent": None,
        "consent_collection": None,
        "custom_text": {
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        "customer_details": None,
        "invoice_creation": None,
        "payment_intent": None,
        "payment_method_configuration_details": None,
        "saved_payment_method_options": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "collected_information": None,
        "permissions": None,
        "currency_conversion": None,
        "managed_payments": None,
    },
    "item": {"adjustable_quantity": None},
    "subscription": {
        "automatic_tax": _NO_TAX,
        "billing_cycle_anchor_config": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "ended_at": None,
        "next_pending_invoice_item_invoice": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_update": None,
        "transfer_data": None,
        "trial_end": None,
        "trial_start": None,
        "billing_thresholds": None,
        "billing_mode": {"type": "flexible", "flexible": {"proration_discounts": "included"}},
        "managed_payments": None,
        "billing_schedules": [],
    },
    "subscription_item": {"billing_thresholds": None},
    "invoice": {
        "automatic_tax": _NO_TAX,
        "customer_address": None,
        "customer_shipping": None,
        "due_date": None,
        "effective_at": None,
        "from_invoice": None,
        "last_finalization_error": None,
        "next_payment_attempt": None,
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "webhooks_delivered_at": None,
        "amount_overpaid": 0,
        "auto_advance": True,
        "total_pretax_credit_amounts": [],
        "total_taxes": [],
    },
    "line_item": {"pretax_credit_amounts": [], "taxes": []},
    "payment_intent": {
        "automatic_payment_methods": None,
        "canceled_at": None,
        "last_payment_error": None,
        "next_action": None,
        "payment_method_configuration_details": None,
        "processing": None,
        "shipping": None,
        "transfer_data": None,
        "managed_payments": None,
    },
    "charge": {
        "balance_transaction": None,
        "shipping": None,
        "transfer_data": None,
        "source": None,
        "description": None,
        "captured": True,
    },
    "coupon": {"duration_in_months": None, "redeem_by": None, "name": None},
    "promotion_code": {"active": True, "expires_at": None},
    "discount": {"end": None},
    "billing_portal.session": {"flow": None, "livemode": False},
    "dispute": {
        "is_charge_refundable": False,
        "status": "needs_response",
        "enhanced_eligibility_types": [],
    },
    "webhook_endpoint": {"description": None},
    "invoice_payment": {"livemode": False},
    "invoiceitem": {"quantity_decimal": "1"},
}


def made(kind: str, **values: Any) -> Object:
    """An object of `kind` with all its published keys, neutral but for `values`.

    What starts with `_` is the stand-in's own and never leaves it.
    """
    neutral = deepcopy(FIXTURES[kind] | _NEUTRAL.get(kind, {}))
    if "livemode" in neutral:
        neutral["livemode"] = False
    return neutral | values


def shown(thing: Any) -> Any:
    """A copy without what is the stand-in's own."""
    if isinstance(thing, dict):
        return {name: shown(value) for name, value in thing.items() if not name.startswith("_")}
    if isinstance(thing, list):
        return [shown(value) for value in thing]
    return thing


def listed(url: str, rows: list[Object]) -> Object:
    """A whole list, as it lies inside another object."""
    return {"object": "list", "data": rows, "has_more": False, "url": url}
