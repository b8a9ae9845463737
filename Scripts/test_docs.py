#!/usr/bin/env python3
"""Runs the commands of the documentation, and compares what they print with what the pages show.

usage: Scripts/test_docs.py [--whole] [PAGE…]

A command stands in a code block after "$ ", and goes on in the next line after a backslash; the lines
below it, to the next command, are some of its output: lines that follow each other, with "…" for any
text and a line of it alone for any lines. A command without output below it has to end well, no more.
A block of Python is run too.

Every page runs in a folder of its own, which has links to what it needs of the project. Training is
cut to a few steps, and the page's $MODEL becomes the shipped model, of twelve layers, unless --whole
is given. The ckpt is that of CKPT or a release build; of a page that says "needs: mpi" in a comment
that of Scripts/test_mpi.sh or CKPT_MPI, and of one that says "needs: torch" the Python of
Scripts/test_python.sh or PYTHON comes first.
"""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / "build" / "docs" / "work"
LINKS = ["fixtures", "Scripts", "build"]
STEPS = 4


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text):
    """The code blocks of a page: fenced, or indented by four spaces; (first line's number, lines).

    Python is a command of its own.
    """
    found, lines, fence, start = [], [], None, 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if fence is not None:
            if stripped == "```":
                if fence == "python":
                    lines = ["$ python - <<'END'\n" + "\n".join(lines) + "\nEND"]
                found.append((start, lines))
                fence, lines = None, []
            else:
                lines.append(line)
        elif stripped.startswith("```"):
            fence, start = stripped[3:], number + 1
        elif line.startswith("    ") or (lines and not stripped):
            if not lines:
                start = number
            lines.append(line[4:])
        elif lines:
            found.append((start, lines))
            lines = []
    return found + ([(start, lines)] if lines else [])


def commands(text):
    """(line number, command, lines of output) of a page, in order."""
    for start, lines in blocks(text):
        i = 0
        while i < len(lines):
            if not lines[i].startswith("$ "):
                i += 1
                continue
            number, parts = start + i, [lines[i][2:]]
            while parts[-1].endswith("\\"):
                i += 1
                parts[-1] = parts[-1][:-1]
                parts.append(lines[i].strip())
            i += 1
            output = []
            while i < len(lines) and not lines[i].startswith("$ "):
                output.append(lines[i])
                i += 1
            yield number, "".join(parts), output


def shortened(command):
    """A training command cut to a few steps."""
    if not re.search(r"\bckpt train\b|train\.py\b", command) or "--print-recipe" in command:
        return command
    command, count = re.subn(r"--steps \d+", f"--steps {STEPS}", command)
    if count == 0 and "--resume" not in command:
        command += f" --set steps={STEPS}" if "train.py" in command else f" --steps {STEPS}"
    return re.sub(r"(--(?:eval|checkpoint)-every) \d+", r"\1 3", command)


def for_small_model(command):
    """A command for SmolLM2's thirty layers as one for twelve."""
    return command.replace("--core 8", "--core 4")


def is_shown(output, printed):
    """Whether the lines of a page are among those that were printed."""
    rule = ""
    for line in "\n".join(output).strip("\n").split("\n"):
        if line.strip() == "…":
            rule += r"(?:.*\n)*?"
        else:
            rule += re.escape(line.rstrip()).replace("…", ".*?") + r"[ ]*\n"
    return re.search("(?m)^" + rule, printed + "\n") is not None


def search_path(text):
    """The PATH of a page: the programs that it needs first."""
    needs = re.findall(r"<!-- needs: (\w+) -->", text)
    if "mpi" in needs:
        ckpt = os.environ.get("CKPT_MPI", ROOT / ".build-mpi/release/ckpt")
    else:
        ckpt = subprocess.run(
            [ROOT / "Scripts/release.sh"], check=True, text=True, stdout=subprocess.PIPE
        ).stdout.strip()
    programs = [pathlib.Path(ckpt)]
    if "torch" in needs:
        programs.append(
            pathlib.Path(os.environ.get("PYTHON", ROOT / "build/python/current/bin/python")))
    for program in programs:
        if not program.exists():
            sys.exit(f"{program} is missing; Scripts/test_mpi.sh and test_python.sh make theirs")
    return ":".join([*(str(program.absolute().parent) for program in programs), os.environ["PATH"]])


def run_page(path, whole):
    text = path.read_text()
    folder = WORK / path.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in LINKS:
        (folder / name).symlink_to(ROOT / name)
    environment = dict(os.environ, LC_ALL="C.UTF-8", PATH=search_path(text))
    if os.getuid() == 0:
        environment |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    environment["XDG_CACHE_HOME"] = str(WORK / "cache")
    count, compared = 0, 0
    for number, command, output in commands(text):
        setting = re.fullmatch(r"export (\w+)=(\S+)", command)
        if setting:
            name, value = setting.groups()
            environment[name] = value if whole or name != "MODEL" else "fixtures/tiny-arithmetic"
            continue
        if not whole:
            command = for_small_model(shortened(command))
        start = time.monotonic()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        count += 1
        print(f"    {time.monotonic() - start:5.1f} s  {command.splitlines()[0]}", flush=True)
        where = f"{path.relative_to(ROOT)}:{number}: $ {command}\n"
        if done.returncode != 0:
            sys.exit(f"{where}{done.stdout}exit status {done.returncode}")
        shown = [line for line in output if line.strip(" …")]
        # What a page shows of SmolLM2 is not what the small model says.
        if not shown or (not whole and "export MODEL=" in text):
            continue
        compared += 1
        if not is_shown(output, done.stdout):
            sys.exit(f"{where}prints\n{done.stdout}\nand not\n" + "\n".join(output))
    print(f"{path.relative_to(ROOT)}: {count} commands ran, {compared} outputs compared")
    return count


def main():
    arguments = sys.argv[1:]
    whole = "--whole" in arguments
    chosen = [pathlib.Path(name).resolve() for name in arguments if name != "--whole"] or pages()
    total = sum(run_page(path, whole) for path in chosen)
    if total == 0:
        sys.exit("no command found")


if __name__ == "__main__":
    main()
