"""Every setting of a recipe: its default, and which values it can have."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from train_schedule import Extent


@dataclass(frozen=True)
class Setting:
    path: str
    default: Any
    parse: Callable[[Any], Any]  # text to value; None when it is something else
    allowed: str


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _whole(path: str, default: int, least: int = 0, most: int = 1 << 40) -> Setting:
    def parse(text):
        value = _integer(text)
        return value if value is not None and least <= value <= most else None
    return Setting(path, default, parse, f"a whole number from {least} to {most}")


def _real(path: str, default: float, most: float = math.inf, least: float = 0) -> Setting:
    def parse(text):
        value = _number(text)
        return value if value is not None and least <= value <= most else None
    return Setting(path, default, parse, f"a number from {least}{' to 1' if most == 1 else ''}")


def _choice(path: str, default: str, *names: str) -> Setting:
    return Setting(path, default, lambda text: text if text in names else None, ", ".join(names))


def _choices(path: str, default: list[str], *names: str) -> Setting:
    def parse(items):
        return items if all(item in names for item in items) else None
    return Setting(path, default, parse, "a list of " + ", ".join(names))


def _flag(path: str, default: bool) -> Setting:
    return Setting(path, default, {"true": True, "false": False}.get, "true, false")


def _text(path: str, default: str) -> Setting:
    return Setting(path, default, str, "any text")


def _extent(path: str, default: Extent) -> Setting:
    def parse(text):
        if (count := _integer(text)) is not None:
            return count if count >= 0 else None
        share = _number(text)
        return share if share is not None and 0 <= share <= 1 else None
    return Setting(path, default, parse, "a number of steps, or a share from 0.0 to 1.0")


def _curriculum(path: str, shape: str, end: int, ramp: Extent) -> list[Setting]:
    return [_choice(f"{path}.shape", shape, "constant", "linear", "1-sqrt"),
            _whole(f"{path}.start", 0, most=PASSES), _whole(f"{path}.end", end, 1, PASSES),
            _extent(f"{path}.ramp", ramp)]


def _recurrences(items: list[str]) -> list[int] | None:
    numbers = [_integer(item) for item in items]
    return numbers if all(n is not None and n > 0 for n in numbers) else None


def _memory(text):
    """`auto`, or bytes: `5GB` is decimal, `5GiB` binary, a bare number bytes."""
    if text == "auto":
        return text
    match = re.fullmatch(r"([0-9.]+)(?:([KMGT])(I?)B?|B)?", text.upper())
    value = _number(match[1]) if match else None
    if value is None:
        return None
    count = value * (1024 if match[3] else 1000) ** (" KMGT".index(match[2]) if match[2] else 0)
    return int(count) if 1 <= count < 2**60 else None


def _seed(text: str) -> int | None:
    value = _integer(text)
    return value if value is not None and 0 <= value < 1 << 64 else None


PASSES = 10_000  # the most recurrences that a model runs
LISTS = ("data.sources", "evaluation.recurrences", "lora.matrices", "lora.whole")
MATRICES = ["query", "key", "value", "output", "gate", "up", "down"]

# In the order of a printed recipe.
SETTINGS = {setting.path: setting for setting in [
    _whole("steps", 1000, 1),
    _whole("batch_size", 8, 1, 1 << 20),
    _whole("micro_batch_size", 4, 1, 1 << 20),
    _whole("sequence_length", 256, 1, 1 << 24),
    Setting("seed", 74, _seed, "a whole number from 0"),
    Setting("memory_budget", "auto", _memory, "auto, or bytes such as 16GiB"),
    _choice("precision", "float32", "float32", "bf16"),
    _choice("mode", "full", "full", "adapter", "lora"),
    _whole("lora.rank", 16, 1, 1 << 20),
    _real("lora.alpha", 32.0),
    _choices("lora.matrices", MATRICES, *MATRICES),
    _choices("lora.whole", ["adapter"], "adapter", "norms", "embedding", "head"),
    _text("distillation.teacher", ""),
    _real("distillation.temperature", 2.0, least=0.01),
    _real("distillation.mix", 0.5, 1),
    _whole("recurrence.fixed", 0, most=PASSES),
    _flag("recurrence.per_sequence", False),
    _real("recurrence.settling", 0.0),
    _whole("recurrence.supervision.depths", 0, most=PASSES),
    _real("recurrence.supervision.weight", 1.0),
    _real("recurrence.supervision.distillation", 0.0, 1),
    *_curriculum("recurrence.mean", "1-sqrt", 8, 0.75),
    *_curriculum("recurrence.backprop_depth", "constant", 8, 0),
    _choice("optimizer.kind", "muon", "muon", "adamw", "adamw-atan2"),
    _real("optimizer.clip", 1.0),
    _real("optimizer.muon.learning_rate", 1e-3),
    _real("optimizer.muon.momentum", 0.95, 1),
    _real("optimizer.muon.weight_decay", 1e-4),
    _flag("optimizer.muon.nesterov", True),
    _real("optimizer.adam.learning_rate", 5e-5),
    _real("optimizer.adam.beta1", 0.9, 1),
    _real("optimizer.adam.beta2", 0.95, 1),
    _real("optimizer.adam.epsilon", 1e-10),
    _real("optimizer.adam.weight_decay", 1e-4),
    _choice("schedule.shape", "wsd", "constant", "wsd", "cosine", "linear"),
    _extent("schedule.warmup", 0.0025),
    _extent("schedule.cooldown", 0.6),
    _real("schedule.floor", 0.001, 1),
    Setting("data.sources", [], list, "a list of files"),
    _choice("data.format", "auto", "auto", "text", "jsonl", "json", "csv", "tsv", "parquet", "arrow",
            "tar", "mds", "tokens", "npy", "bin", "shard", "megatron"),
    _flag("data.blank_lines_divide", False),
    _text("data.fields.text", "text"),
    _text("data.fields.prompt", "prompt"),
    _text("data.fields.completion", "completion"),
    _text("data.fields.messages", "messages"),
    _text("data.chat_template", "model"),
    _text("data.date", ""),
    _real("data.held_out", 0.05, 1),
    _whole("data.epochs", 0),
    _flag("data.skip_bad_records", False),
    _flag("data.stream", False),
    _whole("data.shuffle_buffer", 10_000, 1),
    _choice("data.attention", "sequence", "sequence", "document"),
    _whole("evaluation.every", 0),
    _whole("evaluation.rows", 16, 1),
    Setting("evaluation.recurrences", [1, 2, 4, 8], _recurrences, "whole numbers from 1"),
    _text("evaluation.questions", ""),
    _whole("checkpoints.every", 0),
    _whole("checkpoints.keep", 2, 1),
    _real("checkpoints.minutes", 10.0),
    _flag("checkpoints.final", True),
]}
