"""The pages after a form: what became of a press, who has signed, how to sign in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from freezetag.live.console.markup import Child, Html, document, join, name, tag
from freezetag.live.console.page import OTHER_WAYS, sign_in
from freezetag.live.console.words import count, scope

LISTED = 100
WATCH = "/?every=2"
"""The console for a browser without scripts: it asks again every two seconds."""


def plain(title: str, *body: Child, tone: str = "") -> Html:
    """A page of its own, with the way back."""
    back = tag("p", tag("a", "Back to the console", href="/"), class_="back")
    return document(title, tag("main", *body, back), class_=f"plain {tone}".strip())


def pressed(
    told: Mapping[str, Any], scopes: Sequence[str], names: Sequence[str], bound: float
) -> Html:
    """After a press by form: sent, and durable or loudly not; whom it stops; how to see it."""
    durable = told["state"] == "durable"
    head = "Pressed. It is durable." if durable else "Pressed, but NOT durable."
    if durable:
        said = "The press is written. No restart forgets it."
    else:
        said = (
            "They are being stopped, and nothing is granted meanwhile, but the ledger cannot be "
            "written. If the server restarts now, this press may be lost: press another way too: "
        )
    covered = [[", " if n else "", scope(each)] for n, each in enumerate(scopes)]
    more = None if len(names) <= LISTED else tag("li", f"and {len(names) - LISTED} more")
    whom = tag("ol", [tag("li", name(each)) for each in names[:LISTED]], more, class_="whom")
    return plain(
        head,
        tag("h1", head, class_=None if durable else "loud"),
        tag("p", said, None if durable else (OTHER_WAYS, ".")),
        tag("p", "It covers ", covered, f": {count(len(names), 'agent')}. None admits "
            f"an action after {bound:.3f} s, heard or not."),
        tag("p", tag("a", "See whether each has stopped", href=WATCH, class_="go")),
        whom if names else None,
        tag("p", "Press id ", tag("code", told["id"]), class_="note"),
        tone="" if durable else "alarm",
    )  # fmt: skip


def signed(told: Mapping[str, Any]) -> Html:
    """After signatures were taken in: cleared, or who is still missing."""
    who = ", ".join(told["signed"]) or "nobody"
    presses = count(len(told["presses"]), "press")
    if told["cleared"]:
        head = f"Cleared: {presses}"
        rest = join(
            tag("p", "Signed by ", name(who), "."),
            tag("p", "The agents are HELD. None runs until somebody starts it, in its row of the "
                "console or with ", tag("code", "freezetag start"), "."),
        )  # fmt: skip
    else:
        head = f"{len(told['signed'])} of {told['needed']} signed"
        rest = join(
            tag("p", "Signed by ", name(who), f". {presses} stay in force until another person "
                f"signs the same text, within {told['seconds']} s."),
            tag("p", tag("a", "Back to the text to sign", href="/reset", class_="go")),
        )  # fmt: skip
    return plain(head, tag("h1", head), rest)


def signing_in(rights: Mapping[str, str]) -> Html:
    return plain("Sign in", tag("h1", "Sign in"), sign_in(rights))


def refused(said: str, code: int) -> Html:
    """What was not done, and why; `code` is HTTP's."""
    head = "This was not done."
    ways = tag("p", "If it was to stop something: ", OTHER_WAYS, ".", class_="note")
    way = tag("p", tag("a", "Sign in", href="/sign-in", class_="go")) if code == 401 else None
    why = tag("p", name(said), class_="loud")
    return plain(head, tag("h1", head), why, way, ways, tone="alarm")
