"""Python runs this at the start of every process whose PYTHONPATH names this folder: it makes the gateway a bad one.

The fault is named by DICOM_GATEWAY_SEEDED_FAULT, and installed in supervisor, writer and workers alike. A name that
is not known ends the process: a run must never be taken for a bad server that was an honest one.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[3]))
try:
    from tests.power.seeded.faults import FAULTS

    FAULTS[os.environ["DICOM_GATEWAY_SEEDED_FAULT"]]()
except BaseException as error:  # what is only raised here is only printed: site goes on without it
    print("no such bad server:", repr(error), file=sys.stderr)
    os._exit(70)
