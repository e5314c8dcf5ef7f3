"""Code from outside this package: a file, or a module that can be imported."""

from __future__ import annotations

import ast
import contextlib
import difflib
import hashlib
import importlib
import importlib.util
import sys
import traceback
import types
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from freezetag.core.errors import UserError, printable

_PREFIX = "freezetag_file_"
_addresses: dict[str, str] = {}
_loaded: set[str] = set()


class NotLoaded(UserError):
    """A file or a module that cannot be loaded; the message says why, and in which line."""


def is_outside(text: str) -> bool:
    """Whether a text names something in a file or a module, rather than by a name of ours."""
    return text.endswith(".py") or ":" in text


def parts(text: str) -> tuple[str, str]:
    """(file or module, name in it or "") of "my_world.py:Volunteers" or "package.module:Class"."""
    where, colon, name = text.rpartition(":")
    return (where, name) if colon else (text, "")


def named(text: str) -> Any:
    """What "file.py:Name" or "module:Name" is; the module itself without a name.

    Raises `NotLoaded`.
    """
    where, name = parts(text)
    found: Any = module(where)
    for part in name.split(".") if name else ():
        found = reached(found, part, where, name)
    return found


def reached(thing: Any, part: str, where: str, name: str) -> Any:
    """The attribute, or the numbered element of a list. Raises `NotLoaded`."""
    if isinstance(thing, dict):
        thing = list(thing.values())
    if part.isdecimal() and isinstance(thing, list | tuple):
        if int(part) < len(thing):
            return thing[int(part)]
    elif hasattr(thing, part):
        return getattr(thing, part)
    near = difflib.get_close_matches(part, public(thing), 3, 0.5)
    hint = f". Did you mean {' or '.join(near)}?" if near else f"; it has {listed(public(thing))}."
    raise NotLoaded(f"{where} has no {name!r}{hint}")


def public(thing: Any) -> list[str]:
    """The names that a module defines, without those of modules it imports."""
    return (
        [
            name
            for name, value in vars(thing).items()
            if not name.startswith("_") and not isinstance(value, types.ModuleType)
        ]
        if hasattr(thing, "__dict__")
        else []
    )


def module(where: str) -> types.ModuleType:
    """The module of a file's path or of a dotted name, executed. Raises `NotLoaded`.

    A file is executed once for each content it has; what it prints goes to standard error.
    """
    return _of_file(where) if where.endswith(".py") else _of_module(where)


def _of_file(where: str) -> types.ModuleType:
    path, content = _path(where), content_of(where)
    digest = hashlib.sha256(f"{path}\0".encode() + content).hexdigest()[:16]
    name = f"{_PREFIX}{path.stem}_{digest}"
    if (known := sys.modules.get(name)) is not None:
        return known
    code = compiled(content, where, path)
    if (folder := str(path.parent)) not in sys.path:
        sys.path.insert(0, folder)
    made = types.ModuleType(name)
    made.__file__ = str(path.absolute())
    # Registered, because dataclasses and pickle look classes up by module.
    sys.modules[name] = made
    _addresses[name] = where
    _loaded.add(name)
    try:
        with _loading(where, str(path)):
            exec(code, vars(made))
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return made


def _of_module(where: str) -> types.ModuleType:
    if not where or not all(part.isidentifier() for part in where.split(".")):
        raise NotLoaded(
            f"{where!r} is not the name of a module. Write package.module:Class, or a file: "
            "my_world.py:Class."
        )
    if "" not in sys.path:
        sys.path.append("")
    try:
        with _loading(where, ""):
            found = importlib.import_module(where)
            if where.partition(".")[0] != "freezetag":
                _loaded.add(where)
            return found
    except ModuleNotFoundError as error:
        missing = str(error.name)
        if where != missing and not where.startswith(f"{missing}."):
            raise NotLoaded(
                f"{where} imports {missing!r}, which is not installed. Install it in the same "
                "Python as freezetag."
            ) from None
        raise NotLoaded(
            f"there is no module {missing!r}. It is looked for in the current folder and in this "
            "Python's packages."
        ) from None


@contextlib.contextmanager
def _loading(where: str, path: str) -> Iterator[None]:
    """Turns what the code of a user raises into one line."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except KeyboardInterrupt:
        raise
    except NotLoaded:
        raise
    except ModuleNotFoundError as error:
        if not path:
            raise
        raise NotLoaded(
            f"{where} imports {error.name!r}, which is not installed. Install it in the same "
            "Python as freezetag."
        ) from None
    except SystemExit as error:
        raise NotLoaded(
            f"{where} calls sys.exit({error.code if error.code is not None else ''}) when it is "
            'loaded. Put that under if __name__ == "__main__":.'
        ) from None
    except BaseException as error:
        raise NotLoaded(f"{where} cannot be loaded: {said(error, path)}.") from None


def said(error: BaseException, path: str = "") -> str:
    """An exception in one line, with the user's own line if there is one."""
    try:
        text = printable(str(error)).rstrip(".")
    except Exception:
        text = ""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename == path] or [
        frame for frame in frames if "importlib" not in frame.filename
    ]
    at = f" ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}{': ' if text else ''}{text}{at}"


def blamed(error: BaseException, names: Collection[str] | None = None) -> str:
    """An exception in one line, if code that was loaded from outside raised or caused it: the
    user's own line in its traceback; else "". Of the modules `names` alone, if given."""
    loaded = _loaded if names is None else _loaded & set(names)
    files = {getattr(sys.modules.get(name), "__file__", None) for name in loaded} - {None}
    own = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    if not own:
        return ""
    last = own[-1]
    text = printable(str(error).strip(), 600).rstrip(".")
    where = f"{Path(last.filename).name}:{last.lineno}, in {last.name}"
    return f"{where}: {type(error).__name__}{': ' if text else ''}{text}."


def compiled(content: bytes, where: str, path: Path) -> types.CodeType:
    """The code of a file. Raises `NotLoaded` for what is not Python."""
    try:
        return compile(content, str(path), "exec", dont_inherit=True)
    except SyntaxError as error:
        line = f":{error.lineno}" if error.lineno else ""
        raise NotLoaded(f"{where}{line} is not valid Python: {error.msg}.") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise NotLoaded(f"{where} is not valid Python: {printable(str(error))}.") from None


def content_of(where: str) -> bytes:
    """The bytes of a file. Raises `NotLoaded`."""
    try:
        return _path(where).read_bytes()
    except OSError as error:
        raise NotLoaded(f"cannot read {where}: {error.strerror}.") from None


def _path(where: str) -> Path:
    path = Path(where).expanduser()
    if not path.is_file():
        near = " or ".join(files_here(where))
        hint = f" Did you mean {near}?" if near else ""
        raise NotLoaded(f"there is no file {where}.{hint}")
    return path.resolve()


def files_here(name: str) -> list[str]:
    """Python files beside which `name` may have been meant, as they would be written."""
    given = Path(name if name.endswith(".py") else f"{name}.py")
    try:
        there = [file.name for file in given.expanduser().parent.glob("*.py")]
    except (OSError, ValueError, RuntimeError):
        return []
    near = difflib.get_close_matches(given.name, there, 3, 0.6)
    return [str(given.with_name(each)) for each in near]


def address(module_name: str) -> str:
    """How to name a module so that it is found again: its dotted name, or its file.

    A name without a dot could be that of an adapter, so there the file is named.
    """
    if module_name in _addresses:
        return _addresses[module_name]
    file = getattr(sys.modules.get(module_name), "__file__", None)
    if "." in module_name or file is None:
        return module_name
    path = Path(file).resolve()
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def file_of(where: str) -> Path | None:
    """The source file of a file's path or a module's dotted name; nothing is executed but the
    search itself. None if there is none."""
    if where.endswith(".py"):
        path = Path(where).expanduser()
        return path.resolve() if path.is_file() else None
    top, *inner = where.split(".")
    if "" not in sys.path:
        sys.path.append("")
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    if not inner:
        return Path(str(spec.origin)) if str(spec.origin).endswith(".py") else None
    for folder in spec.submodule_search_locations or ():
        base = Path(folder).joinpath(*inner)
        for file in (base.with_suffix(".py"), base / "__init__.py"):
            if file.is_file():
                return file
    return None


def digest(where: str) -> str:
    """ "sha256:..." of the source file; "" if it has none."""
    file = file_of(where)
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}" if file is not None else ""


def docstring(where: str) -> str:
    """The first line of what a module says of itself, read without executing it."""
    file = file_of(where)
    if file is None:
        return ""
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return ""
    return (ast.get_docstring(tree) or "").partition("\n")[0]


def listed(names: list[str]) -> str:
    """Names for a message, the first twelve."""
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return shown or "nothing public"
