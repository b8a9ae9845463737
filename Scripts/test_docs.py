#!/usr/bin/env python3
"""Runs the commands of the documentation, and compares what they print with what the pages show.

usage: Scripts/test_docs.py [--whole] [PAGE…]

A command stands in a code block after "$ ", and goes on in the next line after a backslash; the lines
below it, to the next command, are its output. There, "…" stands for any text, and a line of it alone
for any lines. A command without output below it has to end well, no more.

Every page runs in a folder of its own, which has links to what it needs of the project. Training is
cut to a few steps, and the page's $MODEL becomes the shipped model, of twelve layers, unless --whole
is given. A page that says "needs: mpi" or "needs: torch" in a comment runs where CKPT_MPI names a ckpt
built with MPI, or where PYTHON names an interpreter that has torch and transformers; pages whose needs
are not met are an error, so that none is left out unseen. CKPT names the ckpt of all others.
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
LINKS = ["fixtures", "Scripts", "Python", "build"]
STEPS = 6


def pages():
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text):
    """The code blocks of a page: fenced, or indented by four spaces; (first line's number, lines)."""
    found, lines, fence, start = [], [], None, 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if fence is not None:
            if stripped == fence:
                found.append((start, lines))
                fence, lines = None, []
            else:
                lines.append(line)
        elif stripped.startswith("```"):
            fence, start = "```", number + 1
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
        command += f" --steps {STEPS}"
    return re.sub(r"(--(?:eval|checkpoint)-every) \d+", r"\1 3", command)


def pattern(output):
    """A regular expression for the lines of an output; empty lines at the end do not count."""
    while output and not output[-1].strip():
        output = output[:-1]
    rule = ""
    for line in output:
        if line.strip() == "…":
            rule += r"(?:.*\n)*?"
        else:
            rule += re.escape(line.rstrip()).replace("…", ".*?") + r"[ ]*\n"
    return rule + r"\s*\Z"


def run_page(path, whole):
    text = path.read_text()
    folder = WORK / path.stem
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in LINKS:
        (folder / name).symlink_to(ROOT / name)
    needs = re.findall(r"<!-- needs: (\w+) -->", text)
    environment = dict(os.environ, LC_ALL="C.UTF-8")
    ckpt = os.environ.get("CKPT_MPI" if "mpi" in needs else "CKPT")
    if not ckpt:
        sys.exit(f"{path.name}: {'CKPT_MPI' if 'mpi' in needs else 'CKPT'} is not set")
    search = [str(pathlib.Path(ckpt).resolve().parent)]
    if "torch" in needs:
        if not os.environ.get("PYTHON"):
            sys.exit(f"{path.name}: PYTHON is not set")
        search.append(str(pathlib.Path(os.environ["PYTHON"]).absolute().parent))
    environment["PATH"] = ":".join([*search, environment["PATH"]])
    environment["XDG_CACHE_HOME"] = str(WORK / "cache")
    count, compared = 0, 0
    for number, command, output in commands(text):
        setting = re.fullmatch(r"export (\w+)=(\S+)", command)
        if setting:
            name, value = setting.groups()
            environment[name] = value if whole or name != "MODEL" else "fixtures/tiny-arithmetic"
            continue
        if not whole:
            command = shortened(command)
        start = time.monotonic()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command], cwd=folder, env=environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        count += 1
        print(f"    {time.monotonic() - start:5.1f} s  {command}", flush=True)
        where = f"{path.relative_to(ROOT)}:{number}: $ {command}\n"
        if done.returncode != 0:
            sys.exit(f"{where}{done.stdout}exit status {done.returncode}")
        shown = [line for line in output if line.strip()]
        # What a page shows of SmolLM2 is not what the small model says.
        if not shown or (not whole and "$MODEL" in text and "fixtures/" not in command):
            continue
        compared += 1
        if not re.match(pattern(output), done.stdout):
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
