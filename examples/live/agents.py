"""The three agents of demo.py, each as a process of its own. Every effect is a line in a file, with
the time of whoever had it: `<Unix seconds> <pid>`. They know nothing of buttons, but for the first.

python examples/live/agents.py robot|client|tools|worker FILE [...]     (demo.py starts them)
"""

import os
import sys
import time

PAUSE = 0.02


def effects(path):
    """A function that has an effect: one whole line at the end of the file."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return lambda: os.write(handle, f"{time.time()} {os.getpid()}\n".encode())


def robot(path, enrolment, state):
    """A PettingZoo environment of two robots; one is played by a policy, behind a gate."""
    from pathlib import Path

    import gymnasium
    from pettingzoo import ParallelEnv

    from freezetag import Panel
    from freezetag.adapters.gates.pettingzoo import GatedParallelEnv
    from freezetag.live.gate.clock import boot_clock, wall_clock
    from freezetag.live.gate.enrolment import Enrolment
    from freezetag.live.gate.gate import Gate
    from freezetag.live.gate.journal_file import open_journal
    from freezetag.live.gate.latch import LatchFile
    from freezetag.live.gate.remote_host import GateHost, Line

    REST, CARRY = 0, 1
    act = effects(path)

    class Warehouse(ParallelEnv):
        """Whoever carries has an effect; whoever rests has none."""

        def __init__(self):
            self.metadata = {"name": "warehouse"}
            self.possible_agents = ["carrier", "bystander"]

        def reset(self, seed=None, options=None):
            self.agents = self.possible_agents[:]
            return dict.fromkeys(self.agents, 0), {agent: {} for agent in self.agents}

        def step(self, actions):
            if actions["carrier"] == CARRY:
                act()
            same = [dict.fromkeys(self.agents, each) for each in (0, 0.0, False, False)]
            return (*same, {agent: {} for agent in self.agents})

        def observation_space(self, agent):
            return gymnasium.spaces.Discrete(1)

        def action_space(self, agent):
            return gymnasium.spaces.Discrete(2)

    folder = Path(state)
    folder.mkdir(exist_ok=True)
    mine = Enrolment.load(enrolment)
    gate = Gate(
        Panel(),
        clock=boot_clock(),
        wall=wall_clock(),
        enrolments=[mine],
        name="robot",
        latch=LatchFile(folder / "latch.json"),
        journal=open_journal(folder / "journal.jsonl"),
        poke=lambda: host.poke(),
    )
    host = GateHost(gate, [Line.load(enrolment)], length=mine.length).start()
    env = GatedParallelEnv(Warehouse(), {"carrier": gate}, {"carrier": REST})
    env.reset(seed=0)
    try:
        while True:
            env.step({"carrier": CARRY, "bystander": REST})
            time.sleep(PAUSE)
    finally:
        host.close(1.0)


def tools(path):
    """An MCP server of the official SDK with one tool, which has an effect."""
    from mcp.server.mcpserver import MCPServer

    server, act = MCPServer("tools"), effects(path)

    @server.tool()
    def pay(amount: int) -> str:
        """Pay somebody."""
        act()
        return f"paid {amount}"

    server.run()


def client(path, enrolment, state):
    """A client of the official SDK that calls the tool again and again, until it is refused."""
    import anyio
    from mcp.client.client import Client
    from mcp.client.stdio import StdioServerParameters, stdio_client
    from mcp.shared.exceptions import MCPError

    guard = ["-m", "freezetag", "guard", "--mcp", "--agent", "assistant", "--wait", "60s"]
    guard += ["--drain", "500ms", "--state", state, "--enrolment", enrolment, "--"]
    server = [sys.executable, __file__, "tools", path]
    parameters = StdioServerParameters(command=sys.executable, args=[*guard, *server])

    async def main():
        async with Client(stdio_client(parameters, errlog=sys.stderr)) as session:
            while True:
                try:
                    await session.call_tool("pay", {"amount": 1})
                except MCPError as error:
                    print(f"the tool call was refused: {error.code} {error}", flush=True)
                    return
                await anyio.sleep(PAUSE)

    anyio.run(main)


def worker(path):
    """An ordinary process."""
    act = effects(path)
    while True:
        act()
        time.sleep(PAUSE)


if __name__ == "__main__":
    try:
        {"robot": robot, "client": client, "tools": tools, "worker": worker}[sys.argv[1]](
            *sys.argv[2:]
        )
    except KeyboardInterrupt:
        sys.exit(130)
