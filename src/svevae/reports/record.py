"""record: no stage of dvc.yaml but the end of each MLproject entry, so that a run that found
everything done is not empty.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from svevae import tracking

METRICS = Path("artifacts/evaluation/metrics.json")
TRAINED = Path("artifacts/run.json")


def record() -> None:
    """Read what the pipeline wrote, as far as it ran; outside `mlflow run` do nothing."""
    if "MLFLOW_RUN_ID" in os.environ and TRAINED.is_file():
        scores = json.loads(METRICS.read_text()) if METRICS.is_file() else {}
        tracking.add_to_current_run(
            tracking.flatten(scores), json.loads(TRAINED.read_text())["run_id"]
        )
