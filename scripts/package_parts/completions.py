"""Completion files, where bash, zsh and fish look for them."""

from __future__ import annotations

from click.shell_completion import get_completion_class

from marianne.cli.program import COMPLETION_VARIABLE, cli

PLACES = {
    "bash": "bash-completion/completions/marianne",
    "zsh": "zsh/site-functions/_marianne",
    "fish": "fish/vendor_completions.d/marianne.fish",
}


def files() -> dict[str, str]:
    """Their texts by their places below ``share``."""
    found = {}
    for shell, place in PLACES.items():
        complete = get_completion_class(shell)
        assert complete is not None
        script = complete(cli, {}, "marianne", COMPLETION_VARIABLE)
        found[place] = script.source_template % script.source_vars()
    return found
