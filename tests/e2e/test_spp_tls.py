# SPDX-License-Identifier: ISC
"""STARTTLS of relaypass-spp: it has a certificate, the server behind knows
nothing of TLS."""

import contextlib
import select
import socket
import ssl
import subprocess

import pytest

import lab
import test_spp_dialogues as dialogues

pytestmark = pytest.mark.skipif(
    not (lab.BUILD / "src/cmd/relaypass-spp-tls").exists(),
    reason="built without GnuTLS")


@pytest.fixture(name="certificate", scope="module")
def make_certificate(tmp_path_factory):
    return certificate_in(tmp_path_factory.mktemp("tls"))


def certificate_in(directory):
    """With its key."""
    file = directory / "server.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days",
         "2", "-subj", "/CN=mx.test.example", "-keyout", file, "-out",
         f"{file}.crt"], check=True, capture_output=True)
    file.write_bytes(file.read_bytes() +
                     file.with_suffix(".pem.crt").read_bytes())
    return file


class Session:
    def __init__(self, directory, certificate, env=(), plugins="", options=()):
        self.home = dialogues.Home(directory)
        self.home.write("control/smtpplugins", plugins)
        # TLS wants a real connection.
        listener = socket.create_server(("127.0.0.1", 0))
        self.raw = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
        listener.close()
        ours, self.process = self.home.start(
            env, [f"--certificate={certificate}", *options], client=theirs)
        assert ours is None
        theirs.close()
        self.talk = dialogues.Talk(self.raw)
        assert self.talk.line().startswith("220 ")

    def secure(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.talk = dialogues.Talk(context.wrap_socket(self.raw))

    def close(self):
        self.talk.client.close()
        assert self.process.wait(dialogues.LIMIT) == 0


@pytest.fixture(name="begin")
def make_session(tmp_path, certificate):
    made = []

    def begin(**kwargs):
        made.append(Session(tmp_path, certificate, **kwargs))
        return made[-1]

    yield begin
    for session in made:
        session.close()


def test_a_mail_through_tls(begin):
    s = begin(env=["SMTPD_AUTH=1"])
    said = s.talk.ask("EHLO client.example")
    assert "250-STARTTLS" in said or "250 STARTTLS" in said
    assert not [line for line in said if "PLAIN" in line]
    assert s.talk.ask("STARTTLS")[0].startswith("220 ")
    s.secure()
    said = s.talk.ask("EHLO client.example")
    assert not [line for line in said if "STARTTLS" in line]
    assert [line for line in said if "PLAIN" in line]
    assert s.talk.ask("AUTH PLAIN AGJvYgBzZWNyZXQ=")[0].startswith("235 ")
    s.talk.ask("MAIL FROM:<a@elsewhere.example>")
    assert s.talk.ask("RCPT TO:<b@foreign.example>") == ["250 ok"]
    assert s.talk.ask("DATA")[0].startswith("354 ")
    s.talk.send(b"x" * 70 + b"\r\n")
    big = (b"y" * 70 + b"\r\n") * 50000
    s.talk.send(big)
    assert s.talk.ask(".") == ["250 ok"]
    assert s.talk.ask("QUIT")[0].startswith("221 ")
    s.talk.end()
    message = (s.home.directory / "queue/message").read_bytes()
    assert message.count(b"\n") == 50002


def test_what_was_said_in_the_clear_is_forgotten(begin):
    """CVE-2011-0411: commands that somebody put behind STARTTLS."""
    s = begin(plugins="[mail]\n:echo \"P250-<$SMTPHELOHOST>\"\n")
    s.talk.ask("EHLO clear.example")
    s.talk.ask("MAIL FROM:<a@elsewhere.example>")
    s.talk.send(b"STARTTLS\r\nRCPT TO:<evil@test.example>\r\nNOOP\r\n")
    assert s.talk.line().startswith("220 ")
    s.secure()
    assert s.talk.ask("RCPT TO:<b@test.example>")[0].startswith("503 ")
    assert s.talk.ask("MAIL FROM:<a@elsewhere.example>") == \
        ["250-<>", "250 ok"]


def test_who_reads_while_it_writes_is_answered(begin):
    """More commands at once than all buffers on the way hold."""
    count = 50000
    s = begin()
    s.talk.ask("EHLO client.example")
    s.talk.ask("STARTTLS")
    s.secure()
    socket_ = s.talk.client
    socket_.setblocking(False)
    said, heard = memoryview(b"NOOP\r\n" * count), 0
    while heard < count:
        with contextlib.suppress(ssl.SSLWantReadError):
            heard += socket_.recv(65536).count(b"\n")
        with contextlib.suppress(ssl.SSLWantReadError,
                                 ssl.SSLWantWriteError):
            if said:
                said = said[socket_.send(said[:16384]):]
                continue
        assert heard == count or \
            select.select([socket_], [], [], dialogues.LIMIT)[0], heard
    assert heard == count
    socket_.settimeout(dialogues.LIMIT)


@pytest.mark.parametrize("when", ["handshake", "session"])
def test_it_ends_with_its_session(begin, when):
    """Who says nothing, or reads nothing, keeps no process alive."""
    s = begin(options=["--timeout=1"])
    s.talk.ask("EHLO client.example")
    s.talk.ask("STARTTLS")
    if when == "session":
        s.secure()
        s.talk.ask("EHLO client.example")
    children = lab.wait_for(lambda: [
        pid for pid in lab.children_of(s.process.pid)
        if "spp-tls" in lab.pathlib.Path(f"/proc/{pid}/cmdline").read_text()],
        "relaypass-spp-tls runs")
    assert s.process.wait(30) == 0
    assert not lab.is_running(children[0])


def test_a_handshake_that_is_none(begin):
    s = begin()
    s.talk.ask("EHLO client.example")
    s.talk.ask("STARTTLS")
    s.talk.send(b"NOOP\r\n" * 10)
    # It may send an alert, and it hangs up.
    while s.talk.receive():
        pass


def test_starttls_once_and_without_words(begin):
    s = begin()
    s.talk.ask("EHLO client.example")
    assert s.talk.ask("STARTTLS now")[0].startswith("501 ")
    s.talk.ask("STARTTLS")
    s.secure()
    assert s.talk.ask("STARTTLS")[0].startswith("503 ")


def test_a_key_of_another_certificate(begin, tmp_path_factory):
    """Told at STARTTLS, and the session goes on without."""
    key = certificate_in(tmp_path_factory.mktemp("other"))
    s = begin(options=[f"--key={key}"])
    s.talk.ask("EHLO client.example")
    assert s.talk.ask("STARTTLS")[0].startswith("454 ")
    s.talk.ask("MAIL FROM:<a@elsewhere.example>")
    assert s.talk.ask("RCPT TO:<b@test.example>") == ["250 ok"]


@pytest.mark.parametrize("missing", ["--certificate=/nonexistent.pem",
                                     "--key=/nonexistent.pem"])
def test_a_file_that_is_not_there(tmp_path, certificate, missing):
    """Told at the beginning, not when a client has said STARTTLS."""
    home = dialogues.Home(tmp_path)
    client, process = home.start(
        (), [f"--certificate={certificate}", missing])
    with client:
        assert dialogues.Talk(client).line().startswith("421 ")
    assert process.wait(dialogues.LIMIT) == 1
    assert "/nonexistent.pem: No such file" in home.log.read_text()
