"""The shape of gateway.yaml, version 1, as frozen pydantic models. One class a block of the file.

Rules of this file
* Unknown keys are errors; nothing is guessed. Defaults are the safe choice and are written here, nowhere else.
* A model checks what it can see alone. What needs two blocks (a route naming a destination) is references.py.
* Secrets never stand in the file: a `SecretRef` names where one is (`env:NAME`, `file:PATH`) and is read late.
* Durations are written `30s`, `5m`, `4h`, `3d`, sizes `64KiB`, `4GiB` (units.py). In memory: seconds and bytes.
* Relative paths count from the folder of the file (load.py resolves them).
* A `Config` that came from a file knows where each of its keys stood (`_places`); one that was read back does not.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from pydantic import Field, PrivateAttr

from gateway.config.annotations import Aim, Annotations, HttpDestination
from gateway.config.block import Block as Block
from gateway.config.block import HeldKey as HeldKey
from gateway.config.block import KeyPair as KeyPair
from gateway.config.document import Positions
from gateway.config.mail import MailDestination
from gateway.config.messages import Mdm as Mdm
from gateway.config.signatures import EncryptedAttributes, Signing, Verification
from gateway.config.units import (
    AETitle,
    AETitles,
    Assigner,
    Backoff,
    CommandWord,
    Duration,
    FileRef,
    FileRefs,
    HttpsUrl,
    Identifier,
    Identifiers,
    SecretRef,
    SetValue,
    Size,
    UrlPath,
    WebUrl,
    Words,
)


class State(Block):
    """Where the gateway keeps what it promised to keep."""

    dir: FileRef
    ledger: str = "sqlite"  # or a postgresql:// URL
    keep: Duration | None = Field(None, ge=3600)  # rows of what is done are forgotten after it; None: never
    keep_spooled: Duration = 0.0  # bytes of what is done stay so long, for reports that refer to them
    reserve: Size = 64 << 20  # bytes kept free for the ledger and the audit trail; below it: 0xA700


class Tls(Block):
    """How one listener or destination speaks TLS (PS3.15 Annex B, by profile name)."""

    profile: Literal["bcp195-rfc9325", "bcp195-rfc9325-modified"] = "bcp195-rfc9325"
    client_cert: Literal["required", "optional"] = "required"  # listeners only
    trust: FileRef | None = None  # PEM of the anchors; required where a certificate is verified
    identity: KeyPair | None = None  # overrides the top-level identity
    crl: FileRef | None = None
    check_host: bool = True  # destinations only: the certificate must name the host


class CertificateAe(Block):
    """One line of an `ae_map`: this certificate subject may use these calling AE titles."""

    subject: str  # RFC 4514, as `dicom-gateway check` prints it
    ae: AETitles


class DimseLimits(Block):
    """Limits before allocation, for a listener (docs/architecture.md)."""

    max_pdu: Size = 131072  # what we announce; PDUs we accept are at most this long
    associate_rq: Size = 64 << 10
    artim: Duration = 30.0  # total time for handshake and A-ASSOCIATE-RQ together
    idle: Duration = 600.0  # between two PDUs of an association, unless the peers table says more
    pdu_time: Duration = 60.0  # total time for one PDU once its header has come
    stall: Duration = Field(120.0, gt=0)  # within one message: longest pause, and what it may fall behind min_rate
    min_rate: Size = Field(1024, ge=1)  # bytes a second of a message: who drips for hours is cut
    associations: int = Field(200, ge=1)
    associations_per_peer: int = Field(50, ge=1)
    object_size: Size = (4 << 30) - 2


class DimseListener(Block):
    """A DIMSE Storage and Verification SCP."""

    ae: AETitles  # called AE titles that are ours
    port: int = Field(ge=0, le=65535)  # 0: the system chooses (tests)
    host: str = "0.0.0.0"  # noqa: S104 - a gateway is there to be reached; TLS with client certificates guards it
    calling_ae: AETitles = ()  # empty: any that the certificate may use
    ae_map: tuple[CertificateAe, ...] = ()
    accept: Literal["known", "any"] = "known"  # SOP classes: the standard's storage classes, or any proposed
    extra_sop_classes: Words = ()
    commitment: bool = False  # Storage Commitment: senders may ask, destinations may report (docs/commitment.md)
    commit_within: Duration = Field(86400.0, gt=0)  # then what is still not there is reported as failed
    limits: DimseLimits = DimseLimits()


class StowLimits(Block):
    """Limits of a STOW-RS listener, each known before anything is read or allocated (docs/dicomweb.md)."""

    head: Size = Field(16 << 10, ge=1 << 10, le=64 << 10)  # request line and headers
    head_time: Duration = Field(30.0, gt=0)  # total time for the handshake, and for the head of each request
    idle: Duration = 60.0  # between two requests of a connection
    stall: Duration = Field(120.0, gt=0)  # within one body: longest pause, and what it may fall behind min_rate
    min_rate: Size = Field(1024, ge=1)  # bytes a second of a body: who drips for hours is cut
    request_time: Duration = Field(6 * 3600.0, gt=0)  # one whole request, however fast
    parts: int = Field(10000, ge=1, le=100000)  # of one request
    part_head: Size = Field(4 << 10, ge=256, le=64 << 10)  # the headers of one part
    metadata: Size = Field(8 << 20, ge=1 << 10, le=256 << 20)  # the metadata of one request, held in memory
    object_size: Size = (4 << 30) - 2
    connections: int = Field(200, ge=1)
    connections_per_peer: int = Field(50, ge=1)


Algorithm = Literal["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519"]


class ServiceTls(Block):
    """How a web service is spoken to: always verified, by anchors that are named. `identity` makes TLS mutual."""

    profile: Literal["bcp195-rfc9325", "bcp195-rfc9325-modified"] = "bcp195-rfc9325"
    trust: FileRef
    identity: KeyPair | None = None  # nothing else is shown: the file's own identity is not for this service
    crl: FileRef | None = None


class Bearer(Block):
    """Which OAuth2 access tokens let a caller in: signed JWTs (RFC 6750, RFC 7519, RFC 9068)."""

    issuer: str = Field(min_length=1, max_length=512)  # `iss`, letter by letter
    audience: str = Field(min_length=1, max_length=512)  # must be in `aud`
    scope: Words = ()  # all of these must be in `scope`
    keys: FileRef | None = None  # a JWK set (RFC 7517); or:
    keys_url: HttpsUrl | None = None
    tls: ServiceTls | None = None  # of keys_url
    refresh: Duration = Field(3600.0, ge=60)  # keys of a keys_url that are older are fetched again
    algorithms: tuple[Algorithm, ...] = ("RS256", "PS256", "ES256")
    leeway: Duration = Field(30.0, le=300)  # clocks may differ by so much


class StowListener(Block):
    """A DICOMweb origin server that takes objects: PS3.18 section 10.5, Store transaction."""

    path: UrlPath = "/dicom-web"
    port: int = Field(ge=0, le=65535)
    host: str = "0.0.0.0"  # noqa: S104 - as for DIMSE
    subjects: Words = ()  # certificate subjects that may call; empty: any that TLS lets in
    bearer: Bearer | None = None  # asked for beside the certificate that `tls` asks for
    accept: Literal["known", "any"] = "known"
    extra_sop_classes: Words = ()
    limits: StowLimits = StowLimits()


class ArchiveLimits(Block):
    """What one archive, and one object, of a watched folder may cost."""

    members: int = Field(100000, ge=1)
    inflated: Size = 256 << 30  # bytes that come of one archive
    ratio: int = Field(100, ge=2)  # of them to the archive's own, beyond the first 64 MiB
    object_size: Size = (4 << 30) - 2


class FolderListener(Block):
    """A watched folder: DICOM files and archives that people and programs drop (docs/folders.md)."""

    dir: FileRef
    quiet: Duration = 5.0  # a file that has not changed for so long is complete
    poll: Duration = Field(1.0, gt=0)  # between two looks
    archives: bool = True  # ZIP, tar and tar.gz are opened
    keep: Literal["processed", "remove"] = "processed"  # what becomes of a file once all of it is stored
    aim: Annotations | None = None  # AIM documents are taken too, each as an SR (docs/annotations.md)
    accept: Literal["known", "any"] = "known"
    extra_sop_classes: Words = ()
    limits: ArchiveLimits = ArchiveLimits()


class MediaListener(Block):
    """A folder into which media are put: ISO images, ZIP archives, File-sets; opened and verified (docs/media.md)."""

    dir: FileRef
    quiet: Duration = 10.0  # a medium that has not changed for so long is complete
    poll: Duration = Field(2.0, gt=0)  # between two looks
    identity: HeldKey | None = None  # who they are encrypted for
    password: SecretRef | None = None
    trust: FileRef | None = None  # PEM of the anchors of signers; then only what they sign is taken
    crl: FileRef | None = None  # revocation lists of these signers; every certificate must be covered
    accept: Literal["known", "any"] = "known"
    extra_sop_classes: Words = ()
    object_size: Size = (4 << 30) - 2


class Caps(NamedTuple):
    """How many callers of a listener there may be."""

    associations: int
    associations_per_peer: int


# A known SOP Instance UID with other bytes: a person decides, or the newer one goes its way like any other object
OnConflict = Literal["hold", "deliver"]


class Listener(Block):
    """One way in. Exactly one kind, and exactly one of `tls` and `unsafe_plaintext` where it is on a network."""

    id: Identifier
    dimse: DimseListener | None = None
    stow: StowListener | None = None
    folder: FolderListener | None = None
    media: MediaListener | None = None
    tls: Tls | None = None
    unsafe_plaintext: str | None = None  # the reason
    on_bad_framing: Literal["refuse", "hold"] = "refuse"
    on_conflict: OnConflict = "hold"
    issuer: Assigner | None = None  # of the Patient IDs of objects that name none (docs/patients.md)

    @property
    def port(self) -> tuple[str, int] | None:
        """Host and port to listen on; None where it is not on a network."""
        network = self.dimse or self.stow
        return None if network is None else (network.host, network.port)

    @property
    def called(self) -> str:
        """The AE title that a caller names where nothing else is said; "" where there is none."""
        return self.dimse.ae[0] if self.dimse else ""

    @property
    def caps(self) -> Caps:
        """How many callers it takes at a time, in all and of one address."""
        if self.stow is not None:
            return Caps(self.stow.limits.connections, self.stow.limits.connections_per_peer)
        limits = self.dimse.limits if self.dimse else DimseLimits()
        return Caps(limits.associations, limits.associations_per_peer)


class Peer(Block):
    """What is known of an application entity elsewhere, keyed by its AE title."""

    host: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    max_pdu: Size | None = None  # announced to it and used towards it; old peers fail on large PDUs
    idle: Duration | None = None
    tls: Tls | None = None  # of an association of ours to it; default: as the listener that it called


class Retry(Block):
    """What happens after a failure that may pass."""

    for_: Duration = Field(3 * 86400.0, alias="for")
    backoff: Backoff = (5.0, 3600.0)  # first and longest pause, doubling between
    attempts: int = Field(10, ge=1)  # object-specific refusals that may pass (0xA7xx) before it is held


class DimseDestination(Block):
    """A Storage SCP that we call."""

    host: str
    port: int = Field(ge=1, le=65535)
    ae: AETitle  # called AE title
    calling_ae: AETitle = "GATEWAY"
    max_pdu: Size = 131072
    associations: int = Field(2, ge=1, le=32)  # studies sent in parallel, per worker
    idle: Duration = 10.0  # an association without work is released after this
    timeout: Duration = 60.0  # waiting for any one answer
    uncompressed_only: bool = False  # PS3.5 10.1: takes only the uncompressed syntaxes
    confirm: Literal["storage-commitment"] | None = None  # delivered only once it has committed (docs/commitment.md)
    confirm_within: Duration = Field(3600.0, gt=0)  # then it is asked again
    warnings: tuple[int, ...] = (0xB000, 0xB006, 0xB007)  # statuses that count as delivered (PS3.4 B.2.3)


class FolderDestination(Block):
    """A directory that gets Part 10 files with server-made names, each complete when its name appears."""

    dir: FileRef
    layout: Literal["flat", "study", "group"] = "study"  # group: a folder a closed group, there as a whole or not


class OAuth(Block):
    """Client credentials (RFC 6749 4.4): a bearer token for each request."""

    token_url: HttpsUrl
    tls: ServiceTls
    client_id: str = Field(min_length=1, max_length=512)
    client_secret: SecretRef
    scope: Words = ()
    audience: str | None = None


class StowDestination(Block):
    """A DICOMweb origin server: Store requests go to `url`/studies (PS3.18 10.5)."""

    url: WebUrl
    oauth: OAuth | None = None
    connections: int = Field(2, ge=1, le=32)  # studies sent in parallel, per worker
    batch: int = Field(20, ge=1, le=1000)  # instances of a study that go in one request, as far as they wait
    batch_bytes: Size = 64 << 20  # of them together
    idle: Duration = 10.0  # a connection without work is closed after this
    timeout: Duration = Field(60.0, gt=0)  # connecting, each write, and any one answer
    warnings: tuple[int, ...] = (0xB000, 0xB006, 0xB007)  # Warning Reasons that count as delivered


class MediaDestination(Block):
    """A directory that gets one sealed medium for each closed group (docs/media.md)."""

    dir: FileRef
    profile: str  # application profile of PS3.11, by its own name
    recipients: FileRefs = ()  # certificates of who may open it: a -SEC- profile
    password: SecretRef | None = None  # the same, by a password
    sign: HeldKey | None = None  # who signs each file of a secure set
    format: Literal["folder", "zip", "iso"] | None = None  # default: what the profile's medium is made of
    capacity: Size = 0  # bytes of one medium; 0: the profile's own
    label: str = "DICOM"  # File-set ID and volume label
    index: bool = False  # INDEX.HTM; not on secure media


class MllpDestination(Block):
    """A receiver of HL7 v2 messages over MLLP (docs/reports.md)."""

    host: str
    port: int = Field(ge=1, le=65535)
    connections: int = Field(1, ge=1, le=8)  # studies sent in parallel, per worker; 1 keeps the order of arrival
    idle: Duration = 30.0  # a connection without work is closed after this
    timeout: Duration = Field(30.0, gt=0)  # for one message: sending it and the whole of its answer
    max_answer: Size = Field(64 << 10, ge=1 << 10, le=1 << 20)


class Destination(Block):
    """One way out. Exactly one kind."""

    stow: StowDestination | None = None
    dimse: DimseDestination | None = None
    mllp: MllpDestination | None = None
    http: HttpDestination | None = None
    folder: FolderDestination | None = None
    media: MediaDestination | None = None
    mail: MailDestination | None = None
    mdm: Mdm | None = None  # CDA that comes here leaves as an HL7 v2 message; or:
    encapsulate: Literal["cda"] | None = None  # as a DICOM object
    tls: Tls | None = None
    unsafe_plaintext: str | None = None
    retry: Retry = Retry()

    @property
    def whole(self) -> bool:
        """It takes closed groups as a whole (docs/groups.md), not one instance after another."""
        return (
            self.media is not None
            or self.mail is not None
            or (self.folder is not None and self.folder.layout == "group")
        )


class Override(Block):
    """One ordered change to a profile's action table (transforms/deidentify/overrides.py)."""

    at: str  # Keyword, (gggg,eeee), Sequence.Keyword, or (gggg,"CREATOR",ee)
    do: Literal["keep", "clean", "remove", "empty", "dummy", "uid"]
    why: str
    when: dict[str, Any] | None = None  # like a match: for which objects it holds
    allow_looser: bool = False
    vr: str | None = None  # of a private attribute that no list has


class Patients(Block):
    """Where the pseudonyms of patients come from (docs/patients.md)."""

    by: Literal["key", "csv", "service"] = "key"
    map: FileRef | None = None  # csv: issuer,patient_id,pseudonym
    allow_merge: str | None = None  # why two patients may get one pseudonym
    url: HttpsUrl | None = None  # service
    tls: ServiceTls | None = None
    token: SecretRef | None = None  # sent as a bearer token
    timeout: Duration = Field(10.0, gt=0, le=60)  # for one whole lookup, connecting included
    max_answer: Size = Field(64 << 10, ge=1 << 10, le=1 << 20)
    recheck: Duration = 86400.0  # an answer that is older is asked for again; it must be the same


class Escrow(Block):
    """An encrypted table of who is who, for the officer who may go back. The gateway cannot read it."""

    to: FileRef  # the officer's certificate (PEM, RSA)
    file: FileRef  # appended to


class Pixels(Block):
    """How burned-in text is found (docs/pixels.md); only with the option clean-pixel-data."""

    devices: FileRef | None = None  # the site's own catalogue; may not be there yet
    text: Literal["look", "none"] = "look"  # a text detector looks (extra `ocr`); none: the catalogue alone decides
    images: Literal["risky", "all"] = "risky"  # at which it looks
    frames: int = Field(200, ge=1, le=100_000)  # different frames of one object it looks at; above: held


class Plugin(Block):
    """A program of the site's that gets a folder of objects and gives it back (docs/plugins.md)."""

    command: tuple[CommandWord, ...] = Field(min_length=1)
    timeout: Duration = Field(600.0, gt=0)
    memory: Size = 8 << 30  # bytes of address space


class Deidentify(Block):
    """A de-identification that routes may name."""

    profile: str = "basic"
    options: Words = ()
    key: SecretRef
    project: str | None = None  # domain of pseudonyms; default: the block's name
    patients: Patients = Patients()
    escrow: Escrow | None = None
    encrypted_attributes: EncryptedAttributes | None = None
    media: bool = False  # bound for a DICOMDIR: its keys get dummies where they would be empty
    documents: Literal["remove", "clean", "clean-or-hold", "hold"] = "remove"  # encapsulated (docs/documents.md)
    pixels: Pixels = Pixels()
    visual_features: Plugin | None = None  # the program of clean-recognizable-visual-features
    named_entities: Plugin | None = None  # a program that finds more names in text that is cleaned
    override: tuple[Override, ...] = ()


class Organization(Block):
    """An organization as a report names it."""

    name: str = ""
    root: str = ""  # OID of it, or of who numbers it
    extension: str = ""
    address: str = ""
    telephone: str = ""


class Recipient(Block):
    """Who gets a copy of a report."""

    name: str = ""  # Family^Given
    organization: str = ""


class Authorities(Block):
    """Who assigned a number, as an OID, where the report does not say."""

    patient: str = ""
    accession: str = ""
    order: str = ""
    admission: str = ""
    person: str = ""
    named: dict[str, str] = {}  # by Issuer of Patient ID, or Local Namespace Entity ID


class Reports(Block):
    """What the site knows and a Structured Report does not say (docs/reports.md); transforms/cda/options.py."""

    realm: str = "UV"
    id_root: str = ""
    confidentiality: Literal["N", "R", "V"] = "N"
    language: str = ""
    custodian: Organization = Organization()
    provider: Organization = Organization()
    facility: Organization = Organization()
    recipients: tuple[Recipient, ...] = ()
    authorities: Authorities = Authorities()
    coding_schemes: dict[str, str] = {}  # designator -> OID
    wado: str = ""  # base of links to images
    wado_style: Literal["rs", "uri"] = "rs"
    unverified: Literal["mark", "hold"] = "mark"
    partial: Literal["mark", "hold"] = "mark"
    images: Identifiers = ()  # listeners whose images in the spool are drawn in; none: no pictures


class Step(Block):
    """One transform of a route."""

    deidentify: str | None = None
    mdm: Mdm | None = None  # CDA as an HL7 v2 message
    encapsulate: Literal["cda"] | None = None  # CDA as a DICOM object
    cda: str | None = None  # a reports block: SR becomes HL7 CDA
    transcode: Literal["explicit-le", "implicit-le", "rle", "jpeg-lossless", "jpeg-ls", "jpeg-2000", "htj2k"] | None = (
        None
    )
    aim: Aim | None = None  # SR of TID 1500 as AIM v4
    sr: Annotations | None = None  # AIM as SR of TID 1500
    verify: Verification | None = None
    sign: Signing | None = None
    drop_signatures: Literal["invalid"] | None = None


class Group(Block):
    """Deliveries of a study or series begin when it is complete (docs/groups.md)."""

    by: Literal["study", "series"] = "study"
    quiet: Duration = Field(90.0, gt=0)  # without an arrival
    max_wait: Duration = Field(4 * 3600.0, gt=0)  # after the first arrival: then it is closed whatever is missing
    expect: int | str | None = None  # how many there are, or the attribute that says so


class Route(Block):
    """One rule. `match` + (`deliver` | `hold` | `drop`), or the final `otherwise`."""

    id: Identifier
    match: dict[str, Any] | None = None
    steps: tuple[Step, ...] = ()
    group: Group | None = None
    commit: Literal["after-delivery", "after-commitment"] | None = None  # what a sender that asks may rely on
    deliver: Identifiers = ()
    hold: str | None = None  # reason
    drop: str | None = None  # reason
    mode: Literal["first", "all"] = "first"  # all: go on matching after this one
    otherwise: Literal["hold", "drop"] | None = None
    reason: str | None = None  # of `otherwise`


class Manifests(Block):
    """Signed manifests of what was delivered (docs/manifests.md)."""

    sign: HeldKey  # a certificate for signing, not the one for TLS
    dir: FileRef  # they are kept here, by destination


class Given(Block):
    """The object and the association of a case."""

    file: FileRef | None = None  # a Part 10 file; absent: only what `set` says
    listener: str | None = None  # default: the first listener
    called_ae: str | None = None  # default: the listener's first AE title
    calling_ae: str = ""
    subject: str = ""
    set: dict[str, SetValue] = {}  # keyword or path -> value(s); null or []: present and empty


class Expect(Block):
    """What must come of it. What is not named is not checked; naming nothing is an error (references.py)."""

    route: str | None = None
    verdict: Literal["deliver", "hold", "drop"] | None = None
    reason: str | None = None
    destinations: Words | None = None  # in any order
    removed: Words = ()  # was there, is not
    changed: Words = ()  # was there, is there with another value
    kept: Words = ()  # was there, is there with the same value
    pixels: Literal["identical"] | None = None


class Case(Block):
    """A test of the file, run by `dicom-gateway test`."""

    name: str
    given: Given
    expect: Expect


class Workers(Block):
    """The process tree."""

    count: int = Field(2, ge=1, le=64)


class Config(Block):
    """The whole file."""

    version: Literal[1]
    state: State
    identity: KeyPair | None = None
    workers: Workers = Workers()
    listeners: tuple[Listener, ...]
    peers: dict[AETitle, Peer] = {}
    destinations: dict[Identifier, Destination] = {}
    deidentify: dict[Identifier, Deidentify] = {}
    reports: dict[Identifier, Reports] = {}
    routes: tuple[Route, ...]
    manifest: Manifests | None = None
    cases: tuple[Case, ...] = ()

    _places: Positions | None = PrivateAttr(default=None)

    @property
    def places(self) -> Positions:
        """Where each key stood; of a configuration that was read back, everything is at line 1."""
        return self._places or Positions("rules")
