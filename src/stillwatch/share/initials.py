"""Do the letters that words begin with read as text? Decided by a likelihood ratio.

Words begin with other letters than text is made of (`e` is a twelfth of text and begins few words),
and the initials of a sentence follow each other as they like. The chance of a row of letters as
running text over its chance as initials is an e-value against honest initials: they reach n nats
with a chance of at most exp(-n), as far as their counted frequencies hold.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

__all__ = ["read_nats"]

# Log ratios in quarters of a nat, a letter each, `m` for none: first of a row's first letter, then
# a row a letter, a column the letter after it. Counted by perf/first_letters.py in this project's
# pages.
_ROWS: Final = """
    kikorkoplilnlpmkoomlqnitrm alnoahpeleopnsakhpnnnneuwj kffdweafhvethdocajjasebmza
    maoaraetjaroaapdijgmtgaata lmkpvjplnikkmhmmijokonjgta khmrkmmiigknorilzqokfliztz
    lgiinmhiqkjkfipicpimtihnma ljhhtikrogkolwigsolhragfgz ocgewchfngifddmhbmegpffeqz
    agmonjtaaaiomrkhulpoatavaz hbbgwaacbfaadenamarczmaiqk jfhkxjdfodgkmnejviognahofh
    kfhrtjffoakriemjtgliqokatf mkdoudeeoiajkimtkdifpedfzz jgkuqhtfjjikgingehmnpkiirv
    blhlirqhffpqpvilasjiyrmqgi neaatbflkaatfelmarjmqfcpoi aaabeaaaabexaaabagaazgamkf
    kgjnuhkilcolnkmgviokspfzuz mikkskhonlokjmmkokkonmlhrg kijgrghupjghhhmgblmipfkorf
    gmlorcpajahtmwameqpkaaaugc mabazaibpabbbcghhbaafaamkf lddarhewneegipoegnkccjdzaa
    lmvctkdjpaadlhkqdcfooefezb nronqfnrmwiinklnpsonsvoiay qdijufjlidaihhrcjgleqjaoth
"""
_TABLE: Final = _ROWS.split()
_NONE: Final = ord("m")


def read_nats(row: str) -> float:
    """Return by how many nats a row of letters from a to z is likelier text than initials.

    *Error*: of 303 sentences that analysts wrote one reaches 3.5 nats; of 2,000 rows of 16 letters
    of hidden sentences 85 percent do, of 8 letters 60.

    >>> read_nats("thepricesrise") > 5, read_nats("tpacotfaotsi") < 0
    (True, True)
    """
    steps = (_TABLE[ord(a) - 96][ord(b) - 97] for a, b in pairwise(row))
    first = (_TABLE[0][ord(row[0]) - 97],) if row else ()
    return sum(ord(step) - _NONE for step in (*first, *steps)) / 4
