"""What a card says of the choice that whoever asked had: of probes, size, seed, limits and members."""

from __future__ import annotations

import io

from tests.exam.exams import PROBES, examined, small

from freezetag import catalogue
from freezetag.exam import asked
from freezetag.exam.exam import Exam
from freezetag.exam.examine import run_spec
from freezetag.exam.spec import Spec
from freezetag.report import markdown, schema, terminal
from freezetag.report.html import write_html
from freezetag.report.junit import write_junit


def test_a_card_says_that_probes_were_left_out() -> None:
    """Whoever names the probes that an agent passes gets "passes 2 of 2": each report says how many
    there are, and which nobody asked."""
    card = examined().card
    every = len(catalogue.members("probes"))
    assert f"; 2 of {every} probes were asked" in card.sentence
    assert "victims" in card.not_asked
    assert not {*PROBES} & {*card.not_asked}
    shown = io.StringIO()
    terminal.print_card(card, shown, width=200)
    for report in (
        shown.getvalue(),
        write_html(card),
        markdown.write_markdown(card).replace("\\", ""),
        write_junit(card),
        schema.write_json(card),
    ):
        assert f"2 of {every} probes of this release were asked; not asked: " in report
        assert "victims" in report
        assert "--size 0.15: each probe may ask for 0.15 times the acts" in report
    assert schema.read_json(schema.write_json(card)).not_asked == card.not_asked


def test_a_card_of_all_probes_says_nothing_of_them() -> None:
    every = tuple(ref.name for ref in catalogue.members("probes"))
    for named in ((), every):
        spec = Spec("tit_for_tat", seed=0, probes=named)
        with Exam.of(spec) as exam:
            assert asked.left_out(exam.items) == ()
            assert asked.notes(exam.items, spec) == ()


def test_a_card_says_who_chose_the_seed() -> None:
    spec = small(probes=("lock_in",), worlds=("matrix_game",), size=0.1)
    assert run_spec(spec, drawn=True).card.run["seed drawn"] is True
    assert "seed drawn" not in run_spec(spec).card.run
