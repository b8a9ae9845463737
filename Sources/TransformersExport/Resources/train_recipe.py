"""The recipe of a run: the settings of `ckpt train`, read from YAML and written back as it does."""

import difflib
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from train_schedule import Curriculum, Extent, LearningRateSchedule, RecurrenceSampler


class RecipeError(Exception):
    """A setting that does not exist, or a value that it cannot have."""


@dataclass(frozen=True)
class Setting:
    path: str
    default: Any
    parse: Callable[[Any], Any]  # text to value; None when it is something else
    allowed: str


class Recipe:
    """The value of every setting, by path: `recipe["optimizer.clip"]`."""

    def __init__(self):
        self.values = {setting.path: setting.default for setting in SETTINGS.values()}

    def __getitem__(self, path: str) -> Any:
        return self.values[path]

    def part(self, path: str) -> dict[str, Any]:
        """All settings below `path`, by the rest of their paths."""
        start = len(path) + 1
        return {p[start:]: v for p, v in self.values.items() if p.startswith(path + ".")}

    def set(self, path: str, text: str | list[str]) -> None:
        """Sets one setting from its text, or a list from its items or from text with commas."""
        if path not in SETTINGS:
            near = difflib.get_close_matches(path, SETTINGS, n=1)
            hint = f'; did you mean "{near[0]}"?' if near else ""
            raise RecipeError(f'there is no setting "{path}"{hint}')
        if path in LISTS and isinstance(text, str):
            text = [item for item in text.split(",") if item]
        value = SETTINGS[path].parse(text)
        if value is None:
            raise RecipeError(f"{path} is {text}; allowed: {SETTINGS[path].allowed}")
        # Epsilon's default depends on the kind.
        if path == "optimizer.kind" and value != self[path]:
            self.values["optimizer.adam.epsilon"] = 1e-10 if value == "muon" else 1e-8
        self.values[path] = value

    def apply(self, text: str, file: str | Path = "recipe") -> None:
        """Applies YAML; what it does not name stays."""
        try:
            aliases = [e for e in yaml.parse(text) if isinstance(e, yaml.AliasEvent)]
            root = yaml.compose(text, yaml.BaseLoader)
        except yaml.YAMLError as error:
            raise RecipeError(f"{file}: not a recipe: {error}") from error
        if aliases:
            raise RecipeError(f"{file}:{aliases[0].start_mark.line + 1}: aliases are not allowed")
        for path, node in _leaves(root, file):
            is_list = isinstance(node, yaml.SequenceNode)
            try:
                if is_list and path in SETTINGS and path not in LISTS:
                    raise RecipeError(f"{path} is a list; allowed: {SETTINGS[path].allowed}")
                self.set(path, [item.value for item in node.value] if is_list else node.value)
            except RecipeError as error:
                raise RecipeError(f"{file}:{node.start_mark.line + 1}: {error}") from error

    def refuse_what_only_ckpt_does(self) -> None:
        """Of the modes of `ckpt train`, those that this script does not have."""
        if self["mode"] == "lora":
            raise RecipeError("mode is lora, which ckpt train does and this script does not; "
                              "here: full, adapter")
        if self["memory_budget"] != "auto":
            raise RecipeError("memory_budget is set, and plans the memory of ckpt train alone; set "
                              "it to auto, and pass --gradient-checkpointing to save memory here")

    def text(self) -> str:
        """YAML that gives these settings back."""
        lines, above = [], []
        for path, value in self.values.items():
            *folders, name = path.split(".")
            shared = 0
            while above[shared:shared + 1] == folders[shared:shared + 1] != []:
                shared += 1
            lines += ["  " * i + folders[i] + ":" for i in range(shared, len(folders))]
            above = folders
            lines.append("  " * len(folders) + f"{name}: {_written(value)}")
        return "\n".join(lines) + "\n"

    @property
    def micro_batch_size(self) -> int:
        """The largest divisor of the batch size that is not above the micro-batch size."""
        limit = min(self["micro_batch_size"], self["batch_size"])
        return max(n for n in range(1, limit + 1) if self["batch_size"] % n == 0)

    @property
    def sampler(self) -> RecurrenceSampler:
        return RecurrenceSampler(
            Curriculum(**self.part("recurrence.mean")),
            Curriculum(**self.part("recurrence.backprop_depth")),
            self["recurrence.fixed"], self["seed"])

    @property
    def schedule(self) -> LearningRateSchedule:
        return LearningRateSchedule(**self.part("schedule"))

    @property
    def main_learning_rate(self) -> float:
        """The rate that the log shows: that of most parameters."""
        kind = "muon" if self["optimizer.kind"] == "muon" else "adam"
        return self[f"optimizer.{kind}.learning_rate"]


def _leaves(root: yaml.Node | None, file: str | Path) -> Iterator[tuple[str, yaml.Node]]:
    """Paths and nodes of all values, in the order of the text."""
    pending = [("", root)] if root is not None and root.value != "" else []
    while pending:
        path, node = pending.pop()
        if not isinstance(node, yaml.MappingNode):
            if path == "":
                raise RecipeError(f"{file}: not a mapping of settings")
            yield path, node
            continue
        if path in SETTINGS:
            raise RecipeError(f"{file}:{node.start_mark.line + 1}: {path} is a mapping; "
                              f"allowed: {SETTINGS[path].allowed}")
        for key, value in reversed(node.value):
            pending.append((f"{path}.{key.value}" if path else str(key.value), value))


def _written(value: Any) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_written(item) for item in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if re.fullmatch(r"[0-9A-Za-z._/+][0-9A-Za-z._/+-]*", text):
        return text
    text = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + re.sub(r"[\0-\x1f]", lambda m: f"\\x{ord(m[0]):02x}", text) + '"'


# MARK: Kinds of settings


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?[0-9]+", text) else None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in text else None


def _whole(path: str, default: int, least: int = 0) -> Setting:
    def parse(text):
        value = _integer(text)
        return value if value is not None and value >= least else None
    return Setting(path, default, parse, f"a whole number from {least}")


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
            _whole(f"{path}.start", 0), _whole(f"{path}.end", end, 1),
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


LISTS = ("data.sources", "evaluation.recurrences", "lora.matrices", "lora.whole")
MATRICES = ["query", "key", "value", "output", "gate", "up", "down"]

# In the order of a printed recipe.
SETTINGS = {setting.path: setting for setting in [
    _whole("steps", 1000, 1),
    _whole("batch_size", 8, 1),
    _whole("micro_batch_size", 4, 1),
    _whole("sequence_length", 256, 1),
    _whole("seed", 74),
    Setting("memory_budget", "auto", _memory, "auto, or bytes such as 16GiB"),
    _choice("precision", "float32", "float32", "bf16"),
    _choice("mode", "full", "full", "adapter", "lora"),
    _whole("lora.rank", 16, 1),
    _real("lora.alpha", 32.0),
    _choices("lora.matrices", MATRICES, *MATRICES),
    _choices("lora.whole", ["adapter"], "adapter", "norms", "embedding", "head"),
    _text("distillation.teacher", ""),
    _real("distillation.temperature", 2.0, least=0.01),
    _real("distillation.mix", 0.5, 1),
    _whole("recurrence.fixed", 0),
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
            "tar", "tokens", "npy", "bin", "shard", "megatron"),
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
    _choice("data.attention", "sequence", "sequence", "document"),
    _whole("evaluation.every", 0),
    _whole("evaluation.rows", 16, 1),
    Setting("evaluation.recurrences", [1, 2, 4, 8], _recurrences, "whole numbers from 1"),
    _whole("checkpoints.every", 0),
    _whole("checkpoints.keep", 2, 1),
    _real("checkpoints.minutes", 10.0),
    _flag("checkpoints.final", True),
]}
