"""Templates are told apart by what is never sent together."""

from __future__ import annotations

import numpy as np
import pytest

from stillwatch.signals.variants import NO_VARIANT, apart

HEAD, LONGER, OTHER, TAIL, SYSTEM = 11, 12, 21, 31, 41


def told(*sent: set[int]) -> list[int]:
    """Return the numbers of exchanges that carry these nodes each."""
    kinds = {nodes: k for k, nodes in enumerate(dict.fromkeys(map(frozenset, sent)))}
    template = np.array([kinds[frozenset(nodes)] for nodes in sent])
    return apart(template, {k: nodes for nodes, k in kinds.items()}).tolist()


def test_two_openings_are_two_templates() -> None:
    assert told({HEAD}, {OTHER}, {HEAD}) == [0, 1, 0]


def test_a_closing_line_that_comes_and_goes_makes_no_second_template() -> None:
    assert told({HEAD, TAIL}, {HEAD}, {HEAD, TAIL}, {TAIL}, {TAIL}, {HEAD}) == [0] * 6


def test_one_system_prompt_over_two_questions_tells_nothing_apart() -> None:
    assert told({SYSTEM, HEAD}, {SYSTEM, OTHER}, {SYSTEM, HEAD}, {SYSTEM, OTHER}) == [0, 1, 0, 1]


def test_a_closing_line_of_both_joins_them() -> None:
    assert told({HEAD, TAIL}, {OTHER, TAIL}, {HEAD}, {OTHER}, {HEAD}, {OTHER}) == [0] * 6


def test_chains_of_nodes_are_one_template() -> None:
    assert told({HEAD, LONGER}, {LONGER, TAIL}, {OTHER}, {HEAD}, {TAIL}) == [0, 0, 1, 0, 0]


@pytest.mark.parametrize("nodes", [(set(),), ({SYSTEM}, {SYSTEM}), ({HEAD},)])
def test_what_carries_nothing_of_its_own_is_none(nodes: tuple[set[int], ...]) -> None:
    assert told(*nodes) == [NO_VARIANT] * len(nodes)


def test_the_order_of_exchanges_changes_numbers_only() -> None:
    rng = np.random.default_rng(3)
    nodes = {k: frozenset({int(rng.integers(12)), 100 + int(rng.integers(4))}) for k in range(30)}
    template = rng.integers(0, 30, 200)
    order = rng.permutation(200)
    first, second = apart(template, nodes)[order], apart(template[order], nodes)
    pairs = set(zip(first.tolist(), second.tolist(), strict=True))
    assert len(pairs) == len(set(first.tolist())) == len(set(second.tolist()))
