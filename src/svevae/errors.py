"""What svevae raises when its input is at fault; the command line prints the message and exits with
2.
"""


class SvevaeError(Exception):
    """The user can mend this: the message names the file or parameter, what was expected and what
    was received.
    """


class DataError(SvevaeError):
    """A dataset breaks the contract of `svevae.dataset.store`."""


class ConfigError(SvevaeError):
    """params.yaml, or an argument that stands for one of its keys, is wrong."""


class TrainingError(SvevaeError):
    """Training cannot go on, e.g. a term of the loss is not finite."""


class TrackingError(SvevaeError):
    """The tracking store or the model registry cannot be reached, or lacks what was asked for."""


class SolverError(SvevaeError):
    """The solver did not converge; what it had is no label."""
