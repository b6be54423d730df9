"""Makes what CloudFormation deploys: `build/<stage>/sam.json` and `build/<stage>/deployment.zip`.

    python -m infra.package --stage prod

Needs no account and no credentials. Chalice packages a clean copy of the application, in which
`vendor/` holds everything that lies beside `app.py` in the Lambda: the dependencies, `passes/` and
`programs/`.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path

import chalice

from infra.progress import Failed, say, step
from infra.shell import run
from infra.template import merge_template
from infra.vendor import compile_folder, host_architecture, vendored

ROOT = Path(__file__).resolve().parents[1]
STAGES = ("local", "dev", "prod")
LOCAL_STAGE = "local"
DEPLOYED_STAGES = tuple(stage for stage in STAGES if stage != LOCAL_STAGE)
_MADE_OF = ("app.py", "chalicelib", "passes", "programs", "infra", ".chalice", "requirements.txt")
_DOCUMENTS = ("passes", "programs")
_MISSING = "Could not install dependencies"  # Chalice says so and goes on


@dataclass(frozen=True)
class Package:
    """What lies in the build folder of a stage."""

    stage: str
    template: Path
    archive: Path


def package(stage: str, root: Path = ROOT, *, with_dependencies: bool = True) -> Package:
    """Packages the application, unless nothing has changed since the last time.

    Without dependencies the archive cannot run: it is for looking at the template.
    Raises `Failed`.
    """
    folder = root / "build" / (stage if with_dependencies else f"{stage}-bare")
    made = Package(stage, folder / "sam.json", folder / "deployment.zip")
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / f"{folder.name}.lock").open("w") as lock:
        flock(lock, LOCK_EX)  # one process makes it, the others find it made
        fingerprint = _fingerprint(root)
        kept = folder / "fingerprint"
        if kept.exists() and kept.read_text() == fingerprint and made.archive.exists():
            say(f"build/{folder.name} is up to date")
            return made
        shutil.rmtree(folder, ignore_errors=True)
        source = folder / "source"
        _stage_source(root, source, stage)
        if with_dependencies:
            _stage_dependencies(root, source, stage)
        with step(f"Packaging for {stage} with Chalice"):
            _run_chalice(source, folder, stage)
        with step("Checking the template with cfn-lint"):
            run([_tool("cfn-lint"), str(made.template)])
        kept.write_text(fingerprint)
        size = made.archive.stat().st_size / 1e6
        say(f"Packaged build/{folder.name}: sam.json and deployment.zip of {size:.1f} MB")
        return made


def _fingerprint(root: Path) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for file in sorted(_files(root)):
        digest.update(f"{file.relative_to(root)}\n".encode())
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _files(root: Path) -> Iterator[Path]:
    for name in _MADE_OF:
        path = root / name
        found = path.rglob("*") if path.is_dir() else [path]
        for file in found:
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def _stage_source(root: Path, source: Path, stage: str) -> None:
    """A clean copy: nothing goes into the archive that was only lying about."""
    clean = shutil.ignore_patterns("__pycache__", "*.pyc")
    vendor = source / "vendor"
    vendor.mkdir(parents=True)
    shutil.copy(root / "app.py", source)
    shutil.copytree(root / "chalicelib", source / "chalicelib", ignore=clean)
    (source / "requirements.txt").touch()  # they are vendored
    for name in _DOCUMENTS:
        if (root / name).exists():
            shutil.copytree(root / name, vendor / name, ignore=clean)
    config = json.loads((root / ".chalice" / "config.json").read_text())
    if stage == LOCAL_STAGE:
        config["lambda_architecture"] = host_architecture()
    (source / ".chalice").mkdir()
    (source / ".chalice" / "config.json").write_text(json.dumps(config))


def _stage_dependencies(root: Path, source: Path, stage: str) -> None:
    config = json.loads((source / ".chalice" / "config.json").read_text())
    architecture = config["lambda_architecture"]
    dependencies = vendored(root, architecture, for_host=stage == LOCAL_STAGE)
    # Links, for the thousands of files are only read.
    shutil.copytree(dependencies, source / "vendor", copy_function=os.link, dirs_exist_ok=True)
    _compile_application(source)


def _compile_application(source: Path) -> None:
    """Compiles our own modules, and the runtime that Chalice adds, to where Lambda looks."""
    compile_folder(source / "chalicelib", source)
    vendor = source / "vendor"
    alone = source.with_name("alone")
    (alone / "chalice").mkdir(parents=True)
    shutil.copy(source / "app.py", alone)
    for name in ("__init__.py", "app.py"):
        shutil.copy(Path(chalice.__file__).with_name(name), alone / "chalice")
    compile_folder(alone, alone)
    for found in alone.rglob("*.pyc"):
        target = vendor / found.relative_to(alone)
        target.parent.mkdir(parents=True, exist_ok=True)
        found.rename(target)
    shutil.rmtree(alone)


def _run_chalice(source: Path, folder: Path, stage: str) -> None:
    merged = folder / "merge.json"
    merged.write_text(json.dumps(merge_template(stage)))
    made = folder / "made"
    said = run(
        [_tool("chalice"), "package", "--stage", stage, "--merge-template", str(merged), str(made)],
        folder=source,
        # Chalice asks for a region and does not use it.
        environment={"AWS_DEFAULT_REGION": "eu-west-1", "PYTHONDONTWRITEBYTECODE": "1"},
    )
    if _MISSING in said:
        raise Failed(said)
    for name in ("sam.json", "deployment.zip"):
        (made / name).rename(folder / name)
    made.rmdir()


def _tool(name: str) -> str:
    """A command of the running environment."""
    return str(Path(sys.executable).with_name(name))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Packages the application for a stage.")
    parser.add_argument("--stage", choices=STAGES, default="prod")
    try:
        package(parser.parse_args().stage)
    except Failed as failure:
        sys.exit(str(failure))


if __name__ == "__main__":
    main()
