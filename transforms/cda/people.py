"""The people of the header: who wrote, typed, signed, attested and referred (8.1, 8.2; Table C.3-1)."""

from __future__ import annotations

from transforms.cda import times
from transforms.cda.making import Making
from transforms.sr.header import Author, Person, Verifier


def authors(making: Making) -> None:
    """author 1..*: persons of Author Observer Sequence, else the root's observers."""
    general = making.document.general
    time = times.timestamp(general.content_date, general.content_time, making.zone)
    persons = [each for each in general.authors if each.type != "DEV"]
    if not persons:
        names = [each for each in making.document.root.context.observers if each.type == "PSN" and each.name]
        persons = [Author("PSN", Person(each.name, institution=each.organization)) for each in names]
    for each in persons or [Author("PSN")]:  # 8.1: a person, even where nobody says who
        _author(making, each, time)


def _author(making: Making, author: Author, time: str | None) -> None:
    writer, person = making.writer, author.person
    with writer.element("author"):
        making.time("time", time, "ContentDate")
        with writer.element("assignedAuthor"):
            making.identified_by(person.codes, "AuthorObserverSequence")
            making.text_or_null("addr", person.address)
            making.telecom(*person.telephones)
            with writer.element("assignedPerson"):
                making.person("name", person.name)
            institution(making, person, "AuthorObserverSequence")


def institution(making: Making, person: Person, where: str, name: str = "representedOrganization") -> None:
    """The organization of a person, where the SR says one."""
    if not person.institution and not person.institution_codes:
        return
    with making.writer.element(name):
        if person.institution_codes:
            making.identified_by(person.institution_codes, where)
        making.text_or_null("name", person.institution)


def transcriptionist(making: Making) -> None:
    """dataEnterer 0..1: the first participant of type ENT."""
    writer = making.writer
    for each in making.document.general.participants:
        if each.participation != "ENT" or each.author.type == "DEV":
            continue
        with writer.element("dataEnterer", {"typeCode": "ENT"}):
            if each.date_time:
                making.time("time", times.date_time(each.date_time, making.zone), "ParticipantSequence")
            _assigned(making, each.author.person, "ParticipantSequence")
        return


def _assigned(making: Making, person: Person, where: str) -> None:
    writer = making.writer
    with writer.element("assignedEntity"):
        making.identified_by(person.codes, where)
        making.text_or_null("addr", person.address)
        making.telecom(*person.telephones)
        with writer.element("assignedPerson"):
            making.person("name", person.name)
        institution(making, person, where)


def verifiers(making: Making) -> None:
    """legalAuthenticator only where the SR is VERIFIED, by its first verifier; others attest (authenticator)."""
    general = making.document.general
    several = list(general.verifiers)
    if general.verification == "VERIFIED" and several:
        _signature(making, "legalAuthenticator", several.pop(0))
    for each in several:
        _signature(making, "authenticator", each)
    for participant in general.participants:
        if participant.participation == "ATTEST" and participant.author.type != "DEV":
            person = participant.author.person
            verifier = Verifier(person.name, person.institution, participant.date_time, person.codes)
            _signature(making, "authenticator", verifier)


def _signature(making: Making, name: str, verifier: Verifier) -> None:
    writer = making.writer
    with writer.element(name):
        making.time("time", times.date_time(verifier.date_time, making.zone), "VerifyingObserverSequence")
        writer.leaf("signatureCode", {"code": "S"})
        person = Person(verifier.name, verifier.codes, verifier.organization)
        _assigned(making, person, "VerifyingObserverSequence")


def referrer(making: Making) -> None:
    """participant REF 1..1."""
    writer, referring = making.writer, making.document.study.referring
    with (
        writer.element("participant", {"typeCode": "REF"}),
        writer.element("associatedEntity", {"classCode": "PROV"}),
    ):
        making.identified_by(referring.codes, "ReferringPhysicianIdentificationSequence")
        making.text_or_null("addr", referring.address)
        making.telecom(*referring.telephones)
        with writer.element("associatedPerson"):
            making.person("name", referring.name)
        institution(making, referring, "ReferringPhysicianIdentificationSequence", "scopingOrganization")
