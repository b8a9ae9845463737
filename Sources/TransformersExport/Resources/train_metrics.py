"""What a step is seen by: its record, the share of the peak that it reached, and where it is sent."""

import resource
import sys

import torch

from train_errors import USAGE, RunError
from train_group import Group
from train_run import RunFolder

# Dense bfloat16 products a second, by a part of the device's name; the makers' figures.
PEAKS = {
    "B200": 2250e12, "H200": 989e12, "H100 NVL": 835e12, "H100 PCIe": 756e12, "H100": 989e12,
    "GH200": 989e12, "A100": 312e12, "L40S": 362e12, "A10G": 70e12, "L4": 121e12,
    "RTX 4090": 165e12, "MI300X": 1307e12,
}
SINKS = ("tensorboard", "wandb")


def peak_of(group: Group, stated: float | None, is_bf16: bool) -> float | None:
    """FLOPs a second of one process's device; None where nobody says."""
    if stated or group.device.type != "cuda" or not is_bf16:
        return stated
    name = torch.cuda.get_device_name(group.device)
    return next((peak for part, peak in PEAKS.items() if part in name), None)


def memory_of(group: Group) -> int:
    """Bytes, the most so far: of the GPU, or of the process."""
    if group.device.type == "cuda":
        return torch.cuda.max_memory_allocated(group.device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Metrics:
    """Writes the records of one process's run; only the first of a group has one."""

    def __init__(self, run: RunFolder, sinks: list[str], settings: dict):
        self.run = run
        self.senders = [_sender(name, run, settings) for name in sinks]

    def step(self, record: dict) -> None:
        self.run.log(record)
        self._send({key: value for key, value in record.items() if key != "step"}, record["step"])

    def evaluation(self, record: dict) -> None:
        self.run.log_evaluation(record)
        values = {f"held_out/r{x['recurrence']}": x["loss"] for x in record["results"]}
        self._send(values, record["step"])

    def _send(self, values: dict, step: int) -> None:
        for send in self.senders:
            send(values, step)


def _sender(name: str, run: RunFolder, settings: dict):
    """A function of values by name and step; the library is needed only where it is asked for."""
    try:
        if name == "tensorboard":
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter(str(run.path / "tensorboard"))

            def send(values, step):
                for key, value in values.items():
                    writer.add_scalar(key, value, step)
                writer.flush()
            return send
        import wandb
    except ImportError as error:
        raise RunError(f"--log {name}: {name} is not installed; pip install {name}",
                       "train.no_logger", USAGE) from error
    # A run that goes on is the same run there.
    started = wandb.init(project="ckpt", name=run.path.name, id=run.path.name, resume="allow",
                         dir=str(run.path), config=settings)
    return lambda values, step: started.log(values, step=step)
