"""Reaching a conductor from other machines: addresses, and the keys of both sides."""
