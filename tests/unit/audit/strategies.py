"""Every event there is, filled with hostile text."""

from __future__ import annotations

from hypothesis import strategies as st

from gateway.audit import events

HOSTILE = st.one_of(
    st.sampled_from(
        [
            "",
            " ",
            "CT1",
            "1.2.840.10008.5.1.4.1.1.2",
            "1.2.03",
            '"><AuditMessage x="',
            "]]>&lt;&#10;",
            "a\r\nb\tc",
            "\x1b]0;owned\x07",
            "\u202etxet",
            "\x00\ud800\uffff",
            "a;b\\u{3B}",
            "file:///landing/x",
            "fe80::1",
        ]
    ),
    st.text(st.characters(codec=None), max_size=30),
)
WHEN = st.floats(0, 4e9)
PARTY = st.builds(events.Party, ae=HOSTILE, address=HOSTILE, subject=HOSTILE)
STUDY = st.builds(
    events.StudyFacts,
    study=HOSTILE,
    patient_id=HOSTILE,
    sop_classes=st.dictionaries(HOSTILE, st.integers(0, 1 << 31), max_size=3),
    anonymized=st.booleans(),
)
AES = st.lists(HOSTILE, max_size=3).map(tuple)
OBJECT = dict.fromkeys(("study", "patient_id", "sop_class", "sop_instance"), HOSTILE)
OBJECT |= dict.fromkeys(("reason", "route", "destination", "user"), HOSTILE)
TRANSFER = {"when": WHEN, "source": PARTY, "destination": PARTY, "study": STUDY, "inbound": st.booleans()}

BY_EVENT = {
    events.ApplicationStarted: st.builds(events.ApplicationStarted, when=WHEN, aes=AES, rules_hash=HOSTILE),
    events.ApplicationStopped: st.builds(events.ApplicationStopped, when=WHEN, aes=AES, orderly=st.booleans()),
    events.TransferBegun: st.builds(events.TransferBegun, **TRANSFER),
    events.Transferred: st.builds(events.Transferred, **TRANSFER, failed=st.integers(0, 9), orderly=st.booleans()),
    events.Exported: st.builds(events.Exported, when=WHEN, destination=PARTY, study=STUDY),
    events.PeerRefused: st.builds(
        events.PeerRefused,
        when=WHEN,
        listener=HOSTILE,
        address=HOSTILE,
        reason=HOSTILE,
        calling_ae=HOSTILE,
        called_ae=HOSTILE,
        subject=HOSTILE,
    ),
    events.ObjectHeld: st.builds(events.ObjectHeld, when=WHEN, **OBJECT),
    events.ObjectReleased: st.builds(events.ObjectReleased, when=WHEN, **OBJECT),
    events.ObjectDropped: st.builds(events.ObjectDropped, when=WHEN, **OBJECT),
    events.ObjectDiscarded: st.builds(events.ObjectDiscarded, when=WHEN, **OBJECT),
    events.ManifestMade: st.builds(events.ManifestMade, when=WHEN),
    events.Reidentified: st.builds(
        events.Reidentified,
        when=WHEN,
        study=HOSTILE,
        sop_class=HOSTILE,
        sop_instance=HOSTILE,
        recipient=HOSTILE,
        user=HOSTILE,
    ),
    events.GroupClosed: st.builds(
        events.GroupClosed,
        when=WHEN,
        study=HOSTILE,
        series=HOSTILE,
        route=HOSTILE,
        objects=st.integers(0, 9),
        expected=st.integers(0, 9),
        reason=HOSTILE,
        user=HOSTILE,
    ),
    events.RowsForgotten: st.builds(events.RowsForgotten, when=WHEN, before=WHEN, instances=st.integers(0, 9)),
}
EVENTS = st.one_of(*BY_EVENT.values())
