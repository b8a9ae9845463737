"""A run between two steps, in a file of `ckpt train`: either program goes on with it."""

import json
from pathlib import Path

from safetensors import safe_open
from torch import Tensor
from torch.nn import Parameter

from train_errors import MALFORMED, RunError
from train_optimizer import Optimizer, Slot
from train_parallel import full, local, rows_here

Piece = tuple[int, Tensor, Parameter]  # offset in the flat tensor, values here, whole
ALIGNMENT = 16  # each matrix of `parameters` starts at a multiple of so many elements


def new_progress(sources: int) -> dict:
    """Before the first step."""
    return {
        "step": 0, "micro_batches": 0, "tokens": 0, "skipped": 0, "skipped_in_a_row": 0,
        "updates": 0, "flops": 0.0, "flops_full": 0.0, "seconds": 0.0,
        "rows_read": [0] * sources, "streams": [None] * sources, "best_loss": None, "best_step": None,
    }


def write_state(path: Path | None, progress: dict, optimizer: Optimizer) -> None:
    """Writes what is trained, its moments and the progress, gathering one tensor at a time.

    Every process takes part; `path` is None on all but the first.
    """
    flats = _flats(optimizer)
    header, position = {"__metadata__": {"ckpt.trainer": json.dumps(progress)}}, 0
    for name, (count, _) in flats.items():
        header[name] = {"dtype": "F32", "shape": [count],
                        "data_offsets": [position, position + 4 * count]}
        position += 4 * count
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file = open(path, "xb") if path else None
    if file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + position)
    for name, (_, pieces) in flats.items():
        base = 8 + len(text) + header[name]["data_offsets"][0]
        for offset, values, parameter in pieces:
            values = full(values, like=parameter)
            if file:
                file.seek(base + 4 * offset)
                file.write(values.cpu().contiguous().numpy().data)
    if file:
        file.close()


def read_state(path: Path, optimizer: Optimizer) -> dict:
    """Puts the state of a file in place; gives the progress."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
        if "ckpt.trainer" not in metadata:
            raise RunError(f"{path}: the trainer's state is broken: no progress in its metadata",
                           "train.broken_state", MALFORMED)
        progress = json.loads(metadata["ckpt.trainer"])
        for name, (count, pieces) in _flats(optimizer).items():
            if name not in file.keys() or file.get_slice(name).get_shape() != [count]:
                raise RunError(f"{path}: the trainer's state is broken: no tensor {name} of "
                               f"{count} elements, which this model and this recipe need",
                               "train.broken_state", MALFORMED)
            flat = file.get_slice(name)
            for offset, values, parameter in pieces:
                width = parameter[0].numel()
                start = offset + rows_here(parameter).start * width
                values.copy_(flat[start:start + values.numel()].view(values.shape))
    optimizer.step_count = progress["updates"]
    return progress


def _flats(optimizer: Optimizer) -> dict[str, tuple[int, list[Piece]]]:
    """Elements, and pieces, of each flat tensor of the file."""

    def flat(items: list[tuple[Tensor, Slot]], alignment: int) -> tuple[int, list[Piece]]:
        pieces, offset = [], 0
        for values, slot in items:
            if not slot.tensor.is_later:
                offset = -(-offset // alignment) * alignment
            pieces.append((offset, values, slot.parameter))
            offset += slot.parameter.numel()
        return -(-offset // alignment) * alignment, pieces

    slots = optimizer.slots
    return {
        "parameters": flat(
            [(local(slot.parameter.detach()), slot) for slot in slots], ALIGNMENT),
        "first_moments": flat([(slot.first, slot) for slot in slots], 1),
        "second_moments": flat(
            [(slot.second, slot) for slot in slots if slot.second is not None], 1),
    }
