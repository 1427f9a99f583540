"""Detectors of others, one a file, each with the facts of its paper and what differs here.

All of them read the same `Traffic` and give every account a score, so that all are judged at the
same share of honest accounts accused. A method that is not here is not implemented.
"""

from stillwatch.bench.baselines.fraudar import Fraudar
from stillwatch.bench.baselines.fused_networks import FusedNetworks
from stillwatch.bench.baselines.hoda import Hoda
from stillwatch.bench.baselines.honeypot import HoneypotLlm
from stillwatch.bench.baselines.isolation_forest import IsolationForest
from stillwatch.bench.baselines.prada import Prada
from stillwatch.bench.baselines.seat import Seat
from stillwatch.bench.baselines.synchrotrap import SynchroTrap
from stillwatch.bench.baselines.volume_rules import VolumeRules
from stillwatch.bench.baselines.window_mmd import WindowMmd
from stillwatch.bench.detector import Detector

BASELINES: tuple[Detector, ...] = (
    VolumeRules(),
    IsolationForest(),
    Prada(),
    Seat(),
    Hoda(),
    WindowMmd(),
    SynchroTrap(),
    FusedNetworks(),
    Fraudar(),
    HoneypotLlm(),
)
__all__ = ["BASELINES"]
