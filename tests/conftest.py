"""What all tests share can be imported from this directory."""

from __future__ import annotations

import signal
import sys
from pathlib import Path

# Whoever started us (nohup, a shell's &) may ignore these, and all that we start would too.
for number in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(number, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

sys.path.insert(0, str(Path(__file__).parent))
