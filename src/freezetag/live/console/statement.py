"""Pages of what people sign beside resets: browsers' keys, tokens taken back, handovers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from freezetag.live.console.answers import plain
from freezetag.live.console.browser import register, sign_here
from freezetag.live.console.markup import Child, Html, name, tag
from freezetag.live.console.reset import PASTE
from freezetag.live.console.words import count
from freezetag.live.signed.browser_key import Certificate

HEADS = {
    "revocation": "Take back a token",
    "handover": "Take up this ledger",
    "browser_key": "A browser's key",
}
SOLO = "SOLO: one person suffices here."


def statement(
    told: Mapping[str, Any],
    says: Sequence[tuple[str, str]],
    prefix: bytes,
    keys: Sequence[Certificate],
    origin: str,
    solo: bool,
) -> Html:
    """A text under way, as `Statements.told` gives it; `says` is what it says, in rows."""
    rule = SOLO if solo else f"{len(told['signed'])} of {told['needed']} different people."
    must = [f" {each} has to be among them." for each in told["missing"]]
    download = tag(
        "form",
        tag("input", type="hidden", name="text", value=told["text"]),
        tag("button", "Download it"),
        " and sign it: ",
        tag("code", "freezetag sign --draft statement.json --key ada.key > ada.json"),
        ", or sign here: ",
        tag("code", "freezetag sign --key ada.key"),
        method="post",
        action="/statement/statement.json",
        class_="download",
    )
    area = tag("textarea", id="signature-1", name="signature-1", rows=4, placeholder=PASTE,
               spellcheck="false", autocomplete="off")  # fmt: skip
    hand_in = tag(
        "form",
        tag("input", type="hidden", name="text", value=told["text"]),
        tag("div", tag("label", "Signed file 1", for_="signature-1"), area, class_="signature"),
        tag("button", "Hand in"),
        method="post",
        action="/statement",
        class_="signatures",
    )
    browser = None
    if told["kind"] != "browser_key":  # a key is certified with files alone
        browser = sign_here(prefix, told["text"], "/statement", keys, origin)
    return plain(
        HEADS[told["kind"]],
        tag("h1", HEADS[told["kind"]]),
        tag("dl", [tag("div", tag("dt", term), " ", tag("dd", name(what))) for term, what in says]),
        tag("h2", "What is signed"),
        tag("p", f"This text and nothing else, for {told['seconds'] // 60} more minutes."),
        tag("pre", told["text"], id="draft", tabindex=0),
        download,
        tag("h2", "Signatures"),
        tag("p", tag("b", rule), must),
        tag("ul", [tag("li", name(each), ": signed") for each in told["signed"]], class_="people"),
        hand_in,
        browser,
    )


def entered(told: Mapping[str, Any]) -> Html:
    """After signatures were taken in: entered, or who is missing."""
    who = " and ".join(told["signed"]) or "nobody"
    if told["done"]:
        head = f"{HEADS[told['kind']]}: done"
        rest = tag("p", "Signed by ", name(who), ", and in the ledger.")
        if told["kind"] == "handover":
            rest = tag("p", rest, "All agents are HELD, each until somebody starts it.")
    else:
        head = f"{len(told['signed'])} of {told['needed']} signed"
        nonce = json.loads(told["text"])["nonce"]
        back = tag("a", "Back to the text to sign", href=f"/statement?nonce={nonce}", class_="go")
        rest = tag("p", "Signed by ", name(who), ". Nothing happens before the others sign. ", back)
    return plain(head, tag("h1", head), rest)


def browser_keys(
    keys: Sequence[Certificate],
    people: Sequence[str],
    origin: str,
    challenge: bytes,
    until: int,
    authority: str,
    pending: Sequence[Mapping[str, Any]],
) -> Html:
    """Whose browsers' keys count, and the way to one more."""
    rows = [
        tag("li", name(key.person), " at ", name(key.origin), " ", tag("code", key.digest[:16]),
            _take_back(key.digest))
        for key in keys
    ]  # fmt: skip
    waits = [
        tag("li", tag("a", f"of {json.loads(each['text'])['person']}",
                      href=f"/statement?nonce={json.loads(each['text'])['nonce']}"))
        for each in pending
    ]  # fmt: skip
    return plain(
        "Keys in browsers",
        tag("h1", "Keys in browsers"),
        tag("p", "Such a key signs like its person's key file. It is certified with key files, by "
            "that person and by as many people as a reset takes, and works at one address alone",
            f": {origin}." if origin else "."),
        tag("ul", rows) if rows else tag("p", "There is none yet."),
        [tag("h2", "Wait for signatures"), tag("ul", waits)] if waits else None,
        tag("h2", "A new one"),
        register(people, origin, challenge, until, authority),
    )  # fmt: skip


def handover(lost: Sequence[Mapping[str, Any]], size: int, pending: Sequence[Any]) -> Html:
    """What gates saw that this ledger lacks, and the way to give it up."""
    if not lost:
        said = tag("p", "No gate has shown that it saw another ledger: nothing is to hand over.")
        return plain("Handover", tag("h1", "Handover"), said)
    most = max(head["size"] for head in lost)
    rows = [
        tag("li", name(head["gate"]), f" saw {count(head['size'], 'record')}, root ",
            tag("code", head["root"][:16], title=head["root"]))
        for head in lost[:100]
    ]  # fmt: skip
    waits = [
        tag("p", tag("a", "A text waits for signatures",
                     href=f"/statement?nonce={json.loads(each['text'])['nonce']}", class_="go"))
        for each in pending
    ]  # fmt: skip
    form = tag(
        "form",
        tag("input", type="hidden", name="kind", value="handover"),
        tag("label", "Why this ledger is taken up", for_="why"),
        tag("input", id="why", name="why", required=True, maxlength=1000, autocomplete="off"),
        tag("button", "Draft the text"),
        method="post",
        action="/statement/draft",
    )
    return plain(
        "Handover",
        tag("h1", "Gates saw another ledger"),
        tag("p", f"Here are {count(size, 'record')}, and gates saw up to {most}. What is gone may "
            "be presses, tokens taken back and starts. Put back the newest copy if there is one; "
            "only if there is none, people sign that this one is taken up. Then every agent is "
            "HELD.", class_="loud"),
        tag("ul", rows),
        waits,
        form,
    )  # fmt: skip


def tokens(book: Sequence[Mapping[str, Any]] | None) -> Html:
    """The tokens in force, each with the way to take it back; None: the right is to be shown."""
    if book is None:
        ask: Child = tag(
            "form",
            tag("label", "A token with the right to admin", for_="token"),
            tag(
                "input",
                id="token",
                name="token",
                type="password",
                autocomplete="off",
                required=True,
            ),
            tag("button", "Show the tokens"),
            method="post",
            action="/tokens",
        )
        return plain("Tokens", tag("h1", "Tokens"), ask)
    rows = [
        tag("tr", tag("td", each["right"]), tag("td", name(each["scope"])),
            tag("td", name(each["holder"])), tag("td", tag("code", each["digest"][:16])),
            tag("td", _take_back(each["digest"])))
        for each in book
    ]  # fmt: skip
    head = [tag("th", column, scope="col") for column in ("right", "scope", "holder", "id", "")]
    table = tag("table", tag("thead", tag("tr", head)), tag("tbody", rows))
    said = "Taking one back takes as many people as a reset, and clears nothing."
    return plain("Tokens", tag("h1", "Tokens"), tag("p", said), table)


def _take_back(digest: str) -> Html:
    return tag(
        "form",
        tag("input", type="hidden", name="kind", value="revocation"),
        tag("input", type="hidden", name="digest", value=digest),
        tag("button", "Take back…"),
        method="post",
        action="/statement/draft",
        class_="inline",
    )
