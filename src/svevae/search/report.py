"""A study to look at: pictures, and one HTML page that needs no network. Both work at any time,
with however many trials there are.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import matplotlib.pyplot as plt
import optuna
from optuna.trial import TrialState

from svevae.files import written_whole
from svevae.search.plots import complete, constant, label, objectives, study_plots, varying
from svevae.search.study import is_lost
from svevae.words import counted

DPI = 110
SHOWN = 20  # trials in the table of the best
STATES = {TrialState.FAIL: "failed", TrialState.PRUNED: "pruned"}
TEMPLATE = Path(__file__).with_name("report.html.jinja")


def plot_study(study: optuna.Study, folder: Path) -> list[Path]:
    """Write a PNG file for each plot that the study's trials allow; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with _without_window():
        for plot in study_plots(study):
            with plt.rc_context():
                figure = plot.matplotlib_figure()
                paths.append(folder / f"{plot.name}.png")
                with written_whole(paths[-1]) as beside:
                    figure.savefig(beside, dpi=DPI, bbox_inches="tight", format="png")
                plt.close(figure)
    return paths


def write_report(
    study: optuna.Study, repeats: optuna.Study | None, best: Mapping[str, Any] | None, path: Path
) -> None:
    """Write the page, whole or not at all. `repeats` is the study of the finalists and `best` the
    content of best.yaml, where there are any; a best.yaml of another study is left out.
    """
    plots = [
        {
            "title": plot.title,
            "html": plot.plotly_figure().to_html(
                full_html=False,
                include_plotlyjs=index == 0,  # the library stands in the page once
                config={"displaylogo": False},
            ),
        }
        for index, plot in enumerate(study_plots(study))
    ]
    page = _template().render(
        name=study.study_name,
        summary=_summary(study, repeats),
        winner=_winner(best) if best and best["study"] == study.study_name else None,
        plots=plots,
        missing_plots=_missing_plots(study),
        best_trials=_best_trials(study),
        other_trials=_other_trials(study),
        shown=SHOWN,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        beside.write_text(page, encoding="utf-8")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        trim_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        finalize=lambda value: "" if value is None else value,
    )
    environment.filters["columns"] = _columns
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8"))


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys of all rows, each once."""
    return list(dict.fromkeys(key for row in rows for key in row))


@contextmanager
def _without_window() -> Iterator[None]:
    """Draw into memory, with or without a display; then the caller's backend is back."""
    before = matplotlib.get_backend()
    plt.switch_backend("agg")
    try:
        yield
    finally:
        with suppress(ImportError):  # it was configured, but has no display here
            plt.switch_backend(before)


def _missing_plots(study: optuna.Study) -> list[str]:
    """Say why there are fewer plots than there might be."""
    if not complete(study):
        return ["Plots need a complete trial."]
    if not varying(study):
        return ["Importance, parallel coordinates and slices need two complete trials that differ."]
    text = (
        "All complete trials have the same {} error: there is no importance, no parallel"
        " coordinates and no slices of it."
    )
    return [text.format(name) for name in constant(study)]


def _summary(study: optuna.Study, repeats: optuna.Study | None) -> str:
    """Count trials, machines and hours, and name the least errors, in a few sentences."""
    trials = study.get_trials(deepcopy=False)
    states = Counter(
        "lost" if is_lost(trial) else STATES.get(trial.state, trial.state.name.lower())
        for trial in trials
    )
    by_state = ", ".join(f"{count} {state}" for state, count in states.most_common()) or "none"
    text = f"Trials: {by_state}. Objectives: {', '.join(objectives(study))}."
    for index, name in enumerate(objectives(study) if complete(study) else ()):
        least = min(complete(study), key=lambda trial: trial.values[index])
        text += f" Least {name} error {least.values[index]:.4f}, of trial {least.number}."
    spans = [
        (trial.datetime_start, trial.datetime_complete)
        for trial in trials
        if trial.datetime_start and trial.datetime_complete
    ]
    if spans:
        hours = (
            max(end for _, end in spans) - min(start for start, _ in spans)
        ).total_seconds() / 3600
        text += (
            " From the first start to the last end"
            f" {f'{hours:.1f} h' if hours > 3 else f'{hours * 60:.1f} min'}"
        )
        text += f", {len(spans) / hours:.3g} trials an hour." if hours else "."
    owners = [trial.user_attrs["owner"] for trial in trials if "owner" in trial.user_attrs]
    devices = sorted(
        {trial.user_attrs["device"] for trial in trials if "device" in trial.user_attrs}
    )
    if owners:
        workers = {(owner["host"], owner["pid"], owner.get("born")) for owner in owners}
        hosts = {owner["host"] for owner in owners}
        text += (
            f" {counted(len(workers), 'worker')} on {counted(len(hosts), 'machine')}:"
            f" {'; '.join(devices)}."
        )
    return text + (
        f" Finalists were trained {counted(len(complete(repeats)), 'time')} more."
        if repeats
        else ""
    )


def _winner(best: Mapping[str, Any]) -> dict[str, Any]:
    """What the page says of the winner: the reason, the finalists, the keys of train it sets."""
    before = best["params_yaml"]
    return {
        "reason": best["reason"],
        "finalists": [
            {
                "trial": f"{row['trial']}{' (params.yaml)' if row['params_yaml'] else ''}",
                "seeds": len(row["seeds"]),
                **{f"{name} error": _spread(row[name]) for name in ("property", "reconstruction")},
                f"{best['rule']} error (the rule)": _spread(row["score"]),
            }
            for row in best["finalists"]
        ],
        "changes": [
            {"parameter": key, "params.yaml": _short(before[key]), "found": _short(value)}
            for key, value in best["train"].items()
        ],
    }


def _spread(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.4f} ± {value['std']:.4f}"


def _best_trials(study: optuna.Study) -> list[dict[str, Any]]:
    """A row for each complete trial: those on the front first, then by the product of errors."""
    on_front = (
        {trial.number for trial in study.best_trials}
        if len(study.directions) > 1 and complete(study)
        else set()
    )
    trials = sorted(
        complete(study), key=lambda trial: (trial.number not in on_front, math.prod(trial.values))
    )
    rows = []
    for trial in trials:
        attributes = trial.user_attrs
        row: dict[str, Any] = {"trial": trial.number}
        if on_front:
            row["on the front"] = "yes" if trial.number in on_front else ""
        row |= {
            f"{name} error": f"{value:.4f}" for name, value in attributes.get("errors", {}).items()
        }
        row |= {key: _short(value) for key, value in trial.params.items()}
        row |= {
            "best epoch": attributes.get("best_epoch"),
            "seconds": _short(attributes.get("seconds")),
            "SVE/s": _short(attributes.get("sve_per_second")),
            "seed": attributes.get("seed"),
        }
        rows.append(row)
    return rows


def _other_trials(study: optuna.Study) -> list[dict[str, Any]]:
    """A row for each trial that was pruned, failed or lost, with the reason."""
    trials = study.get_trials(deepcopy=False, states=(TrialState.PRUNED, TrialState.FAIL))
    return [
        {
            "trial": trial.number,
            "state": "lost" if is_lost(trial) else STATES[trial.state],
            "ticket": trial.user_attrs.get("ticket"),
            "last step": max(trial.intermediate_values, default=None),
            "seconds": _short(trial.user_attrs.get("seconds")),
            "why": trial.user_attrs.get("reason") or trial.user_attrs.get("lost", "not known"),
        }
        for trial in trials
    ]


def _short(value: Any) -> Any:
    """Four digits of a number; a list, or JSON text of one, as words."""
    if isinstance(value, float):
        return (
            f"{value:.4g}"
            if 1e-4 <= abs(value) < 1e4 or value == 0
            else f"{value:.3e}"
            if abs(value) < 1
            else f"{value:.0f}"
        )
    is_list = isinstance(value, list | tuple) or (isinstance(value, str) and value.startswith("["))
    return label(str(value), " ") if is_list else value
