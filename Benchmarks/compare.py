#!/usr/bin/env python3
"""Compares two builds of ckpt, command by command, where other jobs keep the machine busy.

    Benchmarks/compare.py OLD NEW [NAME…] [--pairs N] [--model FILE.gguf]

The two run in turns, A B B A …, after a warm-up each. What is compared is the processor's time, of the
process and of the system for it: the clock says little on a shared machine. The time that the kernel takes
to clear pages changes with the state of memory, so the process's own time stands beside it. Prints medians
of the ratios, new to old, pair by pair, and the median peak of memory of each; a ratio that matters should
hold in a second measurement.

Everything runs on one thread and lies in build/compare. The model is that of `make smollm2`.
"""
import argparse
import array
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WORK = ROOT / "build" / "compare"
PARTS = ["--prelude", "4", "--core", "8", "--coda", "4"]


def run(binary, arguments, standard_input=None):
    """Seconds of the processor, the process's and with the system's, and the peak of memory in MiB."""
    environment = {k: v for k, v in os.environ.items()
                   if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    with open(standard_input or os.devnull, "rb") as given, open(WORK / "messages", "wb") as messages:
        process = subprocess.Popen([binary, *map(str, arguments)], stdin=given, stdout=messages,
                                   stderr=messages, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{binary} {' '.join(map(str, arguments))}: {(WORK / 'messages').read_text()[-800:]}")
    return usage.ru_utime, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def remove(path):
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


class Jobs:
    """The commands, by name; each is a function of a binary."""

    def __init__(self, old, new, gguf):
        self.source = WORK / "source"
        self.packages = {old: WORK / "package-old", new: WORK / "package-new"}
        if not self.source.exists():
            run(new, ["convert", gguf, "-o", self.source, "--dtype", "bf16", "--progress", "none"])
        for binary, package in self.packages.items():
            remove(package)
            run(binary, ["retrofit", self.source, *PARTS, "--quiet", "-o", package])
        self.tokens = WORK / "tokens.bin"
        self.tokens.write_bytes(array.array("H", [i * 7919 % 49152 for i in range(200_000)]).tobytes())
        self.text = WORK / "text.txt"
        parts = sorted((ROOT / "Sources").rglob("*.swift"))
        self.text.write_bytes(b"".join(map(Path.read_bytes, parts))[:2_000_000])
        self.weights = self.source / "model.safetensors"
        prompt = " the" * 256
        self.all = {
            "start-up": self.command("--version"),
            "inspect gguf": self.command("inspect", gguf),
            "inspect folder": self.command("inspect", self.source, "--json"),
            "retrofit": self.writing("package", "retrofit", self.source, *PARTS, "--quiet"),
            "convert gguf": self.writing("x.safetensors", "convert", gguf, "--dtype", "bf16"),
            "convert safetensors": self.writing("x.safetensors", "convert", self.weights),
            "convert pytorch": self.writing("x.pt", "convert", self.weights),
            "convert f16": self.writing("x.safetensors", "convert", self.weights, "--dtype", "f16"),
            "verify": self.command("verify", None, "--source", self.source),
            "eval": self.command("eval", None, "--data", ROOT / "fixtures/text/heldout.txt",
                                 "--recurrence", "1,4", "--sequence-length", "128", "--windows", "4",
                                 "--threads", "1"),
        }
        for name, model, more in [("whole", self.source, []), ("r = 4", None, ["--recurrence", "4"])]:
            generate = ["generate", model, *more, "--threads", "1", "--json", "--max-tokens"]
            self.all[f"prefill {name}"] = self.command(*generate, "2", "--prompt", prompt)
            self.all[f"decode {name}"] = self.command(*generate, "64", "--prompt", " the")
        for optimizer in ("adamw", "muon"):
            for precision in ("float32", "bf16"):
                for r in (1, 4):
                    self.all[f"train {optimizer} {precision} r = {r}"] = self.steps(
                        "--recurrence", r, "--optimizer", optimizer, "--precision", precision)
        for name in "gpt2 llama3 qwen2 smollm2 olmo2 llama2 mistral unigram".split():
            model = ROOT / f"fixtures/tokenizers/{name}.json"
            self.all[f"tokenize {name}"] = self.command("tokenize", model, "--json", given=self.text)

    def command(self, *arguments, given=None):
        """None stands for the package that the binary itself has made."""
        def go(binary):
            package = self.packages[binary]
            return run(binary, [package if a is None else a for a in arguments], given)
        return go

    def writing(self, name, *arguments):
        output = WORK / "output" / name

        def go(binary):
            remove(output)
            output.parent.mkdir(exist_ok=True)
            seconds = self.command(*arguments, "-o", output)(binary)
            remove(output)
            return seconds
        return go

    def steps(self, *options):
        """Four steps: what six take less what two take, as what is written at the end may differ."""
        def run_of(count):
            return self.writing("run", "train", None, "--data", self.tokens, "--steps", count, *options,
                                "--batch-size", "2", "--micro-batch-size", "2", "--sequence-length", "128",
                                "--threads", "1", "--set", "data.held_out=0", "--progress", "none")
        few, more = run_of(2), run_of(6)

        def go(binary):
            (own, whole, peak), (own_few, whole_few, _) = more(binary), few(binary)
            return own - own_few, whole - whole_few, peak
        return go


def compare(job, old, new, pairs):
    seconds = {old: [], new: []}
    for turn in range(pairs + 1):
        for binary in (old, new) if turn % 2 else (new, old):
            result = job(binary)
            if turn:
                seconds[binary].append(result)
    return [(statistics.median(s[i] for s in seconds[old]), statistics.median(s[i] for s in seconds[new]),
             statistics.median(b[i] / max(a[i], 1e-9) for a, b in zip(seconds[old], seconds[new])))
            for i in (0, 1, 2)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("old")
    parser.add_argument("new")
    parser.add_argument("names", nargs="*", help="parts of names; none runs all")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--model", default=ROOT / "build/real/SmolLM2-135M-Instruct.Q4_1.gguf")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    jobs = Jobs(options.old, options.new, options.model).all
    print("| command | old, s | new, s | ratio | of the process alone | old, MiB | new, MiB |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name, job in jobs.items():
        if options.names and not any(part in name for part in options.names):
            continue
        own, whole, peak = compare(job, options.old, options.new, options.pairs)
        # The process's own time is counted in ticks of some milliseconds.
        alone = f"{own[2]:.2f}" if own[0] > 0.1 else "-"
        print(f"| {name} | {whole[0]:.3f} | {whole[1]:.3f} | {whole[2]:.2f} | {alone} "
              f"| {peak[0]:.0f} | {peak[1]:.0f} |", flush=True)


if __name__ == "__main__":
    main()
