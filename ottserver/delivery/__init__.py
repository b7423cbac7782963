"""Delivery: tickets, manifests, ranges, and segments from memory."""
