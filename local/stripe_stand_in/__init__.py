"""A stand-in for Stripe, on this machine alone.

    python -m local.stripe_stand_in --port 8446 --folder .local/stripe

It keeps one account's objects, charges test cards and never moves money. What it refuses, Stripe
would refuse as well; what it can not do, it refuses too. Titles in quotation marks are those of
pages of docs.stripe.com.
"""

from local.stripe_stand_in.keys import After, Before, Delay
from local.stripe_stand_in.server import (
    PUBLISHABLE_KEY,
    SECRET_KEY,
    WEBHOOK_SECRET,
    StripeStandIn,
)
from local.stripe_stand_in.world import Settings

__all__ = [
    "PUBLISHABLE_KEY",
    "SECRET_KEY",
    "WEBHOOK_SECRET",
    "After",
    "Before",
    "Delay",
    "Settings",
    "StripeStandIn",
]
