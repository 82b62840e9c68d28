"""`dicom-gateway sign` and `verify`: digital signatures of objects in files (PS3.15 Annex C, docs/signatures.md).

sign: exit 0, or 2 where it cannot be done. verify: 0 where every signature is right and trusted; 4 where there is
none, 5 where one is not right (changed after it was signed), 6 where one is right but nobody who is trusted stands
behind it; 2 where the file cannot be read.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any
from uuid import uuid4

import typer

from gateway.appearing import appearing
from gateway.audit.text import safe
from gateway.cli.common import fail
from gateway.config.secrets import resolve
from gateway.errors import GatewayError
from gateway.security.cms.keys import read_certificates, read_signer
from gateway.security.revocation import read_crls
from gateway.security.signatures import stamps
from gateway.security.signatures.judging import Judgement, State, Trust, Verdict, judge
from gateway.security.signatures.making import MAC_NAMES, Wish
from gateway.security.signatures.making import sign as signed
from gateway.store.files import FileSource
from transforms.dataset import framing, part10, values
from transforms.dataset.implementation import IMPLEMENTATION_CLASS_UID
from transforms.deidentify.context import is_replacement
from transforms.errors import TransformError
from transforms.source import ByteSource, chunks

EXITS = {State.VALID: 0, State.UNSIGNED: 4, State.TAMPERED: 5, State.UNTRUSTED: 6}


def sign(
    source: Annotated[Path, typer.Argument(metavar="IN", help="A Part 10 file.")],
    profile: Annotated[
        str, typer.Option(help="base (all that may be signed), creator, authorization or sr, of PS3.15 Annex C.")
    ],
    cert: Annotated[Path, typer.Option(metavar="CERT", help="The signer's certificate (PEM, DER), RSA, for signing.")],
    key: Annotated[str, typer.Option(metavar="KEY", help="Its key: PEM, PKCS #12, or a pkcs11: URI.")],
    out: Annotated[Path, typer.Option(metavar="OUT", help="Where to. A file that is there is never overwritten.")],
    password: Annotated[
        str, typer.Option("--password", metavar="REF", help="The key's password or PIN: env:NAME or file:PATH.")
    ] = "",
    mac: Annotated[str, typer.Option(help="sha256, sha384 or sha512.")] = "sha256",
    purpose: Annotated[str, typer.Option(metavar="N", help="Purpose of CID 7007, such as 1, Author's Signature.")] = "",
    item: Annotated[
        str, typer.Option(metavar="PATH", help="Sign an item instead of the object: '(0040,A730)[1]', from 1.")
    ] = "",
    timestamp: Annotated[
        str, typer.Option("--timestamp", metavar="URL", help="Have it stamped by this authority (RFC 3161).")
    ] = "",
) -> None:
    """Sign an object. Signatures that are in it stay, and stay right.

    The creator profile is for instances that this gateway made: what `deid` wrote, and what a route made anew.
    """
    if mac not in MAC_NAMES:
        fail(f"--mac {mac}: choose of {', '.join(MAC_NAMES)}")
    try:
        by = read_signer(key, cert, resolve(password, least=1) if password else None)
        with _opened(source) as (data, uid, made_here):
            wish = Wish(profile, mac, purpose, made_here, item)
            stamp = stamps.authority(timestamp) if timestamp else None
            fresh = f"2.25.{uuid4().int}"
            result, uid = signed(data, uid, by, wish, now=datetime.now(UTC), signature_uid=fresh, stamp=stamp)
            identity = values.identity(result, framing.check(result, uid))
            with appearing(out) as file:
                file.write(part10.meta(identity.get("SOPClassUID", ""), identity.get("SOPInstanceUID", ""), uid))
                file.writelines(chunks(result))
    except (GatewayError, TransformError) as error:
        fail(str(error))
    except ValueError:
        fail(f"{source}: a UID that is missing or cannot stand in File Meta Information")
    except FileExistsError:
        fail(f"{out}: there already; nothing was overwritten")
    except OSError as error:
        fail(f"{out}: {os.strerror(error.errno or 5).lower()}")


def verify(
    objects: Annotated[list[Path], typer.Argument(metavar="IN...", help="Part 10 files.")],
    ca: Annotated[Path, typer.Option(metavar="CA", help="Whose signatures are believed: anchors (PEM).")],
    chain: Annotated[
        Path | None, typer.Option(metavar="PEM", help="Authorities between the anchors and the signers.")
    ] = None,
    crl: Annotated[
        Path | None, typer.Option(metavar="CRL", help="Revocation lists (PEM); every certificate must be covered.")
    ] = None,
    require: Annotated[
        str, typer.Option(metavar="PROFILE", help="A signature of this profile must be there: creator ...")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document, for programs.")] = False,
) -> None:
    """Judge every signature of objects, at the top and in items.

    Exit 0: all are right and trusted. 4: there is none (or none of --require). 5: one is not right, the object was
    changed after it was signed. 6: right, but nobody who is trusted stands behind it. The worst of several counts.
    """
    try:
        trust = Trust(
            read_certificates(ca),
            read_certificates(chain) if chain is not None else (),
            read_crls(crl) if crl is not None else (),
        )
        judged = [(path, _judged(path, trust)) for path in objects]
    except (GatewayError, TransformError) as error:
        fail(str(error))
    states = [_required(judgement, require) for _, judgement in judged]
    if as_json:
        told = zip(judged, states, strict=True)
        json.dump([_document(path, each, state) for (path, each), state in told], sys.stdout, indent=2)
        print()
    else:
        for (path, judgement), state in zip(judged, states, strict=True):
            print(f"{safe(str(path))}: {state}")
            for each in judgement.verdicts:
                print(f"  {_line(each)}")
    raise typer.Exit(max(map(EXITS.__getitem__, states), key=_severity))


def _severity(status: int) -> int:
    """Tampered is worst, then untrusted, then unsigned."""
    return (0, 4, 6, 5).index(status)


def _required(judgement: Judgement, profile: str) -> State:
    if profile and judgement.state is State.VALID and not any(profile in each.profiles for each in judgement.verdicts):
        return State.UNSIGNED
    return judgement.state


def _judged(path: Path, trust: Trust) -> Judgement:
    with _opened(path) as (data, uid, _):
        return judge(data, uid, trust, datetime.now(UTC))


@contextmanager
def _opened(path: Path) -> Iterator[tuple[ByteSource, str, bool]]:
    """(data set, its transfer syntax, whether this gateway made the instance). Raises GatewayError, TransformError."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise GatewayError("unreadable", f"{path}: {os.strerror(error.errno or 5).lower()}") from None
    with FileSource(descriptor, 0, os.fstat(descriptor).st_size) as file:
        found = part10.split(file, tolerant=True)
        ours = IMPLEMENTATION_CLASS_UID.encode() in file.pread(0, found.offset)
        yield file.after(found.offset), found.syntax, ours and is_replacement(found.sop_instance)


def _line(each: Verdict) -> str:
    """A verdict in words; a certificate's subject names who signed, not a patient."""
    parts = [
        f"{each.path or 'object'} #{each.number}: {each.state}{f' ({each.reason})' if each.reason else ''}",
        f"profiles {', '.join(each.profiles)}" if each.profiles else "",
        f"{each.unsigned} attributes not signed" if each.unsigned else "",
        f"by {each.certificate.subject.rfc4514_string()}" if each.certificate is not None else "",
        f"at {each.at:%Y-%m-%d %H:%M:%S} UTC{', certified' if each.stamped else ''}" if each.at is not None else "",
        f"weak: {', '.join(each.warnings)}" if each.warnings else "",
    ]
    return safe("; ".join(part for part in parts if part))


def _document(path: Path, judgement: Judgement, state: State) -> dict[str, Any]:
    return {
        "file": str(path),
        "state": state,
        "signatures": [
            {
                "path": each.path,
                "number": each.number,
                "state": each.state,
                "reason": each.reason,
                "uid": each.uid,
                "profiles": each.profiles,
                "purpose": each.purpose,
                "signer": each.certificate.subject.rfc4514_string() if each.certificate is not None else "",
                "at": each.at.isoformat() if each.at is not None else "",
                "certified_time": each.stamped,
                "unsigned_attributes": each.unsigned,
                "weak": each.warnings,
            }
            for each in judgement.verdicts
        ],
    }
