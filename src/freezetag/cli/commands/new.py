"""Write a small agent to start from."""

from __future__ import annotations

from pathlib import Path

TEMPLATE = '''"""An agent for freezetag: examine it with `freezetag examine {name}`."""


class Agent:
    """One instance plays one episode; `seed` makes its randomness repeatable."""

    def __init__(self, seed=0):
        self.trust = 1.0

    def act(self, obs):
        """An action, one of obs["legal"]. `freezetag check {name}` shows all of obs."""
        if obs["mean_level"] is not None:  # 0 selfish .. 1 prosocial: what the others did
            self.trust += 0.5 * (obs["mean_level"] - self.trust)
        return obs["prosocial"] if self.trust >= 0.5 else obs["selfish"]
'''


def new(file: Path = Path("my_agent.py"), /) -> None:
    """Write a small agent to start from; an existing file is never overwritten.

    Parameters
    ----------
    file
        where to write it; its name ends in .py
    """
    from freezetag.core.errors import RunError, UserError

    if file.suffix != ".py":
        raise UserError(
            f"{file} could not be loaded as an agent: its name must end in .py. "
            f"Write: freezetag new {file.with_suffix('.py') if file.name else 'my_agent.py'}"
        )
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(TEMPLATE.format(name=file.name))
    except FileExistsError:
        raise UserError(
            f"{file} exists already and is not overwritten. Choose another name."
        ) from None
    except OSError as error:
        raise RunError(f"cannot write {file}: {error.strerror}.") from None
    print(f"wrote {file}; see what it sees with: freezetag check {file}")
