"""What can go wrong, in the words and with the exit codes of `ckpt train`."""

import errno
import json

CHECK_FAILED, MALFORMED, UNSUPPORTED, INPUT_OUTPUT, EXISTS, RESOURCES = 1, 3, 4, 5, 6, 7
USAGE, INTERNAL, INTERRUPTED = 64, 70, 130
EXCHANGE = ("gloo", "NCCL", "Timed out", "Connection closed", "Connection reset")  # in torch's words


class TrainError(Exception):
    """Ends a run with one line and an exit code; `code` is the problem's stable name."""

    def __init__(self, message: str, code: str, exit_code: int):
        super().__init__(message)
        self.message, self.code, self.exit_code = message, code, exit_code

    def line(self) -> str:
        return f"error: {self.message} [{self.code}]"


class RecipeError(TrainError):
    """A setting that does not exist, or a value that it cannot have."""

    def __init__(self, message: str, code: str = "recipe.bad_value", exit_code: int = USAGE):
        super().__init__(message, code, exit_code)


class DataError(TrainError):
    """Training data that cannot be used."""

    def __init__(
        self, message: str, code: str = "data.malformed", exit_code: int = MALFORMED,
        is_of_one_record: bool = False,
    ):
        """`is_of_one_record`: leaving a record out helps."""
        super().__init__(message, code, exit_code)
        self.is_of_one_record = is_of_one_record


class BadRecord(DataError):
    """A record that cannot be used, among others that can."""

    def __init__(self, message: str, code: str):
        super().__init__(message, code, MALFORMED, is_of_one_record=True)


class RunError(TrainError):
    """A run that cannot start or go on."""

    def __init__(self, message: str, code: str, exit_code: int):
        super().__init__(message, code, exit_code)


class Stopped(TrainError):
    """A signal came; the run can go on from its last checkpoint."""

    def __init__(self, step: int):
        super().__init__(f"stopped by a signal after step {step}; go on with --resume",
                         "train.stopped", INTERRUPTED)


def known(error: BaseException) -> TrainError:
    """Any error as one of ours, in one line."""
    if isinstance(error, TrainError):
        return error
    cause, seen = error, set()
    while cause is not None and id(cause) not in seen:  # what libraries wrap
        if isinstance(cause, OSError):
            return _system_error(cause)
        seen.add(id(cause))
        cause = cause.__cause__ or cause.__context__
    if "out of memory" in str(error):
        return RunError(f"{_first_line(error)}; use --memory recurrence, --parallel fsdp, or a "
                        "smaller micro_batch_size", "train.memory_budget", RESOURCES)
    if any(word in str(error) for word in EXCHANGE):
        return RunError(f"another process ended, or did not answer in time: {_first_line(error)}",
                        "train.lost_process", INPUT_OUTPUT)
    return RunError(f"{type(error).__name__}: {_first_line(error)}", "internal", INTERNAL)


def _system_error(error: OSError) -> TrainError:
    place = f"{error.filename}: " if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return RunError(f"{place}the disk is full; the last checkpoint is whole: make room, then go "
                        "on with --resume", "io.no_space", INPUT_OUTPUT)
    if error.errno == errno.ENOENT:
        return RunError(f"{place}cannot open: No such file or directory", "io.missing", INPUT_OUTPUT)
    return RunError(f"{place}{error.strerror or _first_line(error)}", "io.failed", INPUT_OUTPUT)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["no message"])[0]


def packed(error: TrainError, rank: int) -> str:
    """For other processes."""
    return json.dumps([error.message, error.code, error.exit_code, rank])


def unpacked(text: str) -> TrainError:
    return TrainError(*json.loads(text)[:3])
