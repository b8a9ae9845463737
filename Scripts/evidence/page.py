"""docs/evidence.md, from results.json alone: what was claimed, what came out, and how to run it again."""

import intervals
from table import Table

PERCENT = 100


def percent(value: dict, sign: bool = False) -> str:
    form = "{:+.1f}" if sign else "{:.1f}"
    mean, low, high = (form.format(PERCENT * value[key]) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def nats(value: dict, sign: bool = False) -> str:
    form = "{:+.3f}" if sign else "{:.3f}"
    mean, low, high = (form.format(value[key]) for key in ("mean", "low", "high"))
    return f"{mean} ({low} to {high})"


def verdict(value: dict, better: int, table: Table, *arms: str) -> str:
    """What an interval of a difference between arms says of the claim that it is above (1) or below (-1) zero."""
    if any(len(table.runs[arm]) < len(table.results["plan"]["scale"]["seeds"]) for arm in arms):
        return "open until all seeds have been run"
    if min(better * value["low"], better * value["high"]) > 0:
        return "supported"
    if max(better * value["low"], better * value["high"]) < 0:
        return "contradicted"
    return "undecided, since the interval includes zero"


def rows(head: list[str], body: list[list[str]]) -> str:
    def line(cells: list[str]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, body)]) + "\n"


def arms_table(table: Table, arms: list[str]) -> str:
    body = []
    for arm in arms:
        runs, depth = table.runs[arm], table.usual(arm)
        tokens = sum(run["tokens"] for run in runs) / len(runs) / 1e6
        body.append(
            [
                f"`{arm}`", table.results["what"][arm], f"{runs[0]['parameters'] / 1e6:.2f} M", f"{tokens:.2f} M",
                f"{runs[0]['rate']:g}", str(len(runs)), percent(table.accuracy(arm, depth)), nats(table.loss(arm, depth)),
            ]
        )  # fmt: skip
    head = ["arm", "what it is", "parameters", "tokens", "rate", "seeds", "right, %", "nats per token of the answer"]
    return rows(head, body)


def depth_table(table: Table, arm: str, steps: list[int]) -> str:
    depths = table.depths(arm)
    body = []
    for count in steps:
        cells = [f"{PERCENT * table.accuracy(arm, depth, steps=count)['mean']:.0f}" for depth in depths]
        other = (
            table.accuracy("original", table.usual("original"), steps=count)["mean"]
            if "original" in table.runs
            else None
        )
        beyond = count > table.results["plan"]["scale"]["trained_steps"]
        body.append(
            [
                f"{count}{', beyond training' if beyond else ''}",
                *cells,
                "" if other is None else f"{PERCENT * other:.0f}",
            ]
        )
    return rows(["steps", *(f"r = {depth}" for depth in depths), "original"], body)


def claims(table: Table) -> str:
    trained = str(table.trained)
    parts = []
    if {"curriculum", "original"} <= table.runs.keys():
        arms = ("curriculum", "original")
        right, lost = table.against("curriculum", "original", "exact"), table.against("curriculum", "original", "nats")
        parts.append(
            "**(a) At equal training compute, a retrofit beats post-training the original.** Retrofit less original: "
            f"{percent(right, True)} points of right answers, {nats(lost, True)} nats. By right answers the claim is "
            f"{verdict(right, 1, table, *arms)}; by loss it is {verdict(lost, -1, table, *arms)}."
        )
    if {"curriculum", "fixed"} <= table.runs.keys():
        arms = ("curriculum", "fixed")
        right, lost = table.against("curriculum", "fixed", "exact"), table.against("curriculum", "fixed", "nats")
        saved = 1 - mean_tokens(table, "fixed") / mean_tokens(table, "curriculum")
        parts.append(
            "**(b) A curriculum of recurrences keeps the quality for less compute.** At equal FLOPs the fixed mean "
            f"saw {PERCENT * saved:.0f} % fewer tokens than the curriculum; curriculum less fixed: {percent(right, True)} points of right "
            f"answers, {nats(lost, True)} nats. By loss, the claim that the curriculum is better is {verdict(lost, -1, table, *arms)}."
        )
    if "curriculum" in table.runs:
        arm, depths = "curriculum", table.depths("curriculum")
        gain = contrast(table, arm, trained, depths[0])
        beyond = contrast(table, arm, depths[-1], trained)
        parts.append(
            f"**(c) Depth at test time is decoupled from parameters.** From r = {depths[0]} to the trained r = {trained}: "
            f"{percent(gain, True)} points of right answers; that accuracy rises with r is {verdict(gain, 1, table, arm)}. From there to "
            f"r = {depths[-1]}: {percent(beyond, True)} points."
        )
    return "\n\n".join(parts) + "\n"


def unfinished(table: Table) -> str:
    """A warning while runs of the plan are missing: the intervals know nothing of seeds that were not run."""
    results = table.results
    scale = results["plan"]["scale"]

    def runs(arms: list[str], seeds: list[int]) -> tuple[int, int]:
        return sum(run["arm"] in arms for run in results["runs"]), len(arms) * len(seeds)

    done, planned = runs(results["arms"], scale["seeds"])
    if done < planned:
        return (
            f"**Not finished: {done} of {planned} runs of the arms are done.** The intervals do not yet hold what seeds "
            "differ by, and nothing below is a result until they do.\n\n"
        )
    done, planned = runs(results["ablations"], scale["ablation_seeds"])
    if done < planned:
        return (
            f"**The ablations are not finished: {done} of {planned} runs are done.** Until all are, "
            "their table is not a result; everything else on this page is.\n\n"
        )
    return ""


def mean_tokens(table: Table, arm: str) -> float:
    return sum(run["tokens"] for run in table.runs[arm]) / len(table.runs[arm])


def contrast(table: Table, arm: str, deep: str, shallow: str) -> dict:
    """Right answers at one recurrence less those at another, of the same runs on the same questions."""
    return intervals.mean(table.exact(arm, deep) - table.exact(arm, shallow))


def ablation_table(table: Table, arms: list[str]) -> str:
    body = [
        [
            f"`{arm}`", table.results["what"][arm], f"{table.runs[arm][0]['rate']:g}", str(len(table.runs[arm])),
            percent(table.against(arm, "curriculum", "exact"), True), nats(table.against(arm, "curriculum", "nats"), True),
        ]
        for arm in arms
    ]  # fmt: skip
    return rows(["arm", "what differs", "rate", "seeds", "points of right answers", "nats"], body)


PAGE = """# Does a retrofit pay?

This page is written by `{command}` from `docs/evidence/{prefix}results.json`, which holds every run, and the figures are
drawn from the same file. Intervals are 95 %, by a bootstrap over seeds and questions.

## What was done

{base} From it, every arm spends the same
{flops} FLOPs, with everything counted, on questions of 1 to {trained_steps} steps, whose answers alone are learned:

    {examples}

Each arm chose its peak learning rate among {rates} by the same rule: the lowest loss on the answers of separate questions, with
a seed that is not used again. Measured are {count} test questions that no arm was trained on, of up to {tested_steps} steps. A
question is answered right when greedy decoding produces exactly its answer.

## What came out

{unfinished}{claims}
{arms}
![Accuracy and loss against recurrences](evidence/{prefix}recurrence.svg)

![Loss against FLOPs](evidence/{prefix}flops.svg)

Right answers of the arm `curriculum`, in percent, by the steps that a question takes:

{depths}
![Accuracy against steps](evidence/{prefix}steps.svg)

{ablations}## Running it again

    {command:<23} # {hours:.1f} hours of training on the machine of these figures, more with all it measures
    make evidence-quick     # another at a tiny scale, in minutes: it shows that it runs, and nothing else

The command can be stopped and started again: what is done is kept under `build`. Seeds are recorded with each run; on another
kind of processor sums are rounded differently, so expect these numbers within their intervals, not to the last digit.
"""


def write(results: dict) -> str:
    table = Table(results)
    arms = [arm for arm in results["arms"] if arm in table.runs]
    others = [arm for arm in results["ablations"] if arm in table.runs]
    scale = results["plan"]["scale"]
    ablations = ""
    if others:
        ablations = (
            "## What else was tried\n\nEach differs from `curriculum` in one thing, and shows the change with its interval:\n\n"
            f"{ablation_table(table, others)}\n![What each choice changes](evidence/{results['prefix']}ablations.svg)\n\n"
        )
    example = min((steps for steps in table.steps() if steps > 2), default=table.steps()[0])
    first = {question["task"]: question for question in results["questions"] if question["steps"] == example}
    examples = "\n    ".join(question["prompt"] + question["completion"] for question in first.values())
    return PAGE.format(
        command=results["command"],
        base=results["base"]["what"].format(
            parameters=results["base"]["parameters"] / 1e6, tokens=results["base"]["tokens"] / 1e6
        ),
        prefix=results["prefix"],
        flops=f"{scale['arm_flops']:g}",
        trained_steps=scale["trained_steps"],
        tested_steps=max(scale["tested_steps"]),
        examples=examples,
        rates=", ".join(f"{rate:g}" for rate in scale["rates"]["muon"]),
        count=len(results["questions"]),
        unfinished=unfinished(table),
        claims=claims(table),
        arms=arms_table(table, arms),
        depths=depth_table(table, "curriculum", table.steps()) if "curriculum" in arms else "",
        ablations=ablations,
        hours=sum(run["seconds"] for run in results["runs"] + results["grid"] + [results["base"]]) / 3600,
    )
