#!/usr/bin/env python3
"""Does a retrofit pay? Makes the data, trains all arms at equal FLOPs, measures them, and writes
docs/evidence/results.json, its figures and docs/evidence.md. Run it as Scripts/evidence.sh, which
brings what it needs. What is done already is kept, so it can be stopped at any time.
"""

import argparse
import dataclasses
import json
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
    parser.add_argument("--threads", type=int, default=2, help="threads of each command")
    parser.add_argument("--report", action="store_true", help="write the page of what is done, and train nothing")
    options = parser.parse_args()
    scale = plan.QUICK if options.quick else plan.FULL
    work = ROOT / "build" / ("evidence-quick" if options.quick else "evidence")
    # The page of the quick form is no evidence, so it does not replace the other.
    output = work / "docs" if options.quick else ROOT / "docs"
    shop = Workshop(work, scale, options.ckpt, options.threads)
    if not options.report:
        train(shop)
    results = collect(shop)
    (output / "evidence").mkdir(parents=True, exist_ok=True)
    (output / "evidence/results.json").write_text(json.dumps(results, separators=(",", ":")) + "\n")
    figures.draw(results, output / "evidence")
    (output / "evidence.md").write_text(page.write(results))
    print(f"wrote {output}/evidence.md")


def train(shop: Workshop) -> None:
    """All runs, first one seed of every arm, so that early results show all of them."""
    rates = {arm.name: shop.best_rate(arm) for arm in plan.ARMS}
    for seed in shop.scale.seeds:
        for arm in plan.ARMS:
            shop.run(arm, seed, rates[arm.name], "test")
    for seed in shop.scale.ablation_seeds:
        for arm in plan.ABLATIONS:
            # An optimizer has rates of its own; everything else has those of what it is compared with.
            rate = rates["curriculum"] if arm.optimizer == "muon" else shop.best_rate(arm)
            shop.run(arm, seed, rate, "test")


def collect(shop: Workshop) -> dict:
    """The results of all runs that have ended."""

    def of(questions: str) -> list[dict]:
        files = (shop.folder / "results").glob(f"*-{questions}.json")
        records = [json.loads(file.read_text()) for file in files]
        order = [arm.name for arm in plan.ARMS + plan.ABLATIONS]
        return sorted(records, key=lambda run: (order.index(run["arm"]), run["seed"], run["rate"]))

    arms = plan.ARMS + plan.ABLATIONS
    base = shop.folder / "runs/base"
    return {
        "command": "make evidence-quick" if shop.scale.name == "quick" else "make evidence",
        "scale": dataclasses.asdict(shop.scale),
        "precision": shop.precision,
        "what": {arm.name: arm.what for arm in arms},
        "arms": [arm.name for arm in plan.ARMS],
        "ablations": [arm.name for arm in plan.ABLATIONS],
        "questions": shop.questions("test"),
        "base": {**shop.cost(base), "parameters": shop.ckpt("inspect", str(base / "package"))["parameters"]},
        "runs": of("test"),
        # Which rate is best needs no single answers.
        "grid": [{key: run[key] for key in ("arm", "seed", "rate", "flops", "seconds", "curve")} for run in of("grid")],
    }


if __name__ == "__main__":
    main()
