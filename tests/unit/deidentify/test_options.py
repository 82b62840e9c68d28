"""Each option of PS3.15 E.3, row by row of Table E.1-1, top level and items, both VR forms; judged by pydicom."""

from __future__ import annotations

from typing import Any

import pytest
from pydicom.datadict import DicomDictionary  # type: ignore[attr-defined]

from profiles.confidentiality import Row, load
from profiles.confidentiality.safe_private import ROWS as SAFE
from tests.unit.deidentify.building import CT, Elements, encode, image, parsed, result, run
from tests.unit.deidentify.test_rows import ESSENTIAL, ROWS, VALUES, planted
from transforms.deidentify.options import OPTIONS
from transforms.deidentify.profile import compile_profile

COLUMNS = {name: number for number, name in enumerate(load("basic").options)}
SEQUENCE = 0x00081115
KEPT = [
    (option, row)
    for option, column in COLUMNS.items()
    for row in ROWS
    if row.options[column] == "K" and int(row.tag, 16) in DicomDictionary and int(row.tag, 16) not in ESSENTIAL
]


def both(elements: Elements) -> Elements:
    """At the top, and in an item of a kept sequence."""
    return image(elements | {SEQUENCE: ("SQ", [elements])})


@pytest.mark.parametrize("explicit", [True, False])
@pytest.mark.parametrize("option", COLUMNS)
def test_kept_cells_are_kept(option: str, explicit: bool) -> None:
    table = compile_profile("basic", (option,))
    for row in (row for name, row in KEPT if name == option):
        tag = int(row.tag, 16)
        before = planted(tag)
        data = parsed(result(encode(both({tag: before}), explicit), explicit, table=table), explicit)
        without = parsed(result(encode(both({tag: before}), explicit), explicit), explicit)
        for item, plain in ((data, without), (data[SEQUENCE][0], without[SEQUENCE][0])):
            assert tag in item, row.name
            if before[0] == "SQ":
                assert item[tag][0].Modality == "CANARY"
            elif before[0] == "AS":
                assert item[tag].value == "077Y"
            elif before[0] not in ("DA", "DT", "TM", "DS", "US"):
                assert str(before[1].decode()) in str(item[tag].value) or item[tag].value == before[1], row.name
            assert tag not in plain or plain[tag] != item[tag], "the Basic Profile does otherwise"


def test_dates_shift_alike_at_every_depth_and_only_where_an_option_says_so() -> None:
    elements: Elements = {
        0x00080020: ("DA", b"20240229"),
        0x00080030: ("TM", b"101112.13"),
        0x0008002A: ("DT", b"20240301101112.13+0100"),
        0x00181012: ("DA", b"20240302"),  # Date of Secondary Capture: not a listed one everywhere
        0x00100030: ("DA", b"19561123"),
    }
    table = compile_profile("basic", ("retain-modified-dates",))
    data = parsed(result(encode(both(elements), True), table=table))
    from datetime import datetime

    def day(text: str) -> datetime:
        return datetime.strptime(text[:8], "%Y%m%d")

    shift = day(data.StudyDate) - day("20240229")
    assert shift.days < 0
    for item in (data, data[SEQUENCE][0]):
        assert day(item.StudyDate) - day("20240229") == shift
        assert day(item.AcquisitionDateTime) - day("20240301") == shift
        assert item.AcquisitionDateTime[8:] == "101112.13+0100" and item.StudyTime == "101112.13"
        assert not item.PatientBirthDate, "no option retains it"
    assert data.LongitudinalTemporalInformationModified == "MODIFIED"
    full = parsed(result(encode(both(elements), True), table=compile_profile("basic", ("retain-full-dates",))))
    assert full.StudyDate == "20240229" and full.LongitudinalTemporalInformationModified == "UNMODIFIED"
    assert not full.PatientBirthDate


def test_what_is_no_date_does_not_pass_as_one() -> None:
    table = compile_profile("basic", ("retain-modified-dates",))
    out = result(encode(image({0x00080020: ("DA", b"DOE^JANE"), 0x00080030: ("TM", b"JANE")}), True), table=table)
    assert b"JANE" not in out and parsed(out).StudyDate == "19000101"


@pytest.mark.parametrize(
    ("before", "after"), [(b"089Y", "089Y"), (b"090Y", "090Y"), (b"103Y", "090Y"), (b"003W", "003W")]
)
def test_ages_above_89_are_told_as_90(before: bytes, after: str) -> None:
    table = compile_profile("basic", ("retain-patient-characteristics",))
    assert parsed(result(encode(image({0x00101010: ("AS", before)}), True), table=table)).PatientAge == after


def test_ae_titles_become_pseudonyms_under_device_identity() -> None:
    table = compile_profile("basic", ("retain-device-identity",))
    item: Elements = {0x00080055: ("AE", b"CANARYAE")}
    data = parsed(result(encode(both(item), True), table=table))
    assert data.StationAETitle == data[SEQUENCE][0].StationAETitle != "CANARYAE"
    assert data.StationAETitle.startswith("AE") and len(data.StationAETitle) == 16


def test_retained_uids_are_retained_everywhere() -> None:
    item: Elements = {0x00081155: ("UI", b"1.2.3.9"), 0x00200052: ("UI", b"1.2.3.10")}
    done = run(encode(both(item), True), table=compile_profile("basic", ("retain-uids",)))
    data = parsed(b"".join(done.plan.chunks()))
    assert (done.sop_instance, data.SOPInstanceUID, data.StudyInstanceUID) == ("1.2.3.4", "1.2.3.4", "1.2.3.1")
    assert data.FrameOfReferenceUID == "1.2.3.10" and data[SEQUENCE][0].ReferencedSOPInstanceUID == "1.2.3.9"


def test_codes_name_profile_and_options_in_order() -> None:
    wanted = ("retain-uids", "retain-full-dates", "retain-device-identity")
    done = run(encode(image(), True), table=compile_profile("basic", wanted))
    assert done.codes == ("113100", "113106", "113109", "113110")
    data = parsed(b"".join(done.plan.chunks()))
    assert [item.CodeValue for item in data.DeidentificationMethodCodeSequence] == list(done.codes)
    assert {OPTIONS[name].code for name in wanted} < set(done.codes)


def test_cleaning_wins_over_keeping() -> None:
    both_options = ("retain-device-identity", "retain-modified-dates")
    data = parsed(
        result(encode(image({0x00181200: ("DA", b"20240229")}), True), table=compile_profile("basic", both_options))
    )
    assert data.DateOfLastCalibration not in ("", "20240229", "19000101")


def test_another_set_of_options_never_gives_the_same_uid() -> None:
    choices = ((), ("clean-graphics",), ("retain-full-dates",), ("clean-graphics", "retain-full-dates"))
    seen = {run(encode(image(), True), table=compile_profile("basic", each)).sop_instance for each in choices}
    assert len(seen) == 4


CREATOR = b"GEMS_ACQU_01"


def private(creator: bytes, low: int, vr: str, value: Any, block: int = 0x11, group: int = 0x0019) -> Elements:
    return {
        group << 16 | block: ("LO", creator),
        group << 16 | block << 8 | low: (vr, value),
    }


@pytest.mark.parametrize("explicit", [True, False])
def test_safe_private_by_creator_block_and_vr(explicit: bool) -> None:
    table = compile_profile("basic", ("retain-safe-private",))
    safe = private(CREATOR, 0x23, "DS", b"1.25")
    data = parsed(result(encode(both(safe), explicit), explicit, table=table), explicit)
    for item in (data, data[SEQUENCE][0]):
        assert item.private_block(0x0019, CREATOR.decode())[0x23].value in (1.25, b"1.25")
    for unsafe in (
        private(b"SOMEBODY ELSE", 0x23, "DS", b"1.25"),  # the same tag of another creator
        private(CREATOR, 0x24, "LO", b"CANARY") if explicit else private(CREATOR, 0x24, "DS", b"CANARY"),
        private(CREATOR, 0xEE, "DS", b"471117"),  # not in the table
        {0x00191123: ("DS", b"471117")},  # no reservation
        private(CREATOR, 0x23, "DS", b"471117", group=0x0021),  # the creator's other group
    ):
        out = result(encode(both(unsafe), explicit), explicit, table=table)
        assert b"471117" not in out and b"CANARY" not in out and b"SOMEBODY" not in out


def test_a_reservation_holds_for_its_item_only() -> None:
    table = compile_profile("basic", ("retain-safe-private",))
    nested: Elements = {0x00191123: ("DS", b"471117")}
    out = result(encode(image({0x00190011: ("LO", CREATOR), SEQUENCE: ("SQ", [nested])}), True), table=table)
    assert b"471117" not in out


def test_every_safe_attribute_that_is_a_number_stays() -> None:
    table = compile_profile("basic", ("retain-safe-private",))
    seen = 0
    for creator, group, low, vr in SAFE:
        if vr not in ("DS", "IS", "CS", "US", "SS", "UL", "SL", "FL", "FD"):
            continue
        value = VALUES[vr] if vr != "CS" else b"HEAD"
        out = parsed(result(encode(image(private(creator.encode(), low, vr, value, group=group)), True), table=table))
        assert out.private_block(group, creator)[low] is not None
        seen += 1
    assert seen > 300


def test_vendor_bytes_stay_out() -> None:
    table = compile_profile("basic", ("retain-safe-private",))
    for creator, group, low, vr in SAFE:
        if vr in ("OB", "OW", "OW/OB", ""):
            given = "OB" if vr != "OW" else "OW"
            out = result(
                encode(image(private(creator.encode(), low, given, b"CANARY", group=group)), True), table=table
            )
            assert b"CANARY" not in out


def test_rows_of_the_table_are_found() -> None:
    assert len(KEPT) > 240 and isinstance(ROWS[0], Row) and CT


def test_keys_of_a_dicomdir_get_dummies_at_the_top_only() -> None:
    keys: Elements = {0x00080020: ("DA", b"20240229"), 0x00080030: ("TM", b""), 0x00200010: ("SH", b"CANARY")}
    data = encode(both(keys), True)
    plain, media = (parsed(result(data, table=compile_profile("basic", media=on))) for on in (False, True))
    assert not plain.StudyDate and not plain.StudyTime and not plain.StudyID
    assert media.StudyDate == "19000101" and media.StudyTime == "000000" and media.StudyID not in ("", "CANARY")
    assert (
        not media[SEQUENCE][0].get("StudyDate")
        and media.StudyID == parsed(result(data, table=compile_profile("basic", media=True))).StudyID
    )
    kept = parsed(result(data, table=compile_profile("basic", ("retain-full-dates",), media=True)))
    assert kept.StudyDate == "20240229"
