"""A study to look at: pictures, and one HTML page that needs no network. Works at any time, with however many trials there are."""

from __future__ import annotations

import html
import math
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import optuna
import optuna.visualization.matplotlib as still
import pandas as pd
from optuna import visualization as interactive
from optuna.trial import FrozenTrial, TrialState

from svevae.dataset.store import written_whole

DPI = 110
SHOWN = 20  # trials in the table of the best
MEANING = (
    "The property error is the mean squared standardised error on the validation parts: 1 is a model that predicts the mean. The "
    "reconstruction error is the voxel cross-entropy over that of a constant porosity: 1 is a model that knows only the mean porosity. "
    "The combined error is the geometric mean of both. Smaller is better; the test parts are never read."
)
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 1200px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem } h2 { font-size: 1.2rem; margin-top: 2.2rem } .table { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { border: 0; border-bottom: 1px solid #ddd; padding: .25rem .6rem; text-align: right; white-space: nowrap }
td:last-child, th:last-child { text-align: left; white-space: normal; min-width: 12rem } .missing { color: #666 }
"""


@dataclass(frozen=True)
class View:
    """One plot: `draw` makes it with Optuna's module for either plotting library."""

    name: str
    title: str
    draw: Callable[[Any], Any]


def draw_study(study: optuna.Study, folder: Path) -> list[Path]:
    """PNG files of all views that the study's trials allow; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for view in _views(study):
        with _quiet(), plt.rc_context():  # Optuna sets a style of its own for all that is drawn later
            view.draw(still)
            figure = plt.gcf()
            panels = len(figure.axes) if view.name.startswith("slice") else 1
            figure.set_size_inches(max(9.0, 2.4 * panels), 5.0)
            for axes in figure.axes if panels > 1 else ():
                axes.tick_params(axis="x", which="both", rotation=40, labelsize=8)
            paths.append(folder / f"{view.name}.png")
            figure.savefig(paths[-1], dpi=DPI, bbox_inches="tight")
            plt.close(figure)
    return paths


def write_report(study: optuna.Study, repeats: optuna.Study | None, best: Mapping[str, Any] | None, path: Path) -> None:
    """The page, whole or not at all; `repeats` is the study of the finalists, `best` the content of best.yaml, if there are any."""
    body = [
        f"<h1>Search {html.escape(study.study_name)}</h1>",
        f"<p>{html.escape(_summary(study, repeats))}</p>",
        f"<p>{MEANING}</p>",
        "<h2>The winner</h2>",
        *_winner(best),
    ]
    library: bool | str = True
    for view in _views(study):
        with _quiet():
            figure = view.draw(interactive)
        figure.update_layout(title=None, template="plotly_white", margin={"t": 30}, height=420)
        plot = figure.to_html(full_html=False, include_plotlyjs=library, config={"displaylogo": False})
        body += [f"<h2>{view.title}</h2>", plot]
        library = False
    if library:
        body.append('<p class="missing">Plots need a complete trial.</p>')
    elif not _varying(study):
        body.append('<p class="missing">Importance, parallel coordinates and slices need two complete trials that differ.</p>')
    body += ["<h2>The best trials</h2>", _table(_best_rows(study)), "<h2>Pruned, failed and lost, and why</h2>", _table(_other_rows(study))]
    page = f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Search {html.escape(study.study_name)}</title>'
    page += f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        beside.write_text(page, encoding="utf-8")


def _views(study: optuna.Study) -> Iterator[View]:
    """Front, then history, importance, parallel coordinates and slices of each objective, as far as the trials allow."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    names, several, varying = _objectives(study), len(study.directions) > 1, _varying(study)
    if not complete:
        return
    if several:
        yield View("front", "Pareto front", lambda plot: plot.plot_pareto_front(study, target_names=[f"{name} error" for name in names]))
    for index, name in enumerate(names):
        aim = {"target": lambda trial, index=index: trial.values[index], "target_name": f"{name} error"}
        suffix, of = (f"-{name}", f" of the {name} error") if several else ("", f" of the {name} error")
        yield View(f"history{suffix}", f"History{of}", lambda plot, aim=aim: plot.plot_optimization_history(study, **aim))
        if varying and len({trial.values[index] for trial in complete}) > 1:
            chosen = {"params": varying, **aim}
            kinds = ("importance", "parallel", "slice")
            titles = ("What matters: importance for the variation", "Parallel coordinates", "Each parameter by itself: slices")
            plots = ("plot_param_importances", "plot_parallel_coordinate", "plot_slice")
            for kind, title, function in zip(kinds, titles, plots, strict=True):
                draw = lambda plot, function=function, chosen=chosen: getattr(plot, function)(study, **chosen)  # noqa: E731
                yield View(f"{kind}{suffix}", f"{title}{of}", draw)


def _objectives(study: optuna.Study) -> list[str]:
    return study.metric_names or [f"objective {i}" for i in range(len(study.directions))]


def _varying(study: optuna.Study) -> list[str]:
    """Parameters of which complete trials have more than one value."""
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    names = dict.fromkeys(name for trial in complete for name in trial.params)
    return [name for name in names if len({trial.params.get(name) for trial in complete}) > 1]


def _summary(study: optuna.Study, repeats: optuna.Study | None) -> str:
    trials = study.get_trials(deepcopy=False)
    states = Counter("lost" if _is_lost(trial) else trial.state.name.lower() for trial in trials)
    counted = ", ".join(f"{count} {state}" for state, count in states.most_common()) or "none"
    text = f"Trials: {counted}. Objectives: {', '.join(_objectives(study))}."
    spans = [(trial.datetime_start, trial.datetime_complete) for trial in trials if trial.datetime_start and trial.datetime_complete]
    if spans:
        hours = (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds() / 3600
        text += f" From the first start to the last end {hours * 60:.1f} min"
        text += f", {len(spans) / hours:.0f} trials an hour." if hours else "."
    owners = [trial.user_attrs["owner"] for trial in trials if "owner" in trial.user_attrs]
    devices = sorted({trial.user_attrs["device"] for trial in trials if "device" in trial.user_attrs})
    if owners:
        workers = {(owner["host"], owner["pid"], owner.get("born")) for owner in owners}
        text += f" {len(workers)} workers on {len({owner['host'] for owner in owners})} machines: {'; '.join(devices)}."
    return text + (f" Finalists were trained {len(repeats.get_trials(deepcopy=False))} times more." if repeats else "")


def _winner(best: Mapping[str, Any] | None) -> list[str]:
    if best is None:
        return ['<p class="missing">None yet: the search is not over.</p>']
    rows = [
        {
            "trial": f"{row['trial']}{' (params.yaml)' if row['params_yaml'] else ''}",
            "seeds": len(row["seeds"]),
            **{f"{name} error": _spread(row[name]) for name in ("property", "reconstruction")},
            f"{best['rule']} error (the rule)": _spread(row["score"]),
        }
        for row in best["finalists"]
    ]
    found = [{"parameter": key, "params.yaml": best["params_yaml"][key], "found": value} for key, value in best["train"].items()]
    return [f"<p>{html.escape(best['reason'])}.</p>", _table(rows), "<p>What <code>train</code> uses:</p>", _table(found)]


def _spread(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.4f} ± {value['std']:.4f}"


def _best_rows(study: optuna.Study) -> list[dict[str, Any]]:
    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    on_front = {trial.number for trial in study.best_trials} if len(study.directions) > 1 and complete else set()
    complete.sort(key=lambda trial: (trial.number not in on_front, math.prod(trial.values)))
    rows = []
    for trial in complete[:SHOWN]:
        attributes = trial.user_attrs
        errors = {f"{name} error": f"{value:.4f}" for name, value in attributes.get("errors", {}).items()}
        row = {"trial": trial.number} | ({"on the front": "yes" if trial.number in on_front else ""} if on_front else {})
        row |= errors | {key: _short(value) for key, value in trial.params.items()}
        row |= {"best epoch": attributes.get("best_epoch"), "seconds": _short(attributes.get("seconds"))}
        rows.append(row | {"SVE/s": _short(attributes.get("sve_per_second")), "seed": attributes.get("seed")})
    return rows


def _other_rows(study: optuna.Study) -> list[dict[str, Any]]:
    trials = study.get_trials(deepcopy=False, states=(TrialState.PRUNED, TrialState.FAIL))
    return [
        {
            "trial": trial.number,
            "state": "lost" if _is_lost(trial) else trial.state.name.lower(),
            "ticket": trial.user_attrs.get("ticket"),
            "last step": max(trial.intermediate_values, default=None),
            "seconds": _short(trial.user_attrs.get("seconds")),
            "why": trial.user_attrs.get("reason") or trial.user_attrs.get("lost", "not known"),
        }
        for trial in trials
    ]


def _is_lost(trial: FrozenTrial) -> bool:
    return trial.state == TrialState.FAIL and "lost" in trial.user_attrs


def _short(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return '<p class="missing">None.</p>'
    table = pd.DataFrame(rows, dtype=object)  # whole numbers beside gaps stay whole
    return f'<div class="table">{table.where(table.notna(), "").to_html(index=False, escape=True, border=0)}</div>'


class _quiet(warnings.catch_warnings):  # noqa: N801
    """Optuna warns that its plots are experimental, and of parameters with one value."""

    def __enter__(self) -> None:
        super().__enter__()
        warnings.simplefilter("ignore")
