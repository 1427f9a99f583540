"""Who owns an entity, as statements say, and what a rule makes of it.

Input: BODS 0.4 statements or FollowTheMoney entities, and rules in TOML. Output: an answer an
entity (restricted, possible, undetermined, clear) with the chain of holdings behind it. Promise: a
share that is not known is an interval and never a guess; a person has no nationality here, because
no field holds one; an answer sets access and says nothing about conduct.
"""

from stillwatch.policy.owners.answers import Answer, Answers, answer_all
from stillwatch.policy.owners.chains import Step
from stillwatch.policy.owners.holdings import UNIT, Dates, Interest, Note, Party, Register
from stillwatch.policy.owners.read import read_statements
from stillwatch.policy.owners.rules import OwnershipRule, example_rules, read_rules

__all__ = [
    "UNIT",
    "Answer",
    "Answers",
    "Dates",
    "Interest",
    "Note",
    "OwnershipRule",
    "Party",
    "Register",
    "Step",
    "answer_all",
    "example_rules",
    "read_rules",
    "read_statements",
]
