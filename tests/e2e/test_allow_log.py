# SPDX-License-Identifier: ISC
"""Every yes is one line of the log, whichever listener said it: with address,
user and listener, and the mail's id where the protocol tells one."""

import datetime
import re

import pytest

import lab
import protocols
import talk

CUSTOMER = "203.0.113.7"
LOG = "/var/log/allowed.log"
CONF = f"""
source maillog {{ kind = "file" path = "{LOG}" }}
listener policy {{ kind = "postfix-policy" listen = "unix:/run/relaypass/p" }}
listener map {{ kind = "socketmap" listen = "unix:/run/relaypass/m" }}
listener table {{ kind = "tcp-table" listen = "inet:127.0.0.1:10041" }}
listener who {{ kind = "whoson" listen = "unix:/run/relaypass/w" }}
listener zone {{ kind = "dns" zone = "{protocols.ZONE}"
    listen = "udp:127.0.0.1:5353" }}
listener web {{ kind = "http" listen = "unix:/run/relaypass/h" }}
listener ask {{ kind = "ask" listen = "unix:/run/relaypass/ask" }}
"""


def policy(**more):
    fields = {"request": "smtpd_access_policy", "protocol_state": "RCPT",
              "client_address": CUSTOMER, "sender": "jo@test.example",
              "instance": "1f4a.691f8d3c.0", **more}
    return "".join(f"{key}={value}\n"
                   for key, value in fields.items()).encode() + b"\n"


ASK = {kind: protocol.ask(CUSTOMER)
       for kind, protocol in protocols.PROTOCOLS.items()}
# listener, where, the question, a word of the answer, the mark in the log
CASES = [
    ("policy", ("unix", "/run/relaypass/p"), policy(), b"action=OK",
     "1f4a.691f8d3c.0"),
    ("policy", ("unix", "/run/relaypass/p"), policy(queue_id="4D8T2x1Qz9"),
     b"action=OK", "4D8T2x1Qz9"),
    # What no Postfix writes is no mark, and no second field of the line.
    ("policy", ("unix", "/run/relaypass/p"),
     policy(instance="x user=eve"), b"action=OK", "-"),
    ("map", ("unix", "/run/relaypass/m"), ASK["socketmap"], b"OK", "-"),
    ("table", ("tcp", "127.0.0.1", 10041), ASK["tcp-table"], b"200", "-"),
    ("ask", ("unix", "/run/relaypass/ask"), ASK["ask"], b"allow", "-"),
    ("who", ("unix", "/run/relaypass/w"), ASK["whoson"], b"+", "-"),
    ("zone", ("udp", "127.0.0.1", 5353),
     protocols.dns_message(CUSTOMER), b"\x7f\0\0\2", "-"),
    ("web", ("unix", "/run/relaypass/h"), ASK["http"], b"200 OK", "-"),
]


@pytest.mark.namespaces
def test_every_yes_is_a_line(host, relaypassd):
    host.install_users()
    now = datetime.datetime.now(datetime.timezone.utc)
    host.write(LOG, f"{now:%Y-%m-%dT%H:%M:%SZ} mx dovecot: imap-login: Login: "
               f"user=<jo>, method=PLAIN, rip={CUSTOMER}, "
               "lip=198.51.100.1, mpid=1, TLS, session=<x>\n")
    daemon = relaypassd(host, CONF)
    daemon.wait_leased(CUSTOMER)
    talker = talk.Talker.on_host(host)

    def lines(listener, mark):
        return re.findall(
            rf"relay\.allow ip={re.escape(CUSTOMER)} user=jo "
            rf"listener={listener} mark={re.escape(mark)} .*by=lease ttl=\d+",
            daemon.process.output())

    for listener, place, question, word, mark in CASES:
        before = len(lines(listener, mark))
        number = talker.open(*place)
        assert word in talker.ask(number, question), listener
        talker.close(number)
        lab.wait_for(lambda listener=listener, mark=mark, before=before:
                     len(lines(listener, mark)) == before + 1,
                     f"the line of {listener}")
    # Nothing holds them back, however many there are.
    number = talker.open("unix", "/run/relaypass/ask")
    before = len(lines("ask", "-"))
    batch, batches = 100, 80
    for _ in range(batches):
        talker.say(number, f"check {CUSTOMER}\n".encode() * batch)
        heard = 0
        while heard < batch:
            heard += talker.hear(number).count(b"\n")
    lab.wait_for(lambda: len(lines("ask", "-")) == before + batch * batches,
                 f"{batch * batches} lines")
    talker.close()
