"""What of a configuration is shown: nothing that lets in whoever knows it."""

from __future__ import annotations

import json

import pytest

from marianne.daemon.config.secret import MASK, masked, masked_url

CONFIG = {
    "log_level": "info",
    "traces": {"endpoint": "https://u:sesame@h/sesame", "headers": {"key": "sesame"}},
    "notifications": [
        {"type": "webhook", "on_events": [], "config": {"url": "https://h/sesame", "digest": 5.0}},
        {"type": "slack", "on_events": [], "config": {"webhook_url": "https://h/sesame"}},
        {"type": "apprise", "on_events": [], "config": {"url": "mailto://u:sesame@h"}},
        {"type": "command", "on_events": [], "config": {"command": "x password=sesame1"}},
        {"type": "webhook", "on_events": [], "config": {"url_env": "HOOK"}},
    ],
}


def test_what_is_shown_has_no_secret_and_all_else() -> None:
    shown = masked(CONFIG)
    assert "sesame" not in json.dumps(shown)
    assert shown["log_level"] == "info"
    assert shown["traces"]["headers"] == {"key": MASK}
    first, *_, last = shown["notifications"]
    assert first["config"] == {"url": f"https://h/{MASK}", "digest": 5.0}
    assert last == CONFIG["notifications"][-1]  # type: ignore[index]
    assert "sesame" in json.dumps(CONFIG), "what was given is as it was"


def test_a_configuration_without_secrets_is_shown_as_it_is() -> None:
    plain = {"notifications": [], "traces": {"endpoint": None, "headers": {}}, "n": 1}
    assert masked(plain) == plain


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://127.0.0.1:4318", "http://127.0.0.1:4318"),
        ("http://[::1]:4318/", "http://[::1]:4318"),
        ("https://hooks.example/T0/B0/x", f"https://hooks.example/{MASK}"),
        ("https://h?key=x", f"https://h/{MASK}"),
        ("https://user:x@h", f"https://h/{MASK}"),
        ("tgram://token/chat", f"tgram://{MASK}"),
        ("no address", MASK),
        ("http://h:port/x", MASK),
        ("http://[x", MASK),
    ],
)
def test_of_an_address_the_host_is_shown(address: str, shown: str) -> None:
    assert masked_url(address) == shown
