"""Who wrote a file: our Implementation Class UID and version name (PS3.7 D.3.3.2, PS3.10 Table 7.1-1)."""

from __future__ import annotations

from typing import Final

# 2.25 and the integer of one UUID, made once for this product (PS3.5 B.2). Never made again.
IMPLEMENTATION_CLASS_UID: Final = "2.25.53932220666340090124159888197968999618"
IMPLEMENTATION_VERSION_NAME: Final = "DICOM_GATEWAY_01"
