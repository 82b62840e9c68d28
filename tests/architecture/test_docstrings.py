"""A module opens with what it is; what others may call says what it gives."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .tree import product, syntax, text, tracked

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def test_every_module_opens_with_what_it_is() -> None:
    modules = [p for p in tracked() if p.suffix == ".py" and p.parts[0] != "tests"]
    assert [str(p) for p in modules if text(p).strip() and not ast.get_docstring(syntax(p))] == []


def test_every_test_file_says_what_it_promises() -> None:
    files = [p for p in tracked() if p.parts[0] == "tests" and p.name.startswith("test_")]
    assert [str(p) for p in files if not ast.get_docstring(syntax(p))] == []


def public(body: list[ast.stmt], owner: str = "") -> Iterator[tuple[str, Definition]]:
    """Functions, classes and methods that another module may use."""
    for node in body:
        if not isinstance(node, Definition) or node.name.startswith("_"):
            continue
        decorators = {ast.unparse(d) for d in node.decorator_list}
        bodiless = isinstance(node, ast.FunctionDef) and [ast.unparse(part) for part in node.body] == ["..."]
        if "overload" in decorators or "override" in decorators or ("property" in decorators and bodiless):
            continue  # a Protocol's property is an attribute: its class speaks for it
        yield owner + node.name, node
        if isinstance(node, ast.ClassDef):
            yield from public(node.body, f"{owner}{node.name}.")


def undocumented(path: Path) -> list[str]:
    """Public definitions of a module without a docstring. What a base or a Protocol of ours documents counts."""
    found = []
    for name, node in public(syntax(path).body):
        if ast.get_docstring(node):
            continue
        owner, dot, method = name.partition(".")
        if dot and (method in protocols() or method in inherited(path, owner)):
            continue
        found.append(f"{path}:{node.lineno} {name}")
    return found


@cache
def classes() -> tuple[ast.ClassDef, ...]:
    """Every class of the product."""
    return tuple(node for path in product() for node in syntax(path).body if isinstance(node, ast.ClassDef))


def bases(node: ast.ClassDef) -> set[str]:
    """Bare names of a class's bases."""
    return {ast.unparse(b).split("[")[0].rsplit(".", 1)[-1] for b in node.bases}


def documented(node: ast.ClassDef) -> set[str]:
    """A class's methods with docstrings."""
    return {m.name for m in node.body if isinstance(m, ast.FunctionDef) and ast.get_docstring(m)}


@cache
def protocols() -> frozenset[str]:
    """Methods that some Protocol of ours documents: an implementation does what it says there."""
    return frozenset(name for node in classes() if "Protocol" in bases(node) for name in documented(node))


def inherited(path: Path, class_name: str) -> set[str]:
    """Names that a class's bases within our packages document."""
    above: set[str] = set()
    for node in syntax(path).body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            above |= bases(node)
    return {name for node in classes() if node.name in above for name in documented(node)}


def test_every_public_definition_says_what_it_gives() -> None:
    missing = [line for path in product() for line in undocumented(path)]
    assert missing == [], "\n".join(missing)
