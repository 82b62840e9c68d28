"""The transfer syntaxes whose frames are read and written here. What does it stands in codecs.py, in two tables."""

from __future__ import annotations

from typing import Final

_J: Final = "1.2.840.10008.1.2.4."
BASELINE, EXTENDED, LOSSLESS, LOSSLESS_SV1 = f"{_J}50", f"{_J}51", f"{_J}57", f"{_J}70"
LS, LS_NEAR, J2K, J2K_LOSSY = f"{_J}80", f"{_J}81", f"{_J}90", f"{_J}91"
HT, HT_RPCL, HT_LOSSY = f"{_J}201", f"{_J}202", f"{_J}203"
RLE: Final = "1.2.840.10008.1.2.5"
DCT: Final = (BASELINE, EXTENDED)  # blanked by jpeg.py, block by block
DECODED: Final = frozenset(
    {BASELINE, EXTENDED, LOSSLESS, LOSSLESS_SV1, LS, LS_NEAR, J2K, J2K_LOSSY, HT, HT_RPCL, HT_LOSSY, RLE}
)
