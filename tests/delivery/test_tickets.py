from __future__ import annotations

import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode

import pytest
from hypothesis import given, strategies as st

from ottserver.delivery.tickets import MEMO_LIMIT, SKEW_SECONDS, Refusal, Ticket, TicketRefused, Tickets

SECRET = b"0123456789abcdef0123456789abcdef"
HOUR = 3600
SESSION, VIDEO, FILM = str(uuid.uuid4()), str(uuid.uuid4()), uuid.uuid4().hex


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def issue(tickets: Tickets, session_id: str = SESSION, max_height: int = 720) -> str:
    return tickets.issue(session_id=session_id, video_id=VIDEO, presentation_id=FILM, max_height=max_height)


def refusal(tickets: Tickets, text: str) -> Refusal:
    with pytest.raises(TicketRefused) as refused:
        tickets.verify(text)
    return refused.value.reason


def test_genuine_ticket_says_what_was_put_in() -> None:
    clock = Clock()
    tickets = Tickets(SECRET, lifetime_seconds=12 * HOUR, now=clock)
    expected = Ticket(SESSION, VIDEO, FILM, int(clock.now) + 12 * HOUR, 720)
    text = issue(tickets)
    assert tickets.verify(text) == expected
    assert tickets.verify(text) == expected


def test_another_process_with_the_same_secret_agrees() -> None:
    text = issue(Tickets(SECRET, lifetime_seconds=HOUR))
    assert Tickets(SECRET, lifetime_seconds=HOUR).verify(text).session_id == SESSION


def test_ticket_of_another_secret_is_forged() -> None:
    assert refusal(Tickets(SECRET[::-1], lifetime_seconds=HOUR), issue(Tickets(SECRET, lifetime_seconds=HOUR))) is (
        Refusal.FORGED
    )


@given(st.integers(0, 75 * 8 - 1))
def test_ticket_with_any_flipped_bit_is_forged(bit: int) -> None:
    tickets = Tickets(SECRET, lifetime_seconds=HOUR)
    data = bytearray(urlsafe_b64decode(issue(tickets)))
    data[bit // 8] ^= 1 << bit % 8
    assert refusal(tickets, urlsafe_b64encode(data).decode()) is Refusal.FORGED


@given(st.integers(0, 99))
def test_cut_ticket_is_forged(length: int) -> None:
    tickets = Tickets(SECRET, lifetime_seconds=HOUR)
    assert refusal(tickets, issue(tickets)[:length]) is Refusal.FORGED


@given(st.text(max_size=200))
def test_any_text_is_refused_and_never_breaks(text: str) -> None:
    assert refusal(Tickets(SECRET, lifetime_seconds=HOUR), text) is Refusal.FORGED


@pytest.mark.parametrize("spoil", ["{}=", "{}A", " {}", "{}\n", "{}%3D"])
def test_same_bytes_in_another_writing_are_forged(spoil: str) -> None:
    tickets = Tickets(SECRET, lifetime_seconds=HOUR)
    assert refusal(tickets, spoil.format(issue(tickets))) is Refusal.FORGED


def test_expired_ticket_is_refused_even_when_it_was_known() -> None:
    clock = Clock()
    tickets = Tickets(SECRET, lifetime_seconds=HOUR, now=clock)
    text = issue(tickets)
    clock.now += HOUR - 1
    assert tickets.verify(text).session_id == SESSION
    clock.now += 1
    assert refusal(tickets, text) is Refusal.EXPIRED
    assert refusal(Tickets(SECRET, lifetime_seconds=HOUR, now=clock), text) is Refusal.EXPIRED


def test_revoked_session_is_refused_and_others_are_not() -> None:
    tickets = Tickets(SECRET, lifetime_seconds=HOUR)
    mine, other = issue(tickets), issue(tickets, session_id=str(uuid.uuid4()))
    tickets.verify(mine)
    tickets.revoke(SESSION)
    assert refusal(tickets, mine) is Refusal.REVOKED
    assert tickets.verify(other).video_id == VIDEO


@given(st.floats(0, 10 * 24 * HOUR))
def test_ticket_outlives_every_change_of_keys(start: float) -> None:
    clock = Clock()
    clock.now += start
    tickets = Tickets(SECRET, lifetime_seconds=12 * HOUR, now=clock)
    text = issue(tickets)
    clock.now += 12 * HOUR - 2
    assert Tickets(SECRET, lifetime_seconds=12 * HOUR, now=clock).verify(text).session_id == SESSION


@given(st.floats(0, 10 * 24 * HOUR))
def test_ticket_of_a_machine_whose_clock_is_ahead_is_good(start: float) -> None:
    ahead, behind = Clock(), Clock()
    behind.now += start
    ahead.now = behind.now + SKEW_SECONDS - 1
    text = issue(Tickets(SECRET, lifetime_seconds=HOUR, now=ahead))
    assert Tickets(SECRET, lifetime_seconds=HOUR, now=behind).verify(text).session_id == SESSION


def test_key_is_no_longer_believed_after_two_periods() -> None:
    clock = Clock()
    tickets = Tickets(SECRET, lifetime_seconds=HOUR, now=clock)
    text = issue(tickets)
    clock.now += 3 * 24 * HOUR
    assert refusal(Tickets(SECRET, lifetime_seconds=HOUR, now=clock), text) is Refusal.FORGED


def test_revocation_holds_however_many_tickets_are_remembered() -> None:
    tickets = Tickets(SECRET, lifetime_seconds=HOUR)
    first = issue(tickets)
    tickets.verify(first)
    tickets.revoke(SESSION)
    for height in range(MEMO_LIMIT + 1):
        tickets.verify(issue(tickets, session_id=VIDEO, max_height=height))
    assert refusal(tickets, first) is Refusal.REVOKED
