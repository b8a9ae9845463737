"""Version, commit and bill of materials: what a release says of itself."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "Sources/CVersion/commit.c"


def run(*command) -> str:
    return subprocess.run([str(part) for part in command], check=True, capture_output=True,
                          text=True, cwd=ROOT).stdout


@pytest.fixture
def has_repository() -> None:
    inside = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True)
    if inside.returncode:
        pytest.skip("there is no repository here")


def said_commit(folder: Path, source: Path, *options: str) -> str:
    """What `ck_commit` gives when `source` is compiled with the options."""
    main = folder / "main.c"
    main.write_text('#include <stdio.h>\n#include "CVersion.h"\nint main(void) { puts(ck_commit()); }\n')
    run("clang", f"-I{ROOT}/Sources/CVersion/include", *options, source, main, "-o", folder / "say")
    return run(folder / "say").strip()


def test_a_commit_that_is_not_known_is_not_guessed(tmp_path):
    assert said_commit(tmp_path, ROOT / SOURCE) == ""


def test_the_build_hands_the_commit_on(tmp_path):
    commit = "0123456789abcdef0123456789abcdef01234567-modified"
    assert said_commit(tmp_path, ROOT / SOURCE, f'-DCKPT_COMMIT="{commit}"') == commit


def test_a_source_archive_has_its_commit_inside(tmp_path, has_repository):
    archive = subprocess.run(["git", "archive", "HEAD", SOURCE], cwd=ROOT, check=True,
                             capture_output=True).stdout
    subprocess.run(["tar", "-x", "-C", tmp_path], input=archive, check=True)
    assert said_commit(tmp_path, tmp_path / SOURCE) == run("git", "rev-parse", "HEAD").strip()


def test_the_script_names_the_commit_of_its_own_repository_alone(tmp_path, has_repository):
    shutil.copytree(ROOT / "Scripts", tmp_path / "ckpt/Scripts", ignore=shutil.ignore_patterns("*.py"))
    assert run("sh", ROOT / "Scripts/commit.sh").startswith(run("git", "rev-parse", "HEAD").strip())
    # An archive that lies in a repository of somebody else's.
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    assert run("sh", tmp_path / "ckpt/Scripts/commit.sh") == ""


def test_manifests_name_the_program_that_wrote_them(ckpt, tmp_path):
    said = re.fullmatch(r"(\d+\.\d+\.\d+)(?: \(commit (\S+)\))?\n", ckpt("--version"))
    assert said
    package, exported = tmp_path / "package", tmp_path / "exported"
    ckpt("retrofit", ROOT / "fixtures/tiny-arithmetic", "--prelude", 2, "--core", 4, "--coda", 2,
         "-o", package)
    ckpt("export", package, "--to", "transformers", "-o", exported)
    tool = {"name": "ckpt", "version": said[1]} | ({"commit": said[2]} if said[2] else {})
    for folder in (package, exported):
        assert json.loads((folder / "manifest.json").read_text())["tool"] == tool


def test_the_bill_of_materials_follows_its_schema_and_leaves_nothing_out(ckpt):
    validation = pytest.importorskip("cyclonedx.validation.json")
    schema = pytest.importorskip("cyclonedx.schema")
    if "libswiftCore" in run("objdump", "-p", ckpt.path):
        pytest.skip("a release build has the Swift libraries inside")
    text = run("python3", ROOT / "Scripts/sbom.py", ckpt.path)
    validator = validation.JsonStrictValidator(schema.SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert text == run("python3", ROOT / "Scripts/sbom.py", ckpt.path)

    components = {item["name"]: item for item in json.loads(text)["components"]}
    for pin in json.loads((ROOT / "Package.resolved").read_text())["pins"]:
        component = components[pin["identity"]]
        assert component["version"] == pin["state"]["version"]
        assert pin["state"]["revision"] in json.dumps(component)
    linked = {line.split()[1] for line in run("objdump", "-p", ckpt.path).splitlines()
              if line.split()[:1] == ["NEEDED"]}
    listed = {entry["value"] for item in components.values() for entry in item.get("properties", [])}
    assert linked and linked | {"libopenblas.so.0"} <= listed

    # What the distributed program has inside is named by the package that its archive is of.
    archive = run("clang", "-print-file-name=libz.a").strip()
    inside = json.loads(run("python3", ROOT / "Scripts/sbom.py", ckpt.path, archive))["components"]
    [zlib] = [item for item in inside if item["name"] == "zlib1g-dev"]
    assert zlib["properties"] == [{"name": "ckpt:linked statically", "value": "libz.a"}]
    assert zlib["version"] and "zlib1g-dev" not in components
