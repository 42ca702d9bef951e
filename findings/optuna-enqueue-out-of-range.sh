#!/bin/sh
# Optuna 5.0.0: a number that is enqueued outside its range is run, a category outside is not.
#
# `enqueue_trial({"x": 5.0})` where x is suggested in [0, 1]: a UserWarning, and the objective is
# evaluated at 5.0; the trial is COMPLETE and may become the best one. With a category that is not
# offered, the trial FAILS and `optimize` raises ValueError. Who narrows a range and starts from old
# trials gets a winner outside it.
#
# Seen: "COMPLETE at 5.0, best value -5.0"; "FAIL, ValueError".
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check optuna==5.0.0
"$folder/venv/bin/python" - <<'EOF'
import warnings

import optuna

optuna.logging.set_verbosity(optuna.logging.ERROR)
warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)

study = optuna.create_study()
study.enqueue_trial({"x": 5.0})
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    study.optimize(lambda trial: -trial.suggest_float("x", 0.0, 1.0), n_trials=3)
trial = study.trials[0]
print(f"{trial.state.name} at {trial.params['x']}, best value {study.best_value}")
assert any("out of range" in str(warning.message) for warning in said)
assert (trial.state.name, trial.params["x"], study.best_value) == ("COMPLETE", 5.0, -5.0)

study = optuna.create_study()
study.enqueue_trial({"kind": "z"})
try:
    study.optimize(lambda trial: len(trial.suggest_categorical("kind", ["a", "b"])), n_trials=1)
except ValueError:
    print(f"{study.trials[0].state.name}, ValueError")
    assert study.trials[0].state.name == "FAIL"
else:
    raise AssertionError("expected a ValueError")
EOF
