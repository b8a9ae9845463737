"""The figures of docs/evidence.md, from results.json alone."""

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt
from matplotlib.ticker import PercentFormatter
from table import Table

# Okabe and Ito's colours, which colour-blind readers tell apart.
COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MEASURES = ("right answers", "nats per token of the answer")
MARKS = ["o", "s", "^", "D", "v", "P", "X"]
plt.rcParams.update(
    {
        "svg.hashsalt": "ckpt",
        "svg.fonttype": "none",
        "font.size": 10,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
)


def style(number: int) -> dict:
    return {"color": COLORS[number % len(COLORS)], "marker": MARKS[number % len(MARKS)], "markersize": 5}


def save(figure, stem: str, name: str, axis=None) -> None:
    """Writes the figure, with the legend of one of its axes above all."""
    figure.tight_layout(rect=(0, 0, 1, 0.94 if axis else 1))
    if axis:
        handles, labels = axis.get_legend_handles_labels()
        figure.legend(handles, labels, loc="upper center", ncols=len(labels), frameon=False, fontsize=8)
    # No date, so that the same results give the same bytes.
    figure.savefig(f"{stem}{name}.svg", metadata={"Date": None})
    plt.close(figure)


def curve(axis, xs, values: list[dict], label: str, number: int) -> None:
    """A line through means, within the band of their intervals."""
    axis.plot(xs, [value["mean"] for value in values], label=label, **style(number))
    axis.fill_between(
        xs, [value["low"] for value in values], [value["high"] for value in values],
        color=COLORS[number % len(COLORS)], alpha=0.15, linewidth=0,
    )  # fmt: skip


def by_recurrence(table: Table, arms: list[str], stem: str) -> None:
    """Accuracy and answer loss against r; plain models are lines across."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.8))
    for axis, measure, label in zip(axes, (table.accuracy, table.loss), MEASURES):
        for number, arm in enumerate(arms):
            depths = table.depths(arm)
            if len(depths) == 1:
                value = measure(arm, depths[0])
                axis.axhline(value["mean"], color=COLORS[number], linestyle="--", label=arm)
                axis.axhspan(value["low"], value["high"], color=COLORS[number], alpha=0.1, linewidth=0)
            else:
                curve(axis, [int(depth) for depth in depths], [measure(arm, depth) for depth in depths], arm, number)
        axis.axvline(table.trained, color="#888888", linewidth=0.8, linestyle=":")
        axis.set(xscale="log", xlabel="recurrences r", ylabel=label)
        ticks = sorted({int(depth) for arm in arms for depth in table.depths(arm) if depth != "None"})
        axis.set_xticks(ticks, [str(tick) for tick in ticks], minor=False)
        axis.minorticks_off()
    axes[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    save(figure, stem, "recurrence", axes[0])


def by_steps(table: Table, arm: str, other: str, stem: str) -> None:
    """Accuracy against the steps of the question, for each r and for the original."""
    tasks = table.tasks()
    figure, axes = plt.subplots(1, len(tasks), figsize=(2.9 * len(tasks), 3.4), sharey=True)
    steps = table.steps()
    for axis, task in zip(axes, tasks):
        for number, depth in enumerate(table.depths(arm)):
            values = [table.accuracy(arm, depth, task=task, steps=count) for count in steps]
            curve(axis, steps, values, f"r = {depth}", number)
        values = [table.accuracy(other, table.usual(other), task=task, steps=count) for count in steps]
        axis.plot(steps, [value["mean"] for value in values], "--", color="#444444", label=other)
        axis.axvline(table.results["plan"]["scale"]["trained_steps"], color="#888888", linewidth=0.8, linestyle=":")
        axis.set(title=task, xlabel="steps")
    axes[0].set(ylabel="right answers")
    axes[0].yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    save(figure, stem, "steps", axes[0])


def by_flops(table: Table, arms: list[str], stem: str) -> None:
    """Held-out loss on answers during training, against everything that was multiplied."""
    figure, axis = plt.subplots(figsize=(5.6, 3.8))
    for number, arm in enumerate(arms):
        for index, run in enumerate(table.runs[arm]):
            depth = table.usual(arm)
            points = [(point["flops"], point["loss"].get(depth)) for point in run["curve"] if point["flops"]]
            axis.plot(
                [flops for flops, _ in points], [loss for _, loss in points], color=COLORS[number], linewidth=1,
                alpha=0.8, label=arm if index == 0 else None,
            )  # fmt: skip
    axis.set(xlabel="FLOPs of training", ylabel="nats per token of the answer, held out", yscale="log")
    axis.locator_params(axis="x", nbins=4)
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:g}")
    axis.xaxis.set_major_formatter(lambda flops, _: f"{flops:.1e}" if flops else "0")
    save(figure, stem, "flops", axis)


def ablations(table: Table, baseline: str, arms: list[str], stem: str) -> None:
    """What each choice changes, with its interval."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 0.34 * len(arms) + 1.2), sharey=True)
    for axis, measure, label in zip(axes, ("exact", "nats"), MEASURES):
        for row, arm in enumerate(arms):
            value = table.against(arm, baseline, measure)
            axis.plot([value["low"], value["high"]], [row, row], color=COLORS[0])
            axis.plot(value["mean"], row, "o", color=COLORS[0], markersize=5)
        axis.axvline(0, color="#888888", linewidth=0.8)
        axis.set(xlabel=f"{label}, less those of {baseline}")
    axes[0].xaxis.set_major_formatter(lambda share, _: f"{100 * share:g}%")
    axes[0].set_yticks(range(len(arms)), arms)
    axes[0].invert_yaxis()
    save(figure, stem, "ablations")


def draw(results: dict, stem: str) -> list[str]:
    """Draws what the results allow, in files whose paths begin with `stem`; gives the names of the figures."""
    table = Table(results)
    arms = [arm for arm in results["arms"] if arm in table.runs]
    by_recurrence(table, arms, stem)
    by_flops(table, arms, stem)
    names = ["recurrence", "flops"]
    if "curriculum" in arms and "original" in arms:
        by_steps(table, "curriculum", "original", stem)
        names.append("steps")
    others = [arm for arm in results["ablations"] if arm in table.runs]
    if others and "curriculum" in arms:
        ablations(table, "curriculum", others, stem)
        names.append("ablations")
    return names
