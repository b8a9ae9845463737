#!/usr/bin/env python3
"""Prints the bill of materials of a built ckpt, as CycloneDX JSON.

    Scripts/sbom.py CKPT [ARCHIVE.a…]

It names the Swift packages of Package.resolved, the Swift libraries and the archives given, which are inside the
program, and the system's libraries that it loads; the last two by the Debian packages that own them. There is
neither a time nor a random number in it: the same program on the same system gives the same bytes.
"""

import json
import platform
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What the loader finds at run time, when something is computed.
LOADED = "libopenblas.so.0"
LICENCES = {"swift-argument-parser": "Apache-2.0", "swift-system": "Apache-2.0", "yams": "MIT"}


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def licences(name: str) -> list:
    return [{"license": {"id": name}}]


def swift_packages() -> list[dict]:
    """The pins, each with its repository's commit."""
    components = []
    for pin in json.loads((ROOT / "Package.resolved").read_text())["pins"]:
        version, place = pin["state"]["version"], pin["location"].removesuffix(".git")
        components.append({
            "type": "library", "bom-ref": pin["identity"], "name": pin["identity"],
            "version": version,
            "licenses": licences(LICENCES[pin["identity"]]),
            "purl": f"pkg:swift/{place.removeprefix('https://')}@{version}",
            "externalReferences": [{"type": "vcs", "url": pin["location"]}],
            "properties": [{"name": "ckpt:revision", "value": pin["state"]["revision"]}],
        })
    return components


def swift_libraries() -> dict:
    found = re.search(r"Swift version (\S+)", run("swift", "--version"))
    if not found:
        sys.exit("sbom: swift --version names no version")
    return {
        "type": "library", "bom-ref": "swift", "name": "swift", "version": found[1],
        "description": "the Swift standard library and its companions, linked statically",
        "licenses": licences("Apache-2.0"),
        "purl": f"pkg:swift/github.com/swiftlang/swift@{found[1]}",
    }


def owner(path: str) -> tuple[str, str]:
    """The Debian package that owns a file, and its version."""
    real = str(Path(path).resolve())
    # Packages name files as they were before /lib became a link to /usr/lib.
    for spelling in (real, real.removeprefix("/usr"), path, path.removeprefix("/usr")):
        done = subprocess.run(["dpkg", "-S", spelling], capture_output=True, text=True)
        if done.returncode == 0:
            name = done.stdout.split(": ")[0].split(",")[0]
            return name.split(":")[0], run("dpkg-query", "-W", "-f", "${Version}", name)
    sys.exit(f"sbom: no Debian package owns {path}")


def system_libraries(program: str, archives: list[str]) -> list[dict]:
    """What is inside the program, what it loads by itself, and OpenBLAS, by the packages that have them."""
    needed = re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", program))
    places = dict(re.findall(r"^\s*(\S+) \([^)]*\) => (/\S+)", run("/sbin/ldconfig", "-p"), re.M))
    places |= dict(re.findall(r"^\s*(\S+) => (/\S+)", run("ldd", program), re.M))
    distribution = platform.freedesktop_os_release()
    suffix = f"{distribution['ID']}-{distribution.get('VERSION_ID', 'unknown')}"
    architecture = run("dpkg", "--print-architecture").strip()
    packages: dict[str, dict] = {}

    def add(path: str, how: str) -> None:
        name, version = owner(path)
        component = packages.setdefault(name, {
            "type": "library", "bom-ref": f"deb-{name}", "name": name, "version": version,
            "scope": "required",
            "purl": f"pkg:deb/{distribution['ID']}/{name.replace('+', '%2B')}@"
                    f"{version.replace('+', '%2B').replace(':', '%3A')}"
                    f"?arch={architecture}&distro={suffix}",
            "properties": [],
        })
        component["properties"].append({"name": f"ckpt:{how}", "value": Path(path).name})

    for archive in sorted(archives):
        add(archive, "linked statically")
    for library in sorted({*needed, LOADED}):
        path = places.get(library)
        if path is None and library.startswith("ld-linux"):
            path = f"/lib64/{library}" if architecture == "amd64" else f"/lib/{library}"
        if path is None:
            sys.exit(f"sbom: {library} is not on this system")
        add(path, "loaded at run time" if library == LOADED else "linked dynamically")
    return list(packages.values())


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = sys.argv[1]
    said = run(program, "--version").strip()
    version = said.split()[0]
    tool = {
        "type": "application", "bom-ref": "ckpt", "name": "ckpt", "version": version,
        "licenses": licences("Apache-2.0"), "purl": f"pkg:generic/ckpt@{version}",
    }
    commit = re.search(r"\(commit (\S+)\)", said)
    if commit:
        tool["properties"] = [{"name": "ckpt:commit", "value": commit[1]}]
    components = [*swift_packages(), swift_libraries(), *system_libraries(program, sys.argv[2:])]
    document = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1,
        "metadata": {"component": tool},
        "components": components,
        "dependencies": [
            {"ref": "ckpt", "dependsOn": sorted(item["bom-ref"] for item in components)},
        ],
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))


if __name__ == "__main__":
    main()
