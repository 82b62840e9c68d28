"""The escrow table: each patient once, for the officer alone, on disk before an object leaves, told where it is not."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.config.schema import Deidentify
from gateway.errors import GatewayError, HoldObject
from gateway.patients import escrow
from gateway.patients.escrow import Row, open_table
from tests.unit.deidentify.building import KEY
from tests.unit.patients.patients_stage import Officer, ask, block, officer, patients
from tests.unit.security.pki import Pki
from transforms.deidentify.engine import Context
from transforms.deidentify.patient import Patient, keyed


@pytest.fixture(scope="module")
def someone(tmp_path_factory: pytest.TempPathFactory) -> Officer:
    return officer(tmp_path_factory.mktemp("officer"))


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Officer:
    return officer(tmp_path_factory.mktemp("another"), "another")


def opened(data: bytes, who: Officer) -> tuple[list[Row], int]:
    certificate = x509.load_pem_x509_certificate(who.certificate.read_bytes())
    key = serialization.load_pem_private_key(who.key.read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return open_table(data, certificate, key)


def wanted(table: Path, who: Officer, by: dict[str, str] | None = None) -> Deidentify:
    return block(by, escrow={"to": str(who.certificate), "file": str(table)})


def test_each_patient_once_over_restarts(tmp_path: Path, someone: Officer) -> None:
    table = tmp_path / "escrow.p7"
    for _ in range(3):
        found = patients(tmp_path / "state", wanted(table, someone))
        made = {ask(found, "MRN1"), ask(found, "MRN1 ")}
        other = ask(found, 'M;"2', "NORTH, EAST")
    data = table.read_bytes()
    context = Context(KEY, "trial42")
    assert made == {keyed(Patient(b"MRN1"), context)}
    rows, closed = opened(data, someone)
    assert rows == [Row("", "MRN1", "trial42", made.pop()), Row("NORTH, EAST", 'M;"2', "trial42", other)]
    assert closed == 0 and data.count(b"BEGIN PKCS7") == 2 and b"MRN1" not in data
    assert stat.S_IMODE(table.stat().st_mode) == 0o600


def test_we_cannot_read_it_and_neither_can_another(tmp_path: Path, someone: Officer, another: Officer) -> None:
    table = tmp_path / "escrow.p7"
    ask(patients(tmp_path, wanted(table, someone)), "MRN1")
    assert opened(table.read_bytes(), another) == ([], 1)
    ask(patients(tmp_path, wanted(table, another)), "MRN1")
    assert [len(opened(table.read_bytes(), each)[0]) for each in (someone, another)] == [1, 1]


def test_openssl_opens_it(tmp_path: Path, someone: Officer, program: Callable[[str], str]) -> None:
    """The judge: a program that nobody here wrote, and the cipher that it names."""
    table = tmp_path / "escrow.p7"
    ask(patients(tmp_path, wanted(table, someone)), "MRN1")
    command = [program("openssl"), "cms", "-inform", "PEM", "-in", str(table)]
    plain = subprocess.run(
        [*command, "-decrypt", "-recip", str(someone.certificate), "-inkey", str(someone.key)],
        capture_output=True, check=True,
    )  # fmt: skip
    assert plain.stdout.startswith(b",MRN1,trial42,")
    shown = subprocess.run([*command, "-cmsout", "-print", "-noout"], capture_output=True, check=True, text=True)
    assert "aes-256-cbc" in shown.stdout and "envelopedData" in shown.stdout


def test_a_row_cut_by_a_crash_is_written_again(tmp_path: Path, someone: Officer) -> None:
    table = tmp_path / "escrow.p7"
    ask(patients(tmp_path / "one", wanted(table, someone)), "MRN1")
    whole = table.read_bytes()
    for cut in (1, 20, len(whole) // 2, len(whole) - 1):
        table.write_bytes(whole + whole[:cut])
        ask(patients(tmp_path / f"state{cut}", wanted(table, someone)), "MRN2")
        rows, closed = opened(table.read_bytes(), someone)
        assert [row.patient_id for row in rows] == ["MRN1", "MRN2"] and closed == 0
    table.write_bytes(whole + whole[:30] + b"A" * 5000)  # longer than what is written over it
    ask(patients(tmp_path / "long", wanted(table, someone)), "MRN2")
    assert table.read_bytes().count(b"A" * 100) == 0 and len(opened(table.read_bytes(), someone)[0]) == 2
    table.write_bytes(whole[:30])
    ask(patients(tmp_path / "last", wanted(table, someone)), "MRN3")
    assert [row.patient_id for row in opened(table.read_bytes(), someone)[0]] == ["MRN3"]


APPENDER = """
import sys
from pathlib import Path
from tests.unit.patients.patients_stage import ask, block, patients
table, certificate, name = sys.argv[1:]
found = patients(Path(table).parent / "state", block(escrow={"to": certificate, "file": table}))
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    ask(found, f"{name}{number}")
"""


def test_processes_do_not_mix_their_rows(tmp_path: Path, someone: Officer) -> None:
    table = tmp_path / "escrow.p7"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDER, str(table), str(someone.certificate), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": ":".join(sys.path)},
        )
        for name in ("A", "B", "C")
    ]
    for each in running:
        assert each.stdout is not None and each.stdout.readline() == "ready\n"
    for each in running:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    assert [each.communicate(timeout=120) and each.returncode for each in running] == [0, 0, 0]
    rows, closed = opened(table.read_bytes(), someone)
    assert {row.patient_id for row in rows} == {f"{name}{n}" for name in "ABC" for n in range(40)} and closed == 0


def test_what_cannot_be_written_holds_and_is_not_believed_written(
    tmp_path: Path, someone: Officer, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "escrow.p7"
    found = patients(tmp_path, wanted(table, someone))

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    for call in ("pwrite", "fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(os, call, full)
            for _ in range(2):
                with pytest.raises(HoldObject) as caught:
                    ask(found, "MRN1")
                assert caught.value.reason == "escrow-failed" and "MRN1" not in str(caught.value)
    with monkeypatch.context() as patch:
        patch.setattr(escrow, "sealed", lambda *_: (_ for _ in ()).throw(ValueError("MRN1")))
        with pytest.raises(HoldObject) as caught:
            ask(found, "MRN1")
        assert caught.value.reason == "escrow-failed" and "MRN1" not in str(caught.value)
    assert ask(found, "MRN1")
    assert [row.patient_id for row in opened(table.read_bytes(), someone)[0]] == ["MRN1"]


@pytest.mark.parametrize("content", [b"something else\n", b"x" * 100_000, b"-----BEGIN PKCS7-----\n" + b"x" * 100_000])
def test_another_kind_of_file_is_not_overwritten(content: bytes, tmp_path: Path, someone: Officer) -> None:
    table = tmp_path / "notes.txt"
    table.write_bytes(content)
    with pytest.raises(HoldObject):
        ask(patients(tmp_path, wanted(table, someone)), "MRN1")
    assert table.read_bytes() == content


def test_a_damaged_table_gives_what_is_whole_and_says_so(tmp_path: Path, someone: Officer) -> None:
    table = tmp_path / "escrow.p7"
    found = patients(tmp_path, wanted(table, someone))
    for number in range(3):
        ask(found, f"MRN{number}")
    data = bytearray(table.read_bytes())
    middle = data.index(b"BEGIN", 10) + 200
    data[middle : middle + 40] = b"A" * 40
    rows, closed = opened(bytes(data), someone)
    assert [row.patient_id for row in rows] == ["MRN0", "MRN2"] and closed == 1
    assert opened(b"garbage", someone) == ([], 1) and opened(b"", someone) == ([], 0)


def test_a_row_that_decrypts_to_something_else_is_told(
    tmp_path: Path, someone: Officer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AES-CBC opens damaged blocks, too; the sum in the row does not fit then."""
    table = tmp_path / "escrow.p7"
    found = patients(tmp_path, wanted(table, someone))
    with monkeypatch.context() as patch:
        patch.setattr(escrow, "_sum", lambda _row: "0" * 16)
        ask(found, "MRN1")
    ask(found, "MRN2")
    rows, closed = opened(table.read_bytes(), someone)
    assert [row.patient_id for row in rows] == ["MRN2"] and closed == 1


def test_whose_certificate_cannot_be_an_officer_s(tmp_path: Path) -> None:
    pki = Pki(tmp_path)
    (tmp_path / "text.pem").write_text("no certificate")
    (tmp_path / "two.pem").write_bytes(pki.ca_file.read_bytes() * 2)
    weak = officer(tmp_path, "weak", 1024)
    for file in (pki.ca_file, tmp_path / "text.pem", tmp_path / "two.pem", tmp_path / "gone.pem", weak.certificate):
        with pytest.raises(GatewayError) as caught:
            patients(tmp_path, wanted(tmp_path / "e", Officer(file, file)))
        assert caught.value.reason == "escrow-certificate"
    assert not (tmp_path / "e").exists()
