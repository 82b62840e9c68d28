"""Frames between supervisor and worker: whole, in order, with their sockets, and never a wait where none is wanted."""

from __future__ import annotations

import os
import socket

import pytest

from gateway.app import control
from gateway.app.control import Frame, Word


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_frames_come_in_order_with_their_sockets(pair) -> None:
    ours, theirs = pair
    read, write = os.pipe()
    control.send(ours, Frame(Word.TAKE, 7, "hospital", "192.0.2.1"), read, wait=False)
    control.send(ours, Frame(Word.LET_GO, 7))
    os.close(read)
    (first, descriptor), (second, none) = control.frames(theirs, 64)
    assert first == Frame(Word.TAKE, 7, "hospital", "192.0.2.1") and second == Frame(Word.LET_GO, 7)
    assert none is None and descriptor is not None
    os.write(write, b"x")
    assert os.read(descriptor, 1) == b"x", "another file came through"
    os.close(descriptor)
    os.close(write)


def test_nothing_there_is_no_frame_and_the_end_is_told_once(pair) -> None:
    ours, theirs = pair
    assert list(control.frames(theirs, 64)) == []
    control.send(ours, Frame(Word.DRAIN))
    ours.close()
    assert [frame for frame, _ in control.frames(theirs, 64)] == [Frame(Word.DRAIN), None]


def test_no_more_than_asked_for(pair) -> None:
    ours, theirs = pair
    for number in range(5):
        control.send(ours, Frame(Word.CLOSED, number))
    assert [frame.connection for frame, _ in control.frames(theirs, 3) if frame] == [0, 1, 2]


def test_a_worker_that_does_not_read_holds_up_nobody(pair) -> None:
    ours, theirs = pair
    sent = 0
    with pytest.raises(BlockingIOError):
        for sent in range(100000):
            control.send(ours, Frame(Word.TAKE, sent, "hospital"), theirs.fileno(), wait=False)
    assert sent > 50
    found = [
        frame.connection
        for frame, descriptor in control.frames(theirs, 100000)
        if frame and not os.close(descriptor or -1)
    ]
    assert found == list(range(sent)), "what was refused was half written"
