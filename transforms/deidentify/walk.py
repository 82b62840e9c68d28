"""The walk: one pass over the raw element headers of a framed little-endian data set, acting on what the table names.

Rules of this file
* A header is looked up by its bytes, tag and VR together: what is not in the table's keep-list goes to actions.py.
* Only touched values are read. Pixel data is passed by seeking; what stands behind it is walked like the rest.
* Every byte is either copied, replaced or dropped by an element's rule; where elements do not end exactly where their
  container does, the object is held. It does not rely on framing.py having run, but that one refuses more.
* UN of undefined length, and UN on a tag that PS3.6 calls a sequence, are walked as Implicit VR (PS3.5 6.2.2).

It decides nothing (rules.py) and does nothing to a value (actions.py).
"""

from __future__ import annotations

from collections.abc import Callable
from struct import Struct
from struct import error as struct_error
from typing import Final

from transforms.dataset.elements import (
    ITEM,
    ITEM_END,
    LONG_VRS,
    PIXEL_DATA,
    SEQUENCE_END,
    SEQUENCE_TAGS,
    SHORT_VRS,
    UNDEFINED,
)
from transforms.dataset.index import Index
from transforms.dataset.repeated import KEY, Part
from transforms.deidentify.actions import CHARSET, NOTED_BYTES, Actions, Traced
from transforms.deidentify.ages import above_89
from transforms.deidentify.content import PINNED, SEQUENCES, ContentAction
from transforms.deidentify.content_items import after_item, measures, peek, refers_by_position
from transforms.deidentify.dummies import CONTENT_SEQUENCE
from transforms.deidentify.elsewhere import LONGEST, Known, Outcome, Same, alike, learn
from transforms.deidentify.profile import ALIKE, DROP_LONG, DROP_SHORT, KEEP_LONG, KEEP_SHORT, LOOK, NOTE, Level
from transforms.deidentify.rules import Action
from transforms.errors import BadFraming, BudgetExceeded

WINDOW: Final = 1 << 15  # bytes read at a time; an element's header always lies within one window
DEPTH: Final = 100  # nested sequences; framing.py has the budget, this is the floor under it
_NEVER: Final = 1 << 60
_NOBODY: Final = frozenset[str]()
_CONTENT: Final = b"\x40\x00\x30\xa7"  # (0040,A730): its items hang on the whole tree
_U16: Final = Struct("<H").unpack_from
_U32: Final = Struct("<I").unpack_from
_TAG_LENGTH: Final = Struct("<HHI").unpack_from


class Walk(Actions):
    """One object's walk. Use once; afterwards `edit` holds the pieces and `noted` the values the engine asked for."""

    __slots__ = ("base", "data", "edge", "entries", "head", "like", "repeated")

    def open(self, index: Index) -> None:
        """Read the first window of what framing has found to be this."""
        self.entries = index.entries
        self.like: tuple[tuple[str, ...], Known] | None = None  # of this character set
        self.repeated = 0  # top-level elements that were done as in another object
        self.data = self.head = self.source.pread(0, WINDOW)
        self.base = 0
        self.edge = self._edge()

    def run(self) -> None:
        """Walk the whole source. Raises BadFraming, BudgetExceeded or what an action raises."""
        walker = self._explicit if self.explicit else self._implicit
        try:
            level = self.table.top(self.sop_class)
            walker(0, self.size, level, 0, False)
        except struct_error:
            raise BadFraming("header-truncated", self.base) from None
        if self._runs() is not None and self._known().repeated.due(len(self.entries) - self.repeated):
            self._learn(level)

    def _explicit(self, at: int, end: int, level: Level, depth: int, delimited: bool) -> int:
        """Explicit VR elements of [at, end), up to the item delimiter where `delimited`; returns the offset after."""
        data, base, edge = self.data, self.base, self.edge
        slow = self.tracing or self.blocks is not None  # private elements need a look
        find: Callable[[bytes], int] = _nothing if self.tracing else level.explicit.__getitem__
        drop = self.edit.drop
        stop = self.stop if depth == 0 else _NEVER
        runs = None if depth else self._runs()
        pos, limit = at - base, end - base
        while pos < limit:
            if pos > edge:
                data, base, edge = self._fill(base + pos)
                pos, limit = 0, end - base
            key = data[pos : pos + 6]
            if runs and (run := runs.get(key)) is not None:
                after = self._same(run, base + pos)
                if after:
                    pos, stop = after - base, self.stop
                    continue
            op = find(key)
            code = op & 15 if op >= 0 else LOOK
            if op <= stop:
                if code == KEEP_SHORT:
                    pos += 8 + (data[pos + 6] | data[pos + 7] << 8)
                    continue
                if code == DROP_SHORT:
                    length = 8 + (data[pos + 6] | data[pos + 7] << 8)
                    drop(base + pos, base + pos + length)
                    pos += length
                    continue
                if code in (KEEP_LONG, DROP_LONG):
                    (length,) = _U32(data, pos + 8)
                    if length != UNDEFINED:
                        length += 12
                        if code == DROP_LONG:
                            drop(base + pos, base + pos + length)
                        pos += length
                        continue
                elif code == NOTE:
                    length = 8 + (data[pos + 6] | data[pos + 7] << 8)
                    value = data[pos + 8 : pos + length]
                    if len(value) == length - 8 <= NOTED_BYTES:
                        self.noted[op >> 4] = value
                        pos += length
                        continue
                elif code >= ALIKE:
                    after = self._again(base + pos, op)
                    if after:
                        pos = after - base
                        continue
                elif op < 0 and data[pos] & 1 and not slow:
                    # An odd group: private, never kept (rules.PRIVATE_RULE)
                    vr = data[pos + 4 : pos + 6]
                    if vr in SHORT_VRS:
                        length = 8 + (data[pos + 6] | data[pos + 7] << 8)
                        drop(base + pos, base + pos + length)
                        pos += length
                        continue
                    if vr in LONG_VRS:
                        (length,) = _U32(data, pos + 8)
                        if length != UNDEFINED:
                            drop(base + pos, base + pos + 12 + length)
                            pos += 12 + length
                            continue
            tag = (data[pos + 1] << 8 | data[pos]) << 16 | data[pos + 3] << 8 | data[pos + 2]
            if tag == ITEM_END:
                if not delimited or data[pos + 4 : pos + 8] != b"\0\0\0\0":
                    raise BadFraming("delimiter-unexpected", base + pos)
                return base + pos + 8
            vr = data[pos + 4 : pos + 6]
            if vr in SHORT_VRS:
                header, length = 8, _U16(data, pos + 6)[0]
            elif vr in LONG_VRS:
                header, length = 12, _U32(data, pos + 8)[0]
            else:
                raise BadFraming("vr-unknown", base + pos)
            start = base + pos
            if length != UNDEFINED and start + header + length > end:
                raise BadFraming("length-overrun", start)
            if depth == 0:
                self.markers(start, tag)
                stop = self.stop
            act = self._anew if code >= ALIKE else self.element
            after = act(level, tag, vr, start, header, length, depth)
            if tag == CHARSET and depth == 0:
                runs = self._runs()
            if after > end:
                raise BadFraming("length-overrun", start)
            data, base, edge = self.data, self.base, self.edge
            pos, limit = after - base, end - base
            if pos < 0:
                raise AssertionError("the window has run ahead")
        if pos != limit or delimited:
            raise BadFraming("length-overrun" if pos > limit else "delimiter-missing", base + pos)
        return end

    def _implicit(self, at: int, end: int, level: Level, depth: int, delimited: bool) -> int:
        """Implicit VR elements, as `_explicit`."""
        data, base, edge = self.data, self.base, self.edge
        slow = self.tracing or self.blocks is not None
        find: Callable[[bytes], int] = _nothing if self.tracing else level.implicit.__getitem__
        drop = self.edit.drop
        stop = self.stop if depth == 0 else _NEVER
        runs = None if depth else self._runs()
        pos, limit = at - base, end - base
        while pos < limit:
            if pos > edge:
                data, base, edge = self._fill(base + pos)
                pos, limit = 0, end - base
            if runs and (run := runs.get(data[pos : pos + 6])) is not None:
                after = self._same(run, base + pos)
                if after:
                    pos, stop = after - base, self.stop
                    continue
            op = find(data[pos : pos + 4])
            (length,) = _U32(data, pos + 4)
            if op <= stop and length != UNDEFINED:
                code = op & 15
                if code == KEEP_LONG:
                    pos += 8 + length
                    continue
                if code == DROP_LONG or (op < 0 and data[pos] & 1 and not slow):
                    drop(base + pos, base + pos + 8 + length)
                    pos += 8 + length
                    continue
            tag = (data[pos + 1] << 8 | data[pos]) << 16 | data[pos + 3] << 8 | data[pos + 2]
            if tag == ITEM_END:
                if not delimited or length:
                    raise BadFraming("delimiter-unexpected", base + pos)
                return base + pos + 8
            start = base + pos
            if length != UNDEFINED and start + 8 + length > end:
                raise BadFraming("length-overrun", start)
            if depth == 0:
                self.markers(start, tag)
                stop = self.stop
            after = self.element(level, tag, b"", start, 8, length, depth)
            if tag == CHARSET and depth == 0:
                runs = self._runs()
            if after > end:
                raise BadFraming("length-overrun", start)
            data, base, edge = self.data, self.base, self.edge
            pos, limit = after - base, end - base
        if pos != limit or delimited:
            raise BadFraming("length-overrun" if pos > limit else "delimiter-missing", base + pos)
        return end

    def items(self, at: int, length: int, end: int, tag: int, depth: int, explicit: bool) -> int:
        """Walk the items of a kept sequence whose value begins at `at`; returns the offset after it."""
        if depth >= DEPTH:
            raise BudgetExceeded("depth", at)
        level = self.table.items(tag)
        walker = self._explicit if explicit else self._implicit
        edit = self.edit
        undefined = length == UNDEFINED
        if not undefined:
            end = at + length
        number = 0
        charset, blocks, verdict = self.charset, self.blocks, self.verdict
        left = 0
        while undefined or at < end:
            item, size = self._item(at, end)
            if item == SEQUENCE_END and undefined and size == 0:
                at += 8
                break
            if item != ITEM:
                raise BadFraming("item-expected", at)
            number += 1
            if self.tracing:
                self.path.append(f"[{number}]")
            if blocks is not None:
                self.blocks = blocks.empty()
            if level.content:
                after = self._content(at, end, size, tag, explicit)
                if after:  # gone, with all below it
                    at = after
                    self.verdict = verdict
                    if self.tracing:
                        self.path.pop()
                    continue
                left += 1
            if size == UNDEFINED:
                at = walker(at + 8, end, level, depth + 1, True)
            else:
                if at + 8 + size > end:
                    raise BadFraming("length-overrun", at)
                mark = edit.mark()
                after = walker(at + 8, at + 8 + size, level, depth + 1, False)
                edit.relength(mark, at + 4, size)
                at = after
            if self.tracing:
                self.path.pop()
            self.charset, self.blocks, self.verdict = charset, blocks, verdict
        self.emptied = level.content and number > 0 and not left and not SEQUENCES.get(tag, False)
        return at

    def _content(self, at: int, end: int, size: int, sequence: int, explicit: bool) -> int:
        """Judge the content item at `at`; the offset after it where it goes, else 0 and the verdict is set."""
        content = self.table.content
        assert content is not None
        undefined = size == UNDEFINED
        if not undefined:
            if at + 8 + size > end:
                raise BadFraming("length-overrun", at)
            end = at + 8 + size
        pinned = sequence in PINNED
        if sequence == CONTENT_SEQUENCE:
            if self.by_position is None:
                self.by_position = refers_by_position(self.source)
            pinned = self.by_position
        head = peek(self._peek, at + 8, end, explicit, undefined, self.ends)
        self.verdict = content.verdict(head, self.verdict, pinned=pinned)
        if self.verdict.age:
            found = measures(self._peek, at + 8, end, explicit, undefined)
            self.verdict = content.of_age(self.verdict, above_89(found))
        if self.verdict.action is not ContentAction.REMOVE_ITEM:
            return 0
        after = after_item(self._peek, at + 8, end, explicit) if undefined else end
        self.edit.drop(at, after)
        if self.tracing:
            path = ".".join(self.path).replace(".[", "[")
            why = self.verdict
            self.trace.append(Traced(path, ITEM, "", Action.REMOVE, why.source, why.reason, at + 8, after - at - 8))
        return after

    def past(self, at: int, end: int, vr: bytes, tag: int, explicit: bool, depth: int = 0) -> int:
        """The offset after the undefined-length value that begins at `at`, without acting on anything in it."""
        if depth >= DEPTH:
            raise BudgetExceeded("depth", at)
        if (vr not in (b"", b"SQ", b"UN") or (vr == b"" and explicit)) and tag != PIXEL_DATA:
            raise BadFraming("length-undefined", at)
        explicit = explicit and vr == b"SQ"
        fragments = tag == PIXEL_DATA
        while True:
            item, size = self._item(at, end)
            if item == SEQUENCE_END:
                return at + 8
            if item != ITEM or (fragments and size == UNDEFINED):
                raise BadFraming("item-expected", at)
            at += 8
            if size != UNDEFINED:
                at += size
                if at > end:
                    raise BadFraming("length-overrun", at)
                continue
            while True:
                head = self._peek(at, 12)
                group, number, length = _TAG_LENGTH(head)
                inner = group << 16 | number
                if inner == ITEM_END:
                    at += 8
                    break
                at += 8
                inner_vr = head[4:6] if explicit else b""
                if explicit:
                    if inner_vr in SHORT_VRS:
                        length = _U16(head, 6)[0]
                    elif inner_vr in LONG_VRS:
                        length = _U32(head, 8)[0]
                        at += 4
                    else:
                        raise BadFraming("vr-unknown", at)
                if length == UNDEFINED:
                    at = self.past(at, end, inner_vr, inner, explicit, depth + 1)
                else:
                    at += length
                if at > end:
                    raise BadFraming("length-overrun", at)

    def _again(self, start: int, op: int) -> int:
        """Do to an element what was done to its like in another object; the offset after it, 0 where there is none."""
        at = start - self.base
        data = self.data
        length = 8 + (data[at + 6] | data[at + 7] << 8) if op & 15 == ALIKE else self.entries[op >> 4][4] - start
        element = data[at : at + length]
        outcome = self._known().elements.get(element)
        if outcome is None:
            return 0
        fresh, references = outcome
        if not fresh:
            self.edit.drop(start, start + length)
        elif fresh != element:
            self.edit.replace(start, start + length, fresh)
        self.references |= references
        return start + length

    def _anew(self, level: Level, tag: int, vr: bytes, start: int, header: int, length: int, depth: int) -> int:
        """Do to one element what its rule says, as `element`, and remember what that was."""
        data, at = self.data, start - self.base
        before, loosened = self.edit.mark(), len(self.loosened)
        others, self.references = self.references, set()
        self.personal = False
        after = self.element(level, tag, vr, start, header, length, depth)
        references = frozenset(self.references)
        self.references |= others
        element = data[at : at + after - start]
        whole = len(element) == after - start <= LONGEST
        hangs = self.personal or self.uids.hears or len(self.loosened) > loosened  # on more than its own bytes
        if whole and not hangs and _CONTENT not in element:
            learn(self._known(), element, start, self.edit, before, references)
        return after

    def _known(self) -> Known:
        """What became of elements of objects like this one. Who listens to the UIDs is to hear of each."""
        if self.uids.hears:
            return Known()
        if self.like is None or self.like[0] is not self.charset:
            known = alike(self.table, self.context, self.sop_class, self.cleaning, self.charset)
            self.like = self.charset, known
        return self.like[1]

    def _runs(self) -> dict[bytes, Same] | None:
        """The runs of objects like this one, as far as it is known by now; none where each element needs a look."""
        if self.tracing or self.blocks is not None or self.uids.hears:
            return None
        return self._known().repeated.runs

    def _same(self, run: Same, start: int) -> int:
        """Do to a run of elements what was done to it in another object; the offset after it, 0 where it is none."""
        at = start - self.base
        if not self.data.startswith(run.data, at):
            self._known().repeated.differs(run, self.data, at)
            return 0
        if run.first << 4 > self.stop:
            self.markers(start, run.first)
        if run.highest << 4 > self.stop:
            return 0  # a marker belongs within it
        after = start + run.size
        if not run.out:
            self.edit.drop(start, after)
        elif run.out != run.data:
            self.edit.replace(start, after, run.out)
        self.noted.update(run.noted)
        self.references |= run.references
        self.repeated += run.count
        return after

    def _learn(self, level: Level) -> None:
        """Remember the runs of this object, which came to its end: of elements whose outcome hangs on nothing else."""
        known, head = self._known(), self.head
        outcomes: dict[int, Outcome] = {}
        parts: list[Part | None] = []
        charset = CHARSET not in self.entries
        find = level.explicit.__getitem__ if self.explicit else level.implicit.__getitem__
        size = 6 if self.explicit else 4
        place = 0
        for tag, (_, start, _, length, after) in self.entries.items():
            element = head[start:after]
            op = find(element[:size])
            code = op & 15 if op >= 0 else LOOK
            outcome: Outcome | None = None
            if not charset or length < 0 or after > len(head):
                charset = charset or tag == CHARSET  # what stands before it was read in another
            elif code in (KEEP_SHORT, KEEP_LONG) or (code == NOTE and length <= NOTED_BYTES):
                outcome = Outcome(element, _NOBODY)
            elif code in (DROP_SHORT, DROP_LONG) or (op < 0 and tag & 0x10000):
                outcome = Outcome(b"", _NOBODY)
            elif code >= ALIKE:
                outcome = known.elements.get(element)
            marks = sum(tag >= before for before in self.before)
            if marks != place:
                place = marks
                parts.append(None)  # a marker stands here
            if outcome is not None:
                outcomes[tag] = outcome
                parts.append((tag, start, after))
            else:
                parts.append(None)
        found = (
            Same(head[chain[0][1] : chain[-1][2]], chain, outcomes, self.noted)
            for chain in known.repeated.chains(parts, head)
        )
        known.repeated.runs = {run.data[:KEY]: run for run in found}

    def value(self, at: int, length: int) -> bytes:
        """The bytes of a value."""
        offset = at - self.base
        if offset >= 0 and offset + length <= len(self.data):
            return self.data[offset : offset + length]
        found = self.source.pread(at, length)
        if len(found) != length:
            raise BadFraming("length-overrun", at)
        return found

    def is_sequence(self, tag: int) -> bool:
        """PS3.6 calls it a sequence."""
        return tag in SEQUENCE_TAGS

    def _item(self, at: int, end: int) -> tuple[int, int]:
        """Tag and length of the item or delimiter at `at`."""
        if at + 8 > end:
            raise BadFraming("delimiter-missing", at)
        group, number, length = _TAG_LENGTH(self._peek(at, 8))
        return group << 16 | number, length

    def _peek(self, at: int, length: int) -> bytes:
        offset = at - self.base
        if offset >= 0 and offset + length <= len(self.data):
            return self.data[offset : offset + length]
        return self.source.pread(at, length)

    def _fill(self, at: int) -> tuple[bytes, int, int]:
        """A window that begins at `at`."""
        self.data = self.source.pread(at, WINDOW)
        self.base = at
        if len(self.data) < 8:
            raise BadFraming("header-truncated", at)
        self.edge = self._edge()
        return self.data, at, self.edge

    def _edge(self) -> int:
        """The last place in the window where a header surely lies within it, or within the source."""
        return len(self.data) - (12 if self.base + len(self.data) < self.size else 8)


def _nothing(key: bytes) -> int:
    """The table of a traced walk: every element goes the slow way, where it is told."""
    return -1
