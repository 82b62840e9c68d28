"""Words that identify nobody, though they may stand where a name should: as substrings they are never searched.

* Placeholders (of other de-identifiers, of test data) identify nothing at all.
* Ordinary words - those of the data dictionary, of anatomy, of devices and their makers - count only as the whole
  value of an attribute that identifies. A patient may be called Long; "long axis" is no leak of that.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from transforms.dictionary import DicomDictionary

_PLACEHOLDERS = """
    anon anonym anonymized anonymised anonymous anonymization anonymize annonymized de-identified deidentified removed
    unknown unnamed none null nil n/a yes test testing tester patient patientname name id dummy phantom qa qc
    service default empty hidden masked redacted research subject study undefined unspecified unassigned other xxx xxxx
    xxxxx xxxxxx zzz zzzz zzzzz noname nobody doe male female m f o u about:blank local public private
    """
PLACEHOLDERS: Final = frozenset(_PLACEHOLDERS.split())
_BODY: Final = """
    abdomen abdominal ankle anterior aorta aortic apical arm arms arteries artery axial back bladder blood body bone
    bones brain breast calf carotid cerebral cervical chest chin colon coronal coronary cranium disc ear elbow eye eyes
    face femoral femur fetal finger foot fore frontal gland hand hands head heart heel hepatic hip hips humerus iliac
    jaw joint kidney knee knees lateral left leg legs limb lips liver long lower lumbar lung lungs mandible medial
    muscle nasal neck nerve nose occipital optic oral orbit organ ovary palm pancreas parietal patella pelvic pelvis
    posterior prostate pulmonary radius renal rib ribs right sacral sagittal scalp septum shin shoulder shunt sinus
    skin skull spine spinal spleen sternum stomach tail temporal temple thigh thoracic thorax thumb tibia tissue toe
    tooth torso trachea trunk ulna upper urinary uterus vein veins ventricle vessel vertebra wall whole wrist
"""
_WORK: Final = """
    acute adult april august autumn axis baby baseline basic beam best black block blue board breath bright broad brown
    camera cardiac cardiology care case center centre central chief child city clean clinic clinical close code cold
    contrast control cross dark data date dates december department deep dental dose drain early east emergency empty
    english exam expert false fast fat february fern field final fine first flash flow fluid follow free fresh friday
    full gain general german good gray green grey group guide hard health high hospital image imaging january july june
    junior large last late level light line list little loop main march mark mask mass matrix max mean
    medical medicine middle mild miller mobile mode monday month moon more neuro neurology north november nurse ocean
    october oncology open option oral page pain pair parallel park part pass path peak peer perfect phase plain plane
    plate point pool port power price prior process profile prone protocol pulse pure quick radiography radiology rapid
    rate reader real red reed reference report rest rice rich ring rise river road rock room root rose round routine
    safe sample sand saturday scan scanner scout screen sea second section senior september series shadow sharp short
    side silver simple single site slice slow small smart smooth soft south special speed spin spring square standard
    star start station steel still stone stop storage straight strong style summer sunday supine surgery surgical swift
    system table target thin third thursday time tissue title total trace track trial true tuesday tumor turbo type
    ultrasound unit university valley value view volume ward warm wash water wave wednesday week west white wide wild
    winter with wood work world year yellow young zero zone
"""
# Defined terms of image types, scan options and body parts that the dictionary's own words do not hold
_TERMS: Final = """
    additive angio arthro axial averaged biplane bipolar bold calibration cine colour combined composite compressed
    corrected cytology derived dicom diffusion digital distortion dynamic echo elastic energy enhanced ensemble
    extremity fiducial filtered fluoro fusion gated gradient helical histology inphase inverted lateralis localizer
    lossless lossy magnitude maximum mammo mapping minimum mixed monochrome mosaic multi native norm normal opposed
    original palette panoramic perfusion primary processed propagation quality quantity raster ratio recon resampled
    resampling residual rotating rotation scaled secondary segmented sequential shading spectro spiral static
    subtraction synthetic tagging tangential tomo transverse ultra uniform variance vascular velocity virtual water
    weighted
"""
_MAKERS: Final = """
    siemens philips general electric toshiba hitachi canon agfa fuji fujifilm hologic kodak carestream varian elekta
    accuray samsung shimadzu mindray esaote konica minolta acuson agilent bruker barco brainlab eizo fischer hewlett
    imatron lumisys marconi merge olympus osirix picker planmed sectra sirona swissray vidar ziehm horos offis dcmtk
"""
_WORD: Final = re.compile(r"[a-z]{3,}")


def is_ordinary(word: str) -> bool:
    """An ordinary lower-case word."""
    return word in ordinary()


def is_term(word: str) -> bool:
    """An ordinary lower-case word, or two of them written as one, as defined terms are ("headneck")."""
    words = ordinary()
    return word in words or any(word[:at] in words and word[at:] in words for at in range(3, len(word) - 2))


@cache
def ordinary() -> frozenset[str]:
    """Lower-case words of three letters and more that mean no person, place or number."""
    found = set(PLACEHOLDERS)
    for part in (_BODY, _WORK, _TERMS, _MAKERS):
        found.update(part.split())
    for entry in DicomDictionary.values():
        found.update(_WORD.findall(entry[2].lower()))
    return frozenset(found)


def means_nothing(text: str) -> bool:
    """A placeholder, one character again and again, or nothing."""
    folded = text.strip().lower()
    bare = re.sub(r"[\W_]+", "", folded)
    if folded in PLACEHOLDERS or bare in PLACEHOLDERS:
        return True
    if len(bare) < 2:
        return not bare or (bare.isascii() and bare.isalpha())
    return len(set(bare)) == 1
