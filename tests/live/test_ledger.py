"""The ledger: RFC 6962's tree against its definition, proofs, checkpoints, canonical records."""

from __future__ import annotations

import base64
import hashlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.live.worlds import PEOPLE

from freezetag.core.canonical import canonical
from freezetag.live.signed.merkle import (
    Checkpoint,
    LedgerError,
    Tree,
    check_consistency,
    check_inclusion,
    leaf_hash,
    open_note,
    read_record,
    record,
    sign_note,
)

LEAVES = [bytes([n]) * n for n in range(70)]
TREE = Tree(LEAVES)
PRIVATE, PUBLIC = PEOPLE["ann"]


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word."""
    if not leaves:
        return hashlib.sha256().digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:k]) + by_definition(leaves[k:])).digest()


def test_roots_are_the_definition() -> None:
    for size in range(len(LEAVES) + 1):
        assert TREE.root(size) == by_definition(LEAVES[:size])
        assert Tree(LEAVES[:size]).root() == by_definition(LEAVES[:size])


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 7, 8, 100])
def test_a_tree_of_hashes_is_the_tree_of_their_leaves(size: int) -> None:
    leaves = [b"%d" % n for n in range(size)]
    made, grown = Tree.of_hashes(b"".join(map(leaf_hash, leaves))), Tree(leaves)
    for _ in range(9):
        assert (made.size, made.root()) == (grown.size, grown.root())
        assert made._levels == grown._levels
        made.append(b"more")
        grown.append(b"more")


def test_vectors_of_certificate_transparency() -> None:
    """The eight leaves and roots that the RFC's reference implementation is tested on."""
    leaves = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    leaves.append("606162636465666768696a6b6c6d6e6f")
    tree = Tree(bytes.fromhex(leaf) for leaf in leaves)
    assert tree.root(1).hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
    assert tree.root(8).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


sizes = st.integers(0, len(LEAVES))


@given(sizes, sizes, st.randoms(use_true_random=False))
def test_consistency_is_proved_and_nothing_else_is(a: int, b: int, random: object) -> None:
    old, new = sorted((a, b))
    proof = TREE.consistency(old, new)
    good = (old, TREE.root(old), new, TREE.root(new))
    assert check_consistency(*good, proof)
    other = Tree([b"other", *LEAVES[1:]])
    if old:
        assert not check_consistency(*good[:3], other.root(new), proof)
        assert not check_consistency(old, other.root(old), new, TREE.root(new), proof)
    if old != new:
        assert not check_consistency(*good, [*proof, "00" * 32])
        assert not check_consistency(new, TREE.root(new), old, TREE.root(old), proof)
    for n in range(len(proof)):
        changed = [*proof[:n], "11" * 32, *proof[n + 1 :]]
        assert not check_consistency(*good, changed)
        assert not check_consistency(*good, [*proof[:n], *proof[n + 1 :]])


@given(sizes, sizes)
def test_inclusion_is_proved_and_nothing_else_is(index: int, size: int) -> None:
    if index >= size:
        with pytest.raises(LedgerError):
            TREE.inclusion(index, size)
        return
    proof, root = TREE.inclusion(index, size), TREE.root(size)
    assert check_inclusion(LEAVES[index], index, size, root, proof)
    assert not check_inclusion(b"other", index, size, root, proof)
    assert not check_inclusion(LEAVES[index], (index + 1) % size, size, root, proof) or size == 1
    assert not check_inclusion(LEAVES[index], index, size, root, [*proof, "00" * 32])
    assert not check_inclusion(LEAVES[index], index, size, root, ["zz", *proof])


# Checkpoints.

NOTE = sign_note(Checkpoint("own", 3, TREE.root(3)), PRIVATE)


def test_a_note_is_a_c2sp_checkpoint() -> None:
    lines = NOTE.split("\n")
    root = base64.b64encode(TREE.root(3)).decode()
    assert lines[:4] == ["freezetag/own", "3", root, ""]
    assert lines[4].startswith("— freezetag/own ")
    assert lines[5:] == [""]
    stamp = base64.b64decode(lines[4].split(" ")[2])
    assert stamp[:4] == hashlib.sha256(b"freezetag/own\n\x01" + PUBLIC).digest()[:4]
    assert len(stamp) == 68
    assert open_note(NOTE, "own", PUBLIC) == Checkpoint("own", 3, TREE.root(3))


def test_solo_is_in_every_head() -> None:
    note = sign_note(Checkpoint("own", 3, TREE.root(3), solo=True), PRIVATE)
    assert "\nsolo\n" in note
    assert open_note(note, "own", PUBLIC).solo
    with pytest.raises(LedgerError):
        open_note(note.replace("solo\n", ""), "own", PUBLIC)


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
def test_a_changed_note_is_no_checkpoint(at: int, new: str) -> None:
    changed = NOTE[:at] + new + NOTE[at + 1 :]
    try:
        same = open_note(changed, "own", PUBLIC)
    except LedgerError:
        return
    assert same == open_note(NOTE, "own", PUBLIC)  # spare bits of base64 change nothing


@given(st.text())
def test_any_text_is_refused(note: str) -> None:
    with pytest.raises(LedgerError):
        open_note(note, "own", PUBLIC)
    with pytest.raises(LedgerError):
        open_note(NOTE, "own", PEOPLE["bob"][1])
    with pytest.raises(LedgerError):
        open_note(NOTE, "another", PUBLIC)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb"])
def test_names_that_would_break_a_note(name: str) -> None:
    with pytest.raises(LedgerError):
        sign_note(Checkpoint(name, 0, TREE.root(0)), PRIVATE)


# Records.


def test_a_record_is_canonical_and_read_back() -> None:
    leaf = record(3, "press", {"b": 1, "a": "ü"}, 17)
    assert leaf == '{"at":17,"body":{"a":"ü","b":1},"i":3,"kind":"press","v":1}'.encode()
    assert read_record(leaf)["body"] == {"a": "ü", "b": 1}
    for bad in (b"", b"[]", b"{}", b'{"at":1,"body":[],"i":0,"kind":"x"}', b"\xff"):
        with pytest.raises(LedgerError):
            read_record(bad)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (333333333.33333329, "333333333.3333333"),
        (1e30, "1e+30"),
        (4.50, "4.5"),
        (2e-3, "0.002"),
        (1e-27, "1e-27"),
        (1e21, "1e+21"),
        (1e20, "100000000000000000000"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (-1.7976931348623157e308, "-1.7976931348623157e+308"),
        ("\u20ac$\u000f\u000aA'\u0042\u0022\u005c\\\"/", '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"'),
        ({"\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\U0001f600": 5, "\u0080": 6, "\u00f6": 7},
         '{"\\r":2,"1":4,"\u0080":6,"ö":7,"€":1,"\U0001f600":5,"\ufb33":3}'),
    ],
)  # fmt: skip
def test_canonical_json_as_in_rfc_8785(value: object, text: str) -> None:
    assert canonical(value).decode() == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_canonical_numbers_read_back(number: float) -> None:
    assert float(canonical(number)) == number


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text(max_size=4)
    | st.floats(-(2.0**53), 2.0**53),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(values)
def test_canonical_is_one_spelling(value: object) -> None:
    try:
        text = canonical(value)
    except ValueError:
        assert not json.dumps(value, ensure_ascii=False).isascii()  # a lone surrogate
        return
    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize("value", [math.nan, math.inf, 2**53 + 1, "\ud800", {1: 2}, {1, 2}, b"x"])
def test_what_has_no_canonical_form(value: object) -> None:
    with pytest.raises(ValueError, match=r"canonical form|write it as text|keys must be text"):
        canonical(value)
    with pytest.raises(ValueError, match=r"canonical form|write it as text|keys must be text"):
        canonical({"a": [0.5, value]})
