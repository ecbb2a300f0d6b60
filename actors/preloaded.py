"""Imported by the forkserver after all else: garbage is collected again, of what comes from now on.

What was imported is looked at no more. A child that looked would get copies of the pages of it.
"""

from __future__ import annotations

import gc

gc.freeze()
gc.enable()
