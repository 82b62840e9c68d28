"""Values and bytes that the tests of dimse share."""

from __future__ import annotations

from gateway.dimse import messages, pdu
from gateway.dimse.items import (
    AsynchronousWindow,
    CommonExtendedNegotiation,
    ExtendedNegotiation,
    ProposedContext,
    RoleSelection,
    UserIdentity,
    UserInformation,
)
from gateway.dimse.pdu import COMMAND, LAST, AssociateRequest
from gateway.dimse.uids import APPLICATION_CONTEXT, EXPLICIT_LE, IMPLICIT_LE, VERIFICATION

CT = "1.2.840.10008.5.1.4.1.1.2"
SR = "1.2.840.10008.5.1.4.1.1.88.22"
JPEG_LOSSY = "1.2.840.10008.1.2.4.50"
JPIP = "1.2.840.10008.1.2.4.94"
INSTANCE = "2.25.12345"
CONTEXTS = (
    ProposedContext(1, VERIFICATION, (IMPLICIT_LE,)),
    ProposedContext(3, CT, (EXPLICIT_LE, IMPLICIT_LE)),
    ProposedContext(5, SR, (IMPLICIT_LE,)),
)


def request(**changes: object) -> AssociateRequest:
    """A plain A-ASSOCIATE-RQ, but for `changes`."""
    values: dict[str, object] = {
        "called_ae": "GATEWAY",
        "calling_ae": "CT1",
        "contexts": CONTEXTS,
        "user": UserInformation(16384, "1.2.3", "TEST"),
        "application_context": APPLICATION_CONTEXT,
    }
    return AssociateRequest(**{**values, **changes})  # type: ignore[arg-type]


def full_user() -> UserInformation:
    """User information with every sub-item of PS3.7 D.3.3."""
    return UserInformation(
        max_pdu=65536,
        implementation_class="1.2.3.4",
        implementation_version="VERSION_1",
        window=AsynchronousWindow(5, 0),
        roles=(RoleSelection(CT, True, True), RoleSelection(SR, True, False)),
        extended=(ExtendedNegotiation(CT, b"\x02\x00\x01"),),
        common=(CommonExtendedNegotiation("1.2.3.9", "1.2.840.10008.4.2", (CT, SR)),),
        identity=UserIdentity(2, True, b"user", b"passcode"),
    )


def associate_rq(**changes: object) -> bytes:
    """The PDU of `request(**changes)`."""
    return pdu.encode_associate_rq(request(**changes))


def p_data(*values: tuple[int, int, bytes]) -> bytes:
    """A P-DATA-TF of (context, control, fragment)."""
    body = b"".join(pdu.PDV_HEADER.pack(len(data) + 2, context, control) + data for context, control, data in values)
    return pdu.HEADER.pack(pdu.PduType.P_DATA_TF, len(body)) + body


def echo_rq(number: int = 1, context: int = 1) -> bytes:
    """A whole C-ECHO-RQ."""
    return p_data((context, COMMAND | LAST, messages.c_echo_rq(number)))


def store_rq(
    data: bytes, number: int = 1, context: int = 3, sop_class: str = CT, instance: str = INSTANCE
) -> tuple[bytes, ...]:
    """The PDUs of a whole C-STORE: command, data set."""
    command = messages.c_store_rq(number, sop_class, instance)
    return p_data((context, COMMAND | LAST, command)), p_data((context, LAST, data))
