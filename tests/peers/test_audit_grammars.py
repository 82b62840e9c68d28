"""jing judges every audit message by two grammars that the builder does not know, and refuses messages made bad.

* our grammar of PS3.15 A.5.1 (../shared/standard/schemas), for every event with any text in any field;
* dcm4che's, which collectors use, for every event with well-formed UIDs. It differs from A.5.1 in one place: the
  MediaType of an export stands there without its MediaIdentifier.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from lxml import etree

from gateway.audit import events
from gateway.audit.events import Party, StudyFacts
from gateway.audit.messages import BUILDERS, AuditSource, build

pytestmark = pytest.mark.peers

US = AuditSource("GATEWAY-1", "gw.example", "HOSPITAL")
CT = Party("CT1", "192.0.2.9", "CN=ct1")
ARCHIVE = Party("ARCHIVE", "pacs.example", "CN=pacs")
CT_CLASS = "1.2.840.10008.5.1.4.1.1.2"
STUDIES = [
    StudyFacts("1.2.3", "P-17", {CT_CLASS: 3, "1.2.840.10008.5.1.4.1.1.4": 1}),
    StudyFacts("2.25.7", "P-17", {CT_CLASS: 3}, anonymized=True),
    StudyFacts("", "", {}),
]
OBJECT = {"when": 1.0, "study": "1.2.3", "sop_class": CT_CLASS, "sop_instance": "1.2.3.4", "reason": "no-route"}
ORDINARY = [
    events.ApplicationStarted(when=1.0, aes=("A", "B"), rules_hash="ab"),
    events.ApplicationStarted(when=1.0, aes=(), rules_hash=""),
    events.ApplicationStopped(when=1.0, aes=("A",)),
    events.ApplicationStopped(when=1.0, aes=("A",), orderly=False),
    *(events.TransferBegun(when=1.0, source=CT, destination=ARCHIVE, study=study, inbound=True) for study in STUDIES),
    *(
        events.Transferred(
            when=1.0, source=CT, destination=ARCHIVE, study=study, inbound=False, failed=2, orderly=False
        )
        for study in STUDIES
    ),
    events.PeerRefused(when=1.0, listener="h", address="192.0.2.1", reason="not-tls"),
    events.PeerRefused(
        when=1.0, listener="h", address="::1", reason="r", calling_ae="A", called_ae="B", subject="CN=x"
    ),
    events.ObjectHeld(**OBJECT, patient_id="P"),
    events.ObjectReleased(**OBJECT, patient_id="", route="r", destination="d", user="mta"),
    events.ObjectDropped(**OBJECT, patient_id="P"),
    events.ObjectDiscarded(**OBJECT, patient_id="P", user="mta"),
    events.ManifestMade(when=1.0, study="1.2.3", destination="archive", objects=2, sha256="ab", user="mta"),
    events.GroupClosed(
        when=1.0, study="1.2.3", series="1.2.3.4", route="r", objects=2, expected=0, reason="lost", user="mta"
    ),
    events.RowsForgotten(when=1.0, instances=3, before=0.5),
    events.Reidentified(
        when=1.0,
        study="1.2.3",
        sop_class="1.2.840.10008.5.1.4.1.1.2",
        sop_instance="1.2.3.4",
        recipient="ab",
        user="mta",
    ),
]
EXPORTS = [events.Exported(when=1.0, destination=Party("", "file:///landing"), study=study) for study in STUDIES]
HOSTILE = ["", " ", "\x1b[2J\r\n\t", "\u202e\u2066", "\x00\ud800\uffff", "1.2.03", "1..2", '"><x/>]]>&#0;', "x" * 5000]


@pytest.fixture(scope="module")
def judge(program, shared, tmp_path_factory):
    """`judge(grammar, documents)`: those that jing refuses, by their place in the list."""
    jing = program("jing")
    schemas = shared / "standard" / "schemas"
    folder = tmp_path_factory.mktemp("audit-grammars")

    def refused(grammar: str, documents: list[bytes]) -> dict[int, str]:
        paths = []
        for number, document in enumerate(documents):
            paths.append(folder / f"{number}.xml")
            paths[-1].write_bytes(document)
        done = subprocess.run(
            [jing, "-c", schemas / grammar, *paths], capture_output=True, text=True, timeout=120, check=False
        )
        found: dict[int, str] = {}
        for line in done.stdout.splitlines():
            name, _, text = line.partition(".xml:")
            found.setdefault(int(Path(name).name), text)
        assert (done.returncode == 0) == (not found)
        return found

    return refused


A51, DCM4CHE = "dicom-audit-message.rnc", "dcm4che/audit-message.rnc"


def test_every_event_is_among_them() -> None:
    assert {type(event) for event in ORDINARY + EXPORTS} == set(BUILDERS)


def test_ordinary_messages_are_valid_in_both_grammars(judge) -> None:
    documents = [build(event, US) for event in ORDINARY]
    assert judge(A51, documents) == {}
    assert judge(DCM4CHE, documents) == {}


def test_an_export_is_valid_in_ours_and_in_dcm4ches_but_for_its_medium(judge) -> None:
    documents = [build(event, US) for event in EXPORTS]
    assert judge(A51, documents) == {}
    found = judge(DCM4CHE, documents)
    assert set(found) == {0, 1, 2} and all("MediaIdentifier" in text for text in found.values())
    unwrapped = [
        document.replace(b"<MediaIdentifier>", b"").replace(b"</MediaIdentifier>", b"") for document in documents
    ]
    assert judge(DCM4CHE, unwrapped) == {}


def test_hostile_text_stays_valid(judge) -> None:
    documents = []
    for text in HOSTILE:
        party = Party(text, text, text)
        facts = StudyFacts(text, text, {text: 1})
        one = {"when": 1.0, "study": text, "patient_id": text, "sop_class": text, "sop_instance": text}
        one |= {"reason": text, "route": text, "destination": text, "user": text}
        documents += [
            build(event, AuditSource(text, text, text, text))
            for event in (
                events.ApplicationStarted(when=1.0, aes=(text, text), rules_hash=text),
                events.ApplicationStopped(when=1.0, aes=(text,)),
                events.TransferBegun(when=1.0, source=party, destination=party, study=facts, inbound=True),
                events.Transferred(when=1.0, source=party, destination=party, study=facts, inbound=False),
                events.Exported(when=1.0, destination=party, study=facts),
                events.PeerRefused(
                    when=1.0, listener=text, address=text, reason=text, calling_ae=text, called_ae=text, subject=text
                ),
                *(kind(**one) for kind in (events.ObjectHeld, events.ObjectReleased)),
                *(kind(**one) for kind in (events.ObjectDropped, events.ObjectDiscarded)),
            )
        ]
    assert judge(A51, documents) == {}


@seed(7)
@settings(
    max_examples=3, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(st.text(st.characters(codec=None), max_size=40), min_size=60, max_size=60))
def test_any_text_stays_valid(judge, texts: list[str]) -> None:
    documents = [
        build(events.PeerRefused(when=1.0, listener=a, address=b, reason=c, calling_ae=d, called_ae=e, subject=f), US)
        for a, b, c, d, e, f in zip(*[iter(texts)] * 6, strict=True)
    ]
    assert judge(A51, documents) == {} == judge(DCM4CHE, documents)


def remove(path: str):
    def edit(root: etree._Element) -> None:
        element = root.find(path)
        element.getparent().remove(element)

    return edit


def put(path: str, key: str, value: str | None):
    def edit(root: etree._Element) -> None:
        element = root if path == "." else root.find(path)
        if value is None:
            del element.attrib[key]
        else:
            element.set(key, value)

    return edit


def swap(root: etree._Element) -> None:
    root.insert(0, root[1])


BAD = {
    "no event": remove("EventIdentification"),
    "no event id": remove("EventIdentification/EventID"),
    "no time": put("EventIdentification", "EventDateTime", None),
    "time in words": put("EventIdentification", "EventDateTime", "yesterday"),
    "outcome of nobody": put("EventIdentification", "EventOutcomeIndicator", "3"),
    "action of nobody": put("EventIdentification", "EventActionCode", "X"),
    "code without meaning": put("EventIdentification/EventID", "csd-code", None),
    "participant without user": put("ActiveParticipant", "UserID", None),
    "requestor in words": put("ActiveParticipant", "UserIsRequestor", "perhaps"),
    "no source": remove("AuditSourceIdentification"),
    "object without id": put("ParticipantObjectIdentification", "ParticipantObjectID", None),
    "object of unknown kind": put("ParticipantObjectIdentification", "ParticipantObjectTypeCode", "9"),
    "wrong order": swap,
}


@pytest.mark.parametrize("grammar", [A51, DCM4CHE])
def test_the_judges_refuse_what_is_bad(judge, grammar: str) -> None:
    good = build(ORDINARY[4], US)
    documents = []
    for edit in BAD.values():
        root = etree.fromstring(good)
        edit(root)
        documents.append(etree.tostring(root))
    found = judge(grammar, [good, *documents])
    assert set(found) == set(range(1, len(documents) + 1)), [name for n, name in enumerate(BAD, 1) if n not in found]
