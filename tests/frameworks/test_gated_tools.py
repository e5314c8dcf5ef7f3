"""What a gate does in each framework, with the real library and a scripted model."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from tests.frameworks.scripted import Framework, says
from tests.frameworks.shop import LOOK, PAY, Shop, every_framework, need_one

import freezetag as ft
from freezetag.core.journal import read

need_one()
pytestmark = pytest.mark.filterwarnings("ignore")


def run(agent: Any, way: str) -> str:
    """`way` is "awaited" or "streamed"; "blocking" runs no tool that must be awaited."""
    if way == "blocking":
        return str(agent.run_sync())
    return str(asyncio.run(agent.run(stream=way == "streamed")))


@every_framework
@pytest.mark.parametrize("way", ["awaited", "streamed"])
def test_an_open_gate_changes_nothing(made: Framework, way: str) -> None:
    script = says([PAY], [PAY, LOOK], [LOOK], "enough")
    heard = []
    for gated in (False, True):
        shop = Shop()
        agent = made(shop.gate if gated else None, shop.tools(), script)
        assert run(agent, way) == "enough"
        heard.append(agent.heard)
        assert shop.paid == [1, 1]
        assert shop.gate.last == (4 if gated else 0)
    assert heard[0] == heard[1] == ["paid", "paid", "seen", "seen"]
    assert shop.kinds() == ["begin", "end"] * 1 + ["begin", "begin", "end", "end"] + [
        "begin",
        "end",
    ]
    begun = shop.entries("begin")
    assert {each["action"] for each in begun} == {"tool pay", "tool look"}
    assert begun[0]["detail"]["call"].endswith(" 0.0")


@every_framework
@pytest.mark.parametrize("way", ["awaited", "streamed", "blocking"])
def test_a_closed_gate_ends_the_run_before_the_tool(made: Framework, way: str) -> None:
    shop = Shop()
    tools = shop.tools()
    agent = made(shop.gate, tools, says([LOOK], [LOOK], "never said"))
    shop.gate.press("enough")
    with pytest.raises(ft.Refused, match=r"'tool look' is refused: stopped by local: enough"):
        run(agent, way)
    assert shop.kinds() == ["stop", "ack", "refused"]


@every_framework
@pytest.mark.parametrize("way", ["awaited", "streamed"])
def test_a_model_can_be_told_instead(made: Framework, way: str) -> None:
    shop = Shop()
    agent = made(shop.gate, shop.tools(), says([PAY], [LOOK], "I was stopped"), told=True)
    shop.gate.press("enough")
    assert run(agent, way) == "I was stopped"
    assert shop.paid == []
    assert len(agent.heard) == 2
    assert "'tool pay' is refused: stopped by local: enough. Do not try it again" in agent.heard[0]


@every_framework
@pytest.mark.parametrize("way", ["awaited", "streamed"])
def test_of_a_barred_tool_the_model_is_told_and_goes_on(made: Framework, way: str) -> None:
    shop = Shop()
    shop.bar("capability:pay")
    agent = made(shop.gate, shop.tools(), says([PAY, LOOK], "it may not be"))
    assert run(agent, way) == "it may not be"
    assert shop.paid == []
    assert "capability:pay is barred by somebody: because" in agent.heard[0]
    assert agent.heard[1] == "seen"
    assert shop.gate.is_open


@every_framework
@pytest.mark.parametrize("way", ["awaited", "streamed"])
def test_an_awaited_call_is_cancelled_by_a_press_and_reported_unknown(
    made: Framework, way: str
) -> None:
    shop = Shop()
    seen: list[str] = []

    async def pay(amount: int) -> str:
        """Pays an amount."""
        threading.Thread(target=shop.gate.press, args=("enough",)).start()
        try:
            await asyncio.sleep(60)
        finally:
            seen.append(shop.gate.phase)
        return "paid"

    agent = made(shop.gate, [pay], says([PAY], "never said"))
    with pytest.raises(ft.Refused, match="stopped while it ran"):
        run(agent, way)
    assert seen == ["stopping"]
    assert shop.gate.phase == "stopped"
    assert shop.kinds() == ["begin", "stop", "end", "ack"]
    assert shop.entries("end")[0]["outcome"] == "unknown"
    shop.wire.turn()
    assert shop.overseer.shown("agent")[0].unknown == ("1:tool pay",)


@every_framework
@pytest.mark.parametrize("way", ["awaited", "streamed", "blocking"])
def test_a_call_in_a_thread_holds_the_stop_until_it_has_ended(made: Framework, way: str) -> None:
    shop = Shop()
    seen: list[str] = []

    def pay(amount: int) -> str:
        """Pays an amount."""
        shop.gate.press("enough")
        threading.Event().wait(0.05)
        seen.append(shop.gate.phase)
        return "paid"

    agent = made(shop.gate, [pay], says([PAY], [PAY], "never said"))
    with pytest.raises(ft.Refused, match="stopped by local: enough"):
        run(agent, way)
    assert seen == ["stopping"], "one call ran, and the stop waited for it"
    assert shop.kinds() == ["begin", "stop", "end", "ack", "refused"]
    assert shop.entries("end")[0]["outcome"] == "done", "its end is known"


@every_framework
def test_who_gives_up_a_call_in_a_thread_does_not_end_it(made: Framework) -> None:
    shop = Shop()
    release, ended = threading.Event(), threading.Event()

    def pay(amount: int) -> str:
        """Pays an amount."""
        release.wait(5)
        ended.set()
        return "paid"

    async def main() -> None:
        task = asyncio.create_task(made(shop.gate, [pay], says([PAY], "never said")).run())
        while not shop.gate.in_flight:
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.sleep(0.05)
        shop.gate.press("enough")
        assert shop.gate.phase == "stopping"
        release.set()
        with pytest.raises((asyncio.CancelledError, ft.Refused)):
            await task

    asyncio.run(main())
    assert ended.is_set()
    assert shop.gate.phase == "stopped"


@every_framework
@pytest.mark.parametrize("way", ["awaited", "streamed"])
def test_a_call_in_a_thread_outlasts_the_run_that_a_call_beside_it_ends(
    made: Framework, way: str
) -> None:
    """The framework gives up the other call, and the loop of the program is closed at once."""
    shop = Shop()
    begun = threading.Event()
    phases: list[str] = []

    def pay(amount: int) -> str:
        """Pays an amount."""
        begun.set()
        threading.Event().wait(0.4)
        phases.append(shop.gate.phase)
        return "paid"

    async def send() -> str:
        """Sends."""
        await asyncio.to_thread(begun.wait, 5)
        shop.gate.press("enough")
        await asyncio.sleep(60)
        return "sent"

    agent = made(shop.gate, [pay, send], says([PAY, ("send", {})], "never said"))
    with pytest.raises(ft.Refused):
        run(agent, way)
    assert phases == ["stopping"]
    assert shop.gate.phase == "stopped"
    assert {each["outcome"] for each in shop.entries("end")} == {"done", "unknown"}


@every_framework
def test_of_calls_side_by_side_none_begins_after_the_press(made: Framework) -> None:
    shop = Shop()

    async def pay(amount: int) -> str:
        """Pays an amount."""
        shop.paid.append(amount)
        if len(shop.paid) == 2:
            shop.gate.press("enough")
        return "paid"

    calls = [("pay", {"amount": n}) for n in range(5)]
    agent = made(shop.gate, [pay], says(calls, calls, "never said"))
    with pytest.raises(ft.Refused):
        run(agent, "awaited")
    assert shop.gate.phase == "stopped"
    # What was admitted before the press may have been cancelled before its first step.
    assert 2 <= len(shop.paid) <= shop.gate.last <= 5
    written = [each["kind"] for each in read(shop.lines)]
    assert "begin" not in written[written.index("stop") :]


@every_framework
def test_a_sub_agent_stops_with_its_caller(made: Framework) -> None:
    """An agent that a tool runs has the same gate, and both calls are in flight at the press."""
    shop = Shop()
    flights: list[int] = []

    async def pay(amount: int) -> str:
        """Pays an amount."""
        flights.append(shop.gate.in_flight)
        shop.gate.press("enough")
        await asyncio.sleep(60)
        return "paid"

    async def delegate() -> str:
        """Has somebody else pay."""
        return await made(shop.gate, [pay], says([PAY], "never said")).run()

    agent = made(shop.gate, [delegate], says([("delegate", {})], "never said"))
    with pytest.raises(ft.Refused):
        run(agent, "awaited")
    assert flights == [2]
    assert shop.gate.phase == "stopped"
    assert [each["action"] for each in shop.entries("begin")] == ["tool delegate", "tool pay"]


@every_framework
def test_a_sub_agent_behind_another_gate_is_stopped_alone(made: Framework) -> None:
    shop, other = Shop(), Shop()
    other.gate.press("enough")

    async def delegate() -> str:
        """Has somebody else pay."""
        return await made(other.gate, other.tools(), says([PAY], "never said")).run()

    agent = made(shop.gate, [delegate], says([("delegate", {})], "it was stopped"))
    assert run(agent, "awaited") == "it was stopped"
    assert "'tool pay' is refused: stopped by local: enough" in agent.heard[0]
    assert other.paid == []
    assert shop.gate.is_open


@every_framework
def test_a_tool_that_fails_is_a_failed_action(made: Framework) -> None:
    shop = Shop()

    async def pay(amount: int) -> str:
        """Pays an amount."""
        raise KeyError("own")

    agent = made(shop.gate, [pay], says([PAY], "it failed"))
    with pytest.raises(Exception, match="own"):
        run(agent, "awaited")
    assert shop.gate.in_flight == 0
    assert shop.kinds() == ["begin", "end"]


@every_framework
def test_a_gate_is_needed(made: Framework) -> None:
    with pytest.raises(ft.UserError, match="is not a gate"):
        made("a gate", Shop().tools(), says("nothing"))
