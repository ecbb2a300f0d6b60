"""A notice to an address: its success is the receiver's, and no word of it has the address."""

from __future__ import annotations

import json
from typing import Any

import pytest
from notify_notice import SECRET, receiver

from marianne.notify.webhook import deliver


def wanted(url: str, **more: Any) -> dict[str, Any]:
    return {"url": url, "body": {"event": "job_failed"}, "timeout": 10.0, **more}


def test_what_is_taken_is_the_body_as_json() -> None:
    with receiver(b"HTTP/1.1 204 No Content\r\n\r\n") as (url, told):
        assert deliver(wanted(url)) is None
    assert json.loads(told[0]) == {"event": "job_failed"}


def test_an_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiver(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as (url, _):
        monkeypatch.setenv("HOOK", url)
        assert deliver({**wanted(""), "url_env": "HOOK"}) is None


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n", "HTTP 500"),
        (b"HTTP/1.1 404 None\r\nContent-Length: 0\r\n\r\n", "HTTP 404"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "could not be sent"),
        (b"", ""),
    ],
)
def test_any_other_answer_is_a_failure_in_words_without_the_address(
    answer: bytes, why: str
) -> None:
    with receiver(answer) as (url, _):
        said = deliver(wanted(url))
    assert said is not None
    assert why in said
    assert SECRET not in said


@pytest.mark.parametrize(
    "url",
    [
        f"ftp://host/{SECRET}",
        f"http://127.0.0.1:1/{SECRET}",
        f"http://127.0.0.1/{SECRET} with a space",
        f"http://host:{SECRET}/",
        f"http://[{SECRET}/",
        f"http://{'x' * 70}.invalid/{SECRET}",
    ],
)
def test_an_address_that_is_none_is_a_failure_and_is_not_said(url: str) -> None:
    said = deliver(wanted(url))
    assert said
    assert SECRET not in said


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOOK", raising=False)
    assert "HOOK" in str(deliver({**wanted(""), "url_env": "HOOK"}))
