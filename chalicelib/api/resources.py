"""All resources of the API, in the order in which they are told."""

from chalicelib.api import (
    keys,
    members,
    orders,
    passes,
    passkit,
    programs,
    redemptions,
    system,
    webhooks,
)

RESOURCES = (
    members.resource,
    orders.resource,
    redemptions.resource,
    programs.resource,
    keys.resource,
    webhooks.resource,
    passes.resource,
    passkit.resource,
    system.resource,
)
