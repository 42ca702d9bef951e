"""The search as its users meet it: `dvc repro`, kill -9 of anything, Ctrl-C, two at once,
PostgreSQL, a helper from elsewhere.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
import requests
import yaml
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from svevae.cli import main
from svevae.search.storage import open_journal, open_storage
from svevae.search.study import Study
from tests.conftest import Run, serving, unused_port

TRIALS = 5


def trials_of(project: Path, name: str = "svevae") -> list[FrozenTrial]:
    """All trials of the project's study, none where there is none yet."""
    try:
        return Study.load(
            open_journal(project / "artifacts" / "search" / "study.journal"), name
        ).trials()
    except KeyError:
        return []


def of_state(trials: list[FrozenTrial], state: TrialState) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state == state]


def wait_for(condition: Callable[[], object], what: str, patience: float = 240) -> None:
    deadline = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience:.0f} s for {what}"
        time.sleep(0.2)


def configure(project: Path, **search: object) -> None:
    settings = yaml.safe_load((project / "params.yaml").read_text())
    settings["search"] |= {"trials": TRIALS, "epochs": 2, "workers": 2} | search
    (project / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))


@pytest.fixture
def prepared(project: Path, run: Run) -> Path:
    """A project whose data are split, with a search of TRIALS trials on two workers before it."""
    configure(project)
    run("dvc", "repro", "--pull", "prepare", cwd=project)
    return project


@contextmanager
def searching(
    project: Path, environment: dict[str, str], *options: str
) -> Iterator[subprocess.Popen]:
    """`svevae search` in a process group of its own; nothing of it outlives the context."""
    command = subprocess.Popen(
        ["svevae", "search", *options],
        cwd=project,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield command
    finally:
        if command.poll() is None:
            os.kill(command.pid, signal.SIGKILL)
        command.wait()
        command.stdout.close()
        wait_for(lambda: not workers_of(project), "the last worker to end")


def workers_of(project: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        if (
            "svevae.search.worker" in command
            and process.info["cwd"] == str(project)
            and process.status() != psutil.STATUS_ZOMBIE
        ):
            found.append(process)
    return found


def assert_budget_is_met(trials: list[FrozenTrial], budget: int = TRIALS) -> None:
    """Each ticket is spent by one trial; what is left of others is lost ones, tried again with
    their parameters under their ticket.
    """
    assert not of_state(trials, TrialState.RUNNING)
    assert not of_state(trials, TrialState.WAITING)
    kept = [
        trial
        for trial in trials
        if not (trial.state == TrialState.FAIL and "lost" in trial.user_attrs)
    ]
    assert sorted(trial.user_attrs["ticket"] for trial in kept) == list(range(budget))
    for trial in kept:
        if "retry_of" in trial.user_attrs:
            lost = trials[trial.user_attrs["retry_of"]]
            assert lost.user_attrs["ticket"] == trial.user_attrs["ticket"]
            assert lost.params.items() <= trial.params.items()
            assert trial.user_attrs["seed"] == lost.user_attrs["seed"]


RUNS = """
import json, mlflow
from svevae import tracking
tracking.connect()
runs = mlflow.search_runs(experiment_names=["svevae"], output_format="list")
print(json.dumps([{"id": run.info.run_id, "status": run.info.status, "name": run.info.run_name, "tags": run.data.tags,
                   "params": run.data.params, "metrics": run.data.metrics} for run in runs]))
"""


def mlflow_runs(run: Run, project: Path, **variables: str) -> list[dict]:
    return json.loads(run(sys.executable, "-c", RUNS, cwd=project, **variables).stdout)


def test_repro_searches_and_trains_what_was_found(run: Run, finished: Path) -> None:
    best = yaml.safe_load((finished / "artifacts" / "search" / "best.yaml").read_text())
    settings = yaml.safe_load((finished / "params.yaml").read_text())
    contract = json.loads((finished / "artifacts" / "model" / "contract.json").read_text())
    assert set(best["train"]) == set(settings["search"]["space"])
    assert {key: contract["train"][key] for key in best["train"]} == best["train"]
    assert contract["train"]["latent_dim"] == settings["train"]["latent_dim"], (
        "what is not searched stays"
    )
    trials = trials_of(finished)
    assert_budget_is_met(trials, settings["search"]["trials"])
    assert "params_yaml" in trials[0].user_attrs
    assert (finished / "artifacts" / "search" / "report.html").stat().st_size > 10_000
    assert list((finished / "artifacts" / "search" / "plots").glob("*.png"))


def test_trials_are_nested_and_the_version_points_to_trial_and_study(
    run: Run, finished: Path
) -> None:
    found = {entry["id"]: entry for entry in mlflow_runs(run, finished)}
    best = yaml.safe_load((finished / "artifacts" / "search" / "best.yaml").read_text())
    nested = [
        entry
        for entry in found.values()
        if entry["tags"].get("mlflow.parentRunId") == best["study_run_id"]
    ]
    trials = trials_of(finished) + trials_of(finished, "svevae/finalists")
    assert {entry["id"] for entry in nested} == {trial.user_attrs["run_id"] for trial in trials}
    assert {entry["status"] for entry in found.values()} == {"FINISHED"}
    winner = found[best["trial_run_id"]]
    assert float(winner["params"]["train.kl_weight"]) == pytest.approx(best["train"]["kl_weight"])
    assert found[best["study_run_id"]]["metrics"]["winner/score"] > 0
    code = "import mlflow; from svevae import tracking; tracking.connect(); import json\n"
    code += "print(json.dumps(mlflow.MlflowClient().get_model_version('svevae', '1').tags))"
    tags = json.loads(run(sys.executable, "-c", code, cwd=finished).stdout)
    assert tags["svevae.study_run_id"] == best["study_run_id"]
    assert tags["svevae.trial_run_id"] == best["trial_run_id"]
    assert tags["svevae.trial"] == str(best["trial"])


@pytest.mark.slow
def test_what_is_written_in_params_yaml_after_the_search_stands(
    finished: Path, tmp_path: Path, run: Run
) -> None:
    """`dvc exp run -S train.kl_weight=...`: no second search, and the model is trained with that
    value.
    """
    project = shutil.copytree(finished, tmp_path / "project", symlinks=True)
    text = run(
        "dvc",
        "exp",
        "run",
        "-S",
        "train.kl_weight=0.125",
        "-S",
        "train.epochs=1",
        "train",
        cwd=project,
    ).stdout
    assert "'search' didn't change" in text
    contract = json.loads((project / "artifacts" / "model" / "contract.json").read_text())
    assert contract["train"]["kl_weight"] == 0.125


@pytest.mark.parametrize(
    ("changes", "variables", "message"),
    [
        (
            {"space": {"kl_weight": {"low": 0.25, "high": 4.0}}},
            {},
            "search.study: 'svevae' was made for another.*space.kl_weight.high",
        ),
        ({"epochs": 7}, {}, "search.epochs: the study has 1, expected now 7"),
        ({"trials": 0}, {}, "params.yaml: search.trials: expected at least 1, received 0"),
        ({"space": {}}, {}, "search.space: expected one or more keys of train, received none"),
        ({"space": {"latent_dims": {"choices": [1]}}}, {}, "search.space.latent_dims: unknown key"),
        (
            {"space": {"architecture": {"choices": ["u-net"]}}},
            {},
            "search.space.architecture: expected one of .*received 'u-net'",
        ),
        (
            {"space": {"latent_dim": {"low": 9, "high": 3}}},
            {},
            "search.space.latent_dim: expected low <= high, received low 9, high 3",
        ),
        ({"storage": "here.journal"}, {}, "search.storage: expected journal, or an address"),
        (
            {},
            {"SVEVAE_STORAGE": "postgresql+psycopg://me:secret@127.0.0.1:9/db"},
            r"search.storage: .*me:\*\*\*@127.0.0.1:9/db",
        ),
        (
            {"objectives": ["kl"]},
            {},
            "search.objectives: expected .property, reconstruction. or one of .*received .'kl'.",
        ),
    ],
)
def test_search_refuses(
    finished: Path,
    changes: dict,
    variables: dict,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd,
) -> None:
    project = tmp_path / "project"
    shutil.copytree(finished, project, symlinks=True)
    settings = yaml.safe_load((project / "params.yaml").read_text())
    settings["search"] |= changes
    (project / "params.yaml").write_text(yaml.safe_dump(settings, sort_keys=False))
    for key in ("MLFLOW_TRACKING_URI", "DVC_ROOT"):
        monkeypatch.delenv(key, raising=False)
    for key, value in variables.items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(project)
    before = (project / "artifacts" / "search" / "study.journal").read_bytes()
    assert main(["search"]) == 2
    printed = capfd.readouterr().err
    assert re.search(message, printed, re.DOTALL), printed
    assert "Traceback" not in printed
    assert "secret" not in printed
    assert (project / "artifacts" / "search" / "study.journal").read_bytes() == before


@pytest.mark.slow
def test_join_needs_a_search(project: Path, run: Run) -> None:
    assert (
        "run `dvc repro --pull prepare` first"
        in run("svevae", "search", "--join", cwd=project, code=2).stderr
    )
    run("dvc", "repro", "--pull", "prepare", cwd=project)
    for option in ("--join", "--report"):
        text = run("svevae", "search", option, cwd=project, code=2).stderr
        assert "search.study: expected a study 'svevae'" in text
        assert "run `svevae search` first" in text


@pytest.mark.slow
def test_the_dashboard_of_optuna_reads_the_journal(
    finished: Path, environment: dict[str, str]
) -> None:
    """`optuna-dashboard artifacts/search/study.journal`, as in the README."""
    command = ["optuna-dashboard", "artifacts/search/study.journal", "--host", "127.0.0.1"]
    with serving(command, "/api/studies", finished, environment) as address:
        studies = requests.get(f"{address}/api/studies", timeout=60).json()["study_summaries"]
        (found,) = (study for study in studies if study["study_name"] == "svevae")
        trials = requests.get(f"{address}/api/studies/{found['study_id']}", timeout=60).json()[
            "trials"
        ]
    assert [trial["state"] for trial in trials] == ["Complete", "Complete"]


@pytest.mark.slow
def test_kill_9_of_a_worker_and_of_the_parent(
    prepared: Path, run: Run, environment: dict[str, str]
) -> None:
    """A worker dies in its first trial, then the parent; its other workers end with it, and `dvc
    repro` goes on to the exact budget.
    """
    with searching(prepared, environment) as command:
        wait_for(
            lambda: [
                t
                for t in of_state(trials_of(prepared), TrialState.RUNNING)
                if "run_id" in t.user_attrs
            ],
            "a running trial",
        )
        victim = next(
            trial
            for trial in of_state(trials_of(prepared), TrialState.RUNNING)
            if "run_id" in trial.user_attrs
        )
        os.kill(victim.user_attrs["owner"]["pid"], signal.SIGKILL)
        wait_for(
            lambda: trials_of(prepared)[victim.number].state == TrialState.FAIL,
            "the loss to be seen",
            30,
        )
        assert trials_of(prepared)[victim.number].user_attrs["lost"] == "its worker died"
        wait_for(lambda: of_state(trials_of(prepared), TrialState.COMPLETE), "a complete trial")
        wait_for(lambda: of_state(trials_of(prepared), TrialState.RUNNING), "another running trial")
        os.kill(command.pid, signal.SIGKILL)
    complete = {
        trial.number: trial.values for trial in of_state(trials_of(prepared), TrialState.COMPLETE)
    }
    assert complete
    assert not of_state(trials_of(prepared), TrialState.RUNNING), (
        "the workers handed their trials back"
    )
    run("dvc", "repro", "search", cwd=prepared, timeout=600)
    trials = trials_of(prepared)
    assert_budget_is_met(trials)
    for number, values in complete.items():
        assert trials[number].values == values
    statuses = {entry["id"]: entry["status"] for entry in mlflow_runs(run, prepared)}
    assert "RUNNING" not in statuses.values()
    assert statuses[victim.user_attrs["run_id"]] == "FAILED"
    assert "didn't change" in run("dvc", "repro", "search", cwd=prepared).stdout


@pytest.mark.slow
def test_ctrl_c_stops_cleanly_with_the_front_so_far(
    prepared: Path, run: Run, environment: dict[str, str]
) -> None:
    with searching(prepared, environment) as command:
        wait_for(lambda: of_state(trials_of(prepared), TrialState.COMPLETE), "a complete trial")
        wait_for(lambda: of_state(trials_of(prepared), TrialState.RUNNING), "a running trial")
        os.killpg(command.pid, signal.SIGINT)
        text, _ = command.communicate(timeout=120)
    assert command.returncode == 130
    assert "the front so far:\n  trial " in text
    assert "svevae search: interrupted; the same command goes on where it stopped" in text
    assert "Traceback" not in text
    assert not of_state(trials_of(prepared), TrialState.RUNNING)
    assert (prepared / "artifacts" / "search" / "report.html").is_file()
    assert "RUNNING" not in {entry["status"] for entry in mlflow_runs(run, prepared)}
    configure(prepared, trials=TRIALS + 1)  # a larger budget, and more workers than before
    assert "winner: " in run("svevae", "search", "--workers", "3", cwd=prepared, timeout=600).stdout
    assert_budget_is_met(trials_of(prepared), TRIALS + 1)


@pytest.mark.slow
def test_two_searches_and_a_helper_on_one_study(
    prepared: Path, environment: dict[str, str]
) -> None:
    configure(prepared, workers=1)
    with searching(prepared, environment) as one, searching(prepared, environment) as other:
        wait_for(lambda: of_state(trials_of(prepared), TrialState.RUNNING), "a running trial")
        with searching(prepared, environment, "--join") as helper:
            texts = [command.communicate(timeout=600)[0] for command in (one, other, helper)]
            assert [command.returncode for command in (one, other, helper)] == [0, 0, 0], texts
    assert "the search svevae is over" in texts[2]
    trials = trials_of(prepared)
    assert_budget_is_met(trials)
    owners = {trial.user_attrs["owner"]["pid"] for trial in trials if "owner" in trial.user_attrs}
    assert len(owners) == 3


POSTGRES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))


class Postgres:
    """A server of this test's own on a free port of this machine, with the databases optuna and
    mlflow.
    """

    def __init__(self, folder: Path):
        self.folder, self.port = folder / "postgres", unused_port()
        self.folder.mkdir()
        folder.chmod(0o755)
        if os.getuid() == 0:
            shutil.chown(self.folder, "postgres")
        self._as_owner("initdb", "-A", "trust", "-U", "postgres", "-D", self.folder / "data")
        self.start()
        for name in ("optuna", "mlflow"):
            self._as_owner(
                "createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", name
            )

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1"
        self._as_owner(
            "pg_ctl",
            "start",
            "-w",
            "-D",
            self.folder / "data",
            "-o",
            options,
            "-l",
            self.folder / "log",
        )

    def kill(self) -> None:
        postmaster = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        family = [*psutil.Process(postmaster).children(recursive=True), psutil.Process(postmaster)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=30)
        (self.folder / "data" / "postmaster.pid").unlink()

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def _as_owner(self, program: str, *arguments: str | Path) -> None:
        command = [str(POSTGRES[-1] / program), *map(str, arguments)]
        prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run(
            [*prefix, *command], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=120
        )


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    if not POSTGRES:
        pytest.skip("needs PostgreSQL (Debian: postgresql)")
    with (
        tempfile.TemporaryDirectory() as folder
    ):  # pytest's own folders are closed to the user that PostgreSQL must run as
        server = Postgres(Path(folder))
        yield server
        server.kill()


@pytest.fixture
def closing_at_end() -> Iterator[Callable[[RDBStorage], RDBStorage]]:
    """-> a function that gives a storage back and has its connections closed behind the test."""
    opened: list[RDBStorage] = []

    def keep(storage: RDBStorage) -> RDBStorage:
        opened.append(storage)
        return storage

    yield keep
    for storage in opened:
        storage.remove_session()
        storage.engine.dispose()


@pytest.mark.slow
def test_postgresql_that_is_killed_in_the_middle(
    prepared: Path,
    run: Run,
    environment: dict[str, str],
    postgres: Postgres,
    closing_at_end: Callable,
) -> None:
    """Four workers, two of them a helper's, with Optuna and MLflow on one PostgreSQL that dies and
    comes back: nothing is lost.
    """
    variables = {
        "SVEVAE_STORAGE": postgres.url("optuna"),
        "MLFLOW_TRACKING_URI": postgres.url("mlflow"),
    }
    configure(prepared, trials=8)
    storage = closing_at_end(open_storage(variables["SVEVAE_STORAGE"]))

    def trials(name: str = "svevae") -> list[FrozenTrial]:
        try:
            return Study.load(storage, name).trials()
        except KeyError:
            return []

    with searching(prepared, environment | variables) as command:
        wait_for(lambda: of_state(trials(), TrialState.RUNNING), "a running trial")
        with searching(prepared, environment | variables, "--join") as helper:
            wait_for(
                lambda: (
                    len({t.user_attrs.get("owner", {}).get("pid") for t in trials()} - {None}) >= 4
                ),
                "four workers",
            )
            wait_for(lambda: of_state(trials(), TrialState.COMPLETE), "a complete trial")
            complete = {
                trial.number: trial.values for trial in of_state(trials(), TrialState.COMPLETE)
            }
            postgres.kill()
            time.sleep(5)
            postgres.start()
            texts = [process.communicate(timeout=600)[0] for process in (command, helper)]
            assert [process.returncode for process in (command, helper)] == [0, 0], texts
    assert "trying again for 10 min" in texts[0]
    assert_budget_is_met(trials(), 8)
    for number, values in complete.items():
        assert trials()[number].values == values
    statuses = [
        entry["status"]
        for entry in mlflow_runs(run, prepared, **variables)
        if "mlflow.parentRunId" in entry["tags"]
    ]
    assert statuses.count("FINISHED") == len(
        of_state(trials() + trials("svevae/finalists"), TrialState.COMPLETE)
    )
    assert "RUNNING" not in statuses
    copy = trials_of(prepared)  # what DVC keeps
    assert [(trial.number, trial.values, trial.state) for trial in copy] == [
        (t.number, t.values, t.state) for t in trials()
    ]


PROXY = """
import sys
from optuna.storages import get_storage, run_grpc_proxy_server
run_grpc_proxy_server(get_storage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


@pytest.mark.slow
def test_workers_behind_a_grpc_proxy(
    prepared: Path, environment: dict[str, str], postgres: Postgres, run: Run
) -> None:
    port = unused_port()
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROXY, postgres.url("optuna"), str(port)],
        env=environment,
    ) as proxy:
        try:
            variables = {"SVEVAE_STORAGE": f"grpc://127.0.0.1:{port}"}
            configure(prepared, trials=3)
            wait_for(
                lambda: run(
                    "svevae", "search", "--report", cwd=prepared, code=None, **variables
                ).stderr.count("found none"),
                "the proxy",
            )
            assert (
                "winner: " in run("svevae", "search", cwd=prepared, timeout=600, **variables).stdout
            )
            assert_budget_is_met(
                Study.load(open_storage(variables["SVEVAE_STORAGE"]), "svevae").trials(), 3
            )
        finally:
            proxy.kill()
