"""The whole pipeline as its users meet it, on a tiny real dataset: `dvc repro`, kill -9, the
registry, `mlflow run .`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import h5py
import keras
import numpy as np
import pandas as pd
import pytest
import requests
import yaml
from mlflow import MlflowClient

import svevae
from svevae.cli import main
from svevae.model.latent import load_folder
from tests.conftest import FLIPS, PATIENCE, Run, change_yaml, copy_project, serving

NAMES = ["E_x", "E_y", "E_z", "nu_zx", "nu_zy"]
NAMES += [f"{name}_{axis}" for name in ("yield", "flow") for axis in "xyz"]
WITHOUT_Y = [name for name in NAMES if "y" not in name.removeprefix("yield")]  # the reference's


def read_json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def python(run: Run, code: str, cwd: Path, **variables: str) -> str:
    return run(sys.executable, "-c", code, cwd=cwd, **variables).stdout


def start_training(project: Path, environment: dict[str, str]) -> subprocess.Popen:
    return subprocess.Popen(
        ["svevae", "train"],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def test_repro_ends_with_scores_pictures_and_a_registered_version(run: Run, finished: Path) -> None:
    scores = read_json(finished / "artifacts" / "evaluation" / "metrics.json")
    assert list(scores["r2"]) == NAMES
    assert 0 < scores["bce_constant_porosity"] < 32**3
    assert scores["latent_dim"] == 4
    assert read_json(finished / "artifacts" / "registered.json")["version"] == "1"
    for picture in (
        "split/sves",
        "split/properties",
        "evaluation/plots/parity",
        "evaluation/plots/reconstruction",
        "evaluation/plots/latent",
        "evaluation/plots/two_point",
        "evaluation/plots/samples",
        "evaluation/plots/losses",
    ):
        assert (finished / "artifacts" / f"{picture}.png").read_bytes().startswith(b"\x89PNG")
    text = run("svevae", "summary", cwd=finished).stdout
    for word in (
        *NAMES,
        "porosity",
        "elastic",
        "mean error",
        "in 90 %",
        "voxel BCE",
        "Dice",
        "KL",
        "latent units active",
        "models:/svevae",
    ):
        assert word in text


def test_test_parts_are_held_out_and_scored_beside_the_baseline(finished: Path) -> None:
    """R2 and the baseline recomputed from the files alone, without the pipeline's own metrics."""
    split = read_json(finished / "artifacts" / "split" / "split.json")
    assert not set(split["parts"]["test"]) & {
        *split["parts"]["train"],
        *split["parts"]["validation"],
    }
    with h5py.File(finished / "data" / "tiny.h5") as file:
        part_id, voxels, properties = (
            file["part_id"][:],
            file["voxels"][:],
            file["properties"][:].astype(float),
        )
    test, train = (np.isin(part_id, split["parts"][subset]) for subset in ("test", "train"))
    predicted = load_folder(finished / "artifacts" / "model").predict(voxels[test])
    scores = read_json(finished / "artifacts" / "evaluation" / "metrics.json")
    porosity = voxels.mean((1, 2, 3))
    for i, name in enumerate(NAMES):
        true = properties[test, i]
        fitted = np.polyval(np.polyfit(porosity[train], properties[train, i], 3), porosity[test])
        assert scores["r2"][name] == pytest.approx(
            1 - ((true - predicted[:, i]) ** 2).mean() / true.var(), rel=1e-3, abs=1e-3
        )
        assert scores["porosity_only_r2"][name] == pytest.approx(
            1 - ((true - fitted) ** 2).mean() / true.var(), abs=1e-4
        )


def test_second_repro_does_nothing(run: Run, finished: Path, tmp_path: Path) -> None:
    project = copy_project(finished, tmp_path / "project")
    before = {path: path.stat().st_mtime_ns for path in (project / "artifacts").rglob("*")}
    text = run("dvc", "repro", "--pull", cwd=project).stdout
    assert text.count("didn't change, skipping") >= 5
    assert "Running stage" not in text
    assert before == {path: path.stat().st_mtime_ns for path in (project / "artifacts").rglob("*")}


def test_run_holds_parameters_terms_lineage_plots_and_environment(run: Run, finished: Path) -> None:
    code = """
import json, mlflow
from svevae import tracking
tracking.connect()
run = mlflow.get_run(json.load(open("artifacts/run.json"))["run_id"])
client = mlflow.MlflowClient()
found = {"params": run.data.params, "tags": run.data.tags, "metrics": run.data.metrics,
         "status": run.info.status,
         "epochs": [m.step for m in client.get_metric_history(run.info.run_id, "val_kl")],
         "digests": sorted({i.dataset.digest for i in run.inputs.dataset_inputs}),
         "version": dict(client.get_model_version("svevae", "1").tags),
         "artifacts": [a.path for d in ("plots", "split", "environment")
                       for a in client.list_artifacts(run.info.run_id, d)]}
print(json.dumps(found))
"""
    found = json.loads(python(run, code, finished))
    digest = yaml.safe_load((finished / "data.dvc").read_text(encoding="utf-8"))["outs"][0]["md5"]
    commit = run("git", "rev-parse", "HEAD", cwd=finished).stdout.strip()
    assert found["status"] == "FINISHED"
    assert found["digests"] == [digest]
    assert found["params"]["train.latent_dim"] == "4"
    assert found["params"]["prepare.dataset"] == "data/tiny.h5"
    assert found["epochs"] == list(range(1, len(found["epochs"]) + 1))
    for name in ("loss", "reconstruction", "kl", "property"):
        assert {name, f"val_{name}"} <= set(found["metrics"])
    assert {
        "system/sve_per_second",
        "system/peak_memory_mb",
        "test/mean_r2",
        "test/r2/nu_zx",
        "test/bce_ratio",
    } <= set(found["metrics"])
    assert {
        "plots/parity.png",
        "plots/two_point.csv",
        "split/sves.png",
        "environment/packages.txt",
    } <= set(found["artifacts"])
    for tags in (found["tags"], found["version"]):
        assert tags["svevae.git_commit"] == commit
        assert tags["svevae.git_dirty"] == "false"
        assert tags["svevae.data_md5"] == digest
        assert "svevae.dvc_stage" in tags
    scores = read_json(finished / "artifacts" / "evaluation" / "metrics.json")
    assert float(found["version"]["mean_r2"]) == pytest.approx(scores["mean_r2"], abs=1e-6)


@pytest.mark.slow
def test_registering_twice_changes_nothing_and_a_better_model_takes_the_alias(
    run: Run,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    project = copy_project(finished, tmp_path / "project")
    monkeypatch.chdir(project)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    # The tiny model may not beat the porosity: let the scores say that it does.
    scores = read_json(project / "artifacts" / "evaluation" / "metrics.json") | {
        "porosity_only_mean_r2": -1e6
    }

    def state() -> dict:
        client = MlflowClient(tracking_uri=f"sqlite:///{project}/mlflow.db")
        aliases = client.get_registered_model("svevae").aliases
        return {
            "versions": len(client.search_model_versions("name = 'svevae'")),
            "aliases": {alias: str(version) for alias, version in aliases.items()},
        }

    def register(gain: float, changed: bool) -> dict:
        better = scores | {"mean_r2": scores["mean_r2"] + gain}
        (project / "artifacts" / "evaluation" / "metrics.json").write_text(
            json.dumps(better), encoding="utf-8"
        )
        if changed:  # another model: the same file with a byte behind its end
            with open(project / "artifacts" / "model" / "model.keras", "ab") as file:
                file.write(b"\0")
        assert main(["register"]) == 0
        return state()

    first = state()
    assert first["versions"] == 1
    assert register(0.1, changed=False) == first
    second = register(0.2, changed=True)
    assert second["versions"] == 2
    assert second["aliases"]["champion"] == "2"
    third = register(0.15, changed=True)
    assert third["aliases"] == {"champion": "2", "challenger": "3"}
    fourth = register(0.3, changed=True)
    assert fourth["aliases"] == {"champion": "4", "challenger": "2"}
    assert register(0.5, changed=False) == fourth
    capfd.readouterr()
    assert main(["summary"]) == 0
    assert "champion: models:/svevae@champion, version 4" in capfd.readouterr().out
    moved = shutil.move(project, tmp_path / "elsewhere")  # the registry's paths are mended
    names = python(
        run, "import svevae; print(svevae.load('models:/svevae@champion').names)", Path(moved)
    )
    assert "nu_zx" in names


def test_loading_from_the_registry(
    run: Run, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(finished)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with h5py.File("data/tiny.h5") as file:
        voxels = file["voxels"][:5]
    model = svevae.load("models:/svevae/1")
    assert (model.names, model.units[0], model.n, model.latent_dim, model.voxel_size) == (
        tuple(NAMES),
        "MPa",
        32,
        4,
        10.0,
    )
    mean, std = model.encode(voxels)
    assert mean.shape == std.shape == (5, 4)
    assert (std > 0).all()
    np.testing.assert_allclose(model.decode(mean), model.reconstruct(voxels), rtol=1e-5)
    np.testing.assert_allclose(model.predict_from_latent(mean), model.predict(voxels), rtol=1e-5)
    assert 10_000 < model.predict(voxels)[:, 0].mean() < 90_000  # MPa
    everything = model.outputs(voxels)
    np.testing.assert_allclose(
        everything["probability"], model.reconstruct(voxels), rtol=1e-4, atol=1e-6
    )
    with pytest.raises(
        svevae.errors.DataError,
        match=r"voxels: expected shape \(sve, 32, 32, 32\), received \(5, 16, 32, 32\)",
    ):
        model.encode(voxels[:, :16])
    with pytest.raises(
        svevae.errors.DataError,
        match=r"voxels: expected 0 \(solid\) and 1 \(pore\), received values from 0 to 3",
    ):
        model.encode(voxels * 3)
    with pytest.raises(
        svevae.errors.DataError, match=r"latent: expected shape \(sve, 4\), received \(5, 3\)"
    ):
        model.decode(mean[:, :3])


WITHOUT_SVEVAE = """
import sys
class Block:
    @staticmethod
    def find_spec(name, *_):
        if name.split(".")[0] == "svevae" and not allowed:
            raise ImportError(name)
sys.meta_path.insert(0, Block)
allowed = False
import mlflow, numpy as np
mlflow.set_tracking_uri(uri)
try:
    import svevae
except ImportError:
    pass
else:
    raise SystemExit("svevae can be imported")
voxels = np.load(cubes)
"""


@pytest.mark.slow
def test_loads_where_svevae_cannot_be_imported(run: Run, finished: Path, tmp_path: Path) -> None:
    """mlflow.keras needs Keras alone; pyfunc brings svevae's code along with the model."""
    with h5py.File(finished / "data" / "tiny.h5") as file:
        np.save(tmp_path / "cubes.npy", file["voxels"][:3])
    start = (
        f"uri = 'sqlite:///{finished}/mlflow.db'; cubes = '{tmp_path}/cubes.npy'\n" + WITHOUT_SVEVAE
    )
    by_keras = (
        start
        + """
model = mlflow.keras.load_model("models:/svevae/1")
found = model.predict(voxels, verbose=0)
np.savez("keras.npz", properties=found["properties"], latent_mean=found["latent_mean"])
assert "svevae" not in sys.modules
names = {layer.name for layer in model.layers}
print(sorted(names & {"encoder", "decoder", "predictor"}))
"""
    )
    assert "['decoder', 'encoder', 'predictor']" in python(run, by_keras, tmp_path)
    by_pyfunc = (
        start
        + """
import importlib.metadata
allowed = True
sys.path[:] = [entry for entry in sys.path if not entry.endswith("/src")]
found = mlflow.pyfunc.load_model("models:/svevae/1").predict(voxels)
assert {key: value.shape for key, value in found.items()} == {
    "latent_mean": (3, 4), "latent_std": (3, 4), "probability": (3, 32, 32, 32),
    "properties": (3, 11),
    "properties_std": (3, 11), "novelty": (3,)}, found
np.testing.assert_allclose(found["properties"], np.load("keras.npz")["properties"], rtol=1e-5)
import svevae
print(svevae.__file__)
"""
    )
    source = python(run, by_pyfunc, tmp_path).strip().splitlines()[-1]
    assert "/code/svevae/" in source


def test_predict_writes_a_table_and_hdf5(
    run: Run, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = tmp_path / "a.csv"
    run("svevae", "predict", "data/tiny.h5", "-o", a, "-m", "models:/svevae/1", cwd=finished)
    table = pd.read_csv(a)
    assert list(table.columns[:4]) == ["sve", "part_id", "porosity", "E_x [MPa]"]
    assert {"nu_zx", "nu_zx_std", "E_x_std [MPa]", "novelty"} <= set(table.columns)
    assert (table["E_x_std [MPa]"] > 0).all()
    assert len(table) == 96
    monkeypatch.chdir(finished)
    b = tmp_path / "a.h5"
    assert main(["predict", "data/tiny.h5", "-o", str(b), "-m", "artifacts/model"]) == 0
    with h5py.File(b) as file:
        assert list(file["properties"].attrs["names"]) == NAMES
        np.testing.assert_allclose(file["properties"][:, 0], table["E_x [MPa]"], rtol=1e-5)
        np.testing.assert_allclose(file["properties_std"][:, 0], table["E_x_std [MPa]"], rtol=1e-5)
        assert file["latent_mean"].shape == (96, 4)


@pytest.mark.slow
def test_sample_writes_a_file_of_the_contract(
    run: Run,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(finished)
    arguments = ("sample", "-n", "3", "-m", "artifacts/model")
    run("svevae", *arguments, "--seed", "3", "-o", tmp_path / "a.h5", cwd=finished)
    assert main([*arguments, "--seed", "3", "-o", str(tmp_path / "b.h5")]) == 0
    assert main(["check", str(tmp_path / "a.h5")]) == 0
    with h5py.File(tmp_path / "a.h5") as a, h5py.File(tmp_path / "b.h5") as b:
        # the same seed, in another process
        np.testing.assert_array_equal(a["voxels"][:], b["voxels"][:])
        assert a["voxels"].shape == (3, 32, 32, 32)
        assert a["latent"].shape == (3, 4)
        assert list(a["properties"].attrs["names"]) == NAMES
    with h5py.File(finished / "data" / "tiny.h5") as file:
        wished = float(np.median(file["properties"][:, NAMES.index("yield_z")]))
    capfd.readouterr()
    assert main([*arguments, "-t", f"yield_z={wished}", "-o", str(tmp_path / "c.h5")]) == 0
    assert "yield_z: wished" in capfd.readouterr().out
    with h5py.File(tmp_path / "c.h5") as file:
        column, std = (
            file[key][:, NAMES.index("yield_z")] for key in ("properties", "properties_std")
        )
        assert np.abs(column - wished).mean() < 2 * std.mean()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["-t", "yield_z=9000"],
            "target yield_z = 9000 MPa: out of reach: SVEs that the model knows have yield_z from",
        ),
        (["-t", "yield=1"], "target yield: expected one of E_x, E_y"),
    ],
)
def test_sample_refuses(
    finished: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(finished)
    assert main(["sample", "-m", "artifacts/model", "-o", "refused.h5", *arguments]) == 2
    assert message in capfd.readouterr().err
    assert not Path("refused.h5").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["data/tiny.h5", "-o", "a.xlsx", "-m", "artifacts/model"],
            "a.xlsx: expected a name that ends in .csv or .h5",
        ),
        (
            ["data/tiny.h5", "-o", "none/a.csv", "-m", "artifacts/model"],
            "none/a.csv: not written: expected a folder none that can",
        ),
        (
            ["data/tiny.h5", "-o", "a.csv", "-m", "models:/svevae@nobody"],
            "models:/svevae@nobody: expected a model of svevae in the registry",
        ),
        (
            ["data/tiny.h5", "-o", "a.csv", "-m", "models:/other/1"],
            "models:/other/1: expected a model of svevae in the registry",
        ),
        (
            ["data/tiny.h5", "-o", "a.csv", "-m", "data"],
            "data: expected a folder with model.keras and contract.json",
        ),
        (
            ["README.md", "-o", "a.csv", "-m", "artifacts/model"],
            "README.md: expected an HDF5 file, received something else",
        ),
    ],
)
def test_predict_refuses(
    finished: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch, capfd
) -> None:
    monkeypatch.chdir(finished)
    assert main(["predict", *arguments]) == 2
    printed = capfd.readouterr().err
    assert message in printed
    assert "Traceback" not in printed
    assert not list(finished.glob("*.csv"))


@pytest.mark.slow
def test_keep_copies_the_model_its_card_and_figures_unless_a_better_one_is_kept(
    run: Run,
    finished: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    project = copy_project(finished, tmp_path / "project")
    monkeypatch.chdir(project)
    assert main(["keep"]) == 0
    assert "champion: mean R2" in capfd.readouterr().out
    assert svevae.load(project / "champion" / "model").names == tuple(NAMES)
    assert (
        (project / "champion" / "model-card.md")
        .read_text(encoding="utf-8")
        .startswith("# Model card")
    )
    assert {"metrics.json", "plots"} <= {path.name for path in (project / "champion").iterdir()}
    run("dvc", "add", "-q", "champion", cwd=project)
    metrics = project / "champion" / "metrics.json"
    better = read_json(metrics) | {"mean_r2": 1.0}
    metrics.unlink()  # DVC links it
    metrics.write_text(json.dumps(better), encoding="utf-8")
    assert main(["keep"]) == 2
    refused = capfd.readouterr().err
    assert "a model of mean R2 1.0000 is kept, on the same test SVEs" in refused
    assert read_json(metrics) == better


@pytest.mark.slow
def test_interrupted_and_killed_training_goes_on_to_the_same_model(
    run: Run, finished: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """`svevae train` interrupted by the keyboard in its second epoch says that it goes on, and is
    killed with -9 in the third; the next `dvc repro` ends where the undisturbed project ended, in
    the same run.
    """
    project = copy_project(finished, tmp_path / "project")
    for path in ("artifacts/model", ".checkpoints", "mlruns"):
        shutil.rmtree(project / path)
    (project / "mlflow.db").unlink()
    (project / "artifacts" / "run.json").unlink()
    text = ""
    with start_training(project, environment) as process:
        for line in process.stdout:
            text += line
            if line.startswith("epoch 1:"):
                process.send_signal(signal.SIGINT)
    assert process.returncode == 130, text
    assert "interrupted; the same command goes on where it stopped" in text
    assert "Traceback" not in text
    assert (project / ".checkpoints" / "train.npz").is_file()
    with start_training(project, environment) as process:
        for line in process.stdout:
            if line.startswith("epoch 2:"):
                process.kill()
    assert process.returncode == -signal.SIGKILL
    text = run("dvc", "repro", "train", cwd=project).stdout
    assert "goes on after epoch 2" in text
    history, expected = (
        pd.read_csv(folder / "artifacts" / "training.csv") for folder in (project, finished)
    )
    assert list(history["epoch"]) == list(expected["epoch"])
    np.testing.assert_allclose(history["val_loss"], expected["val_loss"], rtol=2e-3)
    found, wanted = (
        keras.saving.load_model(folder / "artifacts" / "model" / "model.keras").get_weights()
        for folder in (project, finished)
    )
    for weight, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(weight, other, atol=5e-4)
    runs = python(
        run,
        "import mlflow\nfrom svevae import tracking\ntracking.connect()\n"
        "for run in mlflow.search_runs(output_format='list'): print(run.info.status)",
        project,
    )
    assert runs.split() == ["FINISHED"]


@pytest.mark.slow
def test_a_server_gives_the_same_answers_and_refusals_as_python(
    finished: Path, environment: dict[str, str]
) -> None:
    """`mlflow models serve`: what JSON can say of the inputs of test_packaging, NaN among them."""
    model = load_folder(finished / "artifacts" / "model")
    cubes = np.zeros((2, 32, 32, 32), np.uint8)
    cubes[1, 4:8, 4:8, 4:8] = 1
    expected = model.predict(cubes)
    refused = {
        "received values from 0.0 to 0.999": cubes * 0.999,
        "received values from 0.5 to 0.5": np.full((1, 32, 32, 32), 0.5),
        "received values from 0 to 2": cubes * 2,
        "received values from nan to nan": np.full((1, 32, 32, 32), np.nan),
        "received (2, 16, 32, 32)": cubes[:, :16],
        "received (0,)": np.zeros(0),
    }
    command = ["mlflow", "models", "serve", "-m", "models:/svevae/1", "--env-manager", "local"]
    store = {"MLFLOW_TRACKING_URI": "sqlite:///mlflow.db"}
    with serving(command, "/ping", finished, environment | store) as address:

        def ask(key: str, voxels: np.ndarray) -> requests.Response:
            body = json.dumps({key: voxels.tolist()})
            headers = {"Content-Type": "application/json"}
            return requests.post(
                f"{address}/invocations", data=body, headers=headers, timeout=PATIENCE
            )

        answers = [
            ask(key, cubes.astype(kind)) for key in ("inputs", "instances") for kind in "ifd?"
        ]
        refusals = {message: ask("inputs", voxels) for message, voxels in refused.items()}
    for answer in answers:
        assert answer.status_code == 200, answer.text
        np.testing.assert_allclose(answer.json()["predictions"]["properties"], expected, rtol=1e-4)
    for message, answer in refusals.items():
        assert answer.status_code == 400, answer.text
        assert message in answer.json()["message"]


@pytest.mark.slow
def test_a_server_takes_a_model_trained_elsewhere(
    run: Run, finished: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A real tracking server: evaluate makes a run of its own that names the one that trained,
    register fills its registry.
    """
    project = copy_project(finished, tmp_path / "project")
    store = [
        "--backend-store-uri",
        f"sqlite:///{tmp_path}/server.db",
        "--artifacts-destination",
        str(tmp_path / "store"),
    ]
    command = ["mlflow", "server", *store, "--host", "127.0.0.1", "--workers", "1"]
    with serving(
        command, "/health", tmp_path, environment | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    ) as address:
        for stage in ("evaluate", "register"):
            run("svevae", stage, cwd=project, MLFLOW_TRACKING_URI=address)
        registered = read_json(project / "artifacts" / "registered.json")
        trained = read_json(project / "artifacts" / "run.json")["run_id"]
        code = f"import mlflow; run = mlflow.get_run({registered['run_id']!r}).data\n"
        code += "print(run.tags['svevae.trained_in_run'], run.params['train.latent_dim'])\n"
        code += "import svevae; print(svevae.load('models:/svevae/1').latent_dim)"
        said = python(run, code, tmp_path, MLFLOW_TRACKING_URI=address)
    assert said.split() == [trained, "4", "4"]
    assert registered["store"] == address
    assert registered["run_id"] != trained


@pytest.mark.slow
def test_experiments_metrics_diff_and_plots_of_dvc(run: Run, wider: Path) -> None:
    assert read_json(wider / "artifacts" / "evaluation" / "metrics.json")["latent_dim"] == 6
    diff = json.loads(run("dvc", "metrics", "diff", "--json", cwd=wider).stdout)
    assert diff["artifacts/evaluation/metrics.json"]["latent_dim"] == {
        "old": 4,
        "new": 6,
        "diff": 2,
    }
    assert "wider" in run("dvc", "exp", "show", "--csv", cwd=wider).stdout
    run("dvc", "plots", "show", cwd=wider)
    page = (wider / "dvc_plots" / "index.html").read_text(encoding="utf-8")
    for title in ("two-point correlation", "val_property", "parity.png", "sves.png"):
        assert title in page
    tagged = python(
        run,
        "import mlflow\nfrom svevae import"
        " tracking\ntracking.connect()\nprint([r.data.tags.get('svevae.dvc_experiment') for r in"
        " mlflow.search_runs(output_format='list')])",
        wider,
    )
    assert "wider" in tagged


@pytest.mark.slow
def test_what_is_written_in_params_yaml_after_the_search_stands(wider: Path) -> None:
    """`dvc exp run -S train.kl_weight=...`: no second search, and the model is trained with that
    value.
    """
    assert "'search' didn't change" in wider.with_name("said").read_text(encoding="utf-8")
    contract = read_json(wider / "artifacts" / "model" / "contract.json")
    assert contract["train"]["kl_weight"] == 0.125


RUNS = """
import json, mlflow
from svevae import tracking
tracking.connect()
runs = mlflow.search_runs(
    experiment_names=["svevae"], order_by=["attributes.start_time ASC"], output_format="list"
)
print(json.dumps([[r.info.status, r.data.params.get("train.latent_dim"),
                   "test/mean_r2" in r.data.metrics,
                   r.data.tags.get("svevae.trained_in_run"), r.info.run_id]
                  for r in runs if "mlflow.parentRunId" not in r.data.tags]))
"""


def runs_of(run: Run, project: Path) -> list[list]:
    """[status, latent dimension, whether it has scores, in which run its model was trained, id] of
    each run that is nobody's child, the oldest first.
    """
    return json.loads(python(run, RUNS, project).strip().splitlines()[-1])


@pytest.mark.slow
def test_plain_mlflow_run_in_a_fresh_clone(
    run: Run, project: Path, tiny_file: Path, tmp_path: Path
) -> None:
    """`mlflow run .` on data of another code without labels along y, then a fully cached run that
    is not empty, then a stage with a parameter.
    """
    (project / "data" / "tiny.h5").unlink()  # DVC links it
    shutil.copy(tiny_file, project / "data" / "tiny.h5")
    change_yaml(project / "params.yaml", train={"augmentation": FLIPS})
    run("dvc", "add", "-q", "data", cwd=project)
    run("dvc", "push", "-q", cwd=project)
    run("git", "add", "-A", cwd=project)
    run("git", "commit", "-qm", "another's data", cwd=project)
    clone = tmp_path / "clone"
    run("git", "clone", "-q", project, clone, cwd=tmp_path)
    run("mlflow", "run", ".", cwd=clone)
    assert (clone / "artifacts" / "registered.json").is_file()
    scores = read_json(clone / "artifacts" / "evaluation" / "metrics.json")
    assert list(scores["r2"]) == WITHOUT_Y
    run("mlflow", "run", ".", cwd=clone)
    run("mlflow", "run", ".", "-e", "train", "-P", "latent_dim=8", cwd=clone)
    assert read_json(clone / "artifacts" / "model" / "contract.json")["latent_dim"] == 8
    first, cached, stage, *_ = runs_of(run, clone)
    assert first[:4] == ["FINISHED", "4", True, None]
    assert cached[:4] == ["FINISHED", None, True, first[4]]
    assert stage[:2] == ["FINISHED", "8"]


@pytest.mark.slow
def test_plain_mlflow_run_by_path(
    run: Run, finished: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """`.venv/bin/mlflow run .` where no environment is activated: every command of the pipeline is
    found, and as all is done already, the run has the scores and names the one that trained.
    """
    project = copy_project(finished, tmp_path / "project")
    (project / ".venv").symlink_to(Path(sys.executable).parents[1])
    here = str(Path(sys.executable).parent)
    system = [entry for entry in environment["PATH"].split(os.pathsep) if entry != here]
    variables = {"PATH": os.pathsep.join(system), "VIRTUAL_ENV": ""}
    run(".venv/bin/mlflow", "run", ".", cwd=project, **variables)
    trained = read_json(project / "artifacts" / "run.json")["run_id"]
    assert runs_of(run, project)[-1][:4] == ["FINISHED", None, True, trained]


@pytest.mark.slow
def test_a_stage_with_a_parameter_is_the_first_command_in_a_fresh_clone(
    run: Run, project: Path, finished: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    run("git", "clone", "-q", project, clone, cwd=tmp_path)
    run("git", "config", "user.name", "Test", cwd=clone)
    run("git", "config", "user.email", "test@example.org", cwd=clone)
    run("mlflow", "run", ".", "-e", "prepare", "-P", "seed=3", cwd=clone)
    splits = [
        read_json(folder / "artifacts" / "split" / "split.json")["parts"]
        for folder in (clone, finished)
    ]
    assert splits[0] != splits[1]
