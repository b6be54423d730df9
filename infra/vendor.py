"""The dependencies as they lie in the Lambda: pinned, trimmed and compiled.

Chalice's own packaging leaves the modules uncompiled, and importing them then takes twice as long;
and most of botocore is the description of services that are never called.

The versions are those of the running environment, so that what is deployed is what was tested.
"""

import compileall
import hashlib
import importlib.metadata
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from py_compile import PycInvalidationMode

from packaging.requirements import Requirement

from infra.progress import Failed, say, step
from infra.shell import run

SERVICES = ("dynamodb", "s3", "sqs", "ssm", "sts")  # what botocore can call from within a Lambda
TASK_ROOT = "/var/task"
_WHEELS = {"x86_64": "manylinux2014_x86_64", "arm64": "manylinux2014_aarch64"}
# Chalice puts its own runtime into the package; the rest of it is a command line tool.
_NOT_VENDORED = {"chalice"}
_DROPPED_FOLDERS = ("__pycache__", "tests", "test")
_DROPPED_FILES = ("*.pyi", "py.typed", "RECORD", "INSTALLER", "REQUESTED", "*.pyc")


def vendored(root: Path, architecture: str, *, for_host: bool) -> Path:
    """The folder of the dependencies, from the cache where nothing has changed.

    `for_host`: the wheels of the running environment instead of those of the Lambda runtime.
    """
    pins = sorted(_pins(root / "requirements.txt"))
    origin = "host" if for_host else "lambda"
    recipe = [Path(__file__).read_text(), sys.version, architecture, origin, *pins]
    digest = hashlib.sha256("\n".join(recipe).encode()).hexdigest()[:16]
    folder = root / "build" / f"vendor-{digest}"
    if folder.exists():
        say(f"Dependencies of build/{folder.name} are unchanged")
        return folder
    with step(f"Collecting {len(pins)} dependencies into build/{folder.name}"):
        _collect(folder, pins, None if for_host else _WHEELS[architecture])
    return folder


def host_architecture() -> str:
    """The running machine in Lambda's words."""
    machine = platform.machine().lower()
    return "arm64" if machine in ("arm64", "aarch64") else "x86_64"


def compile_folder(folder: Path, root: Path) -> None:
    """Compiles modules so that Lambda takes them as they are.

    The hash is not checked and no time is kept, since every file of a package is of 1980; the
    traces name the files as they lie in the Lambda: `root` stands for its root.
    """
    done = compileall.compile_dir(
        folder,
        quiet=1,
        stripdir=root,
        prependdir=TASK_ROOT,
        invalidation_mode=PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        raise Failed(f"{folder} does not compile")


def _collect(folder: Path, pins: list[str], wheels: str | None) -> None:
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    if wheels:
        _install(unfinished, pins, wheels)
    else:
        _copy_installed(unfinished, pins)
    _trim(unfinished)
    compile_folder(unfinished, unfinished)
    unfinished.rename(folder)


def _pins(requirements: Path) -> set[str]:
    """`name==version` of every requirement and of everything that these need."""
    lines = (line.split("#")[0].strip() for line in requirements.read_text().splitlines())
    waiting = [Requirement(line) for line in lines if line]
    found: dict[str, str] = {}
    while waiting:
        requirement = waiting.pop()
        name = _normal(requirement.name)
        if name in found or name in _NOT_VENDORED:
            continue
        distribution = _installed(name)
        found[name] = distribution.version
        waiting += _needed(distribution, requirement.extras)
    return {f"{name}=={version}" for name, version in found.items()}


def _needed(
    distribution: importlib.metadata.Distribution, extras: set[str]
) -> Iterator[Requirement]:
    for line in distribution.requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if not marker or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            yield requirement


def _installed(name: str) -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise Failed(f"{name} is not installed here; run `make setup`") from error


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _install(folder: Path, pins: list[str], wheels: str) -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    options = ["--quiet", "--no-deps", "--no-compile", "--only-binary=:all:"]
    target = ["--target", str(folder), "--platform", wheels, "--python-version", version]
    run([sys.executable, "-m", "pip", "install", *options, *target, *pins])


def _copy_installed(folder: Path, pins: list[str]) -> None:
    for pin in pins:
        distribution = _installed(pin.split("==")[0])
        for file in distribution.files or []:
            if ".." in file.parts or file.suffix == ".pyc":
                continue  # commands and caches
            target = folder / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(distribution.locate_file(file), target)


def _trim(folder: Path) -> None:
    for name in _DROPPED_FOLDERS:
        for found in list(folder.rglob(name)):
            shutil.rmtree(found)
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for pattern in _DROPPED_FILES:
        for found in list(folder.rglob(pattern)):
            found.unlink()
    for data in (folder / "botocore" / "data", folder / "boto3" / "data"):
        for found in data.iterdir():
            if found.is_dir() and found.name not in SERVICES:
                shutil.rmtree(found)
