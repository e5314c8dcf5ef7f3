"""Copy what is new in a ledger to an archive that can be verified by itself."""

from __future__ import annotations

import base64
import json
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from freezetag.cli.reach import HomeOption, JsonOption, database, folder, read_json, require
from freezetag.core.errors import UserError


def archive(
    to: Path,
    /,
    *,
    home: HomeOption = None,
    public: Annotated[Path | None, Parameter(show_default=False)] = None,
    json_: JsonOption = False,
) -> None:
    """Add a segment to the archive in a folder: all records up to the newest checkpoint.

    The server may run, and the folder may be a node's, whose ledger is in a database. Nothing is
    written where the ledger does not continue the archive.

    Parameters
    ----------
    to
        the folder of the archive, which is best on another disk or host
    home
        the authority's folder; default: FREEZETAG_HOME, else oversight
    public
        the authority's public.json; default: the one in its folder
    json_
        print the figures as JSON
    """
    require("cryptography")
    from freezetag.live.authority.archive import Archive

    where = folder(home)
    url = database(where)
    ledger, about = where / "ledger.db", public or where / "public.json"
    if not url and not ledger.exists():
        raise UserError(f"there is no ledger in {where}. Name an authority's folder with --home.")
    if not url and where.resolve() in (to.resolve(), *to.resolve().parents):
        raise UserError(
            f"{to} lies in {where}, the folder of the ledger itself, and would be lost with it. "
            "Name a folder elsewhere, best on another disk or host, and move there what an "
            f"archive in {where} holds already (ledger-*.jsonl)."
        )
    told = read_json(about, "public.json of an authority")
    try:
        authority, key = str(told["authority"]), base64.b64decode(told["public"], validate=True)
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{about} is not a public.json of an authority.") from None
    kept = Archive(to)
    with tempfile.TemporaryDirectory() as scratch:
        if url:
            require("asyncpg", extra="postgres")
            from freezetag.live.authority.export import exported

            ledger = Path(scratch) / "ledger.txt"
            exported(url, authority, key, ledger)
        added = kept.add(ledger, authority, key)
    if json_:
        file = added and str(added.path)
        print(json.dumps({"file": file, "records": added.end - added.first if added else 0,
                          "end": kept.end}))  # fmt: skip
    elif added is None:
        print(f"nothing is new: {kept.end} records are in {to}")
    else:
        print(f"{added.end - added.first} records to {added.path}; {kept.end} are in {to}")
