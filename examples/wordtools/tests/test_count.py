import unittest

from wordtools import count_words


class CountWords(unittest.TestCase):
    def test_words_are_counted_whatever_their_case(self):
        self.assertEqual(count_words("One two TWO")["two"], 2)

    def test_an_empty_text_has_no_words(self):
        self.assertEqual(dict(count_words("")), {})
