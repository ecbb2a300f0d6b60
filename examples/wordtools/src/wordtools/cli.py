"""The command: wordtools FILE..."""

import sys
from pathlib import Path

from wordtools import count_lines, count_words


def main(arguments=None) -> int:
    """Prints lines, words and the three most frequent words of all files together."""
    paths = sys.argv[1:] if arguments is None else arguments
    if not paths:
        print("usage: wordtools FILE...", file=sys.stderr)
        return 2
    text = "".join(Path(path).read_text() for path in paths)
    words = count_words(text)
    print(f"{count_lines(text)} lines, {sum(words.values())} words")
    for word, count in words.most_common(3):
        print(word, count)
    return 0
