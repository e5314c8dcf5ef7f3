"""What leads round the HTTP guard: the ways of `http_ways`, and the pure parts that close them."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.adapters.http_ways import DONE, WAYS, Result, Way, http, post, table, tried

from freezetag.adapters.gates import mcp_leads as leads
from freezetag.adapters.gates.mcp_events import EndpointEvent, Events, TooLarge
from freezetag.adapters.gates.mcp_leads import Elsewhere

AT = "http://127.0.0.1:9000"
RESULTS: list[Result] = []


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_a_way_round_the_http_guard_is_closed(way: Way) -> None:
    result = asyncio.run(tried(way))
    RESULTS.append(result)
    if way.tier:  # open to whoever can reach it, as the documents say
        assert result.effects
        return
    assert result.effects == 0
    assert not result.leads, result.answer


def test_the_result_is_printed_by_tier(capsys: pytest.CaptureFixture[str]) -> None:
    found = RESULTS or [asyncio.run(tried(way)) for way in (WAYS[0], WAYS[-1])]
    with capsys.disabled():
        print(f"\n{table(found)}")
    closed = sum(not result.effects for result in found)
    assert f"tier 0: {closed} of {len(found)} ways are closed" in table(found)


def test_a_redirect_within_the_server_is_followed_once() -> None:
    """As servers do that want a slash at the end, or none (python-sdk#1168)."""
    ways = {
        "absolute": Way("", lambda at: http("307 T", f"Location: http://{at}/mcp/")),
        "path": Way("", lambda at: http("308 P", "Location: /mcp/")),
        "relative": Way("", lambda at: http("301 M", "Location: mcp/")),
    }
    for way in ways.values():
        result = asyncio.run(tried(way))
        assert result.answer.startswith(b"HTTP/1.1 200 OK"), result.answer
        assert DONE in result.answer
        assert (result.leads, result.effects) == (set(), 0)


def test_an_error_says_which_upstream_to_give() -> None:
    way = Way("", lambda at: http("307 T", "Location: http://127.0.0.1:7/mcp"))
    answer = asyncio.run(tried(way)).answer
    assert answer.startswith(b"HTTP/1.1 502")
    error = json.loads(answer.partition(b"\r\n\r\n")[2])
    assert error["id"] == 1
    assert "--upstream http://127.0.0.1:7/mcp" in error["error"]["message"]


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("/mcp/", b"/mcp/"),
        ("mcp/", b"/mcp/"),
        ("http://127.0.0.1:9000/x", b"/x"),
        ("http://127.0.0.1:9000/x#part", b"/x"),
        ("//127.0.0.1:9000/x", b"/x"),
        ("http://127.0.0.1:9000", b"/"),
        ("http://127.0.0.1:9001/mcp", None),
        ("http://127.0.0.1/mcp", None),
        ("https://127.0.0.1:9000/mcp", None),
        ("http://localhost:9000/mcp", None),
        ("http://me@127.0.0.1:9000/mcp", None),
        ("http://127.0.0.1:9000@evil.example/mcp", None),
        ("127.0.0.1:9000/mcp", b"/127.0.0.1:9000/mcp"),  # as URLs go, a path
        ("localhost:9000/mcp", None),
        ("http://[::1/mcp", None),
        ("http://127.0.0.1:port/mcp", None),
        ("/mcp?other=1", None),
        ("/a b", None),
        ("", None),
        ("/m\u00e9", None),
        ("javascript:alert(1)", None),
    ],
)
def test_which_redirects_are_followed(place: str, target: bytes | None) -> None:
    headers = [(b"location", place.encode("latin-1"))]
    if target is None:
        with pytest.raises(Elsewhere):
            leads.followed(f"{AT}/mcp", "POST", 307, headers)
    else:
        assert leads.followed(f"{AT}/mcp", "POST", 307, headers) == target


def test_a_place_with_a_user_is_shown_without() -> None:
    with pytest.raises(Elsewhere) as told:
        leads.followed(f"{AT}/mcp", "POST", 307, [(b"location", b"http://me:pw@evil.example/")])
    assert "pw" not in str(told.value)


@given(place=st.text(max_size=40))
def test_whatever_the_place_is_the_target_stays_at_the_server(place: str) -> None:
    headers = [(b"Location", place.encode("latin-1", "replace"))]
    try:
        target = leads.followed(f"{AT}/mcp?q=1", "POST", 307, headers)
    except Elsewhere:
        return
    assert target.startswith(b"/")
    assert b"\r" not in target
    assert b"\n" not in target


def test_headers_that_stay() -> None:
    said: list[str] = []
    kept = [
        (b"Content-Type", b"application/json"),
        (b"Mcp-Session-Id", b"a-b/c=="),
        (b"ETag", b'"a//b"'),
        (b"Access-Control-Allow-Origin", b"http://localhost:6274"),
        (b"WWW-Authenticate", b'Bearer realm="mcp"'),
    ]
    assert leads.passed(kept, AT, "http://me:80", said.append) == kept
    assert not said
    own = [(b"WWW-Authenticate", b'Bearer resource_metadata="%b/.well-known/x"' % AT.encode())]
    (challenge,) = leads.passed(own, AT, "http://me:80", said.append)
    assert challenge[1] == b'Bearer resource_metadata="http://me:80/.well-known/x"'
    nominated = [(b"Connection", b"close, X-Odd"), (b"X-Odd", b"1"), (b"Link", b"</x>")]
    assert leads.passed(nominated, AT, "http://me:80", said.append) == []
    assert said == ["the server's header Link was not passed on: it leads past the guard"]


# Streams of events.


@given(
    lines=st.lists(
        st.sampled_from(
            ["data: 1", "event: message", ": hello", "id: 7", "", "event", "events: endpoint"]
        ),
        max_size=12,
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    cuts=st.lists(st.integers(0, 200), max_size=6),
    endpoint=st.none() | st.integers(0, 12),
)
def test_events_pass_whole_byte_for_byte_but_endpoints(
    lines: list[str], end: str, cuts: list[int], endpoint: int | None
) -> None:
    if endpoint is not None:
        lines.insert(endpoint, "event:endpoint")
    stream = "".join(line + end for line in lines).encode()
    events, passed, at = Events(10_000), b"", 0
    try:
        for cut in [*sorted(min(cut, len(stream)) for cut in cuts), len(stream)]:
            passed += events.feed(stream[at:cut])
            at = cut
        passed += events.end()
    except EndpointEvent:
        assert endpoint is not None
        assert b"endpoint" not in passed.replace(b"events: endpoint", b"")
        return
    assert endpoint is None
    assert passed == stream


def test_an_event_goes_on_as_soon_as_it_is_whole_and_a_comment_at_once() -> None:
    events = Events(100)
    assert events.feed(b": ping\n") == b": ping\n"
    assert events.feed(b"data: 1\n") == b""
    assert events.feed(b"\ndata") == b"data: 1\n\n"
    with pytest.raises(TooLarge):
        events.feed(b"x" * 100)


def test_the_request_that_asks_is_whole() -> None:
    assert post(b"{}", "/mcp", "Host: x").endswith(b"Content-Length: 2\r\n\r\n{}")
