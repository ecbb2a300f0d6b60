"""``read``: what is not named, is no system directory and cannot be written, cannot be read."""

from __future__ import annotations

import pytest
from walls_ground import USERS, Behind, Ground


@pytest.mark.parametrize("user", USERS)
def test_only_named_places_can_be_read(behind: Behind, ground: Ground, user: int | None) -> None:
    told = behind(
        user=user,
        sandbox={"read": [str(ground.outside / "folder")], "write": ["workspace"]},
        places=ground.places,
        env={"OUT": str(ground.outside)},
        scripts={
            "file": "cat $OUT/file",
            "directory": "ls $OUT",
            "link": "ln -sfn $OUT/file way; cat way",
            "named": "ls $OUT/folder",
            "own": "echo x > a; cat a; date; ls /usr/bin > list",
        },
    )
    refused = {name for name, (code, _) in told["ended"].items() if code}
    assert refused == {"file", "directory", "link"}, told
