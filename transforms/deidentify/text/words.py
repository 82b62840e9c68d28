"""Words that are no identity by themselves: of radiology, of places, of every day. All folded (cleaner.fold)."""

from __future__ import annotations

from typing import Final

_WORDS = """
abdomen al alt an ankle april arm arterial august ax axial back baker ball base baseline bell berg big black blau
body bone brain braun breast brook brown case chest contrast control cook cooper cor cord coronal cr cross ct da day
de del delay den der di disc dr du dx ear early el elbow eye face fast field fields filter finger follow foot fuss
gold gray great green grey gross gruen hand hard head heart herz high hill hip hoch image inner jaw june jung kidney
king klein knee kopf kurz la lang large late le left leg level little liver long low lower lung mai mark max may
mean mg middle min minus monday month mr nativ native neck neu nm normal nose outer page park peak pelvis phase
plain plus portal post pre protocol pt rf rib rich right rivers rose rot roth routine sag sagittal scan schwarz
screening series sharp short shoulder silver skin skull slow small smooth soft sommer spine spleen spring st
standard stein stone study summer sunday test thick thin throat tief time toe trial upper us van venous visit von
wall wave week weiss white window winter with without wood woods wrist xa year young
"""
_PLACES = """
abteilung avenue cardiology care center centre city clinic clinical college community county department dept
diagnostic diagnostics diagnostik east emergency general group health hospital imaging institut institute klinik
klinikum krankenhaus medical medicine medizin memorial national neurology nord north oncology orthopedics ost
pediatrics practice praxis radiological radiologie radiology regional road room saint sankt scanner south state
station strasse street sud surgery unit universitaet universitats universitatsklinikum university ward west zentrum
"""
_COMMON = """
and at by das der des die et for in la le les mit oder of on or ou the to und von
"""
# Words of descriptions that are also names: only beside another part of a name do they go
WORDS: Final = frozenset(_WORDS.split())
# What names of hospitals and departments are made of
PLACES: Final = frozenset(_PLACES.split())
# Short words of languages, which stand in component groups by accident
COMMON: Final = frozenset(_COMMON.split())
