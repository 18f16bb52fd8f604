"""Nothing damaged is certified: every kind of mathematical damage to a run, with no hash involved, next to the intact run."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from constructions.encodings.multisets import multisets
from proofs_check.certify import certify
from proofs_check.kernel import Certificate
from proofs_check.run_files import RunFiles
from tests.proofs_check.runs import built, certifies, fresh, outcome

Damage = Callable[[RunFiles], None]
MUTATIONS: list[Any] = []
HARMLESS: list[Any] = []
ALL = ("transformer", "linformer", "performer", "performer-normalised")
POOL = "blocks.2.attention"  # of the runs in one coordinate: quantise, encode, pool and rank, look up


def damaged(name: str, *sentences: str) -> Callable[[Damage], Damage]:
    """Register a way to damage the named run; its function's name is the sentence unless others are given."""
    def register(damage: Damage) -> Damage:
        MUTATIONS.append(pytest.param(name, damage, id=f"{name}: " + (sentences[0] if sentences else _sentence(damage))))
        return damage
    return register


def harmless(name: str) -> Callable[[Damage], Damage]:
    """Register a change that leaves the function and so the certificate as they were."""
    def register(change: Damage) -> Damage:
        HARMLESS.append(pytest.param(name, change, id=f"{name}: {_sentence(change)}"))
        return change
    return register


def _sentence(damage: Damage) -> str:
    return str(damage.__name__).replace("_", " ")  # type: ignore[attr-defined]


def node_of(run: RunFiles, channel: str) -> int:
    """Return the number of the node that writes a channel."""
    return next(i for i, node in enumerate(run.network["nodes"]) if channel in node["writes"])


def values(run: RunFiles, channel: str) -> np.ndarray:
    return np.asarray(run.arrays[f"nodes.{node_of(run, channel)}.values"])


def thresholds(run: RunFiles, channel: str) -> np.ndarray:
    return np.asarray(run.arrays[f"nodes.{node_of(run, channel)}.thresholds"])


def reads(run: RunFiles, channel: str) -> list[list[Any]]:
    return list_of(run.network["nodes"][node_of(run, channel)]["reads"])


def list_of(entry: Any) -> list[Any]:
    assert isinstance(entry, list)
    return entry


def blocks(run: RunFiles, architecture: str) -> list[dict[str, Any]]:
    return list_of(run.network["architectures"][architecture]["blocks"])


def rank_sums(run: RunFiles) -> np.ndarray:
    """Return the sums of the codes of the others that occur, increasing."""
    codes = values(run, "phi.0")[:, 0]
    return np.unique(codes[multisets(len(codes), run.network["n"] - 1)].sum(axis=1))


# --- table values, thresholds, codes, reads -------------------------------------------------------------------------------


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


# --- pooling --------------------------------------------------------------------------------------------------------------


def routed(weight: np.ndarray) -> tuple[int, int]:
    (place,) = np.argwhere(weight).tolist()
    return int(place[0]), int(place[1])


def _pooling_damage(architecture: str) -> None:
    def head(run: RunFiles, key: str) -> np.ndarray:
        return np.asarray(run.arrays[f"{architecture}.{POOL}.{key}"])

    @damaged("product", f"{architecture} W_V is scaled by 1 + 2^-50")
    def scaled(run: RunFiles) -> None:
        head(run, "W_V")[:] *= 1 + 2.0**-50

    @damaged("product", f"{architecture} W_V is 0")
    def zero(run: RunFiles) -> None:
        head(run, "W_V")[:] = 0

    @damaged("product", f"{architecture} W_V is negated")
    def negated(run: RunFiles) -> None:
        head(run, "W_V")[:] *= -1

    @damaged("product", f"{architecture} W_V leaks 1e-300 of the token into the table")
    def leaks(run: RunFiles) -> None:
        head(run, "W_V")[1, -1] = 1e-300

    @damaged("product", f"{architecture} W_V sums phi into the channel of 1")
    def misrouted(run: RunFiles) -> None:
        weight = head(run, "W_V")
        i, j = routed(weight)
        weight[i, 0], weight[i, j] = weight[i, j], 0

    @damaged("product", f"{architecture} W_V is transposed")
    def transposed(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_V"] = head(run, "W_V").T.copy()  # type: ignore[index]

    @damaged("product", f"{architecture} W_V is one channel narrower than the stream")
    def narrow(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_V"] = head(run, "W_V")[:-1, :-1].copy()  # type: ignore[index]

    @damaged("product", f"{architecture} W_Q and W_K are both not 0")
    def attends(run: RunFiles) -> None:
        head(run, "W_Q")[1], head(run, "W_K")[1] = 1.0, 1.0

    @damaged("product", f"{architecture} W_Q and W_K are both 1e-300 somewhere")
    def attends_a_little(run: RunFiles) -> None:
        head(run, "W_Q")[1], head(run, "W_K")[2] = 1e-300, 1e-300

    @damaged("product", f"{architecture} W_Q and W_K have no columns, so scores would be 0 / sqrt(0)")
    def headless(run: RunFiles) -> None:
        for key in ("W_Q", "W_K"):
            run.arrays[f"{architecture}.{POOL}.{key}"] = head(run, key)[:, :0].copy()  # type: ignore[index]
        if "w" in _keys(run, architecture):
            run.arrays[f"{architecture}.{POOL}.w"] = head(run, "w")[:, :0].copy()  # type: ignore[index]

    @damaged("product", f"{architecture} W_K has another number of columns than W_Q")
    def columns(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_K"] = np.zeros((len(head(run, "W_K")), 2))  # type: ignore[index]

    @damaged("product", f"{architecture} W_Q has another number of rows than the stream")
    def rows(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_Q"] = head(run, "W_Q")[:-1].copy()  # type: ignore[index]

    @damaged("product", f"{architecture} W_V is missing")
    def missing(run: RunFiles) -> None:
        del run.arrays[f"{architecture}.{POOL}.W_V"]  # type: ignore[attr-defined]

    @damaged("product", f"{architecture} stores an output matrix that its formula does not have")
    def output_matrix(run: RunFiles) -> None:
        run.arrays[f"{architecture}.{POOL}.W_O"] = np.zeros((7, 7))  # type: ignore[index]

    @damaged("product", f"{architecture} stores attention weights in a block without attention")
    def stray(run: RunFiles) -> None:
        run.arrays[f"{architecture}.blocks.0.attention.W_V"] = head(run, "W_V").copy()  # type: ignore[index]


def _keys(run: RunFiles, architecture: str) -> set[str]:
    prefix = f"{architecture}.{POOL}."
    return {key.removeprefix(prefix) for key in run.arrays if key.startswith(prefix)}


def _linformer(run: RunFiles, key: str) -> np.ndarray:
    return np.asarray(run.arrays[f"linformer.{POOL}.{key}"])


@damaged("product")
def F_is_scaled_by_n_over_k_as_in_the_printed_construction(run: RunFiles) -> None:
    _linformer(run, "F")[:] *= 3 / 2


@damaged("product")
def one_column_of_F_is_changed(run: RunFiles) -> None:
    _linformer(run, "F")[:, 1] += 0.5


@damaged("product")
def one_entry_of_F_is_changed_in_the_last_bit(run: RunFiles) -> None:
    _linformer(run, "F")[1, 1] += 2.0**-52


@damaged("product")
def the_slots_of_F_are_huge_and_cancel_which_floats_cannot(run: RunFiles) -> None:
    F = _linformer(run, "F")
    F[0], F[1] = 2.0**52, 2.0 - 2.0**52


@damaged("product")
def E_has_another_shape(run: RunFiles) -> None:
    run.arrays[f"linformer.{POOL}.E"] = np.ones((3, 3))  # type: ignore[index]


@damaged("product")
def E_and_F_are_for_a_longer_sequence(run: RunFiles) -> None:
    for key in ("E", "F"):
        run.arrays[f"linformer.{POOL}.{key}"] = np.ones((2, 4))  # type: ignore[index]


@damaged("product")
def E_and_F_have_no_slots(run: RunFiles) -> None:
    for key in ("E", "F"):
        run.arrays[f"linformer.{POOL}.{key}"] = np.ones((0, 3))  # type: ignore[index]


@damaged("product")
def only_W_Q_of_the_printed_performer_is_0(run: RunFiles) -> None:
    run.arrays[f"performer.{POOL}.W_K"][1] = 0.5


@damaged("product")
def only_W_K_of_the_printed_performer_is_0(run: RunFiles) -> None:
    run.arrays[f"performer.{POOL}.W_Q"][1] = 0.5


@damaged("product")
def only_W_Q_of_the_normalised_performer_is_0(run: RunFiles) -> None:
    run.arrays[f"performer-normalised.{POOL}.W_K"][1] = 0.5


@damaged("product")
def queries_of_the_normalised_performer_are_so_large_that_its_kernel_underflows(run: RunFiles) -> None:
    run.arrays[f"performer-normalised.{POOL}.W_Q"][:] = 1e3


@damaged("product")
def features_have_two_columns_for_one_query_column(run: RunFiles) -> None:
    run.arrays[f"performer.{POOL}.w"] = np.ones((4, 2))  # type: ignore[index]


@damaged("product")
def there_are_no_features(run: RunFiles) -> None:
    run.arrays[f"performer-normalised.{POOL}.w"] = np.ones((0, 1))  # type: ignore[index]


@damaged("product")
def a_query_weight_is_so_large_that_scores_overflow(run: RunFiles) -> None:
    run.arrays[f"transformer.{POOL}.W_Q"][:] = 1e300


@damaged("float32")
def factors_that_float32_cannot_hold_cancel_in_the_linformer(run: RunFiles) -> None:
    _linformer(run, "F")[:] *= 2.0**-150
    _linformer(run, "W_V")[:] *= 2.0**150


@damaged("float32")
def a_key_weight_overflows_in_float32(run: RunFiles) -> None:
    run.arrays[f"transformer.{POOL}.W_K"][:] = 2.0**150


for _architecture in ALL:
    _pooling_damage(_architecture)


# --- ends, channels and blocks --------------------------------------------------------------------------------------------


def _block_damage(architecture: str) -> None:
    @damaged("product", f"{architecture} the embedding bias is changed")
    def bias(run: RunFiles) -> None:
        run.arrays[f"{architecture}.embed.bias"][3] = 1e-9

    @damaged("product", f"{architecture} the channel 1 holds 2")
    def one(run: RunFiles) -> None:
        run.arrays[f"{architecture}.embed.bias"][0] = 2

    @damaged("product", f"{architecture} the embedding scales the token")
    def embedding(run: RunFiles) -> None:
        run.arrays[f"{architecture}.embed.weight"][0, 1] = 1 + 2.0**-52

    @damaged("product", f"{architecture} the readout selects another channel")
    def selects(run: RunFiles) -> None:
        readout = run.arrays[f"{architecture}.readout.weight"]
        readout[:] = np.roll(readout, 1, axis=0)

    @damaged("two outputs", f"{architecture} the readout exchanges the outputs")
    def exchanged(run: RunFiles) -> None:
        readout = run.arrays[f"{architecture}.readout.weight"]
        readout[:] = readout[:, ::-1].copy()

    @damaged("product", f"{architecture} the readout scales the output")
    def scaled(run: RunFiles) -> None:
        run.arrays[f"{architecture}.readout.weight"][:] *= 1 + 2.0**-52

    for i in range(4):
        @damaged("product", f"{architecture} block {i} is dropped")
        def dropped(run: RunFiles, i: int = i) -> None:
            _renumbered(run, architecture, [j for j in range(4) if j != i])

        @damaged("product", f"{architecture} block {i} is doubled")
        def doubled(run: RunFiles, i: int = i) -> None:
            _renumbered(run, architecture, sorted([*range(4), i]))

        if i < 3:
            @damaged("product", f"{architecture} blocks {i} and {i + 1} are exchanged")
            def reordered(run: RunFiles, i: int = i) -> None:
                order = [0, 1, 2, 3]
                order[i], order[i + 1] = i + 1, i
                _renumbered(run, architecture, order)

    @damaged("product", f"{architecture} attention happens in two blocks")
    def twice(run: RunFiles) -> None:
        blocks(run, architecture)[3]["attention"] = True
        for key in _keys(run, architecture):
            run.arrays[f"{architecture}.blocks.3.attention.{key}"] = run.arrays[f"{architecture}.{POOL}.{key}"]  # type: ignore[index]

    @damaged("product", f"{architecture} attention happens in no block")
    def never(run: RunFiles) -> None:
        blocks(run, architecture)[2]["attention"] = False

    @damaged("product", f"{architecture} a block carries a channel that attention did not write")
    def carries(run: RunFiles) -> None:
        blocks(run, architecture)[2]["carries"].append("phi.0")

    @damaged("product", f"{architecture} a channel occurs twice in the stream")
    def channels(run: RunFiles) -> None:
        names = run.network["architectures"][architecture]["channels"]
        names[names.index("cell.0")] = names[-1]

    @damaged("product", f"{architecture} Sigma is needed one block later but not carried")
    def not_carried(run: RunFiles) -> None:
        _rank_one_block_later(run, architecture)
        blocks(run, architecture)[2]["carries"] = []

    for channel in ("1", "x.0", "sigma.0", "rank.0", "y.0"):
        @damaged("product", f"{architecture} the stream has no channel {channel}")
        def without(run: RunFiles, channel: str = channel) -> None:
            _without_channel(run, architecture, channel)

    @damaged("product", f"{architecture} carries negative sums through a ReLU")
    def negative(run: RunFiles) -> None:
        values(run, "phi.0")[:] -= 1000
        thresholds(run, "rank.0")[:] -= 2000
        _rank_one_block_later(run, architecture)

    @damaged("plane", f"{architecture} the two coordinates are exchanged on the way in")
    def coordinates(run: RunFiles) -> None:
        run.network["phi"]["inputs"].reverse()
        for name in ALL:
            weight = run.arrays[f"{name}.embed.weight"]
            weight[:] = weight[::-1].copy()

    @damaged("product", f"{architecture} is stored but not claimed")
    def unclaimed(run: RunFiles) -> None:
        run.certificate["claim"]["networks"].remove(architecture)

    @damaged("product", f"{architecture} is claimed but not stored")
    def unstored(run: RunFiles) -> None:
        del run.network["architectures"][architecture]


def _renumbered(run: RunFiles, architecture: str, order: list[int]) -> None:
    """Rebuild an architecture from the given blocks, each with its attention weights."""
    old, arrays = blocks(run, architecture), dict(run.arrays)
    prefix = f"{architecture}.blocks."
    for key in arrays:
        if key.startswith(prefix):
            del run.arrays[key]  # type: ignore[attr-defined]
    for new, i in enumerate(order):
        for key, array in arrays.items():
            if key.startswith(f"{prefix}{i}."):
                run.arrays[key.replace(f"{prefix}{i}.", f"{prefix}{new}.")] = array  # type: ignore[index]
    run.network["architectures"][architecture]["blocks"] = [dict(old[i]) for i in order]


def _rank_one_block_later(run: RunFiles, architecture: str) -> None:
    pooling = blocks(run, architecture)[2]
    blocks(run, architecture).insert(3, {"attention": False, "steps": pooling["steps"], "carries": []})
    pooling["steps"] = []


def _without_channel(run: RunFiles, architecture: str, channel: str) -> None:
    names = run.network["architectures"][architecture]["channels"]
    place = names.index(channel)
    names.remove(channel)
    axes = {"embed.weight": (1,), "embed.bias": (0,), "readout.weight": (0,), f"{POOL}.W_Q": (0,), f"{POOL}.W_K": (0,),
            f"{POOL}.W_V": (0, 1)}
    for key, along in axes.items():
        for axis in along:
            run.arrays[f"{architecture}.{key}"] = np.delete(run.arrays[f"{architecture}.{key}"], place, axis)  # type: ignore[index]


for _architecture in ALL:
    _block_damage(_architecture)


# --- the claim and the plan -----------------------------------------------------------------------------------------------


def claim(run: RunFiles) -> dict[str, Any]:
    entry = run.certificate["claim"]
    assert isinstance(entry, dict)
    return entry


@damaged("product")
def the_claimed_bound_is_a_billionth_below_the_sum(run: RunFiles) -> None:
    claim(run)["bound"] = str(Fraction(claim(run)["bound"]) * (1 - Fraction(1, 10**9)))


@damaged("declared")
def the_claimed_bound_is_below_the_sum_of_a_declared_run(run: RunFiles) -> None:
    claim(run)["bound"] = str(Fraction(claim(run)["bound"]) * (1 - Fraction(1, 10**9)))


@damaged("product")
def the_claimed_bound_is_0(run: RunFiles) -> None:
    claim(run)["bound"] = "0"


@damaged("product")
def the_claimed_bound_is_negative(run: RunFiles) -> None:
    claim(run)["bound"] = "-1"


def _unreadable(entry: str, value: Any) -> None:
    @damaged("product", f"the {entry} is {value!r}")
    def unreadable(run: RunFiles) -> None:
        (claim(run) if entry == "bound" else run.plan)[entry] = value  # type: ignore[index]


for _entry, _value in itertools.product(("bound", "lipschitz", "value_radius"), ("1/0", "nan", float("inf"), None, [], "many")):
    _unreadable(_entry, _value)


@damaged("product")
def the_lipschitz_constant_is_nine_tenths_of_a_slope_that_occurs(run: RunFiles) -> None:
    run.plan["lipschitz"] = str(Fraction(run.plan["slope_attained"]) * Fraction(9, 10))  # type: ignore[index]


@damaged("f")
def the_lipschitz_constant_of_f_is_nine_tenths_of_a_slope_that_occurs(run: RunFiles) -> None:
    run.plan["lipschitz"] = str(Fraction(run.plan["slope_attained"]) * Fraction(9, 10))  # type: ignore[index]


@damaged("product")
def the_lipschitz_constant_is_negative(run: RunFiles) -> None:
    run.plan["lipschitz"] = "-2"  # type: ignore[index]


@damaged("declared")
def a_declared_lipschitz_constant_is_negative(run: RunFiles) -> None:
    run.plan["lipschitz"] = "-2"  # type: ignore[index]


@damaged("f")
def the_value_radius_is_0(run: RunFiles) -> None:
    run.plan["value_radius"] = "0"  # type: ignore[index]


@damaged("product")
def the_value_radius_is_negative(run: RunFiles) -> None:
    run.plan["value_radius"] = "-1/10"  # type: ignore[index]


@damaged("product")
def the_claim_is_about_a_larger_domain(run: RunFiles) -> None:
    claim(run)["domain"] = [["0", "2"]]


@damaged("product")
def claim_and_plan_are_about_a_larger_domain(run: RunFiles) -> None:
    claim(run)["domain"] = run.plan["domain"] = [["0", "2"]]  # type: ignore[index]


@damaged("sumformer")
def claim_and_plan_are_about_a_domain_larger_by_a_billionth(run: RunFiles) -> None:
    claim(run)["domain"] = run.plan["domain"] = [["0", "1000000001/1000000000"]]  # type: ignore[index]


@damaged("product")
def the_claim_is_about_a_smaller_domain(run: RunFiles) -> None:
    claim(run)["domain"] = [["0", "1/2"]]


@damaged("product")
def the_claim_is_about_two_coordinates(run: RunFiles) -> None:
    claim(run).update(d=2, domain=[["0", "1"], ["0", "1"]])


@damaged("product")
def the_claim_is_about_longer_sequences(run: RunFiles) -> None:
    claim(run)["n"] = 4


def _longer(name: str) -> None:
    @damaged(name)
    def claim_and_plan_and_network_are_about_longer_sequences(run: RunFiles) -> None:
        claim(run)["n"] = run.plan["n"] = run.network["n"] = 4  # type: ignore[index]


for _name in ("product", "sumformer", "f"):
    _longer(_name)


@damaged("product")
def the_claim_has_two_outputs(run: RunFiles) -> None:
    claim(run)["d_out"] = 2


@damaged("product")
def the_claim_is_about_another_expression(run: RunFiles) -> None:
    claim(run)["expression"] = "x*max(y)"


@damaged("product")
def claim_and_plan_are_about_another_expression(run: RunFiles) -> None:
    claim(run)["expression"] = run.plan["expression"] = "x*mean(y) + 1e-9"  # type: ignore[index]


@damaged("product")
def claim_and_plan_are_about_an_expression_outside_the_language(run: RunFiles) -> None:
    claim(run)["expression"] = run.plan["expression"] = "__import__('os').getpid()"  # type: ignore[index]


@damaged("product")
def claim_and_plan_are_about_a_steeper_expression_with_the_same_values_at_the_middles(run: RunFiles) -> None:
    text = "x*mean(y) + sin(10*pi*x - pi/2 + pi/2 - pi)*0 + 0.05*sin(5*pi*(x - 0.1))"
    claim(run)["expression"] = run.plan["expression"] = text  # type: ignore[index]


@damaged("product")
def the_claim_has_another_name(run: RunFiles) -> None:
    claim(run)["target"] = "f"


@damaged("product")
def the_claim_lists_an_architecture_that_is_not_known(run: RunFiles) -> None:
    claim(run)["networks"].append("hopfield")


@damaged("product")
def an_unknown_architecture_is_stored_and_claimed(run: RunFiles) -> None:
    run.network["architectures"]["hopfield"] = run.network["architectures"]["transformer"]
    claim(run)["networks"].append("hopfield")


@damaged("product")
def the_claim_lists_an_architecture_twice(run: RunFiles) -> None:
    claim(run)["networks"].append("linformer")


@damaged("sumformer")
def the_claim_lists_an_architecture_that_is_not_stored(run: RunFiles) -> None:
    claim(run)["networks"].append("transformer")


@damaged("product")
def the_claim_lists_no_network(run: RunFiles) -> None:
    claim(run)["networks"] = []


@damaged("product")
def the_network_is_said_to_run_in_float32(run: RunFiles) -> None:
    run.plan["number_format"] = "float32"  # type: ignore[index]


@damaged("huge integers")
def huge_integers_are_said_to_run_in_float64(run: RunFiles) -> None:
    run.plan["number_format"] = "float64"  # type: ignore[index]


@damaged("product")
def the_architectures_are_said_to_run_in_exact_arithmetic(run: RunFiles) -> None:
    run.plan["number_format"] = "exact"  # type: ignore[index]


@damaged("product")
def the_number_format_is_not_known(run: RunFiles) -> None:
    run.plan["number_format"] = "float16"  # type: ignore[index]


@damaged("product")
def the_plan_has_no_lipschitz_constant(run: RunFiles) -> None:
    del run.plan["lipschitz"]  # type: ignore[attr-defined]


@damaged("product")
def the_network_has_no_nodes(run: RunFiles) -> None:
    run.network["nodes"] = []  # type: ignore[index]


@damaged("product")
def the_nodes_are_a_number(run: RunFiles) -> None:
    run.network["nodes"] = 4  # type: ignore[index]


@damaged("callable")
def a_callable_cannot_be_imported(run: RunFiles) -> None:
    run.plan["expression"] = "no_such_module:f"  # type: ignore[index]


@damaged("callable")
def a_table_value_of_a_callable_is_moved_by_ten_times_the_value_radius(run: RunFiles) -> None:
    values(run, "y.0")[11] += 10 * float(Fraction(run.plan["value_radius"]))


@damaged("product")
def a_margin_is_stretched_by_the_coefficients_that_read_sigma(run: RunFiles) -> None:
    """Codes near 2^44 cannot be pooled safely; 32 times the reads and thresholds do not change that."""
    codes = values(run, "phi.0")
    old = codes[:, 0].copy()
    codes[:, 0] = old + 2**44
    scaled = 32 * (thresholds(run, "rank.0") + 2 * 2**44)
    thresholds(run, "rank.0")[:] = scaled
    for entry in reads(run, "rank.0"):
        entry[1] *= 32


@damaged("product")
def a_threshold_lies_so_close_to_an_integer_that_sums_in_another_order_miss_it(run: RunFiles) -> None:
    """Keys 15 cell - rank over the reals; in floats (15 - (1 + 2^-52)) - 14 is 0, not below it."""
    entry = reads(run, "y.0")
    assert [coefficient for _, coefficient in entry] == [15, 1]
    entry[1][1] = -1
    table, cuts = values(run, "y.0"), thresholds(run, "y.0")
    table[:, 0] = table.reshape(5, 15)[:, ::-1].ravel()
    cuts[:] = np.arange(-13.5, 60)
    cuts[15] = 1 + 2.0**-52


@harmless("product")
def ranks_are_subtracted_in_the_key_and_the_table_follows(run: RunFiles) -> None:
    """The damage just above, without its threshold."""
    reads(run, "y.0")[1][1] = -1
    table, cuts = values(run, "y.0"), thresholds(run, "y.0")
    table[:, 0] = table.reshape(5, 15)[:, ::-1].ravel()
    cuts[:] = np.arange(-13.5, 60)


def _not_finite(key: str, value: float) -> None:
    @damaged("product", f"{key} contains {value}")
    def not_finite(run: RunFiles) -> None:
        run.arrays[key].reshape(-1)[-1] = value


for _key, _number in itertools.product(built("product")[2].arrays, (float("nan"), float("inf"))):
    _not_finite(_key, _number)


# --- changes that are none ------------------------------------------------------------------------------------------------


@harmless("product")
def the_carry_of_sigma_is_dropped_where_nothing_reads_it_later(run: RunFiles) -> None:
    for architecture in ALL:
        assert blocks(run, architecture)[2]["carries"] == ["sigma.0"]
        blocks(run, architecture)[2]["carries"] = []


@harmless("product")
def sigma_is_carried_and_ranked_one_block_later(run: RunFiles) -> None:
    for architecture in ALL:
        _renumbered(run, architecture, [0, 1, 2, 3])
        _rank_one_block_later(run, architecture)


@harmless("product")
def only_W_K_of_the_normalised_performer_is_0_and_queries_are_moderate(run: RunFiles) -> None:
    run.arrays[f"performer-normalised.{POOL}.W_Q"][0] = 0.05


@harmless("product")
def only_W_Q_of_transformer_and_linformer_is_0(run: RunFiles) -> None:
    for architecture in ("transformer", "linformer"):
        run.arrays[f"{architecture}.{POOL}.W_K"][1] = 3.5


@harmless("product")
def the_factor_of_the_linformer_is_moved_from_W_V_to_F(run: RunFiles) -> None:
    _linformer(run, "F")[:] *= 4
    _linformer(run, "W_V")[:] /= 4


@harmless("product")
def the_slots_of_the_linformer_share_the_work_unevenly(run: RunFiles) -> None:
    F = _linformer(run, "F")
    F[0], F[1] = 0.5, 1.5


@harmless("product")
def E_is_anything_of_its_shape(run: RunFiles) -> None:
    _linformer(run, "E")[:] = np.arange(6.0).reshape(2, 3)


@harmless("product")
def features_are_any_other_draw(run: RunFiles) -> None:
    run.arrays[f"performer.{POOL}.w"][:] = -3.25


@harmless("product")
def the_value_radius_and_the_bound_are_larger(run: RunFiles) -> None:
    run.plan["value_radius"], claim(run)["bound"] = "1/100", "1/4"  # type: ignore[index]


@harmless("product")
def a_rank_threshold_is_moved_within_its_gap(run: RunFiles) -> None:
    sums, cuts = rank_sums(run), thresholds(run, "rank.0")
    cuts[4] = sums[5]  # H(0) = 1: still the same ranks of exact sums
    cuts[4] -= 0.5


@pytest.mark.parametrize(("name", "change"), HARMLESS)
def test_a_change_that_changes_nothing_is_certified(name: str, change: Damage) -> None:
    run = fresh(name)
    change(run)
    assert isinstance(certify(run), Certificate), outcome(run)


@pytest.mark.parametrize(("name", "damage"), MUTATIONS)
def test_a_damaged_run_is_not_certified_and_its_intact_twin_is(name: str, damage: Damage) -> None:
    assert certifies(name)
    run = fresh(name)
    damage(run)
    assert not isinstance(outcome(run), Certificate)
