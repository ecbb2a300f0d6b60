"""``python -m marianne.cli``."""

from marianne.cli.main import main

main()
