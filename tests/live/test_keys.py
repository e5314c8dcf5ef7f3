"""People, keys, tokens."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live.worlds import PEOPLE, roster

from freezetag.live.authority.tokens import RIGHTS, Token, TokenBook, TokenError, issue, within
from freezetag.live.signed.keys import (
    Person,
    Roster,
    RosterError,
    generate,
    public_of,
    sign,
    verify,
)

ANN, BOB = PEOPLE["ann"][1], PEOPLE["bob"][1]


def test_keys() -> None:
    private, public = generate()
    assert public_of(private) == public
    signature = sign(private, b"m")
    assert verify(public, b"m", signature)
    assert not verify(public, b"n", signature)
    assert not verify(ANN, b"m", signature)


def test_a_signature_counts_in_one_spelling_alone() -> None:
    """Base64 has several for some bytes, and the offline verifier takes one: so does everybody."""
    private, public = generate()
    ann = Roster("lab", (Person("ann", public),), solo=True)
    made = base64.b64encode(sign(private, b"m")).decode()
    (person,) = ann.people
    assert ann.signers(b"m", [(person.key_id, made)]) == {"ann"}
    last = made[-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    others = [made[:-3] + each + "==" for each in alphabet if each != last]
    same = [each for each in others if base64.b64decode(each) == base64.b64decode(made)]
    assert len(same) == 15
    assert not any(ann.signers(b"m", [(person.key_id, each)]) for each in same)


@given(st.binary(max_size=70), st.binary(max_size=5), st.binary(max_size=70))
def test_checking_never_raises(public: bytes, message: bytes, signature: bytes) -> None:
    assert not verify(public, message, signature)


@pytest.mark.parametrize(
    ("people", "solo", "says"),
    [
        ((Person("ann", ANN),), False, "needs two"),
        ((), False, "needs two"),
        ((Person("ann", ANN), Person("bob", ANN)), False, "same name or key"),
        ((Person("ann", ANN), Person("ann", BOB)), False, "same name or key"),
        ((Person("ann", ANN), Person("Ann ", BOB)), False, "same name or key"),
        ((Person("ann", ANN), Person("\uff41nn", BOB)), False, "same name or key"),
        ((Person("zo\u00eb", ANN), Person("Zoe\u0308", BOB)), False, "same name or key"),
        ((Person("ann", ANN[:31]), Person("bob", BOB)), False, "32 bytes"),
    ],
)
def test_rosters_that_protect_nothing(people: Any, solo: bool, says: str) -> None:
    with pytest.raises(RosterError, match=says):
        Roster("own", people, solo)


def test_solo_is_said_and_kept() -> None:
    alone = Roster("own", (Person("ann", ANN),), solo=True)
    assert (alone.quorum, roster().quorum) == (1, 2)
    assert alone.to_json()["solo"] is True
    assert Roster.from_json(alone.to_json()) == alone


@pytest.mark.parametrize(
    "change",
    [{"people": None}, {"solo": 1}, {"authority": 3}, {"people": [{"name": "ann", "key": "?"}]}],
)
def test_reading_what_is_no_roster(change: dict[str, Any]) -> None:
    with pytest.raises(RosterError):
        Roster.from_json({**roster().to_json(), **change})
    with pytest.raises(RosterError):
        Roster.from_json(None)


# Tokens.


def test_a_token_has_one_right_and_is_stored_as_a_hash() -> None:
    text, token = issue("press", "group:g", "wall")
    book = TokenBook([token])
    assert text not in repr(token.to_json())
    assert Token(**token.to_json()) == token
    assert book.check(text, "press", "group:g") == token
    assert book.check(text, "press", "agent:a", ["g"]) == token
    for right in RIGHTS:
        if right != "press":
            assert book.check(text, right) is None
    for scope in ("fleet", "group:h", "agent:a", ""):
        assert book.check(text, "press", scope) is None
    book.revoke(token.digest)
    assert book.check(text, "press") is None


@given(st.none() | st.integers() | st.text() | st.binary())
def test_a_foreign_token_is_no_token(text: Any) -> None:
    book = TokenBook([issue("press", "fleet", "wall")[1]])
    assert book.check(text, "press", "fleet") is None


@pytest.mark.parametrize(
    "fields", [("reset", "fleet", "x"), ("press", "", "x"), ("press", "fleet", "")]
)
def test_tokens_that_may_not_be(fields: tuple[str, str, str]) -> None:
    with pytest.raises(TokenError):
        issue(*fields)


def test_within() -> None:
    assert within("fleet", "fleet")
    assert not within("fleet", "group:g", ["g"])
    assert not within("group:g", "agent:a")
    assert within("closure:a", "closure:a")
    assert not within("closure:a", "agent:a")
