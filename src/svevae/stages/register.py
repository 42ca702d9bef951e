"""register: put the model into the registry; champion is whatever is best on the same test SVEs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from svevae import tracking
from svevae.config import Params
from svevae.dataset.digest import file_md5
from svevae.files import write_json
from svevae.model.contract import CONTRACT_FILE, MODEL_FILE, ModelContract
from svevae.model.scores import Scores

MODEL = Path("artifacts/model")
METRICS = Path("artifacts/evaluation/metrics.json")
RUN = Path("artifacts/evaluation/run.json")
REGISTERED = Path("artifacts/registered.json")


@dataclass(frozen=True)
class Verdict:
    """Whether a new version becomes champion, and why, in words."""

    champion: bool
    reason: str


def judge(
    r2: float | None,
    porosity_only: float | None,
    test_digest: str,
    champion: dict[str, str] | None,
) -> Verdict:
    """The rule: better than porosity alone, and better in mean R2 than the champion on the same
    test SVEs and labels.

    `r2` and `porosity_only` are mean R2 of the new version and of the cubic in the porosity, None
    where no property varies over the test SVEs: nothing can be judged by those.
    `champion` holds the tags of the present champion's version, None where there is none.
    """
    if r2 is None or porosity_only is None:
        return Verdict(
            False,
            "cannot be judged: no property varies over the test SVEs, so there is no R2; a larger"
            " prepare.test_fraction or more SVEs would mend it",
        )
    if not r2 > porosity_only:
        return Verdict(
            False, f"mean R2 {r2:.4f} is not above the {porosity_only:.4f} of the porosity alone"
        )
    if champion is None:
        return Verdict(
            True,
            f"mean R2 {r2:.4f}, above the {porosity_only:.4f} of the porosity alone; there was no"
            " champion",
        )
    if champion.get("test_digest") != test_digest or "mean_r2" not in champion:
        return Verdict(
            False,
            "the champion was judged on other test SVEs, so the two cannot be compared: move the"
            " alias by hand",
        )
    best = float(champion["mean_r2"])
    if not r2 > best:
        return Verdict(False, f"mean R2 {r2:.4f} is not above the champion's {best:.4f}")
    return Verdict(True, f"mean R2 {r2:.4f}, above the former champion's {best:.4f}")


def register(params: Params) -> None:
    """Register artifacts/model with its scores, unless that very model is registered already; write
    registered.json.
    """
    name = params.register.name
    scores, contract = Scores.load(METRICS), ModelContract.load(MODEL / CONTRACT_FILE)
    model_md5 = file_md5(MODEL / MODEL_FILE)
    with tracking.run("register", tracking.read_run_id(RUN)) as run_id:
        version = tracking.registered_version(name, model_md5) or _register_new(
            name, scores, contract, model_md5, run_id
        )
        reason = tracking.version_tags(name, version)["verdict"] or _set_aliases(
            name, version, scores, contract.test_digest
        )
        champion = tracking.aliased_version(name, "champion")
    result = {
        "name": name,
        "version": version,
        "champion_version": champion,
        "reason": reason,
        "run_id": run_id,
        "store": tracking.public_uri(),
    }
    write_json(REGISTERED, result)
    standing = "champion" if champion == version else "not champion"
    print(f"models:/{name}/{version} is {standing}: {reason}")


def _register_new(
    name: str, scores: Scores, contract: ModelContract, model_md5: str, run_id: str
) -> str:
    """Log the model and make a version of it, described by its scores; the version's number."""
    tags = tracking.lineage() | {
        "model_md5": model_md5,
        # filled in once the aliases are set, so that a rerun after an interruption sets them
        "verdict": "",
        "test_digest": contract.test_digest,
        "svevae.data_md5": contract.dataset_digest,
        "run_id": run_id,
        **contract.search,
        **{
            key: f"{value:.6f}"
            for key in ("mean_r2", "porosity_only_mean_r2", "bce_ratio", "dice", "kl")
            if (value := getattr(scores, key)) is not None
        },
        **{f"r2.{tracking.metric_name(key)}": f"{value:.6f}" for key, value in scores.r2.items()},
    }
    uri = tracking.log_model(
        MODEL,
        "svevae.use.champion",
        tags,
        n=contract.n,
        latent_dim=contract.latent_dim,
        properties=len(contract.names),
        keras_version=contract.keras,
        backend=contract.backend,
    )
    return tracking.register_version(name, uri, tags)


def _set_aliases(name: str, version: str, scores: Scores, test_digest: str) -> str:
    """The better of two is champion, the other challenger; the reason, in words."""
    champion = tracking.aliased_version(name, "champion")
    if champion == version:  # interrupted behind the alias
        champion = tracking.aliased_version(name, "challenger")
    tags = tracking.version_tags(name, champion) if champion else None
    verdict = judge(scores.mean_r2, scores.porosity_only_mean_r2, test_digest, tags)
    if verdict.champion:
        if champion:
            tracking.set_alias(name, "challenger", champion)
        tracking.set_alias(name, "champion", version)
    else:
        tracking.set_alias(name, "challenger", version)
    tracking.set_version_tag(name, version, "verdict", verdict.reason)
    return verdict.reason
