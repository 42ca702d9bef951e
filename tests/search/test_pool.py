"""The pool: workers are begun, begun anew when they die, given up when they never get anywhere, and
ended whatever happens.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from types import SimpleNamespace

import optuna
import psutil
import pytest

from svevae import tracking
from svevae.errors import SvevaeError
from svevae.search import pool as module
from svevae.search.pool import (
    Pool,
    end_stray_runs,
    give_up_lost,
    help_out,
    leading,
    run_to_the_end,
    trial_line,
)
from svevae.search.storage import open_journal
from svevae.search.study import DEATHS, DIED, GRACE, LEADER, Study, Ticket, Watch, this_process
from svevae.search.worker import RENEW
from tests.conftest import wait_for

WORKER = """
from pathlib import Path
from svevae.search.study import Study
from svevae.search.storage import open_journal
study = Study.load(open_journal(Path({journal!r})), "s")
while trial := study.claim(0):
    trial.set_user_attr("errors", {{"property": 0.5, "reconstruction": 0.5}})
    study.study.tell(trial, trial.suggest_float("x", 0, 1))
"""
DYING = "import sys; print('no luck', file=sys.stderr); sys.exit(9)"
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, lambda *_: None)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(module, "LOOK", 0.1)
    return Study.create(open_journal(tmp_path / "study.journal"), "s", ("combined",), {})


def use(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers run this text instead of svevae's own, which takes ten seconds to import
    TensorFlow.
    """
    (tmp_path / "stand_in.py").write_text(text, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(module, "worker", SimpleNamespace(__name__="stand_in", RENEW=RENEW))


def test_the_watch_ends_when_each_ticket_is_spent(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    use(WORKER.format(journal=str(tmp_path / "study.journal")), tmp_path, monkeypatch)
    tickets = [Ticket(number, number) for number in range(5)]
    with Pool(2) as pool:
        run_to_the_end(study, tickets, pool, "search")
    assert [trial.user_attrs["ticket"] for trial in study.finished()] == list(range(5))
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("search ")]
    assert [line.split(": trial")[0] for line in lines] == [
        f"search {count} of 5" for count in range(1, 6)
    ]
    with Pool(2) as pool:
        run_to_the_end(study, tickets, pool, "search")
        assert pool._processes == [], "nothing to do, so no worker"


def test_workers_that_die_at_once_are_given_up_with_their_last_words(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(DYING, tmp_path, monkeypatch)
    with (
        pytest.raises(
            SvevaeError, match=r"worker \d ended with code 9; .*worker-\d\.log ends with:\nno luck"
        ) as given_up,
        Pool(2) as pool,
    ):
        run_to_the_end(study, [Ticket(0, 0)], pool, "search")
    assert pool._deaths == DEATHS * 2 + 1
    assert "no luck" in str(given_up.value)


def test_a_worker_that_asks_for_a_new_process_gets_one_and_has_not_died(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However often; a helper of another search does not take it for the end."""
    text = f"import pathlib; pathlib.Path({str(tmp_path / 'starts')!r}).open('a').write('x')"
    use(f"{text}; raise SystemExit({RENEW})", tmp_path, monkeypatch)
    with Pool(1) as pool:
        for count in range(DEATHS + 3):
            pool.tend()
            wait_for(lambda: pool._processes[0].poll() == RENEW, "a worker to end")
            assert len((tmp_path / "starts").read_text(encoding="utf-8")) == count + 1
            assert not pool.over
    assert pool._deaths == 0


def test_a_worker_that_names_a_mistake_is_believed_at_once(study: Study) -> None:
    """svevae's own worker in a folder without params.yaml."""
    with (
        pytest.raises(
            SvevaeError,
            match=r"worker 0 ended with code 2(.|\n)*worker: params\.yaml: expected the parameters",
        ),
        Pool(1) as pool,
    ):
        run_to_the_end(study, [Ticket(0, 0)], pool, "search")


def test_a_worker_that_does_not_end_is_killed(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(STUBBORN, tmp_path, monkeypatch)
    monkeypatch.setattr(module, "FAREWELL", 1)
    monkeypatch.setattr(module, "AGAIN", 0.2)
    with Pool(1) as pool:
        pool.tend()
        while "ready" not in (module.LOGS / "worker-0.log").read_text(encoding="utf-8"):
            time.sleep(0.05)
        (process,) = pool._processes
        pool.end()
        assert process.poll() == -9
    assert not psutil.pid_exists(process.pid)


def test_lost_trials_are_handed_out_again(study: Study) -> None:
    study.issue([Ticket(0, 0), Ticket(1, 1)])
    lost, mine = study.claim(0), study.claim(0)
    lost.set_user_attr("owner", this_process() | {"pid": 2**22 + 1})
    give_up_lost(study, Watch())
    states = {trial.number: trial.state.name for trial in study.trials()}
    assert states == {lost.number: "FAIL", mine.number: "RUNNING", 2: "WAITING"}
    assert study.trials()[lost.number].user_attrs["lost"] == DIED


def test_each_worker_has_its_environment(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(
        "import os, json; open(f'{os.getpid()}.json', 'w').write(json.dumps(dict(os.environ)))",
        tmp_path,
        monkeypatch,
    )
    monkeypatch.setenv("MLFLOW_RUN_ID", "the study's")
    monkeypatch.setattr(
        module, "worker_environment", lambda index, count: {"WHICH": f"{index} of {count}"}
    )
    with Pool(2) as pool:
        pool.tend()
        for process in pool._processes:
            process.wait(60)
        assert pool.over
    texts = [path.read_text(encoding="utf-8") for path in tmp_path.glob("*.json")]
    assert {word for text in texts for word in ("0 of 2", "1 of 2") if word in text} == {
        "0 of 2",
        "1 of 2",
    }
    assert not any("MLFLOW_RUN_ID" in text for text in texts)
    assert os.environ["MLFLOW_RUN_ID"] == "the study's"


def test_a_finished_trial_in_a_line() -> None:
    def trial(**attributes: object) -> optuna.trial.FrozenTrial:
        state = attributes.pop("state")
        value = 0.5 if state == optuna.trial.TrialState.COMPLETE else None
        return optuna.create_trial(state=state, value=value, user_attrs=attributes)

    complete = trial(
        state=optuna.trial.TrialState.COMPLETE,
        errors={"property": 0.123456, "reconstruction": 0.5},
        seconds=61.4,
    )
    assert (
        trial_line(complete) == "trial -1: property error 0.1235, reconstruction error 0.5000, 61 s"
    )
    again = trial(
        state=optuna.trial.TrialState.COMPLETE, errors={"property": 0.1}, finalist=7, seed=3
    )
    assert trial_line(again) == "trial 7 with seed 3: property error 0.1000"
    pruned = trial(state=optuna.trial.TrialState.PRUNED, reason="hyperband at step 1", seconds=9.0)
    assert trial_line(pruned) == "trial -1 pruned: hyperband at step 1, 9 s"


def test_who_helps_ends_when_nobody_leads(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    """The leader has failed or was killed, and has not said that the search is over."""
    clock = [0.0]

    def wait(pool: Pool) -> None:
        clock[0] += 10
        if clock[0] == 50:
            study.study.set_user_attr(LEADER, {"beat": 1})

    monkeypatch.setattr(Pool, "wait", wait)
    monkeypatch.setattr("svevae.search.study.time.monotonic", lambda: clock[0])
    with pytest.raises(SvevaeError, match=r"search\.study: expected a search that leads 's'"):
        help_out(study, Pool(0))
    assert clock[0] == 50 + GRACE + 10


def test_a_leader_gives_signs_of_life(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT", 0.01)
    with leading(study):
        wait_for(lambda: study.study.user_attrs.get(LEADER, {}).get("beat", 0) >= 3, "three signs")
    assert study.study.user_attrs[LEADER]["pid"] == os.getpid()


def test_runs_of_trials_that_run_no_more_are_ended(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of those that had not named their run yet, or named another. That of a running trial
    stays open, and that of a finished one ends as it did.
    """
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    study.issue([Ticket(number, 1) for number in range(3)])
    trials = [study.claim(0) for _ in range(3)]
    with tracking.run("search") as parent:
        runs = []
        client = tracking.mlflow.MlflowClient()
        # of workers that are no more, so nobody ends them
        for trial in (*trials, trials[0]):
            tags = {"svevae.study": "s", "svevae.trial": str(trial.number)}
            tags["mlflow.parentRunId"] = parent
            runs.append(client.create_run(tracking.experiment_id(), tags=tags).info.run_id)
        assert set(tracking.open_trial_runs(parent)) == set(runs)
        trials[0].set_user_attr("run_id", runs[0])
        study.study.tell(trials[0], 0.5)
        study.study.tell(trials[2], state=optuna.trial.TrialState.PRUNED)
        end_stray_runs(parent, [study])
        statuses = [client.get_run(run_id).info.status for run_id in runs]
        assert statuses == ["FINISHED", "RUNNING", "KILLED", "FAILED"]
