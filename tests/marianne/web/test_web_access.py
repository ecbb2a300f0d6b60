"""Who gets in: every route, each way of not being the person who was given the address."""

from __future__ import annotations

import pytest
from web_stage import COOKIE, HOST, OURS, TOKEN, WRITES, access, ask, asked

from marianne.home import Home
from marianne.web.access import HEADERS
from marianne.web.app import App

CROSS = {"origin": "http://evil.example", "sec-fetch-site": "cross-site"}
STRANGERS = {
    "no cookie": {"host": HOST},
    "a wrong token": {"host": HOST, "cookie": f"{COOKIE}=wrong"},
    "an empty token": {"host": HOST, "cookie": f"{COOKIE}="},
    "another cookie": {"host": HOST, "cookie": f"other={TOKEN}"},
    "a cookie that is none": {"host": HOST, "cookie": "\x01=;;"},
    "a foreign host": {**OURS, "host": "evil.example:1"},
    "a host that only begins like ours": {**OURS, "host": "127.0.0.1.evil.example"},
    "no host": {"cookie": OURS["cookie"]},
    "a host that is none": {**OURS, "host": "[::"},
    "a foreign origin": {**OURS, **CROSS},
    "a null origin": {**OURS, "origin": "null"},
    "an origin of another port": {**OURS, "origin": "http://127.0.0.1:2"},
    "a foreign page with our origin": {**WRITES, "sec-fetch-site": "same-site"},
}
PLACES = {"job": "j", "sheet:int": "1", "sheet": "1", "name": "main.js", "action": "cancel"}


def requests(app: App) -> list[tuple[str, str]]:
    """Each route with each of its methods, and what is no route."""
    found = [("GET", "/nowhere"), ("POST", "/nowhere"), ("PUT", "/"), ("GET", "/?token=wrong")]
    for route in app.routes:
        path = route.path
        for name, value in PLACES.items():
            path = path.replace(f"{{{name}}}", value)
        assert "{" not in path, f"say what stands for the parameter of {route.path}"
        found += [(method, path) for method in route.methods or ()]
    return found


def test_each_route_refuses_every_stranger_and_tells_nothing(home: Home) -> None:
    async def play(app: App) -> list[str]:
        wrong = []
        for method, path in requests(app):
            for who, headers in STRANGERS.items():
                told = await ask(app, path, method, headers)
                if told.status != 403 or list(told.json) != ["error"]:
                    wrong.append(f"{method} {path} answered {told.status} to {who}")
        return wrong

    assert asked(home, play) == []


def test_what_changes_something_has_to_say_that_it_is_a_page_of_ours(home: Home) -> None:
    async def play(app: App) -> list[tuple[str, int]]:
        return [
            (f"{method} {path}", (await ask(app, path, method, OURS)).status)
            for method, path in requests(app)
            if method not in ("GET", "HEAD")
        ]

    found = asked(home, play)
    assert len(found) > 1
    assert {status for _, status in found} == {403}


def test_without_write_nothing_that_changes_something_gets_in(home: Home) -> None:
    async def play(app: App) -> set[int]:
        return {
            (await ask(app, path, method, WRITES)).status
            for method, path in requests(app)
            if method not in ("GET", "HEAD")
        }

    assert asked(home, play, write=False) == {403}


def test_the_printed_address_gives_a_cookie_and_leads_to_the_pages(home: Home) -> None:
    async def play(app: App) -> None:
        told = await ask(app, f"/?token={TOKEN}", headers={"host": HOST})
        assert told.status == 200
        assert told.headers["set-cookie"].split("; ") == [
            f"{COOKIE}={TOKEN}",
            "Path=/",
            "HttpOnly",
            "SameSite=Strict",
        ]
        assert b'content="0; url=/"' in told.body
        assert TOKEN.encode() not in told.body
        page = await ask(app, "/")
        assert (page.status, b"main.js" in page.body) == (200, True)

    asked(home, play)


@pytest.mark.parametrize(
    ("path", "query"), [("/", f"token={TOKEN}&token={TOKEN}"), ("/api/log", f"token={TOKEN}")]
)
def test_only_the_printed_address_itself_enters(home: Home, path: str, query: str) -> None:
    assert not access().enters(path, query)

    async def play(app: App) -> int:
        return (await ask(app, f"{path}?{query}", headers={"host": HOST})).status

    assert asked(home, play) == 403


def test_every_answer_forbids_what_is_not_ours(home: Home) -> None:
    async def play(app: App) -> None:
        for path, headers in (("/", OURS), ("/static/main.js", OURS), ("/", {}), ("/no", OURS)):
            told = await ask(app, path, headers=headers)
            for name, value in HEADERS:
                assert told.headers[name.decode()] == value.decode()
            assert "unsafe" not in told.headers["content-security-policy"]

    asked(home, play)


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_any_port_of_this_machine_may_lead_here(host: str) -> None:
    """A tunnel has another one."""
    headers = {**OURS, "host": host}
    assert access().refusal("GET", "/", "", headers) is None
    assert access().refusal("POST", "/", "", {**headers, "origin": f"http://{host}"}) is None


def test_the_token_is_in_no_repr() -> None:
    assert TOKEN not in repr(access())
