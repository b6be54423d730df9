"""Stores: what the systems that sell say of orders and customers."""
