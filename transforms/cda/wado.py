"""Links to images: WADO-RS or WADO-URI (PS3.18) of a reference, where the document says in which series it is."""

from __future__ import annotations

from typing import Final

from transforms.cda.options import Options
from transforms.sr.header import Evidence
from transforms.sr.model import Document
from transforms.sr.values import SopReference

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def quoted(text: str, also: bytes = b"") -> str:
    """Percent-encoded (RFC 3986 2.1), `also` but unreserved characters left as they are."""
    kept = _UNRESERVED.union(also)
    return "".join(chr(each) if each in kept else f"%{each:02X}" for each in text.encode("utf-8", "replace"))


class Links:
    """The links of one document."""

    def __init__(self, document: Document, options: Options) -> None:
        self._base = options.wado.rstrip("/")
        self._uri = options.wado_style == "uri"
        self.evidence: dict[str, Evidence] = document.evidence() if self._base else {}
        own = Evidence(
            document.study.instance, document.series.instance, SopReference(document.sop_class, document.sop_instance)
        )
        self.evidence.setdefault(document.sop_instance, own)

    def to(self, reference: SopReference, frames: tuple[int, ...] = ()) -> str:
        """The link to an instance; "": the site has none, or the document does not say where the instance is."""
        found = self.evidence.get(reference.sop_instance)
        if not self._base or found is None or not found.study or not found.series:
            return ""
        study, series, instance = map(quoted, (found.study, found.series, reference.sop_instance))
        if self._uri:
            frame = f"&frameNumber={frames[0]}" if len(frames) == 1 else ""
            return (
                f"{self._base}?requestType=WADO&studyUID={study}&seriesUID={series}&objectUID={instance}{frame}"
                "&contentType=application%2Fdicom"
            )
        return f"{self._base}/studies/{study}/series/{series}/instances/{instance}"
