"""The model card: what a model is, what it was measured by, what it is for and what it is not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

TRAINED_BY = (
    "architecture",
    "latent_dim",
    "width",
    "depth",
    "blocks",
    "block",
    "elastic",
    "property_weight",
    "kl_weight",
    "epochs",
)


def model_card(
    contract: Mapping[str, Any], scores: Mapping[str, Any], spread: Mapping[str, Any] | None = None
) -> str:
    """Markdown from a model's contract and the scores of `evaluate`; `spread` is what
    `benchmarks/seeds.py` found, if it has run.
    """
    data = contract["data"]
    counts = ", ".join(
        f"{name} {count} SVEs of {data['parts'][name]} parts"
        for name, count in data["sves"].items()
    )
    size = f", {contract['voxel_size']:g} um each" if contract["voxel_size"] else ""
    lines = [
        f"# Model card: svevae, {contract['latent_dim']} latent units, {contract['n']}^3 voxels",
        "",
        (
            "A 3-D variational autoencoder with a predictor: encodes a stochastic volume element"
            " (SVE) of a porous metal, decodes it, predicts"
        ),
        (
            f"{', '.join(contract['names'])} with a standard deviation each, and says how"
            " unfamiliar the SVE is."
        ),
        "",
        f"svevae {contract['svevae']}, Keras {contract['keras']} on {contract['backend']}, seed"
        f" {contract['seed']}. "
        + ", ".join(f"{key} {contract['train'][key]}" for key in TRAINED_BY)
        + ".",
        "",
        "## Data",
        "",
        (
            f"`{data['file']}`{': ' + data['title'] if data['title'] else ''}; {contract['n']}^3"
            f" voxels{size}."
        ),
        f"DVC md5 `{contract['dataset_digest']}`.",
        f"Split by part, never by SVE: {counts}."
        + (f" Matrix: {data['material']}." if data["material"] else ""),
        "",
        "## Properties on held-out parts",
        "",
        *_properties(contract, scores),
        "",
        *_voxels(scores),
        *_samples(scores),
        *_others(scores),
    ]
    if spread:
        lines += ["## Over seeds", "", *_spread(spread), ""]
    lines += [
        "## Intended use",
        "",
        (
            "In place of a solver for SVEs like those above: fields of properties of a part,"
            " uncertainty pushed through them, SVEs with wished"
        ),
        "properties. Look at `novelty`: above 1 an SVE is unlike 99 % of the validation SVEs.",
        "",
        "## Limits",
        "",
        (
            "- Labels come from a periodic solver on voxels: small strain, one matrix material,"
            " pores of zero stiffness, none below a voxel."
        ),
        (
            "- Standard deviations say how far the model is from that solver, not how far the"
            " solver is from a part."
        ),
        (
            "- They are calibrated on parts like those of training; elsewhere they grow with"
            " novelty, by a rule and not by a measurement."
        ),
        (
            "- Decoded pores are blurred; a sample has the predicted properties and the grain of"
            " the data, not the pores of a certain SVE."
        ),
    ]
    return "\n".join(lines) + "\n"


def _properties(contract: Mapping[str, Any], scores: Mapping[str, Any]) -> list[str]:
    columns = {
        "model": "r2",
        "porosity only": "porosity_only_r2",
        "two-point statistics, ridge": "two_point_r2",
        "elastic statistics, ridge": "elastic_ridge_r2",
        "encoder and predictor alone": "regressor_r2",
    }
    columns = {head: key for head, key in columns.items() if key in scores}
    lines = [
        f"| R2 | {' | '.join(columns)} | mean error of the model | in its 90 % interval |",
        f"| --- |{' --- |' * (len(columns) + 2)}",
    ]
    for name, unit in zip(contract["names"], contract["units"], strict=True):
        values = " | ".join(f"{scores[key][name]:.4f}" for key in columns.values())
        unit = "" if unit == "-" else f" {unit}"
        lines.append(
            f"| {name} | {values} | {scores['mae'][name]:.3g}{unit} |"
            f" {scores['coverage_90_of'][name]:.1%} |"
        )
    means = " | ".join(
        f"{scores[key.removesuffix('r2') + 'mean_r2' if key != 'r2' else 'mean_r2']:.4f}"
        for key in columns.values()
    )
    return [*lines, f"| mean | {means} | | {scores['coverage_90']:.1%} |"]


def _voxels(scores: Mapping[str, Any]) -> list[str]:
    return [
        "## Voxels and latent space",
        "",
        (
            f"Voxel cross entropy {scores['bce']:.0f} nats an SVE, {scores['bce_ratio']:.3f} of a"
            f" constant porosity's; {scores['pca_bce_ratio']:.3f} for as many principal components"
            f" of the voxels as latent units. Dice {scores['dice']:.3f}."
        ),
        (
            f"KL {scores['kl']:.1f} nats; {scores['active_units']} of {scores['latent_dim']} latent"
            f" units active; the aggregate posterior is {scores['aggregate_kl']:.1f} nats from"
            " N(0, I)."
        ),
        "",
    ]


def _samples(scores: Mapping[str, Any]) -> list[str]:
    lines = [
        "## Samples",
        "",
        (
            "Distance of binary samples from the held-out SVEs, over the 95 % quantile of the"
            " distance between two halves of these, divided"
        ),
        "by part: below 1 they are not to be told apart by that measure.",
        "",
        "| samples of | two-point correlation | porosity | pore size |",
        "| --- | --- | --- | --- |",
    ]
    names = {"posterior": "the aggregate posterior", "prior": "the prior"}
    for key, name in names.items():
        found = scores["samples"][key]
        lines.append(
            f"| {name} | {found['two_point']:.2f} | {found['porosity']:.2f} |"
            f" {found['pore_size']:.2f} |"
        )
    if "loop_r2" in scores:
        worst = min(scores["loop_r2"], key=scores["loop_r2"].get)
        lines += [
            "",
            (
                f"The loop closed: the solver on {scores['loop_sves']} decoded samples of the"
                " aggregate posterior, against the predictor on their latent vectors: mean R2"
                f" {scores['loop_mean_r2']:.4f}, the worst {worst} {scores['loop_r2'][worst]:.4f}."
            ),
        ]
    return [*lines, ""]


def _others(scores: Mapping[str, Any]) -> list[str]:
    if not scores["others"]:
        return []
    lines = [
        "## Other data",
        "",
        (
            "| file | mean R2 | porosity only | in the 90 % intervals | median novelty (held-out) |"
            " median std, of that held-out |"
        ),
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, found in scores["others"].items():
        ratio = sum(
            found["median_std"][key] / std for key, std in scores["median_std"].items()
        ) / len(scores["median_std"])
        lines.append(
            f"| {name} | {found['mean_r2']:.4f} | {found['porosity_only_mean_r2']:.4f} |"
            f" {found['coverage_90']:.1%} | {found['novelty_median']:.2f}"
            f" ({scores['novelty_median']:.2f}) | {ratio:.2f} |"
        )
    return [*lines, ""]


def _spread(spread: Mapping[str, Any]) -> list[str]:
    rows = {
        "mean_r2": "mean R2",
        "worst_r2": "R2 of the worst property",
        "porosity_only_mean_r2": "mean R2, porosity only",
        "two_point_mean_r2": "mean R2, two-point statistics, ridge",
        "elastic_ridge_mean_r2": "mean R2, elastic statistics, ridge",
        "regressor_mean_r2": "mean R2, encoder and predictor alone",
        "bce_ratio": "voxel cross entropy, of a constant porosity's",
        "coverage_90": "in the 90 % intervals",
        "loop_mean_r2": "mean R2, solver on decoded samples",
    }
    lines = [
        (
            f"The recipe with {spread['train']['epochs']} epochs, {len(spread['seeds'])} seeds,"
            " each with its own split and weights:"
        ),
        "",
        "| held-out parts | mean | standard deviation |",
        "| --- | --- | --- |",
    ]
    known = {key: words for key, words in rows.items() if key in spread["summary"]}
    return lines + [
        f"| {words} | {spread['summary'][key]['mean']:.4f} | {spread['summary'][key]['std']:.4f} |"
        for key, words in known.items()
    ]
