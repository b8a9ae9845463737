"""Makes models, trains and measures them with `ckpt`; what is done already is not done again."""

import dataclasses
import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import plan
import tasks

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TOKENIZER = ROOT / "fixtures/tiny-arithmetic"
# The full plan's base, where one is kept; it is trained otherwise.
BASE = ROOT / "fixtures/evidence/base.gguf"


class Workshop:
    """A folder with data, models and runs of one experiment."""

    def __init__(self, folder: Path, experiment: plan.Experiment, ckpt: str, threads: int):
        self.folder, self.experiment, self.tool, self.threads = folder, experiment, ckpt, threads
        self.scale = experiment.scale
        self.precision = "bf16" if has_bfloat16() else "float32"
        for name in ("data", "models", "runs", "results"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.write_data()

    # What is trained on, and what is asked.

    def data(self, name: str) -> str:
        return str(self.folder / "data" / f"{name}.jsonl")

    def write_data(self) -> None:
        scale = self.scale
        files = {
            "train": lambda: tasks.training(2, scale.training_questions, scale.trained_steps),
            "grid": lambda: tasks.test(4, max(4, scale.questions_each // 3), scale.tested_steps),
            "test": lambda: tasks.test(3, scale.questions_each, scale.tested_steps),
        }
        for name, make in files.items():
            path = Path(self.data(name))
            if not path.exists():
                tasks.write(path, make())

    def questions(self, name: str) -> list[dict]:
        with open(self.data(name)) as file:
            return [json.loads(line) for line in file]

    # Commands.

    def ckpt(self, *arguments: str) -> dict:
        """Runs a command with --json and gives its document."""
        print("$ ckpt", *arguments, flush=True)
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
        done = subprocess.run(
            [self.tool, *arguments, "--json", "--progress", "none"],
            stdout=subprocess.PIPE, text=True, env=environment, check=False,
        )  # fmt: skip
        if done.returncode:
            raise SystemExit(f"ckpt {arguments[0]} ended with exit code {done.returncode}: {done.stdout[-2000:]}")
        return json.loads(done.stdout)

    def train(self, model: str, run: Path, flops: float, data: str, *more: str) -> Path:
        """Trains a model unless that is done; gives its package."""
        scale = self.scale
        if not (run / "done").exists():
            resumed = ["--resume"] if (run / "recipe.yaml").exists() else []
            self.ckpt(
                "train", model, "-o", str(run), *resumed, "--data", data, "--flops", repr(flops),
                "--batch-size", str(scale.batch_size), "--micro-batch-size", str(scale.batch_size),
                "--sequence-length", str(scale.sequence_length), "--warmup", "0.02", "--precision", self.precision,
                "--threads", str(self.threads), "--cache", str(self.folder / "cache"),
                "--set", "checkpoints.final=false", *more,
            )  # fmt: skip
            (run / "done").touch()
        return run / "package"

    # Models to start from.

    def made(self, name: str, *command: str) -> str:
        path = self.folder / "models" / name
        if not path.exists():
            self.ckpt(*command, "-o", str(path))
        return str(path)

    def base(self) -> str:
        if self.experiment.base:
            return str(ROOT / self.experiment.base)
        return str(BASE) if self.has_kept_base else self.made_base()

    @property
    def has_kept_base(self) -> bool:
        return self.scale.name == "full" and BASE.exists()

    def write_base(self) -> None:
        """Trains the base, and keeps it with what it cost, so that other machines start from the same."""
        BASE.parent.mkdir(parents=True, exist_ok=True)
        self.ckpt("convert", self.made_base(), "-o", str(BASE), "--dtype", "q8_0", "--force")
        record = {**self.cost(self.folder / "runs/base"), "precision": self.precision}
        BASE.with_suffix(".json").write_text(json.dumps(record) + "\n")

    def base_cost(self) -> dict:
        """What its training took; nothing of a base that others have trained."""
        if self.experiment.base:
            return {"tokens": 0, "seconds": 0}
        if self.has_kept_base:
            return json.loads(BASE.with_suffix(".json").read_text())
        return self.cost(self.folder / "runs/base")

    def made_base(self) -> str:
        text = Path(self.data("base"))
        if not text.exists():
            tasks.write(text, tasks.base_text(1, self.scale.base_bytes))
        blank = self.made(
            "blank", "init", str(HERE / "base.json"), "--tokenizer", str(TOKENIZER), "--seed", str(plan.BASE_SEED)
        )
        return str(
            self.train(
                blank, self.folder / "runs/base", self.scale.base_flops, self.data("base"),
                "--optimizer", "muon", "--learning-rate", str(plan.BASE_RATE),
                "--set", f"optimizer.adam.learning_rate={self.experiment.adam_rate}", "--seed", str(plan.BASE_SEED),
                "--set", "data.held_out=0.003", "--eval-every", "200",
            )
        )  # fmt: skip

    def start(self, arm: plan.Arm, seed: int) -> str:
        """The model that an arm's training starts from; random starts differ between seeds."""
        if arm.start == "base":
            return self.base()
        shape, source, name = arm.retrofit, self.base(), f"{arm.name}-start"
        if arm.start == "random":
            name += f"-{seed}"
            source = self.made(
                f"blank-{seed}", "init", str(HERE / "base.json"), "--tokenizer", str(TOKENIZER),
                "--seed", str(1000 + seed),
            )  # fmt: skip
        more = ["--calibrate-on", str(TOKENIZER.parent / "text/heldout.txt")] if "calibrated" in shape else []
        package = self.made(
            name, "retrofit", source, *shape, *more, "--head", "tied",
            "--mean-recurrence", str(self.scale.mean_recurrence),
        )  # fmt: skip
        if arm.start != "cut":
            return package
        return self.made("cut-plain", "export", package, "--to", "unrolled", "--recurrence", "1")

    # Arms.

    def run(self, arm: plan.Arm, seed: int, rate: float, questions: str) -> dict:
        """Trains an arm from a seed, and measures it on a file of questions."""
        name = f"{arm.name}-{seed}-{rate}"
        result = self.result(arm.name, seed, rate, questions)
        if result.exists():
            return json.loads(result.read_text())
        folder, scale = self.folder / "runs" / name, self.scale
        start, flops = self.start(arm, seed), scale.arm_flops if questions == "test" else scale.grid_flops
        depth = [
            *arm.train, "--mean-recurrence", str(scale.mean_recurrence),
            "--eval-recurrence", ",".join(map(str, scale.recurrences[:4])),
        ] if arm.is_recurrent else []  # fmt: skip
        package = self.train(
            start, folder, flops, self.data("train"), "--optimizer", arm.optimizer,
            "--learning-rate", str(rate), "--seed", str(seed), "--set", "data.attention=document",
            "--set", "data.held_out=0.01", "--set", "evaluation.rows=32", "--eval-every", "50",
            *(
                ["--set", f"optimizer.adam.learning_rate={self.experiment.adam_rate}"]
                if arm.optimizer == "muon"
                else []
            ),
            *depth,
        )  # fmt: skip
        record = {
            "arm": arm.name, "seed": seed, "rate": rate, "precision": self.precision, **self.cost(folder),
            "parameters": self.ckpt("inspect", str(package))["parameters"],
            "curve": list(self.curve(folder)), **self.measure(arm, package, questions),
        }  # fmt: skip
        if questions == "grid":
            # Which rate is best needs no single answers.
            nats = record.pop("nats")[str(scale.mean_recurrence) if arm.is_recurrent else "None"]
            record["loss"] = sum(nats) / len(nats)
            del record["exact"]
        keep(result, record)
        # What was trained is not needed any more.
        shutil.rmtree(package)
        return record

    def cost(self, run: Path) -> dict:
        last = lines(run / "metrics.jsonl")[-1]
        return {
            "steps": last["step"], "tokens": last["tokens"], "flops": last["flops_full"],
            "seconds": last["seconds"],
        }  # fmt: skip

    def curve(self, run: Path) -> Iterator[dict]:
        """Held-out loss on the answers' tokens, against FLOPs."""
        flops = {record["step"]: record["flops_full"] for record in lines(run / "metrics.jsonl")}
        for record in lines(run / "evaluations.jsonl"):
            losses = {str(result["recurrence"]): result["loss"] for result in record["results"]}
            yield {"flops": flops.get(record["step"], 0), "loss": losses}

    def measure(self, arm: plan.Arm, package: Path, questions: str) -> dict:
        """For each recurrence, whether each question was answered, and the loss of its answer."""
        samples = self.folder / "samples.jsonl"
        depths = ["--recurrence", ",".join(map(str, self.scale.recurrences))] if arm.is_recurrent else []
        precision = ["--precision", self.precision] if self.experiment.asks_rounded else []
        self.ckpt(
            "eval", str(package), "--data", self.data(questions), "--task", "answers", "--batch-size", "32",
            "--threads", str(self.threads), "--samples", str(samples), "--force", *depths, *precision,
        )  # fmt: skip
        exact: dict[str, str] = {}
        nats: dict[str, list[float]] = {}
        for record in lines(samples):
            r = str(record["recurrence"])
            exact[r] = exact.get(r, "") + str(int(record["exact"]))
            nats.setdefault(r, []).append(round(record["nats"] / record["tokens"], 4))
        samples.unlink()
        return {"exact": exact, "nats": nats}

    def grid(self, arm: plan.Arm) -> list[float]:
        """The rates that are tried; none where there is no choice."""
        rates = self.scale.rates[arm.optimizer]
        return rates if len(rates) > 1 else []

    def best_rate(self, arm: plan.Arm) -> float:
        """The rate of the lowest loss on the grid's answers, at the trained recurrence."""
        rates = self.grid(arm)
        if not rates:
            return self.scale.rates[arm.optimizer][0]
        return min(rates, key=lambda rate: self.run(arm, plan.GRID_SEED, rate, "grid")["loss"])

    # What is done.

    def result(self, arm: str, seed: int, rate: float, questions: str) -> Path:
        return self.folder / "results" / f"{arm}-{seed}-{rate}-{questions}.json"

    def take(self, results: dict) -> None:
        """Takes the runs of a page's results for done, where they are of the same scale, base and arm."""
        before, now = results["plan"], self.plan()
        if any(before[part] != now[part] for part in ("scale", "base")):
            return
        same = {arm["name"] for arm in before["arms"] if arm in now["arms"]}
        for questions, records in (("grid", results["grid"]), ("test", results["runs"])):
            for run in records:
                if run["arm"] not in same:
                    continue
                path = self.result(run["arm"], run["seed"], run["rate"], questions)
                if not path.exists():
                    keep(path, run)

    def plan(self) -> dict:
        """What results have to share to stand on one page."""
        base = Path(self.base())
        weights = base / "model.safetensors" if base.is_dir() else base
        parts = {
            "scale": dataclasses.asdict(self.scale),
            "arms": [dataclasses.asdict(arm) for arm in self.experiment.arms + self.experiment.ablations],
            "base": hashlib.sha256(weights.read_bytes()).hexdigest(),
        }
        return json.loads(json.dumps(parts))


def keep(path: Path, record: dict) -> None:
    """Writes a record, whole or not at all."""
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(record))
    partial.rename(path)


def has_bfloat16() -> bool:
    """Whether the processor multiplies bfloat16, which halves the time."""
    information = Path("/proc/cpuinfo")
    return information.exists() and "avx512_bf16" in information.read_text()


def lines(path: Path) -> list[dict]:
    with path.open() as file:
        return [json.loads(line) for line in file]
