"""A program of the site's finds names: it only adds removals, and a text that it has not seen does not leave."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli.main import command_line
from gateway.config.schema import Plugin
from gateway.errors import HoldObject
from gateway.hosted.names import Names
from tests.conftest import ROOT
from tests.files import many_files
from tests.unit.deidentify.building import KEY, encode, image, parsed
from transforms.dataset import part10
from transforms.dataset.syntax import EXPLICIT_LE
from transforms.deidentify.engine import Context, deidentify
from transforms.deidentify.profile import compile_profile
from transforms.deidentify.text import Cleaner, Identities
from transforms.source import BytesSource

EXAMPLE = ROOT / "examples" / "names"
EACH = "import sys, json\nfor line in sys.stdin:\n    text = json.loads(line)\n    "


def plugin(code: str, timeout: float = 30.0) -> Plugin:
    return Plugin(command=(sys.executable, "-I", "-u", "-c", code), timeout=timeout, memory=2 << 30)  # type: ignore[arg-type]


@pytest.fixture
def names() -> Iterator[type[Names]]:
    """The class; what was made of it is ended."""
    made: list[Names] = []

    class Made(Names):
        def __init__(self, wanted: Plugin) -> None:
            super().__init__(wanted)
            made.append(self)

    yield Made
    for each in made:
        each.close()


def listed(names: type[Names]) -> Names:
    command = (sys.executable, "-I", str(EXAMPLE / "find_names.py"), str(EXAMPLE / "names.txt"))
    return names(Plugin(command=command, timeout=30.0, memory=2 << 30))  # type: ignore[arg-type]


def reason(found: Names, text: str = "CANARY") -> str:
    with pytest.raises(HoldObject) as caught:
        found.spans(text)
    assert "CANARY" not in str(caught.value)
    return caught.value.reason


def test_the_example_as_its_page_says() -> None:
    command = [sys.executable, str(EXAMPLE / "find_names.py"), str(EXAMPLE / "names.txt")]
    done = subprocess.run(
        command, input='"Seen with Zanzibarova"\n"nobody"\n', capture_output=True, text=True, check=True
    )
    assert done.stdout == "[[10, 21]]\n[]\n"


def test_what_it_finds_goes_and_what_is_known_goes_anyway(names: type[Names]) -> None:
    table = compile_profile("basic", ("clean-descriptors",), named=True)
    elements = image({0x0008103E: ("LO", "Doe with Zanzibarova, née Müller, thorax".encode("latin-1"))})
    plain = compile_profile("basic", ("clean-descriptors",))
    left = {}
    for which, remover in ((plain, None), (table, listed(names)), (table, names(plugin(EACH + "print('[]')")))):
        done = deidentify(BytesSource(encode(elements, True)), EXPLICIT_LE, which, Context(KEY, "t"), remover=remover)
        left[remover] = str(parsed(b"".join(done.plan.chunks())).SeriesDescription)
    without, found, nothing = left.values()
    assert "Zanzibarova" in without and "Zanzibarova" not in found and "thorax" in found
    assert nothing == without and "Doe" not in without + found, "it cannot keep what is known"


def test_other_content_has_other_uids() -> None:
    assert compile_profile(named=True).generation != compile_profile().generation


def test_places_are_characters(names: type[Names]) -> None:
    found = listed(names)
    assert Cleaner(Identities(), found).clean("Größe 𝔸 Ambrose geprüft") == "Größe 𝔸 geprüft"
    assert Cleaner(Identities(), found).clean("line one\nAmbrose\u2028next").split() == ["line", "one", "next"]


def test_it_is_started_once_and_asked_once(names: type[Names], tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = f"open({str(log)!r}, 'a').write('s')\n{EACH}open({str(log)!r}, 'a').write('t'); print('[]')"
    found = names(plugin(code))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(found.spans, [f"text {n % 3}" for n in range(30)]))
    assert log.read_text() == "sttt"


def test_it_has_nothing_of_our_environment(names: type[Names], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "1")
    code = EACH + "import os; print([[0, 1]] if 'SECRET_OF_OURS' in os.environ or os.listdir() else [])"
    assert not names(plugin(code)).spans("CANARY")


@pytest.mark.parametrize(
    "answer",
    [
        "{}", "[1]", "[[1]]", "[[0, 1, 2]]", "[[1, 1]]", "[[2, 1]]", "[[-1, 2]]", "[[0, 7]]", '[["0", 1]]',
        "[[0.0, 1]]", "[[true, 2]]", "null", "names", "", "[" * 50, "[]" * 4000,
    ],
)  # fmt: skip
def test_what_is_no_list_of_places_holds(names: type[Names], answer: str) -> None:
    found = names(plugin(EACH + f"print({answer!r})"))
    assert reason(found) == "plugin-answer"
    assert reason(found) == "plugin-answer", "and is not remembered as an answer"


def test_one_that_is_not_there(names: type[Names]) -> None:
    missing = Plugin(command=("no-such-program-here",), timeout=20.0, memory=1 << 30)  # type: ignore[arg-type]
    assert reason(names(missing)) == "hosted-missing"


@pytest.mark.parametrize(
    "code", ["", "raise SystemExit(3)", EACH + "raise SystemExit", EACH + "print('[', end='')\n    break"]
)
def test_one_that_ends(names: type[Names], code: str) -> None:
    assert reason(names(plugin(code))) == "hosted-failed"


def test_one_that_ends_now_and_then_is_started_anew(names: type[Names]) -> None:
    found = names(plugin(EACH + "print('[]')\n    break"))
    for number in range(3):
        assert not found.spans(f"text {number}")


def test_one_that_is_late_is_ended(names: type[Names], tmp_path: Path) -> None:
    code = f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\ntime.sleep(600)"
    begun = time.monotonic()
    assert reason(names(plugin(code, timeout=3.0))) == "hosted-timeout"
    assert time.monotonic() - begun < 60
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_long_text_passes(names: type[Names]) -> None:
    text = "word " * 100_000 + "Ambrose"
    assert list(listed(names).spans(text)) == [(500_000, 500_007)]


RULES = """\
version: 1
state: {{dir: ./state}}
listeners:
  - {{id: hospital, dimse: {{ae: GATEWAY, port: 2762}}, unsafe_plaintext: a test}}
destinations: {{landing: {{folder: {{dir: ./landing}}}}}}
deidentify:
  trial42:
    {{key: file:trial.key, options: [{options}], named_entities: {{command: {command}, timeout: 30s, memory: 2GiB}}}}
routes:
  - {{id: trial, match: {{PatientID: {{exists: true}}}}, steps: [{{deidentify: trial42}}], deliver: landing}}
  - {{id: rest, otherwise: hold, reason: no-route}}
"""


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(command_line(str(arguments[0])), [str(each) for each in arguments])
    return done.exit_code, done.output


def test_in_a_rule_file(tmp_path: Path) -> None:
    (tmp_path / "trial.key").write_bytes(bytes(range(32)))
    (tmp_path / "trial.key").chmod(0o600)
    data = encode(image({0x0008103E: ("LO", b"Thorax, Zanzibarova")}), True)
    (tmp_path / "1.dcm").write_bytes(part10.meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3.4", EXPLICIT_LE) + data)
    rules = tmp_path / "gateway.yaml"

    def explained(options: str, command: list[str]) -> str:
        rules.write_text(RULES.format(options=options, command=json.dumps(command)))
        code, told = run("explain", rules, tmp_path / "1.dcm", "--json")
        assert code == 0, told
        return told

    right = [sys.executable, str(EXAMPLE / "find_names.py"), str(EXAMPLE / "names.txt")]
    assert '"held"' not in explained("clean-descriptors", right)
    (tmp_path / "beside.py").write_text((EXAMPLE / "find_names.py").read_text())
    assert '"held"' not in explained("clean-descriptors", [right[0], "file:beside.py", right[2]])
    assert "hosted-failed" in explained("clean-descriptors", [right[0], "file:gone.py", right[2]])
    assert "hosted-missing" in explained("clean-descriptors", ["no-such-program-here"])
    rules.write_text(RULES.format(options="retain-uids", command=json.dumps(right)))
    code, told = run("check", rules)
    assert code == 1 and "`named_entities` does nothing without an option that cleans text" in told


def test_words_that_nobody_asked_for_are_no_answer_to_the_next_text(names: type[Names]) -> None:
    found = names(plugin(EACH + "print([[0, 6]]); time.sleep(.05); print([])".replace("time", "__import__('time')")))
    assert found.spans("CANARY one") == ((0, 6),)
    time.sleep(0.5)
    assert reason(found, "CANARY two") == "plugin-answer"
    assert found.spans("CANARY two") == ((0, 6),)  # of a child started anew


def test_a_process_of_many_files_asks_as_well(names: type[Names]) -> None:
    with many_files():
        assert names(plugin(EACH + "print([[0, 6]])")).spans("CANARY one") == ((0, 6),)
