"""The search for a model's configuration: space, study, workers, report."""
