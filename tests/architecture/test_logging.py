"""Nothing identifying leaks sideways by a log line: what may be logged is a closed list of keys."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from .tree import product, syntax

# A new key is a decision: it must be a code, a count or an id of our own.
KEYS = {
    "aborted", "address", "association", "attempt", "bytes", "code", "count", "cut", "delivery",
    "destination", "detail", "duration", "ended", "error", "event", "failed", "file", "full", "generation",
    "group", "held", "incoming", "instances", "kind", "limit", "listener", "listeners", "missing", "name", "objects",
    "orphans", "outcome", "peer", "pid", "port", "reason", "refused", "released", "route", "rules",
    "seconds", "session", "state", "status", "stored", "swept", "unlisted", "waiting", "worker",
}  # fmt: skip
# What may identify a patient, whatever the key: model.Identity's fields and the words for values.
IDENTIFYING = {
    "patient_id", "sop_instance", "study", "series", "identity", "value", "values", "dataset", "data_set", "element",
    "raw", "payload", "subject",
}  # fmt: skip
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}


def log_calls(tree: ast.Module) -> Iterator[ast.Call]:
    """Calls like `log.info(...)`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LEVELS:
            owner = ast.unparse(node.func.value)
            if owner in ("log", "logger", "_log", "logging"):
                yield node


def complaints(path: Path, tree: ast.Module) -> list[str]:
    """What a log call says that it must not."""
    found = []
    for call in log_calls(tree):
        where = f"{path}:{call.lineno}"
        if not call.args or any(isinstance(n, ast.JoinedStr) for n in ast.walk(call.args[0])):
            found.append(f"{where} an f-string as a log line: use fields()")
        for node in ast.walk(call):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "fields":
                found += [f"{where} key {k.arg} is not listed" for k in node.keywords if k.arg not in KEYS]
            if isinstance(node, ast.Attribute) and node.attr in IDENTIFYING:
                found.append(f"{where} names {node.attr}")
            if isinstance(node, ast.Name) and node.id in IDENTIFYING:
                found.append(f"{where} names {node.id}")
    return found


def test_log_lines_name_only_what_is_listed() -> None:
    found = [line for path in product() for line in complaints(path, syntax(path))]
    assert found == [], "\n".join(found)


def test_the_check_finds_a_leak() -> None:
    leaks = [
        'log.info(f"stored {x}")',
        'log.info(fields("stored", patient=x))',
        'log.info(fields("stored", detail=instance.identity.patient_id))',
        'log.debug("got %s", value)',
    ]
    assert [bool(complaints(Path("x.py"), ast.parse(code))) for code in leaks] == [True] * len(leaks)
    assert complaints(Path("x.py"), ast.parse('log.info(fields("stored", listener=x.id))')) == []


def test_only_commands_print() -> None:
    """Standard output belongs to the commands; everybody else logs."""
    prints = [
        f"{path}:{node.lineno}"
        for path in product()
        if path.parts[:2] != ("gateway", "cli") and path.name != "generate.py" and path.parts[0] != "certs"
        for node in ast.walk(syntax(path))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.stdout.write", "traceback.print_exc")
    ]
    assert prints == []
