import unittest

from wordtools import count_lines


class CountLines(unittest.TestCase):
    def test_a_last_line_without_an_end_counts(self):
        self.assertEqual(count_lines("a\nb"), 2)

    def test_an_empty_text_has_no_lines(self):
        self.assertEqual(count_lines(""), 0)
