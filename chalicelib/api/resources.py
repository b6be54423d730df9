"""All resources of the API, in the order in which they are told."""

from chalicelib.api import (
    adjustments,
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
    adjustments.resource,
    programs.resource,
    keys.resource,
    webhooks.resource,
    passes.resource,
    passkit.resource,
    system.resource,
)
