import contextlib
import io
import tempfile
import unittest
from pathlib import Path

from wordtools.cli import main


class Command(unittest.TestCase):
    def test_it_prints_what_it_counted(self):
        with tempfile.TemporaryDirectory() as directory:
            path = Path(directory, "a.txt")
            path.write_text("one two\ntwo\n")
            with contextlib.redirect_stdout(io.StringIO()) as printed:
                code = main([str(path)])
        self.assertEqual(code, 0)
        self.assertEqual(printed.getvalue().splitlines()[:2], ["2 lines, 3 words", "two 2"])

    def test_without_files_it_says_how_it_is_used(self):
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(main([]), 2)
