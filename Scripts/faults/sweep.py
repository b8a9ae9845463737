#!/usr/bin/env python3
"""Has every call to the system fail once, in every command, and looks at what came of it.

    Scripts/faults/sweep.py [--seconds N] [--kinds EIO,EACCES,…] [--only NAME] [--program P]

For each command on a tiny model: count its calls on files below one folder; then run it again with the
n-th call failing, coming up short, or killing the process. What must hold:

  exit 0      output and words are those of a run without faults
  an error    its code is a documented one; what was there before is there still, and nothing else
  killed      the old state or the new one, whole; the next run succeeds and leaves nothing behind
  in training an error or a kill may leave a run that was begun; no package in it is in part, and --resume,
              or --force where there is nothing to go on from, ends with the package of a run without faults

Without --seconds every case is run; with it, cases in an order that is random but always the same, until
the time is up. Prints a line a command, and every case that does not hold; exits 1 when there is one.
"""

import argparse
import errno
import hashlib
import os
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = HERE.parent.parent
CODES = {0, 1, 3, 4, 5, 6, 7, 64, 130}
MOVES = {"read", "write", "pread", "pwrite", "copy_file_range"}
MAKES = {"open", "write", "pwrite", "copy_file_range", "mkdir", "fsync", "ftruncate", "renameat2"}
PATHS = {"open", "stat", "lstat", "opendir", "mkdir", "unlink", "rmdir", "rename", "renameat2", "realpath",
         "statvfs"}
WAITS = {"open", "close", "fsync", "flock", "ftruncate"} | MOVES
# The calls of each kind of failure; all calls where none are listed.
CALLS = {"EACCES": PATHS, "EINTR": WAITS, "EMFILE": {"open", "opendir"}, "ENOSPC": MAKES, "short": MOVES}
KINDS = ["EIO", "EACCES", "EINTR", "EMFILE", "ENOSPC", "short", "kill", "term"]
# A temporary that cannot be looked at or removed may stay; the next run removes it.
CLEANING = {"lstat", "opendir", "readdir", "unlink", "rmdir", "flock", "stat", "fstat", "open", "close"}


class Command:
    """A line of arguments, in which {in} is the folder of inputs and {out} that of outputs."""

    def __init__(self, name, line, old=None):
        self.name, self.line, self.old = name, line, old

    def arguments(self, inputs, out):
        return [word.format(**{"in": inputs, "out": out}) for word in self.line.split()]

    def prepare(self, out, inputs):
        """Makes the state before the run: an empty folder, or an old output to be replaced."""
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        if self.old:
            self.make_old(out / self.old, inputs)

    def make_old(self, path, _inputs):
        if self.old.endswith("/"):
            path.mkdir()
            path /= "old"
        path.write_text("old")

    def compared(self, found):
        """What of an output's state a run without faults always gives alike."""
        return found

    def compared_words(self, words):
        return words

    def allows(self, now, before, _after):
        """Whether an error may leave this state."""
        return now == before

    def again(self, out, inputs, is_done):
        """The arguments with which a user runs it again after a kill."""
        line = self.arguments(inputs, out)
        if is_done and "--force" not in line and "{out}" in self.line:
            line.append("--force")
        return line


class Training(Command):
    """Writes into its folder as it goes on. Its clock is in all that it writes but the packages."""

    def make_old(self, path, inputs):
        shutil.copytree(inputs / "run", path)

    def compared(self, found):
        return {name: value if "/package/" in name else "" for name, value in found.items()}

    def compared_words(self, words):
        return b""

    def allows(self, now, before, after):
        return all(
            package in ({}, *(self.package(state, folder) for state in (before, after)))
            for folder in {name.split("/package/")[0] for name in now if "/package/" in name}
            for package in [self.package(now, folder)])

    @staticmethod
    def package(found, folder):
        return {name: value for name, value in found.items() if name.startswith(f"{folder}/package/")}

    def again(self, out, inputs, is_done):
        line = [word for word in self.arguments(inputs, out) if word not in ("--force", "--resume")]
        begun = any((out / "run" / "checkpoints").glob("step-*/trainer_state.safetensors"))
        return [*line, "--resume" if begun else "--force"]


TRAINING = (" --data {in}/text.txt --steps 2 --checkpoint-every 1 --batch-size 2 --sequence-length 16"
            " --threads 1 --eval-recurrence 1")
COMMANDS = [
    Command("inspect", "inspect {in}/model --check"),
    Command("inspect-gguf", "inspect {in}/model.gguf --check"),
    Command("inspect-torch", "inspect {in}/model.pt --check"),
    Command("diff", "diff {in}/model {in}/model.pt"),
    Command("retrofit", "retrofit {in}/model --select 0/1-2/3 -o {out}/p --threads 1"),
    Command("retrofit-force", "retrofit {in}/model --select 0/1-2/3 --dtype f32 -o {out}/p --force"
            " --threads 1", "p/"),
    Command("convert", "convert {in}/model -o {out}/m.safetensors"),
    Command("convert-force", "convert {in}/model -o {out}/m.safetensors --dtype f32 --force",
            "m.safetensors"),
    Command("convert-shards", "convert {in}/model -o {out}/m --max-shard-size 60KB"),
    Command("convert-torch", "convert {in}/model -o {out}/m.pt"),
    Command("pack", "pack {in}/package -o {out}/p.tar"),
    Command("pack-gzip", "pack {in}/package -o {out}/p.tar.gz --compress gzip --force", "p.tar.gz"),
    Command("unpack", "unpack {in}/package.tar -o {out}/p"),
    Command("unpack-gzip", "unpack {in}/package.tar.gz -o {out}/p --force", "p/"),
    Command("export", "export {in}/package --to transformers -o {out}/p"),
    Command("verify", "verify {in}/package --source {in}/model --threads 1"),
    Command("verify-report", "verify {in}/package --report {out}/v.json --force --threads 1",
            "v.json"),
    Command("eval", "eval {in}/package --data {in}/text.txt --recurrence 1,2 --windows 1"
            " --sequence-length 16 --svg {out}/e.svg --threads 1"),
    Command("layers", "layers {in}/model --data {in}/text.txt --windows 1 --sequence-length 16"
            " --threads 1"),
    Command("generate", "generate {in}/package --prompt 1+1= --max-tokens 2 --threads 1"),
    Command("generate-batch", "generate {in}/package --prompts {in}/prompts.txt --max-tokens 2 --threads 1"
            " --batch 2"),
    Command("init", "init {in}/model/config.json --tokenizer {in}/model -o {out}/m --seed 1"),
    Command("convert-gguf", "convert {in}/model -o {out}/m.gguf"),
    Command("export-mlx", "export {in}/package --to mlx -o {out}/p"),
    Command("export-unrolled", "export {in}/package --to unrolled --recurrence 1 -o {out}/p"),
    Command("report", "report {in}/run {in}/package -o {out}/r.html"),
    Command("runs", "runs {in}/run --svg {out}/r.svg"),
    Training("train", "train {in}/package -o {out}/run" + TRAINING),
    Training("train-force", "train {in}/package -o {out}/run --force" + TRAINING, "run/"),
    Training("train-resume", "train {in}/package -o {out}/run --resume" + TRAINING.replace("steps 2", "steps 3"),
             "run/"),
]


def state(folder):
    """What lies below a folder: names, and the digests of files."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def without_temporaries(found):
    return {name: value for name, value in found.items() if ".partial" not in name}


class Sweep:
    def __init__(self, program, folder, seconds):
        self.program, self.folder = program, folder
        self.deadline = time.monotonic() + seconds if seconds else None
        self.inputs = folder / "in"
        self.shim = folder / "shim.so"
        self.problems = []
        self.lock = threading.Lock()
        self.local = threading.local()
        self.rooms = 0

    def make_inputs(self):
        compiler = os.environ.get("CC") or ("cc" if shutil.which("cc") else "clang")
        subprocess.run(
            [compiler, "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", self.shim,
             HERE / "shim.c", "-ldl"], check=True)
        self.inputs.mkdir()
        fixtures = PROJECT / "fixtures"
        model = self.inputs / "model"
        shutil.copytree(fixtures / "tiny-arithmetic", model)
        text = (fixtures / "text" / "heldout.txt").read_bytes()[:3000]
        (self.inputs / "text.txt").write_bytes(text)
        (self.inputs / "prompts.txt").write_text("1+1=\n2+2=\n3+3=\n")
        for line in [
            "retrofit {in}/model --prelude 1 --core 1 --coda 1 -o {in}/package",
            "pack {in}/package -o {in}/package.tar",
            "pack {in}/package -o {in}/package.tar.gz --compress gzip",
            "convert {in}/model -o {in}/model.pt",
            "convert {in}/model -o {in}/model.gguf",
            "train {in}/package -o {in}/run" + TRAINING,
        ]:
            arguments = Command("", line).arguments(self.inputs, self.folder)
            subprocess.run([self.program, *arguments], check=True, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)

    def room(self):
        """An output folder of this thread's own; its name has the same length in all threads."""
        if not hasattr(self.local, "room"):
            with self.lock:
                self.rooms += 1
                self.local.room = self.folder / f"out{self.rooms:02}"
        return self.local.room

    def run(self, arguments, out, at=0, kind="", log=None):
        environment = dict(os.environ, LD_PRELOAD=str(self.shim), FAULT_ROOT=str(self.folder),
                           FAULT_AT=str(at), FAULT_KIND=kind)
        if log:
            environment["FAULT_LOG"] = str(log)
        done = subprocess.run(
            [self.program, *arguments], env=environment,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False)
        return done.returncode, done.stdout.replace(out.name.encode(), b"OUT"), done.stderr

    def baseline(self, command):
        out, log = self.room(), self.folder / f"{command.name}.log"
        command.prepare(out, self.inputs)
        before = command.compared(state(out))
        code, words, notes = self.run(command.arguments(self.inputs, out), out, log=log)
        if code != 0:
            sys.exit(f"{command.name} does not run at all: {notes.decode()}")
        return before, command.compared(state(out)), command.compared_words(words), log.read_text().split()

    @staticmethod
    def cases(calls, kinds):
        for at, call in enumerate(calls, 1):
            for kind in kinds:
                if call in CALLS.get(kind, {call}):
                    yield at, call, kind

    def judge(self, command, expected, at, call, kind):
        """What does not hold in one case; nothing when all does."""
        before, after, words, _ = expected
        out = self.room()
        command.prepare(out, self.inputs)
        number = str(getattr(errno, kind)) if kind.startswith("E") else kind
        try:
            code, said, notes = self.run(command.arguments(self.inputs, out), out, at, number)
        except subprocess.TimeoutExpired:
            return ["does not end"]
        now = command.compared(state(out))
        whole = without_temporaries(now)
        wrong = []
        if kind == "kill":
            if code != -9 and call != "close":
                wrong.append(f"exit {code} of a killed process")
            if whole != after and not command.allows(whole, before, after):
                wrong.append(f"neither the old state nor the new one: {sorted(whole)[:4]}")
            return wrong + self.rerun(command, out, after, whole == after and after != before)
        if code not in CODES:
            wrong.append(f"exit {code}: {notes.decode(errors='replace')[-200:]}")
        elif code == 0:
            if whole != after:
                wrong.append("exit 0 with another output")
            if command.compared_words(said) != words:
                wrong.append("exit 0 with other words")
        elif not command.allows(whole, before, after):
            wrong.append(f"exit {code}, and the old state is gone: {sorted(whole)[:4]}")
        elif whole != before:
            wrong += self.rerun(command, out, after, False)
        if whole != now and call not in CLEANING:
            wrong.append("a temporary is left behind")
        return wrong

    def rerun(self, command, out, after, is_done):
        """What is wrong with the run that follows one that was killed."""
        code, _, notes = self.run(command.again(out, self.inputs, is_done), out)
        if code != 0:
            return [f"the next run exits {code}: {notes.decode(errors='replace')[-200:]}"]
        now = command.compared(state(out))
        other = sorted(name for name in {*now, *after} if now.get(name) != after.get(name))
        return [f"the next run leaves another state: {other[:4]}"] if other else []

    def sweep(self, commands, kinds):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            expected = {}
            work = []
            for command in commands:
                expected[command.name] = self.baseline(command)
                work += [(command, *case) for case in self.cases(expected[command.name][3], kinds)]
            random.Random(1).shuffle(work)
            counts = {command.name: [0, 0] for command in commands}

            def one(case):
                if self.deadline and time.monotonic() > self.deadline:
                    return
                command, at, call, kind = case
                wrong = self.judge(command, expected[command.name], at, call, kind)
                with self.lock:
                    counts[command.name][kind == "kill"] += 1
                    for sentence in wrong:
                        self.problems.append(f"{command.name}: {kind} at call {at}, {call}: {sentence}")

            list(pool.map(one, work))
        return counts, len(work)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=int)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--only")
    parser.add_argument("--program", default=str(PROJECT / ".build" / "debug" / "ckpt"))
    options = parser.parse_args()
    commands = [c for c in COMMANDS if not options.only or c.name in options.only.split(",")]
    with tempfile.TemporaryDirectory(prefix="ckpt-faults-") as folder:
        sweep = Sweep(options.program, pathlib.Path(folder).resolve(), options.seconds)
        sweep.make_inputs()
        counts, total = sweep.sweep(commands, options.kinds.split(","))
    for name, (faults, kills) in counts.items():
        print(f"{name:16} {faults:6} faults {kills:6} kills")
    faults, kills = (sum(column) for column in zip(*counts.values()))
    print(f"{faults} failing calls and {kills} kills of {total} cases, {len(sweep.problems)} do not hold")
    for problem in sweep.problems[:100]:
        print(problem)
    sys.exit(1 if sweep.problems else 0)


if __name__ == "__main__":
    main()
