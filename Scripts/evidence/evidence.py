#!/usr/bin/env python3
"""Does a retrofit pay? Makes the data, trains all arms at equal FLOPs, measures them, and writes
docs/evidence/results.json, its figures and docs/evidence.md. Run it as Scripts/evidence.sh, which
brings what it needs. It can be stopped at any time: what is done, here or in results.json by the
same plan, is not done again.
"""

import argparse
import json
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import figures
import page
import plan
from runs import Workshop

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ckpt", required=True, help="a release build of ckpt")
    parser.add_argument("--quick", action="store_true", help="a tiny scale that shows that everything runs")
    parser.add_argument("--smollm2", action="store_true", help="a few arms from SmolLM2-135M, which is downloaded")
    parser.add_argument("--threads", type=int, default=2, help="threads of each command")
    parser.add_argument("--base", action="store_true", help="train the base, and keep it in fixtures/evidence")
    parser.add_argument("--minutes", type=float, default=math.inf, help="start no run after so many")
    parser.add_argument("--report", action="store_true", help="write the page of what is done, and train nothing")
    options = parser.parse_args()
    experiment = plan.QUICK_RUN if options.quick else plan.SMOLLM2_RUN if options.smollm2 else plan.FULL_RUN
    name = experiment.command.removeprefix("make ")
    work = ROOT / "build" / name
    # The page of the quick form is no evidence, so it does not replace the other.
    output = work / "docs" if options.quick else ROOT / "docs"
    shop = Workshop(work, experiment, options.ckpt, options.threads)
    if options.base:
        shop.write_base()
        return
    file = output / f"evidence/{experiment.prefix}results.json"
    if file.exists():
        shop.take(json.loads(file.read_text()))
    if not options.report:
        train(shop, time.monotonic() + 60 * options.minutes)
    results = collect(shop)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, separators=(",", ":")) + "\n")
    figures.draw(results, f"{output}/evidence/{experiment.prefix}")
    written = output / f"{name.removesuffix('-quick')}.md"
    written.write_text(page.write(results))
    print(f"wrote {written}")


def train(shop: Workshop, end: float) -> None:
    """All runs, first one seed of every arm, so that early results show all of them."""
    for work in runs(shop):
        if time.monotonic() > end:
            print("time is up: the same command goes on from here")
            return
        work()


def runs(shop: Workshop) -> Iterator[Callable[[], object]]:
    arms, ablations = shop.experiment.arms, shop.experiment.ablations
    for arm in arms:
        for rate in shop.grid(arm):
            yield partial(shop.run, arm, plan.GRID_SEED, rate, "grid")
    rates = {arm.name: shop.best_rate(arm) for arm in arms}
    for seed in shop.scale.seeds:
        for arm in arms:
            yield partial(shop.run, arm, seed, rates[arm.name], "test")
    for seed in shop.scale.ablation_seeds:
        for arm in ablations:
            # An optimizer has rates of its own; everything else has those of what it is compared with.
            if arm.optimizer != "muon":
                for rate in shop.grid(arm):
                    yield partial(shop.run, arm, plan.GRID_SEED, rate, "grid")
            rate = rates["curriculum"] if arm.optimizer == "muon" else shop.best_rate(arm)
            yield partial(shop.run, arm, seed, rate, "test")


def collect(shop: Workshop) -> dict:
    """The results of all runs that have ended."""
    experiment = shop.experiment
    arms, ablations = experiment.arms, experiment.ablations

    def of(questions: str) -> list[dict]:
        files = (shop.folder / "results").glob(f"*-{questions}.json")
        records = [json.loads(file.read_text()) for file in files]
        order = [arm.name for arm in arms + ablations]
        return sorted(records, key=lambda run: (order.index(run["arm"]), run["seed"], run["rate"]))

    return {
        "command": experiment.command,
        "prefix": experiment.prefix,
        "plan": shop.plan(),
        "what": {arm.name: arm.what for arm in arms + ablations},
        "arms": [arm.name for arm in arms],
        "ablations": [arm.name for arm in ablations],
        "questions": shop.questions("test"),
        "base": {
            "what": experiment.what,
            **shop.base_cost(),
            "parameters": shop.ckpt("inspect", shop.base())["parameters"],
        },
        "runs": of("test"),
        "grid": of("grid"),
    }


if __name__ == "__main__":
    main()
