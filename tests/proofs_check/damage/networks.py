"""Damage to table values, thresholds, codes and what nodes read."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from constructions.encodings.multisets import multisets
from proofs_check.run_files import RunFiles
from tests.proofs_check.damage.registry import ALL, damaged, node_of, rank_sums, reads, thresholds, values


@damaged("product")
def one_table_value_is_moved_by_three_eps(run: RunFiles) -> None:
    values(run, "y.0")[7] += 0.75


@damaged("f")
def one_table_value_of_f_is_moved_by_three_eps(run: RunFiles) -> None:
    values(run, "y.0")[7] -= 0.75


@damaged("product")
def one_table_value_is_moved_by_ten_times_the_value_radius(run: RunFiles) -> None:
    values(run, "y.0")[11] += 10 * float(Fraction(run.plan["value_radius"]))


@damaged("f")
def one_table_value_of_f_is_moved_by_ten_times_the_value_radius(run: RunFiles) -> None:
    values(run, "y.0")[11] += 10 * float(Fraction(run.plan["value_radius"]))


@damaged("two outputs")
def one_value_of_the_second_output_is_moved_by_ten_times_the_value_radius(run: RunFiles) -> None:
    values(run, "y.0")[4, 1] += 10 * float(Fraction(run.plan["value_radius"]))


@damaged("product")
def two_neighbouring_table_values_are_exchanged(run: RunFiles) -> None:
    table = values(run, "y.0")
    table[[13, 14]] = table[[14, 13]]


@damaged("eighths")
def a_table_value_is_a_fraction_that_float64_would_round_into_the_value_radius(run: RunFiles) -> None:
    _exact_values(run, Fraction(1, 2**80))
    run.plan["number_format"], run.plan["value_radius"] = "exact", str(Fraction(1, 2**100))


@damaged("eighths")
def a_table_value_is_an_integer_beyond_float64(run: RunFiles) -> None:
    _exact_values(run, Fraction(10**400))
    run.plan["number_format"] = "exact"


def _exact_values(run: RunFiles, error: Fraction) -> None:
    key = f"nodes.{node_of(run, 'y.0')}.values"
    table = run.arrays.pop(key)  # type: ignore[attr-defined]
    numbers = [Fraction(float(value)) for value in table.ravel()]
    numbers[5] += error
    run.exact[key] = {"shape": list(table.shape), "values": [str(value) for value in numbers]}  # type: ignore[index]


@damaged("product")
def a_table_is_stored_twice_once_right_and_once_wrong(run: RunFiles) -> None:
    key = f"nodes.{node_of(run, 'y.0')}.values"
    table = run.arrays[key]
    run.exact[key] = {"shape": list(table.shape), "values": [str(Fraction(float(v))) for v in table.ravel()]}  # type: ignore[index]
    table[3] += 1.0
    run.plan["number_format"] = "exact"
    for architecture in ALL:
        _forget(run, architecture)


def _forget(run: RunFiles, architecture: str) -> None:
    del run.network["architectures"][architecture]
    run.certificate["claim"]["networks"].remove(architecture)


@damaged("product")
def a_quantiser_threshold_is_moved_by_more_than_a_cell(run: RunFiles) -> None:
    thresholds(run, "cell.0")[1] += 1.2 / 5


@damaged("product")
def a_quantiser_threshold_is_moved_by_three_tenths_of_a_cell(run: RunFiles) -> None:
    thresholds(run, "cell.0")[1] += 0.3 / 5


@damaged("plane")
def a_quantiser_threshold_of_the_second_coordinate_is_moved_by_three_tenths_of_a_cell(run: RunFiles) -> None:
    cuts = thresholds(run, "cell.1")
    cuts[0] += 0.3 / (len(cuts) + 1)


@damaged("product")
def a_quantiser_threshold_is_moved_and_the_table_follows(run: RunFiles) -> None:
    """Then every value is right at its middle, but one cell is too wide for the claimed bound."""
    cuts = thresholds(run, "cell.0")
    cuts[1] += 0.06
    edges = np.concatenate([[0.0], cuts, [1.0]])
    middles = (edges[1:] + edges[:-1]) / 2
    codes = values(run, "phi.0")[:, 0]
    others = multisets(5, 2)
    others = others[np.argsort(codes[others].sum(axis=1))]
    table = middles[:, None] * (middles[:, None] + middles[others].sum(axis=1)[None, :]) / 3
    values(run, "y.0")[:, 0] = np.round(table.ravel() * 2**40) / 2**40


@damaged("product")
def two_quantiser_thresholds_are_exchanged(run: RunFiles) -> None:
    cuts = thresholds(run, "cell.0")
    cuts[[1, 2]] = cuts[[2, 1]]


@damaged("product")
def two_quantiser_thresholds_are_equal(run: RunFiles) -> None:
    cuts = thresholds(run, "cell.0")
    cuts[2] = cuts[1]


@damaged("product")
def a_quantiser_threshold_sits_on_the_end_of_the_domain(run: RunFiles) -> None:
    thresholds(run, "cell.0")[0] = 0.0


@damaged("product")
def a_quantiser_counts_a_cell_twice(run: RunFiles) -> None:
    values(run, "cell.0")[3] = 2


@damaged("product")
def a_code_is_changed_so_that_two_sums_collide(run: RunFiles) -> None:
    codes = values(run, "phi.0")
    order = np.argsort(codes[:, 0])
    codes[order[2]] = 2 * codes[order[1]] - codes[order[0]]


@damaged("product")
def a_code_is_changed_so_that_sums_are_decoded_to_other_keys(run: RunFiles) -> None:
    values(run, "phi.0")[2] += 1000


@damaged("huge integers")
def one_digit_of_a_huge_code_is_changed(run: RunFiles) -> None:
    codes = run.exact[f"nodes.{node_of(run, 'phi.0')}.values"]["values"]
    codes[-1] = str(int(codes[-1]) // 2)


@damaged("huge integers")
def a_huge_code_is_a_fraction(run: RunFiles) -> None:
    codes = run.exact[f"nodes.{node_of(run, 'phi.0')}.values"]["values"]
    codes[-1] = f"{2 * int(codes[-1]) + 1}/2"


@damaged("huge integers")
def a_huge_threshold_is_moved_past_the_next_sum(run: RunFiles) -> None:
    cuts = run.exact[f"nodes.{node_of(run, 'rank.0')}.thresholds"]["values"]
    cuts[-2] = str(Fraction(cuts[-1]) - Fraction(1, 2))


@damaged("product")
def a_code_is_not_an_integer(run: RunFiles) -> None:
    values(run, "phi.0")[2] += 0.25


@damaged("product")
def a_rank_threshold_is_moved_beyond_half_a_gap(run: RunFiles) -> None:
    sums, cuts = rank_sums(run), thresholds(run, "rank.0")
    table = values(run, "y.0").reshape(5, -1)
    rank = int(np.argmax(np.abs(np.diff(table[-1]))[:-1]))  # equal sums of tokens have equal values
    cuts[rank] = (sums[rank + 1] + cuts[rank + 1]) / 2


@damaged("product")
def two_rank_thresholds_are_exchanged(run: RunFiles) -> None:
    cuts = thresholds(run, "rank.0")
    cuts[[4, 5]] = cuts[[5, 4]]


@damaged("product")
def a_table_threshold_is_moved_by_one_key(run: RunFiles) -> None:
    cuts = thresholds(run, "y.0")
    cuts[20] += 0.75


@damaged("product")
def two_ranks_are_exchanged(run: RunFiles) -> None:
    ranks = values(run, "rank.0")
    ranks[[3, 4]] = ranks[[4, 3]]


@damaged("product")
def a_read_coefficient_of_the_own_cell_is_one_too_large(run: RunFiles) -> None:
    reads(run, "y.0")[0][1] += 1


@damaged("product")
def the_own_code_is_not_subtracted_from_sigma(run: RunFiles) -> None:
    reads(run, "rank.0")[1][1] = 0


@damaged("product")
def a_read_coefficient_is_a_float(run: RunFiles) -> None:
    reads(run, "y.0")[1][1] = 1.0


@damaged("product")
def a_node_reads_a_channel_twice_which_one_weight_matrix_cannot(run: RunFiles) -> None:
    entry = reads(run, "y.0")
    entry[0][1] -= 1
    entry.append([entry[0][0], 1])


@damaged("sumformer")
def a_node_reads_sixty_four_multiples_that_add_up_to_nothing_modulo_two_to_the_64(run: RunFiles) -> None:
    run.plan["number_format"] = "exact"
    reads(run, "y.0").extend([["cell.0", 2**58]] * 64)


@damaged("eighths")
def a_read_coefficient_is_larger_than_any_machine_integer(run: RunFiles) -> None:
    run.plan["number_format"] = "exact"
    reads(run, "y.0")[0][1] = 2**200


@damaged("product")
def a_node_reads_a_channel_that_does_not_exist(run: RunFiles) -> None:
    reads(run, "y.0")[0][0] = "cell.7"


@damaged("product")
def a_node_is_dropped(run: RunFiles) -> None:
    run.network["nodes"].pop()


@damaged("product")
def the_node_that_ranks_is_dropped_and_the_others_move_up(run: RunFiles) -> None:
    where = node_of(run, "rank.0")
    del run.network["nodes"][where]
    for part in ("thresholds", "values"):
        run.arrays[f"nodes.{where}.{part}"] = run.arrays[f"nodes.{where + 1}.{part}"]  # type: ignore[index]


@damaged("product")
def a_node_has_one_value_too_few(run: RunFiles) -> None:
    key = f"nodes.{node_of(run, 'y.0')}.values"
    run.arrays[key] = run.arrays[key][:-1]  # type: ignore[index]


@damaged("product")
def a_node_writes_a_channel_of_another(run: RunFiles) -> None:
    run.network["nodes"][node_of(run, "rank.0")]["writes"] = ["phi.0"]


@damaged("product")
def the_network_outputs_the_rank_instead_of_the_value(run: RunFiles) -> None:
    run.network["outputs"] = ["rank.0"]


@damaged("two outputs")
def the_two_outputs_are_exchanged(run: RunFiles) -> None:
    run.network["outputs"].reverse()


@damaged("product")
def phi_is_said_to_have_fewer_nodes_than_its_outputs_need(run: RunFiles) -> None:
    run.network["phi"]["nodes"] = 1


@damaged("product")
def phi_outputs_another_channel_than_sigma_sums(run: RunFiles) -> None:
    run.network["phi"]["outputs"] = ["cell.0"]
