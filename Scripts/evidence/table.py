"""The results of all runs, as arrays that figures and pages are made of."""

import numpy as np

import intervals


class Table:
    """Runs of one experiment by arm, measured on the same questions."""

    def __init__(self, results: dict):
        self.results = results
        self.questions = results["questions"]
        self.trained = results["plan"]["scale"]["mean_recurrence"]
        self.runs: dict[str, list[dict]] = {}
        for run in results["runs"]:
            self.runs.setdefault(run["arm"], []).append(run)

    def arms(self) -> list[str]:
        return list(self.runs)

    def depths(self, arm: str) -> list[str]:
        """Recurrences that the arm was measured at; a plain model has one, "None"."""
        return list(self.runs[arm][0]["exact"])

    def usual(self, arm: str) -> str:
        """The recurrence that the arm was trained for."""
        depths = self.depths(arm)
        return str(self.trained) if str(self.trained) in depths else depths[0]

    def where(self, task: str | None = None, steps: int | None = None) -> np.ndarray:
        """Which questions are of a task, and of a number of steps."""
        return np.array(
            [
                (task is None or question["task"] == task) and (steps is None or question["steps"] == steps)
                for question in self.questions
            ]
        )

    def exact(self, arm: str, depth: str) -> np.ndarray:
        """[seed, question], 1 for a right answer."""
        return np.array([[int(mark) for mark in run["exact"][depth]] for run in self.runs[arm]], float)

    def nats(self, arm: str, depth: str) -> np.ndarray:
        """[seed, question], nats per token of the answer."""
        return np.array([run["nats"][depth] for run in self.runs[arm]], float)

    def accuracy(self, arm: str, depth: str, **which) -> dict:
        return intervals.mean(self.exact(arm, depth)[:, self.where(**which)])

    def loss(self, arm: str, depth: str, **which) -> dict:
        return intervals.mean(self.nats(arm, depth)[:, self.where(**which)])

    def against(self, arm: str, other: str, measure: str, **which) -> dict:
        """How much more one arm has than another, each at its own usual recurrence."""
        values = getattr(self, measure)
        where = self.where(**which)
        return intervals.difference(values(arm, self.usual(arm))[:, where], values(other, self.usual(other))[:, where])

    def steps(self) -> list[int]:
        return sorted({question["steps"] for question in self.questions})

    def tasks(self) -> list[str]:
        return list(dict.fromkeys(question["task"] for question in self.questions))
