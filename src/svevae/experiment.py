"""Entry point mlflow.default_experiment_provider: `mlflow run .` in a svevae project needs no
--experiment-name.

mlflow loads this module while it is being imported itself, so this one imports it only when it is
asked. It is a DefaultExperimentProvider by its two methods, which is all that mlflow asks for.
"""

from __future__ import annotations

from pathlib import Path


class ExperimentProvider:
    """Names the experiment of runs started from the folder of a svevae project."""

    def in_context(self) -> bool:
        """Whether the working folder is such a project."""
        project = Path("MLproject")
        return project.is_file() and project.read_text(encoding="utf-8").startswith(
            "name: svevae\n"
        )

    def get_experiment_id(self) -> str:
        """The experiment's id; it is made on first use."""
        from svevae import tracking

        return tracking.experiment_id()
