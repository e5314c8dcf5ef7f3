"""`prices:FILE`: what a table of prices becomes, in CSV and Parquet, and what is refused."""

from __future__ import annotations

from pathlib import Path

import duckdb
import numpy as np
import pytest

from freezetag.adapters.agents import prices
from freezetag.core import UserError
from freezetag.core.log import Log
from freezetag.exam.plan import plan
from freezetag.exam.resolve import resolve
from freezetag.exam.spec import Spec

TABLE = """time,seller,price,quantity,cost
2011-04-08,one,10,5,2
2011-04-08,two,12,4,3
2011-04-09,one,11,,
2011-04-10,two,"1,130.50",3,3
"""


def read(folder: Path, text: str, name: str = "table.csv") -> prices.PriceTable:
    file = folder / name
    file.write_bytes(text.encode("utf-8-sig"))
    return prices.recorded(str(file))


def test_a_table_becomes_a_record(tmp_path: Path) -> None:
    agent = read(tmp_path, TABLE)
    assert isinstance(agent, Log)
    episode, world = agent.recorded, agent.recorded.world
    assert episode.players == ("one", "two")
    assert world["price"][0].tolist() == [[10, 12], [11, 12], [11, 1130.5]]
    assert world["sets"][0].tolist() == [[1, 1], [1, 0], [0, 1]]
    assert world["quantity"][0, 0].tolist() == [5, 4]
    assert np.isnan(world["quantity"][0, 1]).all()
    assert np.isnan(world["buyers"]).all()
    assert np.diff(world["time"][0]).tolist() == [86400, 86400]


def test_csv_of_other_marks_and_parquet_are_the_same(tmp_path: Path) -> None:
    first = read(tmp_path, TABLE).recorded
    other = read(tmp_path, TABLE.replace('"1,130.50"', "$1130.5").replace(",", ";")).recorded
    file = tmp_path / "table.parquet"
    with duckdb.connect() as base:
        base.execute(
            f"copy (select time::date as time, seller, replace(price, ',', '')::double as price, "
            f"quantity, cost from read_csv('{tmp_path / 'plain.csv'}')) to '{file}'"
            if (tmp_path / "plain.csv").write_text(TABLE)
            else ""
        )
    for episode in (other, prices.recorded(str(file)).recorded):
        for name, values in first.world.items():
            np.testing.assert_array_equal(episode.world[name], values)


def test_what_is_odd_and_harmless_is_noted(tmp_path: Path) -> None:
    lines = TABLE.splitlines()
    shuffled = [lines[0], *lines[:0:-1], lines[1], "2011-06-30,one,,,", "2011-06-30,two,9,,"]
    agent = read(tmp_path, "\n".join([shuffled[0] + ",shop", *(f"{x},x" for x in shuffled[1:])]))
    said = " ".join(agent.notes)
    for words in ("were sorted", "1 rows stand there twice", "columns not read: shop", "gap"):
        assert words in said
    assert "1 rows without a price" in said
    np.testing.assert_array_equal(
        agent.recorded.world["price"][0, :3], read(tmp_path, TABLE).recorded.world["price"][0]
    )


HEAD = "time,seller,price\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("time,seller,cost\n1,a,2\n", "has no column price"),
        ("time,seller,price,price\n1,a,2,2\n", "more than once"),
        (HEAD, "has no row with a price"),
        (HEAD + "1,a,2\n2,a,3\n", "one seller"),
        (HEAD + "1,a,-2\n1,b,3\n", "line 2: price is -2, and it must be above 0"),
        (HEAD + "1,a,0\n1,b,3\n", "line 2: price is 0"),
        (HEAD + "1,a,2\n1,b,nan\n", "line 3: price 'nan' is not a number"),
        (HEAD + "1,a,2\n1,b,1e999\n", "line 3: price '1e999' is not a number"),
        (HEAD + "1,a,1,730\n", "line 2: 4 cells, and the header has 3. A number with thousands"),
        (HEAD + '1,a,"1.730,45"\n', "Decimals take a point"),
        (HEAD + "1,a,2\n1,,3\n", "line 3: no seller"),
        (HEAD + "soon,a,2\n", "line 2: 'soon' is no time"),
        (HEAD + "1e999,a,2\n", "line 2: '1e999' is no time"),
        (HEAD + "1,a,2\n2011-04-08,b,3\n", "some times are dates and some numbers"),
        (HEAD + "1,a,2\n1,b,3\n1,a,4\n", "line 2 and line 4 differ"),
        (
            "time,seller,price,buyers\n1,a,2,9\n1,b,3,8\n",
            "another number of buyers at the same time",
        ),
    ],
)
def test_what_is_wrong_is_refused_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        read(tmp_path, text)
    assert said in str(refused.value)


def test_files_that_are_no_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_text("no")
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00")
    for name, said in (
        ("none.csv", "cannot read"),
        ("none.parquet", "no such file"),
        ("x.parquet", "no Parquet table"),
        ("x.csv", "not UTF-8"),
    ):
        with pytest.raises(UserError, match=said):
            prices.recorded(str(tmp_path / name))
    with pytest.raises(UserError, match="cannot be asked to act"):
        prices.factory("x.csv")


def test_probes_of_loops_read_it_and_no_gate_log_is_read_as_prices(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(TABLE)
    name = f"prices:{tmp_path / 'table.csv'}"
    items = {item.name: item for item in plan(Spec(name, 1), resolve(name))}
    assert not items["price_loop"].reason
    assert items["price_loop"].setting.world.name == "market"
    assert items["runaway_feedback"].reason.startswith("the log does not say what is passed round")
