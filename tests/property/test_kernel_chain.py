"""A conversation that came a turn at a time has the prefix of the same one sent whole."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.kernel import Chain, chain_of, one, tokens, turn_of
from stillwatch.kernel.chain import _SURE

from .test_kernel_equals_reference import CONTENT, MESSAGE

TURN = st.tuples(st.lists(MESSAGE, max_size=3), CONTENT)


@settings(max_examples=200, deadline=None)
@given(st.lists(TURN, min_size=1, max_size=4))
def test_turns_chain_to_the_prefix_of_the_whole(turns):
    chain, whole = Chain(), []
    for messages, output in turns:
        chain = chain.then(turn_of({"messages": messages, "output_text": output}))
        whole += [*messages, {"role": b"assistant", "content": output}]
    full = one({"messages": whole}, with_intents=False).prefix_full
    assert full in (0, chain.prefix), "0: under twelve tokens"
    assert chain_of({"messages": whole}, full) == chain


def test_a_conversation_of_twelve_tokens_has_one_and_system_messages_do_not_count():
    ask = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "tide " * 12}]
    first = {"messages": ask, "output_text": "It turns."}
    full = one(first, with_intents=False).prefix_full
    assert full
    assert Chain().then(turn_of(first)).prefix == full
    assert Chain().prefix == 0


def test_a_character_that_surely_makes_a_token_does():
    sure = [chr(cp) for cp in range(0x10000) if _SURE.match(chr(cp))]
    assert len(sure) > 32_000
    assert not [one_ for one_ in sure if not tokens(one_)]


def test_what_makes_a_token_is_known_of_every_ascii_character():
    said = {"role": "user", "content": "tide " * 12}
    for content in (*map(chr, range(128)), "…", "é", "你", "\u00ad", b"a", b"-", None):
        asked = {"messages": [said, {"role": "user", "content": content}], "output_text": content}
        full = one(asked, with_intents=False).prefix_full
        assert chain_of(asked, full) == Chain().then(turn_of(asked)), content
