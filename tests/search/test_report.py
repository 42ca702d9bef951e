"""The page and the pictures, on studies whose content is known."""

from __future__ import annotations

import random
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from svevae.search.report import plot_study, write_report

pytestmark = pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
SPACE = {
    "latent_dim": IntDistribution(8, 128, log=True),
    "kl_weight": FloatDistribution(0.1, 2.0, log=True),
    "architecture": CategoricalDistribution(("conv", "residual", "patch")),
    "augmentation": CategoricalDistribution(('["flip_x", "flip_y"]', "[]")),
}
BEGUN = datetime(2026, 11, 24, 12)


def study_of(objectives: list[str], count: int, fixed: bool = False) -> optuna.Study:
    """`count` complete trials of seeded errors, a minute each."""
    study = optuna.create_study(directions=["minimize"] * len(objectives), study_name="svevae")
    study.set_metric_names(objectives)
    draw = random.Random(0)
    for number in range(count):
        latent, kl = (32, 1.0) if fixed else (draw.choice([8, 16, 64, 128]), draw.uniform(0.1, 2.0))
        params = {
            "latent_dim": latent,
            "kl_weight": kl,
            "architecture": "patch",
            "augmentation": "[]",
        }
        if not fixed:
            params |= {
                "architecture": draw.choice(["conv", "residual", "patch"]),
                "augmentation": draw.choice(['["flip_x", "flip_y"]', "[]"]),
            }
        errors = {"property": 0.05 + kl * 0.02, "reconstruction": 0.4 + 2 / latent + 0.001 * number}
        every = errors | {"combined": (errors["property"] * errors["reconstruction"]) ** 0.5}
        trial = optuna.create_trial(
            state=TrialState.COMPLETE,
            params=params,
            distributions=SPACE,
            values=[every[name] for name in objectives],
            user_attrs={
                "ticket": number,
                "seed": 1000 + number,
                "errors": errors,
                "best_epoch": 3,
                "seconds": 61.25,
                "sve_per_second": 204.5,
                "device": "tensorflow cpu:0",
                "owner": {"host": "here", "pid": number % 2, "born": 0.0},
            },
        )
        trial.datetime_start = BEGUN + timedelta(minutes=number)
        trial.datetime_complete = trial.datetime_start + timedelta(minutes=1)
        study.add_trial(trial)
    return study


def best_of(reason: str = "least mean combined error") -> dict:
    spread = {"mean": 0.25, "std": 0.0125}
    row = {
        "trial": 3,
        "params_yaml": False,
        "seeds": [1, 2],
        "property": spread,
        "reconstruction": spread,
        "score": spread,
    }
    return {
        "study": "svevae",
        "trial": 3,
        "rule": "combined",
        "reason": reason,
        "finalists": [row, row | {"trial": 0, "params_yaml": True}],
        "train": {"latent_dim": 48, "augmentation": ["flip_x"]},
        "params_yaml": {"latent_dim": 32, "augmentation": []},
    }


class Loads(HTMLParser):
    """What a browser would fetch for the page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [f"{tag} {value}" for key, value in attrs if key in ("src", "href") and value]


def page_of(study: optuna.Study, tmp_path: Path, best: dict | None = None) -> str:
    write_report(study, None, best, tmp_path / "report.html")
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    return (tmp_path / "report.html").read_text(encoding="utf-8")


def visible(page: str) -> str:
    """The page's text without the plots."""
    return re.sub(r"<[^>]+>", " ", re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL))


def test_a_pareto_study(tmp_path: Path) -> None:
    study = study_of(["property", "reconstruction"], 30)
    page = page_of(study, tmp_path, best_of())
    text = visible(page)
    for words in (
        "Trials: 30 complete.",
        "30.0 min, 60 trials an hour. 2 workers on 1 machine: tensorflow cpu:0.",
        f"Least property error {min(trial.values[0] for trial in study.trials):.4f}, of trial ",
        "The best trials: 20 of 30",
        "least mean combined error.",
        "0.2500 ± 0.0125",
        "0 (params.yaml)",
        "Pareto front",
        "What matters: importance for the variation of the property error",
        "Parallel coordinates of the reconstruction error",
        "None.",
    ):
        assert words in text, words
    top = study.best_trials[0]
    assert f"{top.user_attrs['errors']['property']:.4f}" in text
    assert page.count('class="plotly-graph-div"') == 9
    loads = Loads()
    loads.feed(page)
    assert loads.found == []
    assert page.count("plotly.js v") == 1, "the library stands in the page once"


def test_a_single_study_with_pruned_failed_and_lost_trials(tmp_path: Path) -> None:
    study = study_of(["combined"], 5)
    for state, attributes, steps in (
        (
            TrialState.PRUNED,
            {
                "reason": "hyperband at step 2 (epochs): not among the best 1/3",
                "seconds": 9.0,
                "ticket": 5,
            },
            {1: 0.9, 2: 0.8},
        ),
        (TrialState.FAIL, {"reason": "TrainingError: <the loss> & more", "ticket": 6}, {}),
        (
            TrialState.FAIL,
            {"reason": "its worker died", "lost": "its worker died", "ticket": 7},
            {},
        ),
    ):
        study.add_trial(
            optuna.create_trial(state=state, user_attrs=attributes, intermediate_values=steps)
        )
    page = page_of(study, tmp_path)
    text = visible(page)
    assert "Trials: 5 complete, 1 pruned, 1 failed, 1 lost" in text
    assert re.search(
        r"5\s+pruned\s+5\s+2\s+9\s+hyperband at step 2 \(epochs\): not among the best 1/3", text
    )
    assert "TrainingError: &lt;the loss&gt; &amp; more" in page
    assert "None yet: the search is not over" in text
    assert "Pareto" not in text


@pytest.mark.parametrize(
    ("count", "fixed", "missing"),
    [
        (0, False, "Plots need a complete trial"),
        (3, True, "that differ"),
        (1, False, "that differ"),
    ],
)
def test_too_few_trials_are_no_fault(count: int, fixed: bool, missing: str, tmp_path: Path) -> None:
    study = study_of(["property", "reconstruction"], count, fixed)
    assert missing in visible(page_of(study, tmp_path))
    names = [path.stem for path in plot_study(study, tmp_path / "plots")]
    assert names == (["front", "history-property", "history-reconstruction"] if count else [])


def test_text_is_escaped(tmp_path: Path) -> None:
    """In the reason, in a choice that tables, plots and hovering have, in the name of an
    objective.
    """
    study, evil = optuna.create_study(study_name="svevae"), "<script>alert(1)</script>"
    study.set_metric_names([evil])
    space = {"architecture": CategoricalDistribution((evil, "conv"))}
    for choice, value in ((evil, 0.2), ("conv", 0.3)):
        study.add_trial(
            optuna.create_trial(
                state=TrialState.COMPLETE,
                params={"architecture": choice},
                distributions=space,
                values=[value],
            )
        )
    page = page_of(study, tmp_path, best_of(evil))
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_a_table_has_the_numbers_of_the_study(tmp_path: Path) -> None:
    """The best trial's row, by number: both errors, each parameter to four digits, lists as words,
    epoch, seconds, speed, seed.
    """
    study = study_of(["combined"], 5)
    best = study.best_trial
    row = re.search(
        rf"SVE/s\s+seed\s+{best.number}\s+(.*?)\s+{best.user_attrs['seed']}\s",
        visible(page_of(study, tmp_path)),
        re.DOTALL,
    )
    errors, params = best.user_attrs["errors"], best.params
    flips = {"[]": "none"}.get(params["augmentation"], "flip_x flip_y").split()
    numbers = [
        f"{errors['property']:.4f}",
        f"{errors['reconstruction']:.4f}",
        str(params["latent_dim"]),
        f"{params['kl_weight']:.4g}",
    ]
    assert row.group(1).split() == [*numbers, params["architecture"], *flips, "3", "61.25", "204.5"]


def test_the_winner_of_another_study_is_not_shown(tmp_path: Path) -> None:
    """best.yaml is of the study before; this one has a new name and still runs."""
    text = visible(
        page_of(study_of(["combined"], 3), tmp_path, best_of("won long ago") | {"study": "older"})
    )
    assert "won long ago" not in text
    assert "None yet: the search is not over" in text


def test_an_error_that_is_the_same_everywhere_is_told(tmp_path: Path) -> None:
    study = optuna.create_study(study_name="svevae")
    study.set_metric_names(["combined"])
    for kl in (0.5, 1.0):
        space = {"kl_weight": SPACE["kl_weight"]}
        study.add_trial(
            optuna.create_trial(
                state=TrialState.COMPLETE,
                params={"kl_weight": kl},
                distributions=space,
                values=[0.25],
            )
        )
    assert "All complete trials have the same combined error" in visible(page_of(study, tmp_path))


def test_pictures(tmp_path: Path) -> None:
    style = dict(matplotlib.rcParams)
    paths = plot_study(study_of(["property", "reconstruction"], 12), tmp_path)
    assert [path.stem for path in paths] == [
        "front",
        *(
            f"{kind}-{name}"
            for kind in ("importance", "parallel", "slice", "history")
            for name in ("property", "reconstruction")
        ),
    ]
    for path in paths:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert path.stat().st_size > 5_000
    assert dict(matplotlib.rcParams) == style, "Optuna's style stays with its pictures"


def test_pictures_leave_the_backend_of_the_caller(tmp_path: Path) -> None:
    before = plt.get_backend()
    plt.switch_backend("svg")
    try:
        [path] = plot_study(study_of(["combined"], 1), tmp_path)
        assert path.read_bytes().startswith(b"\x89PNG")
        assert plt.get_backend() == "svg"
    finally:
        plt.switch_backend(before)


def test_a_long_reason_is_shown_whole(tmp_path: Path) -> None:
    study, reason = study_of(["combined"], 1), "TrainingError: " + "a long story " * 30
    study.add_trial(
        optuna.create_trial(state=TrialState.FAIL, user_attrs={"reason": reason, "ticket": 1})
    )
    assert reason in page_of(study, tmp_path)
