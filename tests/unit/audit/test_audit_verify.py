"""Whatever is done to the files of a trail is found; what was not done is not."""

from __future__ import annotations

import shutil

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.audit.chain import Head, parse, seal
from gateway.audit.trail import Trail, files
from gateway.audit.verify import verify

RECORDS = 12


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A trail of three files and its head."""
    folder = tmp_path_factory.mktemp("whole")
    trail = Trail(folder, rotate_at=900)
    for number in range(1, RECORDS + 1):
        trail.append([(number, f"<AuditMessage patient='P{number}'/>".encode())])
    head = trail.head()
    trail.close()
    assert len(files(folder)) == 3
    return folder, head


@pytest.fixture
def copy(whole, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(whole[0], folder)
    return folder, whole[1]


def kinds(folder, head=None) -> set[str]:
    return {finding.kind for finding in verify(folder, head)}


EDITS = ["flip", "delete-byte", "insert-byte", "delete-line", "swap", "duplicate", "move", "cut-bytes", "cut-lines"]
EDITS += ["reseal", "delete-file", "swap-files"]


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edit=st.sampled_from(EDITS), data=st.data())
def test_any_edit_is_found(whole, tmp_path_factory, edit: str, data) -> None:
    source, head = whole
    folder = tmp_path_factory.mktemp("edited")
    shutil.copytree(source, folder, dirs_exist_ok=True)
    there = files(folder)
    file = data.draw(st.sampled_from(there))
    before = {each.name: each.read_bytes() for each in there}
    text = file.read_bytes()
    lines = text.splitlines(keepends=True)
    place = data.draw(st.integers(0, len(text) - 1))
    row = data.draw(st.integers(0, len(lines) - 1))
    other = data.draw(st.integers(0, len(lines) - 1))
    match edit:
        case "flip":
            mask = data.draw(st.integers(1, 255))
            file.write_bytes(text[:place] + bytes([text[place] ^ mask]) + text[place + 1 :])
        case "delete-byte":
            file.write_bytes(text[:place] + text[place + 1 :])
        case "insert-byte":
            byte = bytes([data.draw(st.integers(0, 255))])
            file.write_bytes(text[:place] + byte + text[place:])
        case "delete-line":
            file.write_bytes(b"".join(lines[:row] + lines[row + 1 :]))
        case "swap":
            lines[row], lines[other] = lines[other], lines[row]
            file.write_bytes(b"".join(lines))
        case "duplicate":
            file.write_bytes(b"".join([*lines[: other + 1], lines[row], *lines[other + 1 :]]))
        case "move":
            line = lines.pop(row)
            lines.insert(other, line)
            file.write_bytes(b"".join(lines))
        case "cut-bytes":
            there[-1].write_bytes(there[-1].read_bytes()[: place % there[-1].stat().st_size])
        case "cut-lines":
            tail = there[-1].read_bytes().splitlines(keepends=True)
            there[-1].write_bytes(b"".join(tail[: other % len(tail)]))
        case "reseal":  # another message, with a hash that fits it
            record = parse(lines[row][:-1])
            lines[row] = seal(record.seq, record.at, record.prev, "<AuditMessage/>")[0]
            file.write_bytes(b"".join(lines))
        case "delete-file":
            file.unlink()
        case "swap-files":
            one, two = there[row % 3], there[other % 3]
            data_one, data_two = one.read_bytes(), two.read_bytes()
            one.write_bytes(data_two)
            two.write_bytes(data_one)
    changed = {each.name: each.read_bytes() for each in files(folder)} != before
    assert bool(verify(folder, head)) == changed
    shutil.rmtree(folder)


@pytest.mark.parametrize("first", range(1, RECORDS + 1))
def test_a_trail_written_anew_from_any_record_on_is_found_by_the_head(copy, first: int) -> None:
    folder, head = copy
    prev = "0" * 64
    for file in files(folder):
        lines = []
        for line in file.read_bytes().splitlines():
            record = parse(line)
            message = "<AuditMessage/>" if record.seq >= first else record.message
            fresh, prev = seal(record.seq, record.at, prev, message)
            lines.append(fresh)
        file.write_bytes(b"".join(lines))
    assert verify(folder) == []  # a chain without a key cannot know: the module says so
    assert kinds(folder, head) == {"changed"}


def test_each_fault_has_its_name_file_and_line(copy) -> None:
    folder, head = copy
    first, second, _third = files(folder)
    lines = first.read_bytes().splitlines(keepends=True)
    first.write_bytes(b"".join([lines[0], lines[2], lines[1], *lines[3:]]))
    found = verify(folder, head)
    assert (found[0].file, found[0].line, found[0].kind) == (first, 2, "removed")
    assert (found[1].line, found[1].kind) == (3, "reordered")
    assert str(found[0]).startswith(f"{first}:2: removed: records 2 to 2 are missing")
    first.write_bytes(b"".join(lines))
    second.rename(folder / "audit-000000000099.jsonl")
    assert "misnamed" in kinds(folder, head)


def test_one_change_gives_one_or_two_findings(copy) -> None:
    folder, head = copy
    file = files(folder)[1]
    file.write_bytes(file.read_bytes().replace(b"P6", b"P7"))
    found = verify(folder, head)
    assert len(found) == 1 and found[0].kind == "changed"


def test_cut_ends(copy) -> None:
    folder, head = copy
    last = files(folder)[-1]
    lines = last.read_bytes().splitlines(keepends=True)
    last.write_bytes(b"".join(lines[:-1]))
    assert kinds(folder, head) == {"cut"} and kinds(folder) == set()
    last.write_bytes(b"".join(lines)[:-5])
    assert kinds(folder, head) == {"cut", "incomplete"} and kinds(folder) == {"incomplete"}


def test_a_trail_that_went_on_is_no_fault(whole) -> None:
    folder, _head = whole
    record = parse(files(folder)[1].read_bytes().splitlines()[0])
    assert verify(folder, Head(record.seq, record.hash)) == []
    assert kinds(folder, Head(record.seq, "f" * 64)) == {"changed"}


def test_all_gone(tmp_path) -> None:
    gone = tmp_path / "audit"
    assert verify(gone) == [] and verify(gone, Head(0, "0" * 64)) == []
    assert kinds(gone, Head(3, "a" * 64)) == {"missing"}
    gone.mkdir()
    assert kinds(gone, Head(3, "a" * 64)) == {"cut"}
    (gone / "notes.txt").touch()
    assert kinds(gone) == {"stray"}
