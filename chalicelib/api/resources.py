"""All resources of the API, in the order in which they are told."""

from chalicelib.api import (
    adjustments,
    entries,
    keys,
    members,
    orders,
    passes,
    passkit,
    programs,
    redemptions,
    reservations,
    system,
    transfers,
    webhooks,
)

RESOURCES = (
    members.resource,
    entries.resource,
    orders.resource,
    redemptions.resource,
    reservations.resource,
    adjustments.resource,
    transfers.resource,
    programs.resource,
    keys.resource,
    webhooks.resource,
    passes.resource,
    passkit.resource,
    system.resource,
)
