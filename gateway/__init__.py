"""dicom-gateway: the shell that receives, decides, transforms and delivers DICOM objects.

Only this package touches a socket, a disk or a clock. See docs/architecture.md.
"""

__version__ = "0.1.0"
