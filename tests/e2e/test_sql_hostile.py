# SPDX-License-Identifier: ISC
"""What says it is PostgreSQL or MariaDB and is not: nonsense, half of the
truth, silence, floods. It is a fault within the time limit, never a crash."""

import struct

import pytest

import hostile
import sql_shell

KINDS = ["postgresql", "mariadb"]
FAULTS = ("gone", "login", "other")
PASSWORD = "lease-secret"


def shell(kind, fake, timeout=300):
    if not sql_shell.module(kind).exists():
        pytest.skip(f"{kind}.so is not built")
    return sql_shell.Shell(kind, **{
        **fake.place, "database": "relaypass", "user": "relaypass",
        "password": PASSWORD, "timeout": timeout})


def bears(kind, talk, statement="SELECT 1", params=()):
    """It lives, and has an answer for everybody in time."""
    with hostile.Listener(talk) as fake, shell(kind, fake) as sh:
        answer = sh.run(statement, *params)
        assert sh.popen.poll() is None
        return answer, sh.lines("database=lost")


# --- before anything is agreed upon ---

GREETING = hostile.greeting()
ANYWHERE = {
    "closes": hostile.closes,
    "silent": hostile.is_silent,
    "http": hostile.says_after(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "smtp": hostile.says(b"220 mx.example.org ESMTP\r\n"),
    "floods": hostile.floods,
    **{f"random-{n}": hostile.says_after(hostile.random_bytes(n, 300))
       for n in range(6)},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("talk", ANYWHERE.values(), ids=ANYWHERE)
def test_nonsense(kind, talk):
    answer, lost = bears(kind, talk)
    assert answer["fault"] in FAULTS
    assert len(lost) == 1


MARIADB = {
    "half": hostile.says(GREETING[:20]),
    "greets": hostile.says(GREETING),
    "empty": hostile.says(hostile.packet(0, b"")),
    "huge": hostile.says(b"\xff\xff\xff\0" + bytes(1000)),
    "huge-again": hostile.says((b"\xff\xff\xff\0" + bytes(0xffffff)) * 3),
    "old": hostile.says(hostile.packet(0, b"\x09old\0")),
    "error": hostile.says(hostile.packet(0, b"\xff\x10\x04Too many")),
    "short-error": hostile.says(hostile.packet(0, b"\xff")),
    **{f"random-{n}": hostile.says(hostile.random_bytes(n, 300))
       for n in range(6)},
    **{f"cut-{n}": hostile.says_and_closes(GREETING[:n])
       for n in range(1, len(GREETING), 13)},
}


@pytest.mark.parametrize("talk", MARIADB.values(), ids=MARIADB)
def test_mariadb_greets_with_nonsense(talk):
    answer, lost = bears("mariadb", talk)
    assert answer["fault"] in FAULTS
    assert len(lost) == 1


def message(kind, body):
    """Of PostgreSQL's protocol."""
    return kind + struct.pack("!I", len(body) + 4) + body


def auth(number, data=b""):
    return message(b"R", struct.pack("!I", number) + data)


READY = message(b"Z", b"I")
POSTGRESQL = {
    "error": message(b"E", b"SFATAL\0C28P01\0Mno\nway\x1b[1m\0\0"),
    "short-error": message(b"E", b"S"),
    "empty-error": message(b"E", b""),
    "old-error": b"Esome text\0",
    "unknown-auth": auth(77),
    "short-auth": message(b"R", b"\0"),
    "kerberos": auth(7),
    "no-mechanism": auth(10, b"\0"),
    "other-mechanism": auth(10, b"NONSENSE\0\0"),
    "sasl": auth(10, b"SCRAM-SHA-256\0\0") + auth(11, b"r=x,s=y,i=0"),
    "sasl-huge": auth(10, b"SCRAM-SHA-256\0\0")
        + auth(11, b"r=,s=,i=99999999999"),
    "sasl-done": auth(10, b"SCRAM-SHA-256\0\0") + auth(12, b"v=AAAA"),
    "negative": b"R\xff\xff\xff\xff",
    "huge": b"R\x7f\xff\xff\xff" + bytes(1000),
    "ready-at-once": READY,
    "keys": auth(0) + message(b"K", b"\0"),
    "parameter": auth(0) + message(b"S", b"client_encoding\0NONSENSE\0")
        + message(b"S", b"x"),
    "row-at-once": auth(0) + message(b"D", b"\0\1\0\0\0\1x") + READY,
}


@pytest.mark.parametrize("data", POSTGRESQL.values(), ids=POSTGRESQL)
def test_postgresql_greets_with_nonsense(data):
    answer, lost = bears("postgresql", hostile.says_after(data))
    assert answer["fault"] in FAULTS
    assert "\x1b" not in answer["text"]
    assert len(lost) == 1


# --- in place of an answer ---


def mariadb_answers():
    good = hostile.row_of(1, b"1")
    answers = {"nothing": b"", "empty": hostile.packet(1, b""),
               "many-columns": hostile.packet(1, b"\xfc\xff\xff"),
               "too-many": hostile.packet(1, b"\xfe" + b"\xff" * 8),
               "null-count": hostile.packet(1, b"\xfd"),
               "another-number": hostile.packet(9, b"\1"),
               "more-results": hostile.packet(1, b"\0\0\0\x0a\0\0\0")}
    for n in range(5, len(good), 11):
        answers[f"cut-{n}"] = good[:n]
    for n in range(16):
        where = 4 + n * 5 % (len(good) - 4)
        answers[f"hurt-{n}"] = good[:where] + hostile.random_bytes(n, 2) \
            + good[where + 2:]
        answers[f"random-{n}"] = hostile.packet(
            1, hostile.random_bytes(n, 3 * n + 1))
    return answers


MARIADB_ANSWERS = mariadb_answers()


@pytest.mark.parametrize("answer", MARIADB_ANSWERS.values(),
                         ids=MARIADB_ANSWERS)
def test_mariadb_answers_nonsense(answer):
    bears("mariadb", hostile.MariaDBTalk(answer=lambda number: answer))


@pytest.mark.parametrize("seed", range(24))
def test_mariadb_prepares_nonsense(seed):
    def talk(server, sock):
        plain = hostile.MariaDBTalk()
        sock.sendall(GREETING)
        number, _ = plain.read(server, sock)
        sock.sendall(hostile.packet(number + 1, hostile.OK))
        while True:
            number, body = plain.read(server, sock)
            if body[0] == hostile.STATISTICS:
                sock.sendall(hostile.packet(1, b"Uptime: x"))
            elif body[0] == hostile.QUERY:
                sock.sendall(hostile.packet(1, hostile.OK))
            elif seed % 2:
                sock.sendall(hostile.packet(
                    1, hostile.random_bytes(seed, seed % 20)))
            else:
                # One parameter, one column; then anything.
                sock.sendall(hostile.packet(
                    1, b"\0\1\0\0\0\1\0\1\0\0\0\0")
                    + hostile.packet(2, hostile.random_bytes(seed, 30))
                    + hostile.packet(3, hostile.END)
                    + hostile.row_of(4, b"x")[5:])

    bears("mariadb", talk, "SELECT ?", ["a"])


def postgresql_answers():
    column = message(b"T", b"\0\1x\0" + struct.pack("!IHIHIH", 0, 0, 25,
                                                    0xffff, 0, 0))
    row, done = message(b"D", b"\0\1\0\0\0\1x"), message(b"C", b"SELECT 1\0")
    good = message(b"1", b"") + message(b"2", b"") + column + row + done \
        + READY
    answers = {"nothing": b"", "ready": READY, "row-alone": row + READY,
               "done-twice": done + done + READY,
               "no-ready": done, "copy-in": message(b"G", b"\0\0\0"),
               "copy-out": message(b"H", b"\0\0\0"),
               "copy-both": message(b"W", b"\0\0\0"),
               "columns": message(b"T", b"\xff\xff") + READY,
               "longer-row": column
               + message(b"D", b"\0\1\x7f\xff\xff\xffx") + READY,
               "more-values": column
               + message(b"D", b"\0\2\0\0\0\1x\0\0\0\1y") + done + READY,
               "notice": message(b"N", b"M" + b"x" * 5000 + b"\0\0") * 50,
               "notify": message(b"A", b"\0\0\0\1") + READY,
               "unknown": message(b"?", b"") + READY,
               "number": done[:-2] + b"\xff\0" + READY}
    for n in range(1, len(good), 11):
        answers[f"cut-{n}"] = good[:n]
    for n in range(16):
        where = n * 5 % (len(good) - 2)
        answers[f"hurt-{n}"] = good[:where] + hostile.random_bytes(n, 2) \
            + good[where + 2:]
        answers[f"random-{n}"] = hostile.random_bytes(n, 3 * n + 1)
    return answers


POSTGRESQL_ANSWERS = postgresql_answers()


@pytest.mark.parametrize("answer", POSTGRESQL_ANSWERS.values(),
                         ids=POSTGRESQL_ANSWERS)
def test_postgresql_answers_nonsense(answer):
    def talk(server, sock):
        server.hear(sock)
        sock.sendall(auth(0) + message(b"K", struct.pack("!II", 9, 9)) + READY)
        server.hear(sock)  # what is set in a session
        sock.sendall(message(b"C", b"SET\0") + READY)
        while True:
            server.hear(sock)
            sock.sendall(answer)

    bears("postgresql", talk)
