"""Marianne: a conductor for jobs made of command-line steps."""
