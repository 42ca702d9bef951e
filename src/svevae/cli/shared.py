"""Options that several commands have."""

from __future__ import annotations

import argparse
from pathlib import Path

from svevae.cli.values import material, path, positive


def add_cluster_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--workers",
        type=positive,
        metavar="N",
        help="processes of this machine (default: one for each core)",
    )
    command.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="run on this Dask scheduler instead, e.g. tcp://host:8786",
    )


def add_allow_host_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME[:PORT]",
        help=(
            "answer requests to this name too, of a tunnel or proxy that ends at the page; repeat"
            " it (default: 127.0.0.1, localhost and [::1] with the port)"
        ),
    )


def add_model_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-m",
        "--model",
        metavar="URI",
        help=(
            "registry URI or folder (default: models:/svevae@champion, and where there is no"
            " registry or no champion in it, svevae:/champion, which came with svevae)"
        ),
    )
    command.add_argument(
        "--material",
        type=material,
        metavar="LAW",
        help=(
            "the matrix, a preset or E=...,nu=...,s0=...,Q=...,b=... in MPa (default: what FILE"
            " says, else the model's usual one)"
        ),
    )


def add_params_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--params",
        type=path,
        default=Path("params.yaml"),
        metavar="FILE",
        help="YAML file with the section generate, alone if need be (default: %(default)s)",
    )
