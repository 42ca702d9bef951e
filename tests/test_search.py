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
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil
import pytest
import requests
import yaml
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState

from svevae.cli import main
from svevae.search.storage import open_journal, open_storage
from svevae.search.study import Study
from tests.conftest import (
    PATIENCE,
    Run,
    change_yaml,
    copy_project,
    serving,
    unused_port,
    wait_for,
    wait_for_port,
)

TRIALS = 5


def trials_of(project: Path, name: str = "svevae") -> list[FrozenTrial]:
    """All trials of the project's study, which runs or is over; none where there is none yet."""
    journals = [
        *(project / ".checkpoints" / "search").glob("*.journal"),
        *(project / "artifacts" / "search").glob("study.journal"),
    ]
    if not journals:
        return []
    try:
        newest = max(journals, key=lambda path: path.stat().st_mtime_ns)
        return Study.load(open_journal(newest), name).trials()
    except KeyError:
        return []


def study_has_begun(storage: BaseStorage) -> bool:
    """Whether a helper can join: sooner than the first trial, as all that work have to start."""
    with suppress(KeyError):
        return "run_id" in Study.load(storage, "svevae").study.user_attrs
    return False


def of_state(trials: list[FrozenTrial], state: TrialState) -> list[FrozenTrial]:
    return [trial for trial in trials if trial.state == state]


def configure(project: Path, **search: object) -> None:
    change_yaml(
        project / "params.yaml", search={"trials": TRIALS, "epochs": 2, "workers": 2} | search
    )


@pytest.fixture
def prepared(project: Path, finished: Path) -> Path:
    """A project whose data are split, with a search of TRIALS trials on two workers before it."""
    configure(project)
    for path in (Path("artifacts", "split"), Path(".dvc", "cache")):
        shutil.copytree(finished / path, project / path, dirs_exist_ok=True)
    lock = yaml.safe_load((finished / "dvc.lock").read_text(encoding="utf-8"))
    lock["stages"] = {"prepare": lock["stages"]["prepare"]}
    (project / "dvc.lock").write_text(yaml.safe_dump(lock), encoding="utf-8")
    return project


@dataclass
class Search:
    """A command that runs, and the file to which it says what it has to say."""

    process: subprocess.Popen
    file: IO[bytes]

    def said(self) -> str:
        return os.pread(self.file.fileno(), os.fstat(self.file.fileno()).st_size, 0).decode()

    def code(self) -> int:
        """Its exit code, when it has ended."""
        return self.process.wait(PATIENCE)


@contextmanager
def searching(project: Path, environment: dict[str, str], *options: str) -> Iterator[Search]:
    """`svevae search` in a process group of its own; nothing of it outlives the context."""
    with tempfile.TemporaryFile() as file:
        process = subprocess.Popen(
            ["svevae", "search", *options],
            cwd=project,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Search(process, file)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            wait_for(lambda: not workers_of(project), "the last worker to end")


def workers_of(project: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        command = process.info["cmdline"] or []
        if (
            "svevae.search.worker" in command
            and (process.info["cwd"] or "").startswith(str(project))
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
print(json.dumps([{"id": run.info.run_id, "status": run.info.status, "tags": run.data.tags,
                   "params": run.data.params, "metrics": run.data.metrics} for run in runs]))
"""


def mlflow_runs(run: Run, project: Path, **variables: str) -> list[dict]:
    return json.loads(run(sys.executable, "-c", RUNS, cwd=project, **variables).stdout)


def test_repro_searches_and_trains_what_was_found(run: Run, finished: Path) -> None:
    best = yaml.safe_load(
        (finished / "artifacts" / "search" / "best.yaml").read_text(encoding="utf-8")
    )
    settings = yaml.safe_load((finished / "params.yaml").read_text(encoding="utf-8"))
    contract = json.loads(
        (finished / "artifacts" / "model" / "contract.json").read_text(encoding="utf-8")
    )
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
    best = yaml.safe_load(
        (finished / "artifacts" / "search" / "best.yaml").read_text(encoding="utf-8")
    )
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


@pytest.fixture(scope="module")
def searched(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of `finished` whose params.yaml tests change."""
    return copy_project(finished, tmp_path_factory.mktemp("searched") / "project")


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
    searched: Path,
    finished: Path,
    changes: dict,
    variables: dict,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd,
) -> None:
    project = searched
    shutil.copy(finished / "params.yaml", project / "params.yaml")
    change_yaml(project / "params.yaml", search=changes)
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


def test_join_needs_a_search(
    project: Path, finished: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(project)
    assert main(["search", "--join"]) == 2
    assert "run `dvc repro --pull prepare` first" in capfd.readouterr().err
    shutil.copytree(finished / "artifacts" / "split", project / "artifacts" / "split")
    for option in ("--join", "--report"):
        assert main(["search", option]) == 2
        text = capfd.readouterr().err
        assert "search.study: expected a study 'svevae'" in text
        assert "run `svevae search` first" in text


@pytest.mark.slow
def test_the_dashboard_of_optuna_reads_the_journal(
    finished: Path, environment: dict[str, str]
) -> None:
    """`optuna-dashboard artifacts/search/study.journal`, as in the README."""
    command = ["optuna-dashboard", "artifacts/search/study.journal", "--host", "127.0.0.1"]
    with serving(command, "/api/studies", finished, environment) as address:
        studies = requests.get(f"{address}/api/studies", timeout=PATIENCE).json()["study_summaries"]
        (found,) = (study for study in studies if study["study_name"] == "svevae")
        trials = requests.get(
            f"{address}/api/studies/{found['study_id']}", timeout=PATIENCE
        ).json()["trials"]
    assert [trial["state"] for trial in trials] == ["Complete", "Complete"]


@pytest.mark.slow
def test_killed_and_interrupted_search_goes_on_to_the_exact_budget(
    prepared: Path, run: Run, environment: dict[str, str]
) -> None:
    """A worker dies in its first trial. Ctrl-C stops the others cleanly with the front so far.
    The next search has more workers than before, and its parent dies: they end with it. `dvc
    repro` goes on to a larger budget.
    """

    def begun() -> list[FrozenTrial]:
        running = of_state(trials_of(prepared), TrialState.RUNNING)
        return [trial for trial in running if "run_id" in trial.user_attrs]

    def complete() -> dict[int, list[float]]:
        return {t.number: t.values for t in of_state(trials_of(prepared), TrialState.COMPLETE)}

    with searching(prepared, environment) as command:
        wait_for(begun, "a running trial")
        victim = begun()[0]
        os.kill(victim.user_attrs["owner"]["pid"], signal.SIGKILL)
        wait_for(
            lambda: trials_of(prepared)[victim.number].state == TrialState.FAIL,
            "the loss to be seen",
        )
        assert trials_of(prepared)[victim.number].user_attrs["lost"] == "its worker died"
        wait_for(complete, "a complete trial")
        wait_for(begun, "another running trial")
        os.killpg(command.process.pid, signal.SIGINT)
        assert command.code() == 130
        text = command.said()
    assert "the front so far:\n  trial " in text
    assert "svevae search: interrupted; the same command goes on where it stopped" in text
    assert "Traceback" not in text
    assert not of_state(trials_of(prepared), TrialState.RUNNING)
    assert (prepared / "artifacts" / "search" / "report.html").is_file()
    assert "RUNNING" not in {entry["status"] for entry in mlflow_runs(run, prepared)}
    with searching(prepared, environment, "--workers", "3") as command:
        wait_for(begun, "a running trial")
        at_work = {trial.number for trial in begun()}
        os.kill(command.process.pid, signal.SIGKILL)
    before = complete()
    assert before
    # one that was claimed at that instant may be left, for the next search to find
    running = {trial.number for trial in of_state(trials_of(prepared), TrialState.RUNNING)}
    assert not running & at_work, "the workers handed their trials back"
    configure(prepared, trials=TRIALS + 1, workers=1)
    assert "winner: " in run("dvc", "repro", "search", cwd=prepared).stdout
    trials = trials_of(prepared)
    assert_budget_is_met(trials, TRIALS + 1)
    for number, values in before.items():
        assert trials[number].values == values
    statuses = {entry["id"]: entry["status"] for entry in mlflow_runs(run, prepared)}
    assert "RUNNING" not in statuses.values()
    assert statuses[victim.user_attrs["run_id"]] == "FAILED"
    assert "'search' didn't change" in run("dvc", "repro", "search", cwd=prepared).stdout


@pytest.mark.slow
def test_two_searches_and_a_helper_on_one_study(
    prepared: Path, environment: dict[str, str]
) -> None:
    configure(prepared, workers=1, epochs=1, trials=10)
    with searching(prepared, environment) as one, searching(prepared, environment) as other:
        journals = prepared / ".checkpoints" / "search"
        wait_for(
            lambda: any(study_has_begun(open_journal(p)) for p in journals.glob("*.journal")),
            "the study",
        )
        with searching(prepared, environment, "--join") as helper:
            commands = (one, other, helper)
            codes = [command.code() for command in commands]
            assert codes == [0, 0, 0], [command.said() for command in commands]
            assert "the search svevae is over" in helper.said()
    trials = trials_of(prepared)
    assert_budget_is_met(trials, 10)
    owners = {trial.user_attrs["owner"]["pid"] for trial in trials if "owner" in trial.user_attrs}
    assert len(owners) == 3


EXPERIMENT = ("-S", "search.study=long", "-S", "search.trials=3", "-S", "search.workers=1")


@contextmanager
def experimenting(project: Path, environment: dict[str, str], *options: str) -> Iterator[Search]:
    """`dvc exp run` of the search in a process group of its own."""
    with tempfile.TemporaryFile() as file:
        process = subprocess.Popen(
            ["dvc", "exp", "run", *EXPERIMENT, *options, "search"],
            cwd=project,
            env=environment,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Search(process, file)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def committed(project: Path, run: Run) -> Path:
    (project / "artifacts" / ".gitignore").write_text("/split\n", encoding="utf-8")
    run("git", "add", "-A", cwd=project)
    run("git", "commit", "-qm", "prepared", cwd=project)
    return project


def cloned(project: Path, folder: Path, run: Run, *options: str) -> Path:
    """A clone that finds DVC's files in the cache of the project."""
    run("git", "clone", "-q", *options, project.as_uri(), folder, cwd=project)
    return with_files(project, folder, run)


def with_files(project: Path, folder: Path, run: Run) -> Path:
    run("dvc", "cache", "dir", "--local", project / ".dvc" / "cache", cwd=folder)
    run("dvc", "checkout", "-q", "data.dvc", "prepare", cwd=folder)
    return folder


def complete_runs(run: Run, project: Path) -> tuple[dict[int, str], list[dict]]:
    """The MLflow run of each complete trial, and all runs, which have ended."""
    runs = mlflow_runs(run, project)
    assert "RUNNING" not in {entry["status"] for entry in runs}
    complete = of_state(trials_of(project, "long"), TrialState.COMPLETE)
    return {trial.number: trial.user_attrs["run_id"] for trial in complete}, runs


@pytest.mark.slow
@pytest.mark.parametrize("temporary", [False, True])
def test_an_interrupted_experiment_of_dvc_goes_on_with_every_finished_trial(
    prepared: Path, tmp_path: Path, run: Run, environment: dict[str, str], temporary: bool
) -> None:
    """Ctrl-C, kill -9, and the same command again: in a worktree of a shallow clone, whose outs DVC
    puts back before each of them, and in temporary copies of a full clone.
    """
    committed(prepared, run)
    folder, options = tmp_path / "a place" / "project", ("--temp",) if temporary else ()
    folder.parent.mkdir()
    if temporary:
        cloned(prepared, folder, run)
    else:
        shallow = tmp_path / "shallow"
        run("git", "clone", "-q", "--depth", "1", prepared.as_uri(), shallow, cwd=prepared)
        run("git", "worktree", "add", "-q", "--detach", folder, cwd=shallow)
        with_files(prepared, folder, run)
    finished: dict[int, str] = {}
    for number, sign in enumerate((signal.SIGINT, signal.SIGKILL)):
        with experimenting(folder, environment, *options) as command:

            def more(least: int = number + 1, command: Search = command) -> bool:
                assert command.process.poll() is None, command.said()
                return len(of_state(trials_of(folder, "long"), TrialState.COMPLETE)) >= least

            wait_for(more, "one more complete trial")
            os.killpg(command.process.pid, sign)
            command.code()
        wait_for(lambda: not workers_of(folder), "the workers to end")
        finished |= {
            trial.number: trial.user_attrs["run_id"]
            for trial in of_state(trials_of(folder, "long"), TrialState.COMPLETE)
        }
    with experimenting(folder, environment, *options) as command:
        assert command.code() == 0, command.said()
    runs_of_trials, runs = complete_runs(run, folder)
    assert finished.items() <= runs_of_trials.items()
    assert_budget_is_met(trials_of(folder, "long"), 3)
    assert {entry["id"] for entry in runs} >= set(runs_of_trials.values())
    assert [entry["tags"]["mlflow.runName"] for entry in runs].count("search") == 1
    assert len(run("dvc", "exp", "list", "--name-only", cwd=folder).stdout.split()) == 1


@pytest.mark.slow
def test_a_queue_keeps_its_experiments_and_a_shallow_clone_says_that_it_would_not(
    prepared: Path, tmp_path: Path, run: Run, environment: dict[str, str]
) -> None:
    configure(prepared, trials=1, workers=1)
    committed(prepared, run)
    changes = ("-S", "search.seeds=1", "-S", "base.seed=1,2")
    run("dvc", "exp", "run", "--queue", *changes, "search", cwd=prepared)
    run("dvc", "queue", "start", "-j", "2", cwd=prepared)
    wait_for(
        lambda: (
            "Running" not in (said := run("dvc", "queue", "status", cwd=prepared).stdout)
            and "Queued" not in said
        ),
        "the queue to be empty",
    )
    said = run("dvc", "queue", "status", cwd=prepared).stdout
    failed = re.findall(r"(\w+) .*Failed", said)
    logs = [run("dvc", "queue", "logs", task, cwd=prepared, code=None).stdout for task in failed]
    workers = sorted((prepared / ".dvc" / "tmp" / "exps" / "celery").glob("*.out"))
    logs += [path.read_text(encoding="utf-8")[-3000:] for path in workers]
    assert said.count("Success") == 2, "\n".join((said, *logs))
    assert len(run("dvc", "exp", "list", "--name-only", cwd=prepared).stdout.split()) == 2
    runs = mlflow_runs(run, prepared)
    assert {entry["status"] for entry in runs} == {"FINISHED"}
    assert [entry["tags"]["mlflow.runName"] for entry in runs].count("search") == 2

    shallow = cloned(prepared, tmp_path / "shallow", run, "--depth", "1")
    refused = run("dvc", "exp", "run", "--temp", *changes[:2], "search", cwd=shallow, code=None)
    assert refused.returncode != 0
    assert f"{shallow}: expected the whole history of git, received a shallow" in refused.stderr
    assert not (shallow / "mlflow.db").exists()


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
        postmaster = int(
            (self.folder / "data" / "postmaster.pid").read_text(encoding="utf-8").split()[0]
        )
        family = [*psutil.Process(postmaster).children(recursive=True), psutil.Process(postmaster)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, timeout=PATIENCE)
        (self.folder / "data" / "postmaster.pid").unlink()

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def _as_owner(self, program: str, *arguments: str | Path) -> None:
        command = [str(POSTGRES[-1] / program), *map(str, arguments)]
        prefix = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run(
            [*prefix, *command], check=True, stdout=subprocess.DEVNULL, cwd="/", timeout=PATIENCE
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


PROXY = """
import sys
from optuna.storages import get_storage, run_grpc_proxy_server
run_grpc_proxy_server(get_storage(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""


@pytest.mark.slow
def test_postgresql_that_is_killed_in_the_middle_and_a_grpc_proxy_before_it(
    prepared: Path,
    run: Run,
    environment: dict[str, str],
    postgres: Postgres,
    closing_at_end: Callable,
) -> None:
    """Four workers, two of them a helper's, with Optuna and MLflow on one PostgreSQL that dies and
    comes back: nothing is lost. Then another study there, whose workers know a gRPC proxy alone.
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
        wait_for(lambda: study_has_begun(storage), "the study")
        with searching(prepared, environment | variables, "--join") as helper:

            def owners() -> set[int]:
                assert command.process.poll() is None, command.said()
                return {t.user_attrs["owner"]["pid"] for t in trials() if "owner" in t.user_attrs}

            wait_for(lambda: len(owners()) >= 4, "four workers")
            wait_for(lambda: of_state(trials(), TrialState.COMPLETE), "a complete trial")
            complete = {
                trial.number: trial.values for trial in of_state(trials(), TrialState.COMPLETE)
            }
            postgres.kill()
            wait_for(
                lambda: "trying again for 10 min" in command.said(), "the outage to be seen", 500
            )
            postgres.start()
            codes = [process.code() for process in (command, helper)]
            assert codes == [0, 0], [command.said(), helper.said()]
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

    port = unused_port()
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROXY, postgres.url("optuna"), str(port)],
        env=environment,
    ) as proxy:
        try:
            variables = {"SVEVAE_STORAGE": f"grpc://127.0.0.1:{port}"}
            configure(prepared, study="behind", trials=2, workers=1)
            wait_for_port(port)
            assert "winner: " in run("svevae", "search", cwd=prepared, **variables).stdout
            assert_budget_is_met(
                Study.load(open_storage(variables["SVEVAE_STORAGE"]), "behind").trials(), 2
            )
        finally:
            proxy.kill()
    assert_budget_is_met(trials("behind"), 2)
