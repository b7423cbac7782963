"""Billing: the plans on offer, complimentary grants, and what an account is entitled to play."""
