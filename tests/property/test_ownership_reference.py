"""Cascade and product against brute force: every share on a grid, every set of parties.

First of registers that are consistent; then of such as there are: owners of whom nothing is said,
holdings of more than the whole, closed parties, and several records of one holding.
"""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.policy.owners import UNIT, Interest, Party, Register
from stillwatch.policy.owners.cascade import restricted_by_cascade
from stillwatch.policy.owners.graph import build_graph
from stillwatch.policy.owners.interest import economic_interest
from stillwatch.policy.owners.mass import LEVELS

ASSETS = ("a", "b", "c")
SEED, PERSON, NOBODY = "seed", "person", "?"
STEP = UNIT // 4


@st.composite
def registers(draw):
    """Return holdings in quarters whose lower bounds fit into the whole, at most 2 an asset."""
    held = {}
    for asset in ASSETS:
        owners = draw(st.lists(st.sampled_from([*ASSETS, SEED, PERSON, NOBODY]), unique=True,
                               max_size=2))  # fmt: skip
        free, bounds = 4, {}
        for owner in owners:
            low = draw(st.integers(0, free))
            high = draw(st.integers(low, min(4, low + 2)))
            free -= low
            bounds[owner] = (low, high)
        held[asset] = bounds
    return held


def register_of(held):
    interests = [
        Interest(None if owner == NOBODY else owner, asset, "shareholding",
                 low * STEP, high * STEP, (f"{owner}-{asset}",))
        for asset, bounds in held.items()
        for owner, (low, high) in bounds.items()
    ]  # fmt: skip
    parties = {PERSON: Party(PERSON, "person"), **{a: Party(a, "entity") for a in ASSETS}}
    return Register(parties, tuple(interests), ())


def choices(bounds, level):
    """Yield every way to hold one asset: owner → quarters."""
    owners = sorted(bounds)
    spans = [
        [bounds[o][0]] if level == "certain" or (o == NOBODY and level == "possible")
        else range(bounds[o][0], bounds[o][1] + 1)
        for o in owners
    ]  # fmt: skip
    for shares in product(*spans):
        if sum(shares) <= 4:
            yield dict(zip(owners, shares, strict=True))


def worlds(held, level):
    ways = [list(choices(bounds, level)) for bounds in held.values()]
    for combination in product(*ways):
        yield dict(zip(held, combination, strict=True))


def brute_cascade(held, listed, threshold, strict, level):
    """Return the assets in the intersection of all closed sets, in some world of the level."""
    sets = [set(listed) | {a for a, on in zip(held, bits, strict=True) if on}
            for bits in product((False, True), repeat=len(held))]  # fmt: skip
    found = set()
    for world in worlds(held, level):
        closed = [s for s in sets if all(
            a in s or not reaches(sum(n for o, n in world[a].items() if o in s), threshold, strict)
            for a in held
        )]  # fmt: skip
        found |= set.intersection(*closed)
    return found


def reaches(quarters, threshold, strict):
    return quarters > threshold if strict else quarters >= threshold


def brute_interest(held, listed, level):
    """Return the largest interest over the worlds of a level, each by simple iteration from 0."""
    best = dict.fromkeys(held, 0.0)
    for world in worlds(held, level):
        value = dict.fromkeys(held, 0.0)
        for _ in range(400):
            value = {
                a: 1.0 if a in listed
                else sum(n / 4 * (1.0 if o in listed else value.get(o, 0.0))
                         for o, n in world[a].items())
                for a in held
            }  # fmt: skip
        best = {a: max(best[a], value[a]) for a in held}
    return best


@settings(max_examples=120)
@given(held=registers(), threshold=st.integers(1, 4), strict=st.booleans())
def test_cascade_is_the_least_fixed_point_of_some_world(held, threshold, strict):
    graph = build_graph(register_of(held), "shareholding", remainder_unknown=False)
    for level in LEVELS:
        listed = {SEED} | ({NOBODY} if level == "unknown" else set())
        if level == "unknown" and any(not bounds for bounds in held.values()):
            continue  # of an asset without statements everything is unknown; tested apart
        got = restricted_by_cascade(graph, {SEED}, threshold * STEP, strict=strict, level=level)
        assert set(got) & set(ASSETS) == brute_cascade(
            held, listed, threshold, strict, level
        ) & set(ASSETS)


@settings(max_examples=60)
@given(held=registers())
def test_product_is_the_largest_interest_of_any_world(held):
    graph = build_graph(register_of(held), "shareholding", remainder_unknown=False)
    for level in LEVELS:
        if level == "unknown" and any(not bounds for bounds in held.values()):
            continue
        listed = {SEED} | ({NOBODY} if level == "unknown" else set())
        want, got = brute_interest(held, listed, level), economic_interest(graph, {SEED}, level)
        for asset in ASSETS:
            assert abs(want[asset] - got[asset]) < 1e-9, (asset, level)


@given(held=registers(), threshold=st.integers(1, 4), remainder=st.booleans())
def test_more_doubt_never_frees_and_more_seeds_never_free(held, threshold, remainder):
    graph = build_graph(register_of(held), "shareholding", remainder_unknown=remainder)
    sets = [
        set(restricted_by_cascade(graph, {SEED}, threshold * STEP, strict=False, level=level))
        for level in LEVELS
    ]
    assert sets[0] <= sets[1] <= sets[2]
    values = [economic_interest(graph, {SEED}, level) for level in LEVELS]
    for asset in ASSETS:
        assert values[0][asset] <= values[1][asset] + 1e-12 <= values[2][asset] + 2e-12
        assert 0.0 <= values[2][asset] <= 1.0
    more = set(
        restricted_by_cascade(
            graph, {SEED, PERSON}, threshold * STEP, strict=False, level="certain"
        )
    )
    assert sets[0] <= more


@given(held=registers())
def test_what_the_listed_own_entirely_by_cascade_they_own_entirely_by_product(held):
    graph = build_graph(register_of(held), "shareholding", remainder_unknown=False)
    by_cascade = restricted_by_cascade(graph, {SEED}, UNIT, strict=False, level="certain")
    by_product = economic_interest(graph, {SEED}, "certain")
    whole = {a for a in ASSETS if by_product[a] > 1 - 1e-12}
    assert set(by_cascade) & set(ASSETS) <= whole


PAIR = ("a", "b")


@st.composite
def muddles(draw):
    """Return records in quarters: (owner, asset) → intervals, one or two; and who is closed."""
    owners = [*PAIR, SEED, PERSON, NOBODY]
    places = draw(st.lists(st.tuples(st.sampled_from(owners), st.sampled_from(PAIR)), unique=True,
                           max_size=5))  # fmt: skip
    interval = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(lambda p: (min(p), max(p)))
    records = {
        place: draw(st.lists(interval, min_size=1, max_size=1 if place[0] == NOBODY else 2))
        for place in places
    }
    return records, draw(st.sets(st.sampled_from([*PAIR, SEED]), max_size=2))


def muddled_register(records, closed):
    interests = [
        Interest(None if owner == NOBODY else owner, asset, "shareholding", low * STEP,
                 high * STEP, (f"{owner}-{asset}-{n}",))
        for (owner, asset), intervals in records.items()
        for n, (low, high) in enumerate(intervals)
    ]  # fmt: skip
    kinds = {PERSON: "person", SEED: "entity", **dict.fromkeys(PAIR, "entity")}
    parties = {p: Party(p, kind, ended=p in closed) for p, kind in kinds.items()}
    return Register(parties, tuple(interests), ())


def bounds_of(records, closed, remainder):
    """Return what docs/ownership.md says of such records: asset → owner → quarters it may hold."""
    held = {}
    for asset in PAIR:
        bounds = {}
        for (owner, owned), intervals in records.items():
            if owned != asset:
                continue
            allowed = [set(range(low, high + 1)) for low, high in intervals]
            shares = set.intersection(*allowed) or set().union(*allowed)
            bounds[owner] = (0 if owner in closed else min(shares), max(shares))
        over = max(0, sum(low for low, _ in bounds.values()) - 4)
        bounds = {o: (max(0, low - over), high) for o, (low, high) in bounds.items()}
        if remainder or not bounds:
            bounds[NOBODY] = (bounds.get(NOBODY, (0, 4))[0], 4)
        held[asset] = bounds
    return held


@settings(max_examples=150, deadline=None)
@given(muddle=muddles(), threshold=st.integers(1, 4), strict=st.booleans(), rest=st.booleans())
def test_cascade_of_muddled_records_is_that_of_some_world(muddle, threshold, strict, rest):
    graph = build_graph(muddled_register(*muddle), "shareholding", remainder_unknown=rest)
    held = bounds_of(*muddle, rest)
    for level in LEVELS:
        listed = {SEED} | ({NOBODY} if level == "unknown" else set())
        got = restricted_by_cascade(graph, {SEED}, threshold * STEP, strict=strict, level=level)
        want = brute_cascade(held, listed, threshold, strict, level)
        assert set(got) & set(PAIR) == want & set(PAIR), level


@settings(max_examples=60, deadline=None)
@given(muddle=muddles(), rest=st.booleans())
def test_product_of_muddled_records_is_the_largest_of_any_world(muddle, rest):
    graph = build_graph(muddled_register(*muddle), "shareholding", remainder_unknown=rest)
    held = bounds_of(*muddle, rest)
    for level in LEVELS:
        listed = {SEED} | ({NOBODY} if level == "unknown" else set())
        want, got = brute_interest(held, listed, level), economic_interest(graph, {SEED}, level)
        for asset in PAIR:
            assert abs(want[asset] - got[asset]) < 1e-9, (asset, level)
