"""A study to look at: pictures, and one HTML page that needs no network. Works at any time, with
however many trials there are.
"""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from svevae.files import written_whole
from svevae.search.plots import complete, constant, label, objectives, varying, views

DPI = 110
SHOWN = 20  # trials in the table of the best
STATES = {TrialState.FAIL: "failed", TrialState.PRUNED: "pruned"}
MEANING = (
    "The property error is the mean squared standardised error on the validation parts: 1 is a"
    " model that predicts the mean. The reconstruction error is the voxel cross-entropy over that"
    " of a constant porosity: 1 is a model that knows only the mean porosity. The combined error is"
    " the geometric mean of both. Smaller is better; the test parts are never read."
)
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 1200px; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.7rem } h2 { font-size: 1.2rem; margin-top: 2.2rem } .box { overflow-x: auto }
table { border-collapse: collapse; font-size: .85rem; font-variant-numeric: tabular-nums }
th, td { border: 0; border-bottom: 1px solid #ddd; padding: .25rem .6rem; text-align: right; white-space: nowrap }
.why td:last-child, .why th:last-child { text-align: left; white-space: normal; min-width: 12rem } .missing { color: #666 }
"""


def draw_study(study: optuna.Study, folder: Path) -> list[Path]:
    """PNG files of all views that the study's trials allow; their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for view in views(study):
        with plt.rc_context():
            figure = view.picture()
            paths.append(folder / f"{view.name}.png")
            figure.savefig(paths[-1], dpi=DPI, bbox_inches="tight")
            plt.close(figure)
    return paths


def write_report(
    study: optuna.Study, repeats: optuna.Study | None, best: Mapping[str, Any] | None, path: Path
) -> None:
    """The page, whole or not at all; `repeats` is the study of the finalists, `best` the content of
    best.yaml, if there are any.
    """
    body = [
        f"<h1>Search {html.escape(study.study_name)}</h1>",
        f"<p>{html.escape(_summary(study, repeats))}</p>",
        f"<p>{MEANING}</p>",
        "<h2>The winner</h2>",
        *_winner(
            best if best and best["study"] == study.study_name else None
        ),  # best.yaml may be of a study before this one
    ]
    library: bool | str = True
    for view in views(study):
        plot = view.plot().to_html(
            full_html=False, include_plotlyjs=library, config={"displaylogo": False}
        )
        body += [f"<h2>{html.escape(view.title)}</h2>", f'<div class="box">{plot}</div>']
        library = False
    body += [f'<p class="missing">{html.escape(text)}</p>' for text in _left_out(study)]
    rows = _best_rows(study)
    body += [
        f"<h2>The best trials{f': {SHOWN} of {len(rows)}' if len(rows) > SHOWN else ''}</h2>",
        _table(rows[:SHOWN]),
    ]
    body += ["<h2>Pruned, failed and lost, and why</h2>", _table(_other_rows(study), "why")]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Search'
        f" {html.escape(study.study_name)}</title>"
    )
    page += f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as beside:
        beside.write_text(page, encoding="utf-8")


def _left_out(study: optuna.Study) -> list[str]:
    """Why there are fewer plots than there might be."""
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
    trials = study.get_trials(deepcopy=False)
    states = Counter(
        "lost" if _is_lost(trial) else STATES.get(trial.state, trial.state.name.lower())
        for trial in trials
    )
    counted = ", ".join(f"{count} {state}" for state, count in states.most_common()) or "none"
    text = f"Trials: {counted}. Objectives: {', '.join(objectives(study))}."
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
            f" {_counted(len(workers), 'worker')} on {_counted(len(hosts), 'machine')}:"
            f" {'; '.join(devices)}."
        )
    return text + (
        f" Finalists were trained {len(complete(repeats))} times more." if repeats else ""
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


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
    before = best["params_yaml"]
    found = [
        {"parameter": key, "params.yaml": _short(before[key]), "found": _short(value)}
        for key, value in best["train"].items()
    ]
    return [
        f"<p>{html.escape(best['reason'])}.</p>",
        _table(rows),
        "<p>What <code>train</code> uses:</p>",
        _table(found),
    ]


def _spread(value: Mapping[str, float]) -> str:
    return f"{value['mean']:.4f} ± {value['std']:.4f}"


def _best_rows(study: optuna.Study) -> list[dict[str, Any]]:
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
        errors = {
            f"{name} error": f"{value:.4f}" for name, value in attributes.get("errors", {}).items()
        }
        row = {"trial": trial.number} | (
            {"on the front": "yes" if trial.number in on_front else ""} if on_front else {}
        )
        row |= errors | {key: _short(value) for key, value in trial.params.items()}
        row |= {
            "best epoch": attributes.get("best_epoch"),
            "seconds": _short(attributes.get("seconds")),
        }
        rows.append(
            row
            | {
                "SVE/s": _short(attributes.get("sve_per_second")),
                "seed": attributes.get("seed"),
            }
        )
    return rows


def _other_rows(study: optuna.Study) -> list[dict[str, Any]]:
    trials = study.get_trials(deepcopy=False, states=(TrialState.PRUNED, TrialState.FAIL))
    return [
        {
            "trial": trial.number,
            "state": "lost" if _is_lost(trial) else STATES[trial.state],
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


def _table(rows: Sequence[Mapping[str, Any]], kind: str = "") -> str:
    """`kind` is a further class of the box around the table: "why" has sentences in its last
    column.
    """
    if not rows:
        return '<p class="missing">None.</p>'
    table = pd.DataFrame(rows, dtype=object)  # whole numbers beside gaps stay whole
    return (
        '<div class="box'
        f' {kind}">{table.where(table.notna(), "").to_html(index=False, escape=True, border=0)}</div>'
    )
