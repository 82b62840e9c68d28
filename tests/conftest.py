"""Fixtures that every test may use: the material beside the project, and the programs that nobody here wrote."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a loaded machine is no finding
settings.load_profile("untimed")

pytest_plugins = ("tests.system.fixtures",)

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"
REQUIRED = os.environ.get("DICOM_GATEWAY_REQUIRE_PEERS") == "1"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder `shared` beside the project; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared beside the project")
    return SHARED


@pytest.fixture(scope="session")
def program() -> Callable[[str], str]:
    """`program(name)`: its path; skips where it is missing, fails where CI requires every peer."""

    def find(name: str) -> str:
        # Debian's own first: a virtual environment with pynetdicom has programs of the same names.
        found = shutil.which(name, path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        if found is None:
            (pytest.fail if REQUIRED else pytest.skip)(f"{name} is not installed")
        assert found is not None
        return found

    return find


@pytest.fixture(scope="session")
def corpus_files() -> list[Path]:
    """Real DICOM files: those of ../shared/corpus and pydicom's own."""
    import pydicom

    folders = [Path(pydicom.__file__).parent / "data" / "test_files"]
    if (SHARED / "corpus").is_dir():
        folders.append(SHARED / "corpus")
    found = [
        path
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix.lower() in (".dcm", ".seg", "") and path.stat().st_size > 132
    ]
    assert found
    return found
