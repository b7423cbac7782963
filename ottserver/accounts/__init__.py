"""Accounts: sign-up, sign-in, signed-in devices, the account's own data, its export and its erasure."""
