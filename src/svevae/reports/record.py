"""`svevae record`: the end of each MLproject entry gives its run the scores, so that a run that
found everything done is not empty.
"""

from __future__ import annotations

import os
from pathlib import Path

from svevae import tracking
from svevae.model.scores import Scores

METRICS = Path("artifacts/evaluation/metrics.json")
TRAINED = Path("artifacts/run.json")


def record() -> None:
    """Read what the pipeline wrote, as far as it ran; outside `mlflow run` do nothing."""
    if "MLFLOW_RUN_ID" in os.environ and TRAINED.is_file():
        scores = Scores.load(METRICS).values() if METRICS.is_file() else {}
        tracking.add_to_current_run(tracking.flatten(scores), tracking.read_run_id(TRAINED))
