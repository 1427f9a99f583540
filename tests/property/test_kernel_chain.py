"""A conversation that came a turn at a time has the prefix of the same one sent whole."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from stillwatch.kernel import Chain, one, turn_of

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


def test_a_conversation_of_twelve_tokens_has_one_and_system_messages_do_not_count():
    ask = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "tide " * 12}]
    first = {"messages": ask, "output_text": "It turns."}
    full = one(first, with_intents=False).prefix_full
    assert full
    assert Chain().then(turn_of(first)).prefix == full
    assert Chain().prefix == 0
