"""What pydicom/deid's pixel cleaning does to each file of a folder; run by its own Python (benchmarks/pixels.py).

deid_pixels.py RECIPE IN OUT
"""

import sys
from pathlib import Path

from deid.dicom import DicomCleaner

recipe, given, out = (Path(each) for each in sys.argv[1:4])
for path in sorted(given.iterdir()):
    cleaner = DicomCleaner(output_folder=str(out), deid=str(recipe))
    cleaner.detect(str(path))
    cleaner.clean()
    cleaner.save_dicom()
