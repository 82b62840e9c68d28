"""What the repository holds runs on any machine and names none; no key, no real object is in it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from .tree import ROOT, generated, text, tracked

# Where a developer's or CI's machine keeps things; a file that names one works only there.
MACHINE = re.compile(r"(?<![\w.$}~*-])/(?:work|root|home|opt|Users|mnt|tmp)/[\w.]")
URL = re.compile(r"\b(?:https?|ftp|git)://([\w.-]+)", re.IGNORECASE)
# Hosts a document may name: standards and namespaces. Registries and proxies are a machine's business.
HOSTS = {
    "127.0.0.1", "localhost", "www.apache.org", "dicom.nema.org", "www.dicomstandard.org", "www.w3.org", "hl7.org",
    "purl.oclc.org", "relaxng.org", "www.rfc-editor.org", "github.com", "example.org", "example.com",
}  # fmt: skip
BINARY = {".png", ".gz", ".xz", ".bin"}
NEVER = {".pem", ".key", ".p12", ".pfx", ".dcm", ".sqlite", ".db", ".whl", ".pyc"}
SECRET = re.compile(r"-----BEGIN (?:RSA |EC |ENCRYPTED )?PRIVATE KEY-----\n[A-Za-z0-9+/=\n]{60}")


def texts() -> list[Path]:
    """Every tracked file that is text."""
    return [p for p in tracked() if p.suffix not in BINARY | NEVER]


def test_no_path_of_a_machine() -> None:
    found = [
        f"{path}:{number} {line.strip()[:100]}"
        for path in texts()
        for number, line in enumerate(text(path).splitlines(), 1)
        if MACHINE.search(line)
    ]
    assert found == [], "\n".join(found)


@pytest.mark.parametrize(
    ("line", "bad"), [("see " + "/ro" + "ot/x", True), ("see docs/work/x", False), ("{x}/tmp/y", False)]
)
def test_the_check_knows_a_path(line: str, bad: bool) -> None:
    assert bool(MACHINE.search(line)) is bad


def test_no_unlisted_host() -> None:
    found = {f"{path}: {host}" for path in texts() for host in URL.findall(text(path)) if host.lower() not in HOSTS}
    assert found == set()


def test_the_lock_is_hashes_only() -> None:
    """Every line of the lock is a package, a hash or a comment: no index, host, path or flag that a machine needs."""
    lock = text(Path("requirements.lock"))
    assert "://" not in lock
    shape = re.compile(
        r"(?:[a-z0-9][a-z0-9._-]*==[\w.+!]+(?: ;[^\\]*)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?|    #.*|#.*|)"
    )
    assert [line for line in lock.splitlines() if not shape.fullmatch(line)] == []


def normal(name: str) -> str:
    """A distribution's name as packaging compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_lock_holds_what_the_project_asks_for() -> None:
    project = tomllib.loads(text(Path("pyproject.toml")))["project"]
    wanted = [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    names = {normal(re.split(r"[\[<>=~! ]", w, maxsplit=1)[0]) for w in wanted}
    locked = {
        normal(n) for n in re.findall(r"^([a-z0-9][a-z0-9._-]*)==", text(Path("requirements.lock")), re.MULTILINE)
    }
    assert names - locked == set()


def test_no_key_and_no_object_is_committed() -> None:
    assert [str(p) for p in tracked() if p.suffix in NEVER] == []
    assert [str(p) for p in texts() if SECRET.search(text(p))] == []


def test_files_are_text_in_utf8_with_unix_lines() -> None:
    bad = [str(p) for p in texts() if b"\r\n" in (ROOT / p).read_bytes() and not generated(p)]
    assert bad == []


def test_test_files_have_names_of_their_own() -> None:
    """pytest imports test files of folders without `__init__.py` by their bare name: two alike would shadow."""
    loose = [
        p
        for p in tracked()
        if p.parts[0] == "tests" and p.suffix == ".py" and p.name not in ("__init__.py", "conftest.py")
    ]
    names = [p.name for p in loose if not (ROOT / p).with_name("__init__.py").exists()]
    assert sorted({n for n in names if names.count(n) > 1}) == []
