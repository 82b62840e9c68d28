"""Imports run one way, and the pure part stays pure."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .tree import ROOT, product, syntax

# Sockets, disks, clocks, chance, threads: a Context injects what a transform needs of them.
IMPURE = {
    "asyncio", "multiprocessing", "os", "pathlib", "random", "secrets", "shutil", "signal", "socket", "sqlite3",
    "ssl", "subprocess", "tempfile", "threading", "time", "uuid", "urllib", "http", "sqlalchemy", "typer",
}  # fmt: skip
# Code out of data: never, nowhere.
DANGEROUS = {"pickle", "marshal", "shelve", "dill", "xml.sax", "imp"}


def imports(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Every module a file imports, wherever in it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module, node.lineno


def offenders(paths: list[Path], forbidden: set[str]) -> list[str]:
    """Imports of forbidden modules or of parts of them."""
    return [
        f"{path}:{line} imports {name}"
        for path in paths
        for name, line in imports(syntax(path))
        if any(name == f or name.startswith(f + ".") for f in forbidden)
    ]


def test_import_linter_holds_the_layers() -> None:
    command = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run([command, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


@pytest.mark.parametrize("package", ["transforms", "profiles"])
def test_the_pure_packages_import_no_shell(package: str) -> None:
    paths = [p for p in product() if p.parts[0] == package and p.name != "generate.py"]
    assert paths
    assert offenders(paths, IMPURE) == []


def test_the_check_finds_an_offender() -> None:
    tree = ast.parse("def f():\n    from os.path import join\n    import socket\n")
    assert {name for name, _ in imports(tree)} == {"os.path", "socket"}


def test_the_upper_layer_is_ours() -> None:
    """pynetdicom and highdicom judge in tests; the product does not lean on them on the hot path."""
    assert offenders(list(product()), {"pynetdicom", "pytest", "hypothesis"}) == []


def test_no_code_comes_out_of_data() -> None:
    assert offenders(list(product()), DANGEROUS) == []
    calls = [
        f"{path}:{node.lineno} {node.func.id}"
        for path in product()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("eval", "exec")
    ]
    assert calls == []


def test_no_shell_reads_a_command() -> None:
    shells = [
        f"{path}:{node.value.lineno}"
        for path in product()
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.keyword) and node.arg == "shell" and ast.unparse(node.value) != "False"
    ]
    assert shells == []
