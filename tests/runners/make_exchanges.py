"""Make the table `exchanges` of a run's folder on an engine, in row groups of 2,048.

    python tests/runners/make_exchanges.py ENGINE STAGES

So small, that a world of the tests has many stretches. The tables before it must be there.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

from stillwatch.profiles import EXCHANGES_STEP
from stillwatch.runners import EngineRunner, open_cluster
from stillwatch.schema import Settings

STEP = dataclasses.replace(EXCHANGES_STEP, group_rows=2_048)


def main(engine: str, stages: str) -> None:
    with open_cluster(engine) as cluster:
        runner = EngineRunner(Path(stages), Settings(), cluster=cluster, threads=1)
        try:
            for table in STEP.inputs:
                runner.adopt(table)
            runner.run(STEP)
        finally:
            runner.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
