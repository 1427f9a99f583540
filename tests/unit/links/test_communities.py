"""Components against an oracle, communities that repeat, cohorts that are one hypothesis each."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest

from stillwatch.links.cohorts import Candidate, Sent
from stillwatch.links.cohorts import merge as merge_sent
from stillwatch.links.communities import communities, components


def flood(edges):
    """Return the components by flooding: slow and plain."""
    near = {}
    for a, b in edges:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    seen, found = set(), []
    for node in sorted(near):
        if node in seen:
            continue
        reached, todo = {node}, [node]
        while todo:
            new = near[todo.pop()] - reached
            reached |= new
            todo.extend(new)
        seen |= reached
        found.append(sorted(reached))
    return found


@pytest.mark.parametrize("seed", range(40))
def test_components_equal_a_flood_of_random_graphs(seed):
    rng = np.random.default_rng(seed)
    nodes = int(rng.integers(1, 60))
    labels = rng.choice(10**6, nodes, replace=False)
    ends = labels[rng.integers(0, nodes, (int(rng.integers(0, nodes + 1)), 2))]
    edges = [(int(a), int(b)) for a, b in ends]
    assert components(edges) == flood(edges)
    assert components([(b, a) for a, b in reversed(edges)]) == flood(edges)


def two_cliques():
    inside = [(a, b, 5.0) for base in (0, 10) for a in range(base, base + 5)
              for b in range(a + 1, base + 5)]  # fmt: skip
    return [*inside, (0, 10, 0.1)]


def test_communities_part_what_a_weak_link_joins_whatever_the_order_of_edges():
    edges = two_cliques()
    rng = np.random.default_rng(1)
    for _ in range(3):
        a, b, w = (np.array(c) for c in zip(*edges, strict=True))
        assert communities(a, b, w) == [list(range(5)), list(range(10, 15))]
        edges = [edges[k] for k in rng.permutation(len(edges))]


def test_communities_never_join_what_no_edge_joins():
    a, b = np.array([1, 2, 8]), np.array([2, 3, 9])
    found = communities(a, b, np.ones(3))
    assert sorted(node for part in found for node in part) == [1, 2, 3, 8, 9]
    assert all(set(part) <= {1, 2, 3} or set(part) <= {8, 9} for part in found)


def text(subjects, frame):
    return Candidate({"frame"}, set(subjects), {frame})


def hub(subjects, kind="exit_prefix"):
    return Candidate({kind}, set(subjects))


def merge(candidates, together=None, population=60):
    """Merge, each subject having sent each of its frames three times."""
    often = {f: dict.fromkeys(c.subjects, 3) for c in candidates for f in c.frames}
    return merge_sent(candidates, Sent(often, together or {}, population))


def test_views_that_agree_by_half_are_one_hypothesis():
    (one,) = merge([text(range(10), 1), text(range(5, 15), 2), text(range(3, 13), 3)][::2])
    assert one.frames == {1, 3}
    assert one.subjects == set(range(13))
    apart = merge([text(range(10), 1), text(range(6, 16), 2)])  # 4 of 16 in common
    assert [c.frames for c in apart] == [{1}, {2}]


def test_a_wider_object_adds_associated_accounts_and_never_members():
    (one,) = merge([hub(range(24)), text(range(10), 1)])
    assert one.subjects == set(range(10))
    assert one.associated == set(range(10, 24))
    assert one.kinds == {"frame", "exit_prefix"}


def test_an_object_far_wider_than_the_cohort_stays_apart():
    assert len(merge([hub(range(31)), text(range(10), 1)])) == 2
    assert len(merge([hub([*range(5), *range(20, 35)]), text(range(10), 1)])) == 2


def test_merging_does_not_chain_strangers_together():
    chain = [text(range(k, k + 10), k) for k in range(0, 30, 3)]
    for one in merge(chain):
        assert len(one.subjects) < 40
    ends = [c for c in merge(chain) if 0 in c.subjects and 36 in c.subjects]
    assert not ends


def test_several_templates_of_much_the_same_senders_are_one_hypothesis():
    sparse = [text(range(60), 1), text(range(30, 85), 2), text(range(20, 70, 2), 3)]
    (one,) = merge(sparse, population=5_000)
    assert one.frames == {1, 2, 3}
    assert one.subjects == set(range(85))


def test_templates_of_the_whole_population_stay_apart():
    common = [text(range(60), 1), text(range(30, 85), 2)]
    assert len(merge(common, population=200)) == 2  # that many are shared by chance


def test_a_closing_phrase_of_the_template_is_no_template():
    phrase = [text(range(40), 1), text([*range(0, 40, 2), *range(100, 140)], 2)]
    assert len(merge(phrase, population=5_000)) == 1
    assert len(merge(phrase, together={(1, 2): 60}, population=5_000)) == 2


def test_sparse_templates_do_not_chain_strangers_together():
    chain = [text(range(12 * k, 12 * k + 20), k) for k in range(12)]
    assert all(len(one.subjects) < 50 for one in merge(chain, population=5_000))


def test_merging_is_the_same_for_any_order_and_leaves_its_input():
    candidates = [text(range(10), 1), text(range(2, 12), 2), hub(range(18)), text({50, 51, 52}, 3)]
    before = [(set(c.kinds), set(c.subjects), set(c.frames)) for c in candidates]
    forth, back = merge(candidates), merge(candidates[::-1])
    assert forth == back
    assert [(c.kinds, c.subjects, c.frames) for c in candidates] == before


def test_a_shared_payment_joins_accounts_into_a_cohort(log, linked):
    log.chatter(people=60, each=1)
    crew = sorted(log.people)[:6]
    for name in crew:
        log.account(name, payment_hash="one card")
    (cohort,) = linked(log).query("SELECT * FROM cohorts").to_pylist()
    assert cohort["found_by"] == ["payment"]
    assert len(cohort["subjects"]) == 6


def test_neighbours_behind_one_address_are_no_cohort(log, linked):
    for k in range(60):
        log.say(f"quiet-{k:02}", log.words(24), ip="10.1.1.9" if k < 6 else f"10.2.{k}.1")
    assert linked(log).query("SELECT * FROM cohorts").num_rows == 0


def test_objects_are_never_taken_for_accounts(log, linked):
    """The account of the highest number hands over only: it is `a` of its links, never `b`."""
    log.chatter(people=60, each=1)
    names = sorted(log.people)
    for name in names[:6]:
        log.account(name, payment_hash="one card")
    opening, answer = log.words(20), log.words(30)
    for k in range(2):
        log.say(names[0], log.words(9), at=timedelta(hours=3 + k),
                before=[("user", opening), ("assistant", answer)])  # fmt: skip
    log.say("zed", opening, at=timedelta(hours=2), output_text=answer)
    runner = linked(log)
    last = runner.query("SELECT max(sid) AS n FROM subjects")["n"][0].as_py()
    assert runner.query("SELECT DISTINCT a FROM direct")["a"].to_pylist() == [last]
    assert runner.query("SELECT max(b) AS n FROM weights")["n"][0].as_py() < last
    (cohort,) = runner.query("SELECT * FROM cohorts").to_pylist()
    held = runner.query("SELECT sid FROM objects WHERE kind = 'payment'")["sid"].to_pylist()
    assert len(held) == 6
    assert set(cohort["subjects"]) <= {*held, last}
    assert "payment" in cohort["found_by"]


def test_what_is_not_worth_it_is_left_out_and_changes_nothing_else():
    a, b, w = (np.array(c) for c in zip(*two_cliques(), strict=True))
    more_a, more_b = np.concatenate([a, [90, 91]]), np.concatenate([b, [91, 92]])
    more_w = np.concatenate([w, [1.0, 1.0]])
    asked = []

    def worth(nodes):
        asked.append(nodes.tolist())
        return len(nodes) > 3

    found = communities(more_a, more_b, more_w, worth=worth)
    assert found == communities(a, b, w)
    assert sorted(asked) == [[*range(5), *range(10, 15)], [90, 91, 92]]
    assert communities(more_a, more_b, more_w)[-1] == [90, 91, 92]
