"""What a message may ask of who opens it: rounds of key derivation over all passwords, and pieces of its content."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from parties import PHRASE, Parties, opens, password, seal, unseal

from gateway.security.cms import ber, passwords
from gateway.security.cms.errors import NotOpened
from gateway.security.cms.passwords import Password
from transforms.source import BytesSource, chunks

DATA = b"a DICOM file" * 100


@pytest.fixture(scope="module")
def parties(tmp_path_factory: pytest.TempPathFactory) -> Parties:
    return Parties(tmp_path_factory.mktemp("work"))


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Each derivation says how many rounds it would be, and does one."""
    done: list[int] = []
    real = passwords.PBKDF2HMAC

    def derivation(digest: Any, length: int, salt: bytes, iterations: int) -> Any:
        done.append(iterations)
        return real(digest, length, salt, 1)

    monkeypatch.setattr(passwords, "PBKDF2HMAC", derivation)
    return done


@pytest.mark.parametrize("each", [(5_000_000,) * 16, (5_000_000, 5_000_000, 1), (650_000,) * 16])
def test_rounds_are_counted_over_all_passwords_before_the_first_is_done(rounds: list[int], each: list[int]) -> None:
    sealed = seal(DATA, [Password(f"{PHRASE}{n}", iterations=count) for n, count in enumerate(each)])
    rounds.clear()
    with pytest.raises(NotOpened, match=f"cms-too-large: {sum(each)} iterations over its passwords") as refused:
        unseal(sealed, Password(PHRASE + "0"))
    assert PHRASE not in str(refused.value) and rounds == []


@pytest.mark.parametrize("each", [(5_000_000,) * 2, (600_000,) * 16])
def test_what_programs_make_opens(rounds: list[int], each: list[int]) -> None:
    sealed = seal(DATA, [Password(f"{PHRASE}{n}", iterations=count) for n, count in enumerate(each)])
    rounds.clear()
    assert unseal(sealed, Password(f"{PHRASE}{len(each) - 1}"))[0] == DATA
    assert sum(rounds) <= 10_000_000


def test_who_has_a_key_does_none_of_them(rounds: list[int], parties: Parties) -> None:
    sealed = seal(DATA, [parties.rsa, *(Password(f"{PHRASE}{n}", iterations=5_000_000) for n in range(16))])
    rounds.clear()
    assert unseal(sealed, opens(parties.rsa))[0] == DATA and rounds == []


def test_one_that_asks_for_too_many_by_itself_is_passed_over(rounds: list[int]) -> None:
    sealed = seal(DATA, [Password("another " + PHRASE, iterations=5_000_001), password()])
    assert unseal(sealed, password())[0] == DATA


def pieced(size: int, count: int, of: int) -> Iterator[bytes]:
    """An OCTET STRING of indefinite length: `count` empty pieces, then `size` bytes in pieces of `of`."""
    yield b"\x24\x80"
    yield b"\x04\0" * count
    for start in range(0, size, of):
        yield ber.value(ber.OCTETS, bytes(min(of, size - start)))
    yield b"\0\0"


def read(source: Iterator[bytes]) -> int:
    return sum(map(len, ber.Reader(source).octets(ber.OCTETS)))


@pytest.mark.parametrize(("size", "count", "of"), [(0, 10_001, 1), (20_000, 0, 1), (1 << 20, 0, 30), (0, 10**6, 1)])
def test_content_in_countless_pieces_is_refused(size: int, count: int, of: int) -> None:
    with pytest.raises(NotOpened, match="cms-too-large: its content is in more pieces"):
        read(pieced(size, count, of))


def test_pieces_within_pieces_count_too() -> None:
    inner = b"".join(pieced(0, 5_000, 1))
    with pytest.raises(NotOpened, match="more pieces"):
        read(iter((b"\x24\x80", inner, inner, inner, b"\0\0")))


@pytest.mark.parametrize(("size", "of"), [(9_000, 1), (1 << 20, 100), (16 << 20, 1000), (16 << 20, 4096)])
def test_pieces_as_programs_make_them_are_read(size: int, of: int) -> None:
    assert read(pieced(size, 0, of)) == size


def test_each_content_of_a_message_counts_for_itself() -> None:
    several = ber.Reader(chunks(BytesSource(b"".join(pieced(0, 9_000, 1)) * 5)))
    assert [sum(map(len, several.octets(ber.OCTETS))) for _ in range(5)] == [0] * 5
