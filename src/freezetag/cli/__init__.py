"""The command line. One file per command in `commands/`; the folder is the list of commands.

Nothing but the command that runs is imported: `--help` reads the first line of each file.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

COMMANDS = Path(__file__).with_name("commands")
INTERRUPTED, USAGE, FAILED = 130, 2, 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and leave with its exit code: 0 pass, 1 limit failed, 2 wrong request, 3 run
    failed, 130 interrupted."""
    sys.exit(run(sys.argv[1:] if arguments is None else list(arguments)))


def run(arguments: Sequence[str]) -> int:
    """Run a command; the exit code. The user's mistakes are messages, our faults tracebacks.

    What a world, player or probe of the user's own raises while it runs is reported by its line.
    """
    from cyclopts import CycloptsError

    from freezetag.core.errors import UserError

    try:
        code = _app()(arguments, exit_on_error=False, result_action="return_value")
        return code if isinstance(code, int) else 0
    except CycloptsError:
        return USAGE
    except UserError as error:
        _say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        _say("interrupted.")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader of a pipe has gone (head, a closed pager): not an error of ours.
        sys.stdout = None
        return 0
    except Exception as error:
        if not (said := _of_the_users_own(error)):
            raise
        _say(said)
        return FAILED


def _of_the_users_own(error: Exception) -> str:
    """What went wrong in code that the user named; "" if none was loaded, or none took part."""
    source: Any = sys.modules.get("freezetag.catalogue.source")
    return str(source.blamed(error)) if source is not None else ""


def available() -> dict[str, str]:
    """The commands and their one-line help, read from the files without importing them."""
    found = {}
    for file in sorted(COMMANDS.glob("*.py")):
        if file.name[0] != "_":
            text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
            found[file.stem.rstrip("_")] = text.partition("\n")[0]
    return found


def _app() -> Any:
    from importlib.metadata import version

    from cyclopts import App, Parameter

    app = App(
        name="freezetag",
        help="Interlocks for agents, and the playground that tests them.",
        version=version("freezetag"),
        help_format="plaintext",
        # No --no-full and --empty-world: what is not asked for is not asked for.
        default_parameter=Parameter(negative=()),
        suppress_keyboard_interrupt=False,  # `run` says that it was interrupted
    )
    for name, line in available().items():
        file = name if (COMMANDS / f"{name}.py").exists() else f"{name}_"
        app.command(f"freezetag.cli.commands.{file}:{file}", name=name, help=line)
    return app


def _say(message: str) -> None:
    print(f"freezetag: {message}", file=sys.stderr)
