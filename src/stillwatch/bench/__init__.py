"""Suites, baselines and scores: how well is distillation found, and how often are the honest hit.

*Input*: simulated worlds with their truth. *Output*: one JSON file a (world, seed, detector),
then tables and pictures. *Promise*: what is there is not made again; every detector sees the same
log and is judged by the same thresholds; every share comes with its N and its exact interval.
"""

from stillwatch.bench.harness import run_suite
from stillwatch.bench.ledger import append_look
from stillwatch.bench.page import write_pages
from stillwatch.bench.suites import suite
from stillwatch.bench.table import results_of

__all__ = ["append_look", "results_of", "run_suite", "suite", "write_pages"]
