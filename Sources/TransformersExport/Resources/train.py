"""Trains the model in this folder with a recipe of `ckpt train`, on one process or under torchrun.

    python train.py --recipe data/recipe.yaml -o run
    torchrun --nproc-per-node 8 train.py --recipe data/recipe.yaml -o run --parallel fsdp

Data are read as they lie: files, folders and patterns of every format of `ckpt train`, of which it
makes the same tokens; those that --prepare made need no tokenizer. The run folder is that of `ckpt
train`: `ckpt runs` compares both, and --resume goes on with a run of either.
"""

import argparse
import os
import signal
import sys
from pathlib import Path

sys.dont_write_bytecode = True  # the model's folder stays as its manifest says
from transformers import AutoConfig  # noqa: E402

from train_data import Dataset  # noqa: E402
from train_errors import INPUT_OUTPUT, USAGE, RecipeError, RunError  # noqa: E402
from train_group import Group, say  # noqa: E402
from train_loop import TYPES, Trainer  # noqa: E402
from train_metrics import SINKS  # noqa: E402
from train_model import ATTENTION, MEMORY  # noqa: E402
from train_recipe import Recipe  # noqa: E402
from train_run import RunFolder  # noqa: E402
from train_save import FORMS  # noqa: E402


class Parser(argparse.ArgumentParser):
    def error(self, message: str):
        self.exit(USAGE, f"error: {message} [usage]\n")


def arguments() -> argparse.Namespace:
    parser = Parser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("-o", "--output", required=True, help="run folder to write")
    add("--recipe", help="a recipe in YAML")
    add("--set", action="append", default=[], metavar="KEY=VALUE",
        help="any setting of a recipe, such as optimizer.clip=0.5")
    add("--data", nargs="+", metavar="FILE",
        help="files, folders or patterns of text, records or token ids; FILE:WEIGHT mixes several")
    add("--parallel", choices=["ddp", "fsdp", "hsdp"], default="ddp",
        help="whole copies of the model, shards of it, or copies that are shards of a machine")
    add("--shard", type=int, default=0, metavar="N",
        help="under hsdp, processes that hold a copy together; those of a machine without it")
    add("--memory", choices=MEMORY, default="none",
        help="what is computed again in the backward pass instead of kept")
    add("--attention", choices=ATTENTION, default="sdpa",
        help="torch's attention, or flex attention, which leaves out blocks of other documents; on GPUs")
    add("--compile", nargs="?", const="inductor", metavar="BACKEND",
        help="compile the blocks with torch.compile")
    add("--checkpoints", choices=FORMS, default="auto",
        help="one file, or shards written in the background; auto: shards where the model is")
    add("--factors-only", action="store_true",
        help="in mode lora, write the factors alone: no package, neither of the run nor of checkpoints")
    add("--save-dtype", choices=TYPES, default="f32", help="type of the trained weights")
    add("--resume", nargs="?", const="yes", choices=["yes", "auto"],
        help="go on with the run in the folder; auto: start it where there is none")
    add("--convert", action="store_true",
        help="write the last checkpoint as one file, which ckpt train goes on with, and end")
    add("--log", action="append", default=[], choices=SINKS, help="send metrics there too")
    add("--peak-flops", type=float, metavar="N",
        help="FLOPs a second of one device, for MFU; known for common GPUs")
    add("--timeout", type=float, default=600, metavar="SECONDS",
        help="after which an exchange that does not end is an error; 600 without it")
    add("--model", default=Path(__file__).resolve().parent,
        help="model folder; this one without it")
    return parser.parse_args()


def recipe_of(options: argparse.Namespace, run: RunFolder, resumes: bool) -> Recipe:
    """The recipe of a new run, or that of the one that goes on, which options must not change but
    for more steps."""
    recipe = Recipe()
    if resumes:
        recipe.apply(run.recipe.read_text("utf-8"), run.recipe)
    before = dict(recipe.values)
    if options.recipe:
        recipe.apply(Path(options.recipe).read_text("utf-8"), options.recipe)
    for assignment in options.set:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise RecipeError(f'"{assignment}" is not a setting; write --set key=value')
        recipe.set(path, text)
    if options.data:
        recipe.set("data.sources", options.data)
    for path in before if resumes else []:
        grows = path == "steps" and recipe[path] > before[path]
        if before[path] != recipe[path] and not grows:
            raise RunError(f"the run was started with {path} = {before[path]}, not {recipe[path]}; "
                           "leave the setting out, or start a new run", "train.other_setting",
                           USAGE)
    if options.factors_only and recipe["mode"] != "lora":
        raise RunError(f"there are no factors in mode {recipe['mode']}; pass --set mode=lora", "usage",
                       USAGE)
    recipe.refuse_what_only_ckpt_does()
    return recipe


def prepared(options: argparse.Namespace, run: RunFolder) -> tuple[Recipe, bool]:
    """The recipe, and whether a run goes on."""
    resumes = options.convert or options.resume == "yes" or (
        options.resume == "auto" and run.is_there)
    if resumes and not run.is_there:
        raise RunError(f"{run.path}: there is no run to resume; start the run without --resume",
                       "train.nothing_to_resume", INPUT_OUTPUT)
    return recipe_of(options, run, resumes), resumes


def train(options: argparse.Namespace, group: Group) -> None:
    run = RunFolder(options.output)
    recipe, resumes = group.by_first(lambda: prepared(options, run))
    config = AutoConfig.from_pretrained(options.model, trust_remote_code=True)
    if recipe["sequence_length"] > config.max_position_embeddings:
        raise RunError(f"sequences of {recipe['sequence_length']} tokens, but the model's context has "
                       f"{config.max_position_embeddings}; lower sequence_length",
                       "train.too_long", USAGE)
    ending = config.eos_token_id
    data = Dataset(recipe, config.padded_vocab_size,
                   ending[0] if isinstance(ending, list) else ending, options.model)
    for warning in data.warnings if group.is_first else []:
        say(f"warning: {warning} [data.other_kind]")
    data.require_learned(recipe["evaluation.rows"])
    trainer = Trainer(options, recipe, data, run, group)
    group.by_first(lambda: run.hold() if resumes else run.create(recipe))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: setattr(trainer, "is_stopping", True))
    if resumes:
        trainer.resume()
        group.by_first(lambda: run.write_recipe(recipe))
    trainer.convert() if options.convert else trainer.train()


def main() -> None:
    options = arguments()
    group = Group(options.timeout)
    try:
        train(options, group)
    except BaseException as error:
        code = group.fail(error)
        # Other processes may be gone: nothing is taken down together with them.
        sys.stdout.flush()
        os._exit(code)
    group.close()


if __name__ == "__main__":
    main()
