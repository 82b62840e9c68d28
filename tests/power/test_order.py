"""The oracle on small histories: the honest one passes, and each way to spoil it is told by its name."""

from __future__ import annotations

import pytest

from tests.power.histories import (
    COMMIT,
    HONEST,
    INCOMING,
    INNER,
    LOG,
    NAME,
    OBJECTS,
    PAGE,
    STATE,
    log,
    meta,
    quoted,
    response,
    send,
    spoiled,
)
from tests.power.order import Judgement, Layout, judge
from tests.power.trace import read


def judged(lines: list[str]) -> Judgement:
    return judge(read(lines), Layout.of(STATE))


def test_the_honest_history_passes() -> None:
    found = judged(spoiled())
    assert len(found.acknowledged) == 1 and found.findings == []


@pytest.mark.parametrize(
    ("step", "rule"),
    [
        ("create", None),  # what it was created as does not matter
        ("write", "nothing"),  # no file of that UID
        ("file", "file"),
        ("place", "place"),
        ("directory", "directory"),
        ("row", "row"),
        ("commit header", "row"),  # the transaction never ended
        ("commit page", "row"),
        ("commit", "commit"),
    ],
)
def test_a_step_that_is_missing_or_comes_after_the_answer_is_found(step: str, rule: str | None) -> None:
    expected = {rule} if rule else set()
    assert judged(spoiled(without=step)).rules - {"placed-too-early"} == expected
    # bytes that come after the answer are the file's all the same
    late = {"file"} if step == "write" else expected
    assert judged(spoiled(late=step)).rules - {"placed-too-early"} == late


@pytest.mark.parametrize(
    ("step", "behind", "rules"),
    [
        ("file", "place", {"placed-too-early"}),  # not atomic, although durable before the answer
        ("file", "directory", {"placed-too-early"}),
        ("write", "file", {"placed-too-early", "file"}),  # bytes after the sync
        ("directory", "commit header", {"row"}),  # the ledger promises a name that may go
        ("directory", "commit", {"row"}),
        ("place", "directory", {"directory"}),
        ("commit", "row", {"commit"}),  # of the transaction before
    ],
)
def test_steps_that_are_exchanged_are_found(step: str, behind: str, rules: set[str]) -> None:
    assert judged(spoiled(late=step, last=behind)).rules == rules


@pytest.mark.parametrize("step", ["file", "directory", "commit"])
def test_a_sync_that_failed_does_not_count_nor_does_its_second_try(step: str) -> None:
    failed = HONEST[step].replace("= 0", "= -1 EIO (Input/output error)")
    for instead in ([failed], [failed, HONEST[step]]):
        found = judged(spoiled(instead={step: instead})).rules
        assert step in found


@pytest.mark.parametrize("step", ["file", "directory", "commit"])
def test_a_sync_that_has_not_returned_when_the_answer_leaves_does_not_count(step: str) -> None:
    line = HONEST[step]
    lines = spoiled(instead={step: [line.replace(") = 0", " <unfinished ...>")]})
    name = line.split()[1].partition("(")[0]
    lines.append(f"{line.split()[0]} <... {name} resumed>) = 0")
    lines = [each.replace("10 sendto", "11 sendto") if step == "file" else each for each in lines]
    assert step in judged(lines).rules


def test_a_refusal_needs_nothing() -> None:
    found = judged([HONEST["accept"], send(10, response(0xA700))])
    assert found.findings == [] and [each.status for each in found.refused] == [0xA700]


def test_an_answer_for_another_object_is_not_covered_by_this_one() -> None:
    assert judged([*spoiled(), send(10, response(0, "1.2.3.5"))]).rules == {"nothing"}


def test_a_second_answer_for_a_durable_object_is_covered() -> None:
    again = HONEST["write"].replace(NAME, "f" * 32)
    assert judged([*spoiled(), again, send(10, response(0))]).rules == set()


def test_a_file_that_is_written_under_its_final_name_is_found_although_nobody_was_told() -> None:
    lines = [line.replace(INCOMING, OBJECTS) for step, line in HONEST.items() if step not in ("place", "answer")]
    assert judged(lines).rules == {"placed-too-early"}


def test_a_folder_whose_own_name_is_not_durable_is_found() -> None:
    made = f'1 mkdir("{OBJECTS}", 0700) = 0'
    assert judged([made, *spoiled()]).rules == {"folder"}
    assert judged([made, f"1 fsync(3<{STATE}/spool>) = 0", *spoiled()]).rules == set()
    assert judged([f"1 fsync(3<{STATE}/spool>) = 0", made, *spoiled()]).rules == {"folder"}


def after_a_failure(*between: str) -> list[str]:
    """The log could not be synced by one writer; another goes on in it."""
    failed = f"19 fdatasync(6<{LOG}>) = -1 EIO (Input/output error)"
    return [log(INNER, 32, 19), failed, *between, *spoiled()]


def test_a_log_that_another_process_could_not_sync_is_not_gone_on_with() -> None:
    assert judged(after_a_failure()).rules == {"log"}


def test_a_checkpoint_and_a_new_beginning_mend_the_log() -> None:
    database = f"20 fdatasync(5<{STATE}/ledger.sqlite>) = 0"
    anew = log(b"7\x7f\x06\x82" + bytes(28), 0)
    assert judged(after_a_failure(database, anew)).rules == set()
    assert judged(after_a_failure(database)).rules == {"log"}
    assert judged(after_a_failure(anew)).rules == {"log"}
    assert judged(after_a_failure(anew, database)).rules == {"log"}


def test_a_failure_after_the_row_was_durable_does_not_touch_it() -> None:
    lines = spoiled()
    lines.insert(-1, f"20 fdatasync(6<{LOG}>) = -1 EIO (Input/output error)")
    assert judged(lines).rules == set()


def test_a_row_is_told_by_its_name_and_by_no_other() -> None:
    other = PAGE.replace(NAME.encode(), b"e" + NAME.encode()[1:])
    assert judged(spoiled(instead={"row": [log(other, 56)]})).rules == {"row"}
    beside = PAGE.replace(NAME.encode(), b"ab" + NAME.encode())  # behind other hex digits it is still found
    assert judged(spoiled(instead={"row": [log(beside, 56)]})).rules == set()


def test_a_frame_without_its_page_ends_nothing() -> None:
    lines = spoiled(instead={"commit page": [log(COMMIT, 176)]})
    assert judged(lines).rules == {"row"}


def test_the_uid_is_read_with_its_length() -> None:
    longer = meta("1.2.3.4") + b"5"  # a digit that is no more of the UID
    line = f"10 write(5<{INCOMING}/{NAME}>, {quoted(longer)}, {len(longer)}) = {len(longer)}"
    assert judged(spoiled(instead={"write": [line]})).rules == set()
