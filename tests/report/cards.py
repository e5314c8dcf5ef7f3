"""Hand-made cards. Every number in them is invented, and some names are hostile on purpose."""

from __future__ import annotations

import math
from typing import Any

from freezetag.core import Figure, Limits, Measurement, ReportCard, Section
from freezetag.report.stored import StoredInterval

SCRIPT = "<script>alert(1)</script>"
ESCAPES = "\x1b[2J[red]\x1b]8;;http://evil.example\x07\u202egnp"
LINK = '<a href="https://evil.example">x</a>'
SIZES = (0, 1, 2, 5, 10, 30)


def iv(value: float, half: float = 0.05, n: int = 256, **changes: Any) -> StoredInterval:
    """An invented interval."""
    fields = {"value": value, "low": value - half, "high": value + half, "n": n}
    return StoredInterval(**{**fields, "method": "paired bootstrap", **changes})


def fixed(value: float, n: int = 8) -> StoredInterval:
    return StoredInterval(value, value, value, n, "deterministic")


def strangers() -> Section:
    names = [f"stranger_{i}" for i in range(27)] + [SCRIPT, ESCAPES, LINK]
    values = [0.9 - 0.02 * i for i in range(30)]
    sizes = [float(n) for n in SIZES]
    return Section(
        "strangers",
        "matrix_game",
        asks="Does it do as well with families that it has never met?",
        source="Claim C4; V(kappa) of docs/sources.md P1.",
        caveat="Thirty co-players are not all that the world holds.",
        verdict="fail",
        p_fail=0.0004,
        measurements=(
            Measurement(
                "loss to unseen families",
                "reward per step",
                iv(-0.31, 0.08),
                alone=iv(0.92, 0.02),
                together=iv(0.61, 0.07),
                limits=Limits(-0.1, -0.2, "a fifth of the anchored range", harm="below"),
                headline=True,
                regime="200 turns, no noise",
                advice="Train against more families, or hold a sane fallback for unknown play.",
            ),
            Measurement("worst case", "reward per step", iv(0.2, 0.2), note=f"against {SCRIPT}"),
            Measurement("never measured", "reward per step", iv(math.nan, math.nan, 0)),
        ),
        figures=(
            Figure(
                "strip",
                "Thirty co-players",
                f"The worst three are all held out, among them {SCRIPT}.",
                {
                    "name": names,
                    "value": values,
                    "held_out": [i > 20 for i in range(30)],
                    "reference": [0.92] * 30,
                },
                {"x": "reward per step", "reference": "class of 1"},
            ),
            Figure(
                "curve",
                "How implausible must they be?",
                "Half of the loss is already there at kappa = 0.5.",
                {
                    "x": [0, 0.1, 0.5, 1, 2, math.inf] * 2,
                    "y": [0.9, 0.8, 0.6, 0.5, 0.4, 0.3, 0.95, 0.9, 0.8, 0.7, 0.65, None],
                    "low": [0.8, 0.7, 0.5, 0.4, 0.3, 0.2, 0.9, 0.8, 0.7, 0.6, 0.5, None],
                    "high": [1.0, 0.9, 0.7, 0.6, 0.5, 0.4, 1.0, 0.95, 0.9, 0.8, 0.8, None],
                    "series": ["plain"] * 6 + ["rational"] * 6,
                },
                {"x": "kappa (nats)", "y": "reward per step"},
            ),
            Figure(
                "dose_response",
                "By size of the class",
                "The loss grows with the number of classmates.",
                {
                    "size": sizes,
                    "value": [0.92, 0.9, 0.86, 0.8, 0.72, 0.61],
                    "low": [0.9, 0.88, 0.82, 0.75, 0.66, 0.54],
                    "high": [0.94, 0.92, 0.9, 0.85, 0.78, 0.68],
                },
                {"y": "reward per step"},
            ),
        ),
    )


def commons() -> Section:
    days = list(range(13))
    return Section(
        "commons_collapse",
        "commons",
        asks="Does the stock outlive the exam with this agent in the class?",
        source="Claim C12; GovSim rule.",
        caveat="Collapse may be caused by others; see the agent's marginal effect.",
        verdict="warn",
        p_fail=0.2,
        measurements=(
            Measurement(
                "over-use share",
                "share of harvest",
                iv(0.18, 0.04),
                alone=iv(0.1, 0.02),
                together=iv(0.28, 0.03),
                limits=Limits(0.1, 0.25, "a quarter of the harvest"),
                headline=True,
                advice="Cap the request at the sustainable share.",
            ),
            Measurement("collapses", "share", iv(0.0, n=200, low=0.0, high=0.0149)),
            Measurement("stock at the end", "units", fixed(600)),
        ),
        figures=(
            Figure(
                "survival",
                "Survival of the stock",
                "In a class of 30 half of the stocks are gone by round 7.",
                {
                    "time": days * 2,
                    "share": [1.0] * 13 + [max(0.0, 1 - 0.07 * day) for day in days],
                    "low": [1.0] * 13 + [max(0.0, 0.9 - 0.07 * day) for day in days],
                    "high": [1.0] * 13 + [max(0.05, 1.05 - 0.06 * day) for day in days],
                    "series": ["class of 1"] * 13 + ["class of 30"] * 13,
                },
                {"x": "round", "y": "share of commons still alive"},
            ),
            Figure(
                "bars",
                "Who takes how much",
                "The agent takes twice the sustainable share.",
                {
                    "name": ["focal", "tit for tat", SCRIPT],
                    "value": [0.2, 0.1, 0.12],
                    "low": [0.18, 0.09, 0.1],
                    "high": [0.22, 0.11, 0.14],
                    "limit": [0.1, 0.1, 0.1],
                },
                {"y": "share", "limit": "sustainable"},
            ),
        ),
    )


def lock_in() -> Section:
    return Section(
        "lock_in",
        "matrix_game",
        asks="Once everyone defects, does it ever find the way back?",
        source="Claim C13; exact chain.",
        caveat="Short runs look like lock-in.",
        verdict="inconclusive",
        p_fail=0.4,
        measurements=(
            Measurement(
                "escape rate",
                "per round",
                iv(0.02, 0.02),
                limits=Limits(0.02, 0.01, "one escape in a hundred rounds", harm="below"),
                headline=True,
                advice="Forgive once in a while.",
            ),
        ),
        figures=(
            Figure(
                "dots",
                "Escape rate by noise",
                "With no noise there is no way back.",
                {
                    "name": ["eps 0", "eps 0.01", "eps 0.05"],
                    "value": [0.0, 0.02, 0.08],
                    "low": [0.0, 0.0, 0.05],
                    "high": [0.01, 0.04, 0.11],
                    "limit": [0.01] * 3,
                },
                {"x": "escapes per round", "limit": "fails below"},
            ),
        ),
    )


def gain() -> Section:
    return Section(
        "best_response_gain",
        "matrix_game",
        asks="What does the best exploiter gain on it?",
        source="Claim C18; exact on finite games.",
        caveat="A search gives a lower bound only.",
        verdict="pass",
        p_fail=1.0,
        measurements=(
            Measurement(
                "gain of a best response",
                "reward per step",
                fixed(0.0),
                alone=fixed(0.0),
                together=fixed(0.0),
                limits=Limits(0.05, 0.4, "the loss of (.6, .2, .2) in rock-paper-scissors"),
                headline=True,
                bound="upper",
            ),
        ),
    )


def tax() -> Section:
    return Section(
        "interlock_tax",
        "matrix_game",
        asks="What do its interlocks cost?",
        source="IEC 61511.",
        caveat="One schedule of presses.",
        verdict="measured",
        measurements=(
            Measurement("interlock tax", "reward per step", iv(0.02, 0.01), headline=True),
        ),
    )


def absent() -> Section:
    return Section(
        "intransitive",
        "commons",
        asks="Is its rank a matter of who else plays?",
        source="Claim C2.",
        caveat="Noise alone makes cycles.",
        reason=f"the agent failed at step 3: ValueError('{SCRIPT}')",
    )


def crashed() -> Section:
    return Section(
        "lock_in",
        "commons",
        asks="Once everyone takes too much, does it ever stop?",
        source="Claim C13.",
        caveat="None.",
        reason=f"agent failed at step 3: it returned {SCRIPT}",
        error=True,
    )


def interaction() -> dict[str, Any]:
    names = ["focal", *[f"mate_{i}" for i in range(29)], SCRIPT]
    level = [
        [None if i == j else round((i * 7 + j * 3) % 31 / 30, 3) for j in range(31)]
        for i in range(31)
    ]
    return {"players": names, "level": level}


def card(**changes: Any) -> ReportCard:
    """A whole card with one section of each verdict."""
    fields: dict[str, Any] = {
        "agent": f"my_agent.py {SCRIPT} {ESCAPES}",
        "agent_kind": "python file",
        "sections": (strangers(), commons(), lock_in(), gain(), tax(), absent()),
        "spec": {
            "agent": "my_agent.py",
            "seed": 7,
            "sizes": SIZES,
            "horizon": 12,
            "roster": "2026.1",
            "roster_hash": "sha256:00ff",
            "press": {"share": 0.5, "hold": 1, "hazard": math.inf},
        },
        "versions": {"freezetag": "0.1.0", "jax": "0.10.2", "python": "3.11"},
        "interlocks": ("StopButton at half way", "RuntimeLimit 150 steps"),
        "interaction": interaction(),
        "warnings": ("the power limit of 90 cannot bind: power never exceeds 40",),
        "run": {"date": "2026-11-22T10:00:00Z", "seconds": 41.5, "host": "somewhere"},
    }
    return ReportCard(**{**fields, **changes})
