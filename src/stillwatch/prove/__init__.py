"""Was this model trained on that one's answers, through which campaign, at what cost in safety?

In: saved answers (responses.parquet), reference models with known descent, plans of canaries.
Out: results with a null, an error rate and its limits; a signed case file. Promise: every p-value
is exact under the null it names or says that it is none; nothing here reads a signal or a campaign
but what a finished run says of it, so that traffic and model are two independent lines of evidence.

Registry and case file need ``cryptography`` and ``securesystemslib`` (``stillwatch[prove]``).
"""

from stillwatch.prove.agreement import (
    Agreed,
    agreement_power,
    next_token_agreement,
    read_first_tokens,
)
from stillwatch.prove.canary import (
    CanaryScore,
    fact_power,
    likelihood_points,
    mark_points,
    plan_power,
    score_canaries,
    score_plan,
    score_points,
)
from stillwatch.prove.casefile import build_case, seal_case, verify_case
from stillwatch.prove.closeness import Closeness, measure_closeness
from stillwatch.prove.collect import Collected, collect_answers, estimate_cost
from stillwatch.prove.dependence import Dependence, estimate_dependence
from stillwatch.prove.endpoints import Ask, parse_spec
from stillwatch.prove.equality import Equality, equality_power, model_equality, read_samples
from stillwatch.prove.grading import grading_prompt, grading_prompts, read_verdicts
from stillwatch.prove.guardrails import compare_guardrails, grade, grader_agreement
from stillwatch.prove.habits import HABITS, PROFILES, habits
from stillwatch.prove.identity import (
    Named,
    identity_power,
    identity_questions,
    self_identification,
)
from stillwatch.prove.inquiries import inquire_guardrails, inquire_lineage
from stillwatch.prove.inspect_log import answers_of_inspect
from stillwatch.prove.likelihood import (
    Likelihoods,
    Question,
    Scorer,
    ask_likelihoods,
    read_likelihoods,
    read_questions,
    write_questions,
)
from stillwatch.prove.likeness import (
    inquire_agreement,
    inquire_equality,
    inquire_identity,
    inquire_profiles,
)
from stillwatch.prove.lineage import (
    LEAST_GROUPS,
    LEAST_PROMPTS,
    LEAST_TO_NAME,
    LineageResult,
    compare_lineage,
    excess,
    family_scores,
)
from stillwatch.prove.marks import PLACES, Mark, Plan, coin, coin_key, draw_plan, plant
from stillwatch.prove.planting import order_planting
from stillwatch.prove.profiles import (
    ProfileResult,
    Profiles,
    compare_profiles,
    habit_rates,
    measure_habits,
    profile_excess,
)
from stillwatch.prove.prompts import read_prompts, write_prompts
from stillwatch.prove.radioactivity import Radioactivity, is_green, score_radioactivity
from stillwatch.prove.registry import Registry
from stillwatch.prove.responses import (
    Answers,
    Reference,
    check_same_prompts,
    read_references,
    read_responses,
)
from stillwatch.prove.results import plain, read_bytes
from stillwatch.prove.suite import Item, own_suite, read_suite, read_suites
from stillwatch.prove.tracing import (
    Registration,
    inquire_canary,
    plan_canaries,
    read_plan,
    read_seed,
    register,
    standing_of,
)
from stillwatch.prove.weights import Weights, load_weights, local_endpoint

__all__ = [
    "HABITS",
    "LEAST_GROUPS",
    "LEAST_PROMPTS",
    "LEAST_TO_NAME",
    "PLACES",
    "PROFILES",
    "Agreed",
    "Answers",
    "Ask",
    "CanaryScore",
    "Closeness",
    "Collected",
    "Dependence",
    "Equality",
    "Item",
    "Likelihoods",
    "LineageResult",
    "Mark",
    "Named",
    "Plan",
    "ProfileResult",
    "Profiles",
    "Question",
    "Radioactivity",
    "Reference",
    "Registration",
    "Registry",
    "Scorer",
    "Weights",
    "agreement_power",
    "answers_of_inspect",
    "ask_likelihoods",
    "build_case",
    "check_same_prompts",
    "coin",
    "coin_key",
    "collect_answers",
    "compare_guardrails",
    "compare_lineage",
    "compare_profiles",
    "draw_plan",
    "equality_power",
    "estimate_cost",
    "estimate_dependence",
    "excess",
    "fact_power",
    "family_scores",
    "grade",
    "grader_agreement",
    "grading_prompt",
    "grading_prompts",
    "habit_rates",
    "habits",
    "identity_power",
    "identity_questions",
    "inquire_agreement",
    "inquire_canary",
    "inquire_equality",
    "inquire_guardrails",
    "inquire_identity",
    "inquire_lineage",
    "inquire_profiles",
    "is_green",
    "likelihood_points",
    "load_weights",
    "local_endpoint",
    "mark_points",
    "measure_closeness",
    "measure_habits",
    "model_equality",
    "next_token_agreement",
    "order_planting",
    "own_suite",
    "parse_spec",
    "plain",
    "plan_canaries",
    "plan_power",
    "plant",
    "profile_excess",
    "read_bytes",
    "read_first_tokens",
    "read_likelihoods",
    "read_plan",
    "read_prompts",
    "read_questions",
    "read_references",
    "read_responses",
    "read_samples",
    "read_seed",
    "read_suite",
    "read_suites",
    "read_verdicts",
    "register",
    "score_canaries",
    "score_plan",
    "score_points",
    "score_radioactivity",
    "seal_case",
    "self_identification",
    "standing_of",
    "verify_case",
    "write_prompts",
    "write_questions",
]
