"""Trains the model in this folder with a recipe of `ckpt train`, on one process or under torchrun.

    python train.py --recipe data/recipe.yaml -o run
    torchrun --nproc-per-node 8 train.py --recipe data/recipe.yaml -o run --parallel fsdp

The recipe's data must be tokens: `ckpt train PACKAGE --recipe RECIPE --prepare -o data` makes them,
with a recipe that names them. The run folder is that of `ckpt train`: `ckpt runs` compares
both, and --resume goes on with a run of either.
"""

import argparse
import signal
import sys
from pathlib import Path

from transformers import AutoModelForCausalLM

sys.dont_write_bytecode = True  # the model's folder stays as its manifest says
from train_data import DataError, Dataset  # noqa: E402
from train_loop import TYPES, Stopped, Trainer  # noqa: E402
from train_parallel import Group  # noqa: E402
from train_recipe import Recipe, RecipeError  # noqa: E402
from train_run import RunError, RunFolder  # noqa: E402

INTERRUPTED = 130


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True, help="run folder to write")
    parser.add_argument("--recipe", help="a recipe in YAML")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE",
                        help="any setting of a recipe, such as optimizer.clip=0.5")
    parser.add_argument("--data", nargs="+", metavar="FILE",
                        help="token files (.tokens, .npy, .bin); FILE:WEIGHT mixes several")
    parser.add_argument("--parallel", choices=["ddp", "fsdp"], default="ddp",
                        help="whole copies of the model, or shards of it")
    parser.add_argument("--gradient-checkpointing", action="store_true",
                        help="compute activations again in the backward pass: less memory")
    parser.add_argument("--save-dtype", choices=TYPES, default="f32",
                        help="type of the trained weights")
    parser.add_argument("--resume", action="store_true", help="go on with the run in the folder")
    parser.add_argument("--model", default=Path(__file__).resolve().parent,
                        help="model folder; this one without it")
    return parser.parse_args()


def recipe_of(options: argparse.Namespace, run: RunFolder) -> Recipe:
    """The recipe of a new run, or that of the one that goes on, which options must not change."""
    recipe = Recipe()
    if options.resume:
        if not run.recipe.is_file():
            raise RunError(f"{run.path}: there is no run to resume")
        recipe.apply(run.recipe.read_text("utf-8"), run.recipe)
    before = dict(recipe.values)
    if options.recipe:
        recipe.apply(Path(options.recipe).read_text("utf-8"), options.recipe)
    for assignment in options.set:
        path, equals, text = assignment.partition("=")
        if not equals:
            raise RecipeError(f'"{assignment}" is no setting; write --set key=value')
        recipe.set(path, text)
    if options.data:
        recipe.set("data.sources", options.data)
    changed = [path for path in before if before[path] != recipe[path]] if options.resume else []
    if changed:
        raise RunError(f"the run was started with {changed[0]} = {before[changed[0]]}, not "
                       f"{recipe[changed[0]]}; leave the setting out, or start a new run")
    return recipe


def train(options: argparse.Namespace, group: Group) -> None:
    run = RunFolder(options.output)
    recipe = recipe_of(options, run)
    recipe.refuse_what_only_ckpt_does()
    model = AutoModelForCausalLM.from_pretrained(options.model, trust_remote_code=True).float()
    context = model.config.max_position_embeddings
    if recipe["sequence_length"] > context:
        raise RunError(f"sequences of {recipe['sequence_length']} tokens, the model's context has "
                       f"{context}; lower sequence_length")
    if options.gradient_checkpointing:
        model.gradient_checkpointing_enable()
    model.train()
    ending = model.config.eos_token_id
    data = Dataset(recipe, model.get_input_embeddings().num_embeddings,
                   ending[0] if isinstance(ending, list) else ending)
    data.require_learned(recipe["evaluation.rows"])
    trainer = Trainer(model, options, recipe, data, run, group)
    if options.resume:
        trainer.resume()
    elif group.is_first:
        run.create(recipe)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: setattr(trainer, "is_stopping", True))
    trainer.train()


def main() -> None:
    options = arguments()
    group = Group()
    try:
        train(options, group)
    except (DataError, RecipeError, RunError, OSError) as error:
        sys.exit(f"train.py: {error}" if group.is_first else f"process {group.rank}: {error}")
    except Stopped:
        if group.is_first:
            print("train.py: stopped by a signal; go on with --resume", file=sys.stderr)
        sys.exit(INTERRUPTED)
    finally:
        group.close()


if __name__ == "__main__":
    main()
