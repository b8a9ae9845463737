"""The recipe of a run: the settings of `ckpt train`, read from YAML and written back as it does."""

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from train_errors import MALFORMED, UNSUPPORTED, USAGE, RecipeError
from train_schedule import Curriculum, LearningRateSchedule, RecurrenceSampler
from train_settings import LISTS, SETTINGS


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
            raise RecipeError(f'there is no setting "{path}"{hint}', "recipe.unknown_key", USAGE)
        if path in LISTS and isinstance(text, str):
            text = [item for item in text.split(",") if item]
        value = SETTINGS[path].parse(text)
        if value is None:
            text = text if isinstance(text, str) else ", ".join(text)
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
            raise RecipeError(
                f"{file}: not a recipe: {' '.join(str(error).split())}", "recipe.bad_yaml",
                MALFORMED) from error
        if aliases:
            raise RecipeError(f"{file}:{aliases[0].start_mark.line + 1}: aliases are not allowed",
                              "recipe.bad_yaml", MALFORMED)
        for path, node in _leaves(root, file):
            is_list = isinstance(node, yaml.SequenceNode)
            try:
                if is_list and path in SETTINGS and path not in LISTS:
                    raise RecipeError(f"{path} is a list; allowed: {SETTINGS[path].allowed}")
                self.set(path, [item.value for item in node.value] if is_list else node.value)
            except RecipeError as error:
                raise RecipeError(f"{file}:{node.start_mark.line + 1}: {error}", error.code,
                                  MALFORMED) from error

    def refuse_what_only_ckpt_does(self) -> None:
        """Of the settings of `ckpt train`, those that this script does not have."""
        for path in ("recurrence.settling", "recurrence.supervision.depths"):
            if self[path] > 0:
                raise RecipeError(f"{path} is set, which ckpt train does and this script does not; "
                                  "set it to 0", "train.not_here", UNSUPPORTED)
        if self["recurrence.per_sequence"]:
            raise RecipeError("recurrence.per_sequence is set, which ckpt train does and this script "
                              "does not; set it to false, and micro_batch_size to 1 to draw for each "
                              "sequence", "train.not_here", UNSUPPORTED)
        if self["evaluation.questions"]:
            raise RecipeError("evaluation.questions is set, which ckpt train does and this script does "
                              "not; leave it empty, and ask with ckpt eval --task answers",
                              "train.not_here", UNSUPPORTED)
        if self["memory_budget"] != "auto":
            raise RecipeError("memory_budget is set, and plans the memory of ckpt train alone; set "
                              "it to auto, and pass --memory recurrence to save memory here",
                              "train.memory_budget", UNSUPPORTED)

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
                raise RecipeError(f"{file}: not a mapping of settings", "recipe.bad_yaml",
                                  MALFORMED)
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
