"""Counts words."""

from collections import Counter

__all__ = ["count_lines", "count_words"]


def count_words(text: str) -> Counter:
    """How often each word stands in the text, whatever its case."""
    return Counter(text.lower().split())


def count_lines(text: str) -> int:
    """How many lines the text has; a last line without an end counts."""
    return len(text.splitlines())
