"""Digital signatures (PS3.15 Annex C): keys, certificates and time around what transforms/signatures says is signed.

making   sign an object
judging  every signature of an object: is it right, and who stands behind it
stamps   certified time stamps (RFC 3161)
"""
