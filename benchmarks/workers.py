"""A contender is a process of its own, asked for one round at a time and idle in between: a line of
JSON in, a line of JSON out.

Standard library only: both ends import it, in two environments.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

THREADS = 2


class Worker(AbstractContextManager):
    """The parent's end: starts `script` under `python`, with `environment` besides its own; leaving
    the context ends the process.
    """

    def __init__(
        self,
        name: str,
        python: Path,
        script: Path,
        setup: dict[str, Any],
        environment: dict[str, str],
    ):
        limits = {
            "OMP_NUM_THREADS": str(THREADS),
            "CUDA_VISIBLE_DEVICES": "",
            "KERAS_BACKEND": "tensorflow",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self.name = name
        self.cpu_seconds = 0.0  # of the process so far, as of its last answer
        self.process = subprocess.Popen(
            [python, script],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=os.environ | limits | environment,
        )
        self.about = self.ask(setup)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """The process's answer. Raises RuntimeError where it ended instead; what it had to say
        stands on stderr.
        """
        try:
            print(json.dumps(request), file=self.process.stdin, flush=True)
            answer = self.process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise RuntimeError(f"{self.name}: ended with exit status {self.process.wait()}")
        self.cpu_seconds, reply = json.loads(answer)
        return reply

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        with suppress(BrokenPipeError):  # of a request that it did not read
            self.process.stdin.close()


def serve(
    start: Callable[[dict[str, Any]], tuple[dict[str, Any], Callable[..., dict[str, Any]]]],
) -> None:
    """The child's end. `start` takes the first request and gives the answer to it and the function
    that answers all others.
    """
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is no answer
    answer = None
    for line in sys.stdin:
        request = json.loads(line)
        if answer is None:
            reply, answer = start(request)
        else:
            reply = answer(**request)
        print(json.dumps([time.process_time(), reply]), file=answers, flush=True)
