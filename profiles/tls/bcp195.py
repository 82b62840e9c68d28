"""The two live TLS profiles: PS3.15 B.12 (BCP 195 RFC 8996, 9325) and B.13 (its modification with closed lists).

Facts only. Suites carry their IANA name, their code point and the name OpenSSL knows them by.

What is not here: retired profiles (B.1 to B.3, B.9 to B.11). B.13's optional Camellia suites are left out on purpose:
they are optional, and OpenSSL 3 does not offer them. The ten TLS 1.2 suites of B.13 are six confirmed ones and the
four ECDSA CCM ones deduced from DCMTK's table (docs/tls.md says so).
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Version(StrEnum):
    """Versions of TLS that a profile may allow. RFC 8996 forbids all earlier ones."""

    TLS1_2 = "TLSv1.2"
    TLS1_3 = "TLSv1.3"


class Suite(NamedTuple):
    """One cipher suite."""

    iana: str
    code: int
    openssl: str
    version: Version


class TlsProfile(NamedTuple):
    """What one profile asks for. `required` suites must all be offered; a suite outside `suites` never is."""

    name: str
    section: str  # of PS3.15
    title: str
    versions: tuple[Version, ...]
    suites: tuple[Suite, ...]  # in order of preference
    required: tuple[Suite, ...]
    rsa_bits: int  # at least
    ec_bits: int
    hashes: frozenset[str]  # of certificate signatures


_GCM_12 = (
    Suite("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", 0xC02C, "ECDHE-ECDSA-AES256-GCM-SHA384", Version.TLS1_2),
    Suite("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", 0xC030, "ECDHE-RSA-AES256-GCM-SHA384", Version.TLS1_2),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", 0xC02B, "ECDHE-ECDSA-AES128-GCM-SHA256", Version.TLS1_2),
    Suite("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", 0xC02F, "ECDHE-RSA-AES128-GCM-SHA256", Version.TLS1_2),
)
_CHACHA_12 = (
    Suite("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256", 0xCCA9, "ECDHE-ECDSA-CHACHA20-POLY1305", Version.TLS1_2),
    Suite("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256", 0xCCA8, "ECDHE-RSA-CHACHA20-POLY1305", Version.TLS1_2),
)
_CCM_12 = (
    Suite("TLS_ECDHE_ECDSA_WITH_AES_256_CCM", 0xC0AD, "ECDHE-ECDSA-AES256-CCM", Version.TLS1_2),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_256_CCM_8", 0xC0AF, "ECDHE-ECDSA-AES256-CCM8", Version.TLS1_2),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_128_CCM", 0xC0AC, "ECDHE-ECDSA-AES128-CCM", Version.TLS1_2),
    Suite("TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", 0xC0AE, "ECDHE-ECDSA-AES128-CCM8", Version.TLS1_2),
)
_COMMON_13 = (
    Suite("TLS_AES_256_GCM_SHA384", 0x1302, "TLS_AES_256_GCM_SHA384", Version.TLS1_3),
    Suite("TLS_CHACHA20_POLY1305_SHA256", 0x1303, "TLS_CHACHA20_POLY1305_SHA256", Version.TLS1_3),
    Suite("TLS_AES_128_GCM_SHA256", 0x1301, "TLS_AES_128_GCM_SHA256", Version.TLS1_3),
)
_CCM_13 = (
    Suite("TLS_AES_128_CCM_SHA256", 0x1304, "TLS_AES_128_CCM_SHA256", Version.TLS1_3),
    Suite("TLS_AES_128_CCM_8_SHA256", 0x1305, "TLS_AES_128_CCM_8_SHA256", Version.TLS1_3),
)
_SHA2 = frozenset({"sha256", "sha384", "sha512"})

B12 = TlsProfile(
    name="bcp195-rfc9325",
    section="B.12",
    title="BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile",
    versions=(Version.TLS1_2, Version.TLS1_3),
    suites=_COMMON_13 + _GCM_12,  # RFC 9325 4.2: for TLS 1.2 these four
    required=(_COMMON_13[2], *_GCM_12),  # RFC 8446 9.1: TLS_AES_128_GCM_SHA256 is mandatory to implement
    rsa_bits=2048,
    ec_bits=256,  # RFC 9325 4.5 asks for 224; TLS 1.3 has no curve below 256
    hashes=_SHA2,
)
B13 = TlsProfile(
    name="bcp195-rfc9325-modified",
    section="B.13",
    title="Modified BCP 195 RFC 8996, 9325 TLS Secure Transport Connection Profile",
    versions=(Version.TLS1_2, Version.TLS1_3),
    suites=_COMMON_13 + _CCM_13 + _GCM_12[:2] + _CHACHA_12 + _GCM_12[2:] + _CCM_12,
    required=_COMMON_13 + _CCM_13 + _GCM_12 + _CHACHA_12 + _CCM_12,
    rsa_bits=2048,
    ec_bits=256,
    hashes=_SHA2,
)

PROFILES = {profile.name: profile for profile in (B12, B13)}
