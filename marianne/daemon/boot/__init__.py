"""A conductor from its lock to its end: boot, the ways to stop, and who starts it."""
