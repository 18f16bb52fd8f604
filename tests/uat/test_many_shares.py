"""Many shares of one kind are one row: nothing is lost or counted twice, and few stay as they are."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from proofs_check.kernel import Status, Step
from uat import show
from uat.many_shares import MANY, grouped


def first_letter(row: str) -> str | None:
    return None if row == "-" else row


@given(st.lists(st.sampled_from("abc-"), max_size=40))
def test_every_row_is_in_one_group_and_groups_stand_in_the_order_of_their_first_row(letters: list[str]) -> None:
    rows = list(enumerate(letters))
    groups = grouped(rows, lambda row: first_letter(row[1]))
    assert sorted(itertools.chain.from_iterable(groups)) == rows
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    for group in groups:
        (letter,) = {letter for _, letter in group}
        assert len(group) == (letters.count(letter) if letter != "-" and letters.count(letter) > MANY else 1)


def printed(steps: list[Step]) -> list[str]:
    screen = io.StringIO()
    Console(file=screen, width=200).print(show.budget_table(steps))
    return [" ".join(line.split()) for line in screen.getvalue().splitlines()[1:]]


def test_the_console_shows_the_exact_sum_rounded_up_the_number_and_the_largest() -> None:
    tables = [Step("interpolation-error", f"table {k}", Status.CERTIFIED, Fraction(1, 3 + k)) for k in range(MANY + 1)]
    exact = [Step("performer-pooling", f"architecture {k}", Status.PROVED) for k in range(MANY + 1)]
    total = sum((step.bound for step in tables), Fraction(0))
    assert printed([*tables[:2], *exact, *tables[2:]]) == [
        f"interpolation-error certified {show.bound_text(total)} 5 of this kind together, the largest 0.333334; --json lists all",
        *(f"performer-pooling proved 0 architecture {k}" for k in range(MANY + 1))]
    assert len(printed(tables[1:])) == MANY
