"""What a STOW listener can do, as its users ask for it (PS3.18 8.9, Capabilities Description)."""

from __future__ import annotations

from typing import Any

from gateway import __version__
from gateway.config.schema import Listener
from gateway.dimse.negotiation import AcceptancePolicy
from gateway.dimse.uids import STORABLE_SYNTAXES, STORAGE_CLASSES
from gateway.web import media
from gateway.web.multipart import BOUNDARY

STORE_KINDS = (
    f'{media.RELATED}; type="{media.DICOM}"',
    f'{media.RELATED}; type="{media.JSON}"',
    f'{media.RELATED}; type="{media.XML}"',
    media.DICOM,
)


def capabilities(listener: Listener) -> dict[str, Any]:
    """The document that GET and OPTIONS answer with. It says nothing of who may call, or of what is stored."""
    assert listener.stow is not None
    stow = listener.stow
    policy = AcceptancePolicy(stow.accept, frozenset(stow.extra_sop_classes))
    return {
        "name": "dicom-gateway",
        "version": __version__,
        "standard": "PS3.18 DICOM Web Services, Studies Service, origin server",
        "transactions": {
            "store": {
                "resources": [f"{stow.path}/studies", f"{stow.path}/studies/{{study}}"],
                "method": "POST",
                "content-type": list(STORE_KINDS),
                "accept": [media.JSON, media.XML],
                "status": [200, 202, 400, 401, 403, 406, 408, 409, 413, 415, 503],
            },
            "capabilities": {"resources": [stow.path or "/"], "method": "GET, OPTIONS", "accept": ["application/json"]},
        },
        "not-offered": ["retrieve", "search", "delete", "rendered", "worklist", "non-patient instances"],
        "sop-classes": {
            "standard": sum(policy.takes(uid) for uid in STORAGE_CLASSES),
            "other": "any" if stow.accept == "any" else list(stow.extra_sop_classes),
        },
        "transfer-syntaxes": sorted(STORABLE_SYNTAXES),
        "bulk-data-references": "never fetched",
        "limits": {
            "parts": stow.limits.parts,
            "object-bytes": stow.limits.object_size,
            "request-head-bytes": stow.limits.head,
            "part-head-bytes": stow.limits.part_head,
            "metadata-bytes": stow.limits.metadata,
            "boundary-characters": BOUNDARY,
            "content-encoding": "identity",
        },
        "security": {
            "tls": listener.tls.profile if listener.tls else "none",
            "client-certificate": bool(listener.tls and listener.tls.trust),
            "bearer": stow.bearer is not None,
        },
    }
