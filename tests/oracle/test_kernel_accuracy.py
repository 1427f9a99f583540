"""The similarities mean something on real text: near is near, far is far, errors are as stated."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import pytest

from stillwatch import kernel
from stillwatch.kernel import intents, reference, similarity

DATA = Path(os.environ.get("STILLWATCH_DATA", Path(__file__).parents[3] / "shared" / "data"))
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(
        not (DATA / "prompts").is_dir(), reason="no data folder (set STILLWATCH_DATA)"
    ),
]


def first_user_texts(file: str, rows: int) -> list[str]:
    """The first user message of each conversation, each text once."""
    table = pq.read_table(DATA / "prompts" / file, columns=["messages"]).slice(0, rows)
    users = (
        next((m["content"] or "" for m in messages if m["role"] == "user"), "")
        for messages in table["messages"].to_pylist()
    )
    return list(dict.fromkeys(users))


def long_prompts(file: str) -> list[str]:
    """At most 250 prompts of 60 words or more, cut to 200 words."""
    words = (text.split()[:200] for text in first_user_texts(file, 3000))
    return [" ".join(w) for w in words if len(w) >= 60][:250]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    found = long_prompts("benign/sharegpt_sample.parquet") + long_prompts("lookalike/gsm8k.parquet")
    return [found[i] for i in np.random.default_rng(6).permutation(len(found))]


def edited(text: str, share: float, rng: np.random.Generator) -> str:
    """The text with a share of its words replaced by words that are nowhere else."""
    words = text.split()
    for i in rng.choice(len(words), max(1, round(share * len(words))), replace=False):
        words[i] = f"zq{rng.integers(1 << 40):x}x"
    return " ".join(words)


def jaccard(a: str, b: str) -> float:
    """Exact, by the shingle sets of the reference."""
    x, y = (set(similarity.shingles([t.hash for t in kernel.tokens(text)])) for text in (a, b))
    return len(x & y) / len(x | y)


def agreement(a: str, b: str) -> float:
    return float(np.mean(np.array(kernel.minhash(a)) == np.array(kernel.minhash(b))))


def hamming(a: str, b: str) -> int:
    return (kernel.simhash(a) ^ kernel.simhash(b)).bit_count()


def topics(file: str) -> npt.NDArray[np.float64]:
    """Unit topic vectors of a file's prompts."""
    vectors = [
        np.frombuffer(kernel.one({"messages": [{"role": "user", "content": t}]}).topic, np.int8)
        for t in first_user_texts(file, 150)
    ]
    found = np.array([v for v in vectors if v.any()], dtype=float)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_minhash_error_is_that_of_the_theory(texts: list[str]) -> None:
    rng = np.random.default_rng(7)
    exact, estimated = [], []
    for text in texts:
        for share in (0.01, 0.03, 0.08, 0.2):
            other = edited(text, share, rng)
            exact.append(jaccard(text, other))
            estimated.append(agreement(text, other))
    truth, error = np.array(exact), np.array(estimated) - np.array(exact)
    deviation = np.sqrt(truth * (1 - truth) / 64)
    assert len(truth) >= 800  # pairs
    assert 0.1 < truth.min() < truth.max() < 1
    # The pairs share texts, so that the bands are wider than for independent ones (4 and 10 %).
    assert abs(error.mean()) < 4 * deviation.mean() / np.sqrt(len(texts))
    assert np.sqrt((error**2).mean()) == pytest.approx(np.sqrt((deviation**2).mean()), rel=0.1)
    assert np.abs(error / deviation).max() < 5.5


def test_minhash_of_unrelated_texts_is_far(texts: list[str]) -> None:
    pairs = list(itertools.pairwise(texts))
    near_zero = [(a, b) for a, b in pairs if jaccard(a, b) < 0.01]
    assert len(near_zero) > 0.8 * len(pairs)
    assert np.mean([agreement(a, b) for a, b in near_zero]) < 0.01


def test_simhash_distance_grows_with_the_edits(texts: list[str]) -> None:
    rng = np.random.default_rng(8)
    means = [
        np.mean([hamming(t, edited(t, share, rng)) for t in texts])
        for share in (0.01, 0.03, 0.08, 0.2, 0.5)
    ]
    unrelated = np.mean([hamming(a, b) for a, b in itertools.pairwise(texts)])
    assert means == sorted(means)
    assert means[0] < 8
    assert 28 < unrelated < 34
    assert means[-1] < unrelated


def test_bands_meet_near_duplicates_only(texts: list[str]) -> None:
    rng = np.random.default_rng(9)

    def band_set(text: str) -> set[int]:
        row = kernel.one({"messages": [{"role": "user", "content": text}]})
        return {row[row._fields.index(f"band_{i}")] for i in range(8)}

    near = np.mean([bool(band_set(t) & band_set(edited(t, 0.01, rng))) for t in texts])
    far = np.mean([bool(band_set(a) & band_set(b)) for a, b in itertools.pairwise(texts)])
    assert near > 0.9
    assert far < 0.02


@pytest.mark.parametrize(
    "files",
    [
        ("lookalike/gsm8k", "distill/toolbench_chatgpt", "distill/prometheus_grading"),
        ("distill/huatuo_llama_med_zh", "distill/smile_zh"),
    ],
    ids=["en", "zh"],
)
def test_topics_of_one_kind_are_closer_than_of_two(files: tuple[str, ...]) -> None:
    kinds = [topics(f"{file}.parquet") for file in files]
    within = [(v @ v.T)[np.triu_indices(len(v), 1)].mean() for v in kinds]
    between = [(a @ b.T).mean() for a, b in itertools.combinations(kinds, 2)]
    assert min(within) > 1.5 * max(between)


def test_topic_products_estimate_word_count_products(texts: list[str]) -> None:
    """Signed hashing is unbiased: the mean over unrelated pairs and over parts is right."""
    rng = np.random.default_rng(10)
    halves = []
    for text in texts:
        words = rng.permutation(text.split())
        halves.append((" ".join(words[::2]), " ".join(words[1::2])))

    def vector(text: str) -> npt.NDArray[np.float64]:
        row = kernel.one({"messages": [{"role": "user", "content": text}]})
        found = np.frombuffer(row.topic, np.int8).astype(float)
        norm = np.linalg.norm(found)
        return found / norm if norm else found

    same = np.mean([vector(a) @ vector(b) for a, b in halves])
    other = np.mean([vector(a) @ vector(b) for (a, _), (_, b) in itertools.pairwise(halves)])
    assert same > other + 0.2


def test_intents_equal_python_re_on_real_prompts() -> None:
    files = sorted((DATA / "prompts").glob("*/*.parquet"))
    assert files
    compared = hit = 0
    for path in files:
        table = pq.read_table(path, columns=["messages"])
        batch = table.slice(0, 40).combine_chunks().to_batches()[0]
        found = kernel.batch(batch)["intents"].to_pylist()
        exchanges = batch.to_pylist()
        expected = [intents.match_slowly(reference.scan_text(e)) for e in exchanges]
        assert found == expected, path.name
        compared += len(found)
        hit += sum(bits != 0 for bits in found)
    assert compared > 1000
    assert 0.05 < hit / compared < 0.95


def test_c_equals_the_reference_on_real_conversations() -> None:
    for file in ("benign/sharegpt_sample", "distill/smile_zh", "lookalike/swe_agent"):
        table = pq.read_table(DATA / "prompts" / f"{file}.parquet", columns=["messages"])
        batch = table.slice(0, 12).combine_chunks().to_batches()[0]
        rows = kernel.batch(batch).to_pylist()
        for row, exchange in zip(rows, batch.to_pylist(), strict=True):
            assert reference.featurize(exchange, row["intents"])._asdict() == row
