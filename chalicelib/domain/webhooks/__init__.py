"""Outgoing webhooks: what a shop's other systems are told of, and where, and how often."""
