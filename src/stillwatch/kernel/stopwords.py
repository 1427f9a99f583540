"""The frozen stop list of the topic vector, version 1: words that carry no topic.

Only what the topic vector would count is listed: words of four codepoints or more, and pairs of
codepoints of scripts written without spaces. Every language has about the same number of entries.
"""

from __future__ import annotations

from typing import Final

from stillwatch.kernel import hashes
from stillwatch.kernel.tokenizer import tokens

__all__ = ["STOP_PAIRS", "STOP_WORDS", "stop_hashes"]

_WORDS: Final = """
that this with from have what which your will would could should about there their them they when
where then than been were does into more some such only also just like make please other these
those while each very many much over most because between using after before being here want need
para como pero este esta estos estas esto porque cuando donde quien cual cuales desde hasta sobre
entre también todo todos toda todas algo cada otro otra otros sólo solo puede pueden
tiene hacer favor quiero necesito sido eres está están unos unas ellos ellas nosotros aunque
nicht eine einen einem einer eines sind wird werden wurde haben hatte kann können soll sollte muss
auch aber oder wenn dann dass weil über unter nach beim durch ohne gegen zwischen diese dieser
dieses diesen mein dein sein ihre ihrer noch schon sehr mehr viel alle bitte mich dich euch
dans avec pour plus mais cette sont être avoir fait faire peut peuvent doit doivent comme
quand alors donc parce entre sous vers chez sans leur leurs nous vous elle elles tout tous toute
toutes très aussi bien même quel quelle quels veux voudrais merci votre notre était ceux
"""

_PAIRS: Final = """
我们 你们 他们 这个 那个 一个 什么 怎么 如何 可以 需要 以及 或者 因为 所以 如果 但是 没有 不是 就是
这些 那些 请你 帮我 一些 已经 还是 自己 现在 时候 进行 通过 对于 关于 根据 使用 其中 之间 以下 为了
です ます した して する から まで この その あの どの こと もの ない ある いる れる られ ため よう
とき なら では には とは でき くだ ださ さい あな なた わた たし ので のに けど また それ これ
"""
STOP_WORDS: Final = tuple(_WORDS.split())
STOP_PAIRS: Final = tuple(_PAIRS.split())


def stop_hashes() -> frozenset[int]:
    """The token hashes of the words and the pair hashes of the pairs."""
    words = {tokens(word)[0].hash for word in STOP_WORDS}
    pairs = {hashes.sequence_hash([t.hash for t in tokens(pair)]) for pair in STOP_PAIRS}
    return frozenset(words | pairs)
