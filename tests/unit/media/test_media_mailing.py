"""`media mail`: File-sets as e-mails in files, and who cannot get or sign one."""

from __future__ import annotations

from email import message_from_bytes
from pathlib import Path

import pytest
import study
from click.testing import Result

from tests.unit.media.test_media_secure import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("mailing"))


def mailed(site: Site, out: Path, to: str = "reader", by: str = "signer", *more: object) -> Result:
    whom = ("--from", "gateway@hospital.example", "--to", "reader@cro.example", "--to", "second@cro.example")
    return site.run("mail", *whom, *site.to(to), *site.by(by), *more, "--out", out, site.folder / "in")


def test_a_set_becomes_messages_that_name_nobody(site: Site, tmp_path: Path) -> None:
    done = mailed(site, tmp_path / "mails")
    assert done.exit_code == 0 and "4 objects in 1 messages" in done.stdout, done.output
    (path,) = (tmp_path / "mails").iterdir()
    assert path.name == "MESSAGE1.EML" and path.stat().st_mode & 0o077 == 0
    raw = path.read_bytes()
    message = message_from_bytes(raw)
    assert message["To"] == "reader@cro.example, second@cro.example" and message["Subject"] == "DICOM-ZIP"
    assert (
        message.get_content_type() == "application/pkcs7-mime" and message.get_param("smime-type") == "enveloped-data"
    )
    assert not any(word.encode() in raw for word in (*study.IDENTITIES, "TRIAL42", "PK\x03\x04"))
    assert mailed(site, tmp_path / "mails").exit_code == 2, "nothing is overwritten"


@pytest.mark.parametrize(
    ("to", "by", "more", "told"),
    [
        ("expired", "signer", (), "expired"),
        ("no-encryption", "signer", (), "keyEncipherment"),
        ("curve", "signer", (), "RSA"),
        ("reader", "curve-signer", (), "RSA"),
        ("reader", "signer", ("--profile", "STD-GEN-SEC-CD"), "STD-GEN-SEC-ZIP-MAIL"),
        ("reader", "signer", ("--profile", "NONE"), "STD-GEN-SEC-ZIP-MAIL"),
        ("reader", "signer", ("--to", "Erika Mustermann <a@b.example>"), "without a name"),
        ("reader", "signer", ("--to", "a@b.example\r\nBcc: c@d.example"), "without a name"),
    ],
)
def test_what_cannot_be_sent_is_told_and_nothing_is_written(
    site: Site, tmp_path: Path, to: str, by: str, more: tuple[str, ...], told: str
) -> None:
    done = mailed(site, tmp_path / "mails", to, by, *more)
    assert done.exit_code == 2 and told in done.output
    assert list(tmp_path.iterdir()) == []
