"""Secure DICOM Files (PS3.15 D.1) and encrypted attributes (E.1.1): CMS, RFC 5652, as a stream.

algorithms  what is written, what is read, what is beyond D.1
ber         values and lengths; the only place that knows how they are encoded
ciphers     content encryption
passwords   recipients with a password;  recipients  with a certificate
signing     signers: made and judged
writing     a DICOM File -> a Secure DICOM File
envelopes   the outer message read;  reading  all of it
files       the same for paths: nothing has a name before it is whole and proven
keys        certificates and private keys out of PEM, PKCS #12, PKCS #11 (hsm)
"""
