"""Content encryption as a stream: AES and Triple-DES in CBC (RFC 5652 section 6.3 padding), AES in GCM (RFC 5084).

What `decrypted` gives is not to be believed before it has come to its end, and for GCM not before `Opener.finish`.
A wrong key, a wrong password and a damaged byte are one and the same error: who could tell them apart could decrypt.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.security.cms.algorithms import Content
from gateway.security.cms.errors import NotOpened

TAG = 16  # bytes of a GCM tag


class Sealer:
    """Encrypts one content: `update` with its bytes, then `finish`; for GCM the tag is there after that."""

    def __init__(self, content: Content, key: bytes, iv: bytes) -> None:
        self._content = content
        self._encryptor = _cipher(content, key, iv).encryptor()
        self._size = 0

    def update(self, data: bytes) -> bytes:
        """The next bytes."""
        self._size += len(data)
        return self._encryptor.update(data)

    def finish(self) -> bytes:
        """The last bytes."""
        if not self._content.block:
            return self._encryptor.finalize()
        fill = self._content.block - self._size % self._content.block
        return self._encryptor.update(bytes((fill,)) * fill) + self._encryptor.finalize()

    @property
    def tag(self) -> bytes:
        """The GCM tag."""
        tag: bytes = self._encryptor.tag  # type: ignore[attr-defined]
        return tag


def sealed_size(content: Content, size: int) -> int:
    """Bytes of the encrypted content."""
    return size if not content.block else (size // content.block + 1) * content.block


class Opener:
    """Decrypts one content."""

    def __init__(self, content: Content, key: bytes, iv: bytes) -> None:
        self._content = content
        self._decryptor = _cipher(content, key, iv).decryptor()

    def decrypted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The plaintext as it comes, without its padding. Raises NotOpened (cms-damaged) at its end."""
        block = self._content.block
        held = b""  # of CBC the last block, until it is known that it is the last
        size = 0
        for chunk in chunks:
            size += len(chunk)
            clear = held + self._decryptor.update(chunk)
            keep = len(clear) - block if block else len(clear)
            if keep > 0:
                yield clear[:keep]
                clear = clear[keep:]
            held = clear
        if block:
            if size % block or not held or not _padded(held, block):
                raise damaged()
            yield held[: -held[-1]]

    def begin(self, start: bytes) -> bytes:
        """As much of the plaintext as its first bytes give; this opener is used up then."""
        return self._decryptor.update(start)

    def finish(self, tag: bytes) -> None:
        """GCM: whether all of it was right. Raises NotOpened (cms-damaged)."""
        try:
            self._decryptor.finalize_with_tag(tag)  # type: ignore[attr-defined]
        except (InvalidTag, ValueError):
            raise damaged() from None


def damaged() -> NotOpened:
    """The one error of all that goes wrong under encryption."""
    return NotOpened("cms-damaged", "the key or the password is not the right one, or a byte of it was changed")


def _padded(last: bytes, block: int) -> bool:
    fill = last[-1]
    return 0 < fill <= block and last.endswith(bytes((fill,)) * fill)


def _cipher(content: Content, key: bytes, iv: bytes) -> Cipher[modes.CBC | modes.GCM]:
    if content.name == "des-ede3-cbc":
        return Cipher(TripleDES(key), modes.CBC(iv))
    return Cipher(algorithms.AES(key), modes.CBC(iv) if content.block else modes.GCM(iv))


def raw_cbc(name: str, key: bytes, iv: bytes, data: bytes) -> bytes:
    """Whole blocks decrypted, no padding looked at: for wrapped keys."""
    algorithm = TripleDES(key) if name == "des-ede3-cbc" else algorithms.AES(key)
    opened = Cipher(algorithm, modes.CBC(iv)).decryptor()
    return opened.update(data) + opened.finalize()
