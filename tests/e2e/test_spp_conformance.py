# SPDX-License-Identifier: ISC
"""Every order of a plugin in every section, from plugins in shell, Perl and C:
what qmail-spp's README and source say of it."""

import shutil
import subprocess

import pytest

import test_spp_dialogues as dialogues

# Each prints the file `orders`.
SHELL = "#!/bin/sh\nexec cat orders\n"
PERL = """#!/usr/bin/perl
use strict; use warnings;
open(my $file, '<', 'orders') or die;
print while <$file>;
"""
C = r"""
#include <stdio.h>
int main(void)
{
	FILE *f = fopen("orders", "r");
	for (int c; f && (c = getc(f)) != EOF;)
		putchar(c);
	return 0;
}
"""
STEPS = {"connection": "", "helo": "HELO client.example",
         "mail": "MAIL FROM:<a@elsewhere.example>",
         "rcpt": "RCPT TO:<b@test.example>", "data": "DATA"}
USUAL = {"connection": "220 mx.test.example ESMTP",
         "helo": "250 mx.test.example", "mail": "250 ok", "rcpt": "250 ok",
         "data": "354 go ahead"}
SECTIONS = list(STEPS)
ORDERS = ["A", "N", "O", "E550 no", "R550 no", "D", "LM550 later",
          "LR550 later", "LD550 later", "SNAME=value", "UCOLOUR", "HX-Y: z",
          "Cnew@test.example", "P250-said", "Xunknown", ""]
LATER = {"LM": "mail", "LR": "rcpt", "LD": "data"}


@pytest.fixture(name="plugin", scope="module", params=["shell", "perl", "c"])
def make_plugin(request, tmp_path_factory):
    path = tmp_path_factory.mktemp("plugin") / "plugin"
    if request.param == "c":
        source = path.with_suffix(".c")
        source.write_text(C)
        subprocess.run(["cc", "-o", path, source], check=True)
    else:
        path.write_text(SHELL if request.param == "shell" else PERL)
        path.chmod(0o755)
    return path


def expected(section, order):
    """What each step answers, a list; None: it hangs up."""
    answers = {step: [USUAL[step]] for step in SECTIONS}
    if order.startswith("E"):
        answers[section] = ["550 no"]
    elif order.startswith("R"):
        answers[section] = ["550 no", None]
    elif order == "D":
        answers[section] = [None]
    elif order.startswith("P"):
        answers[section].insert(0, "250-said")
    elif order[:2] in LATER:
        # What is stored in a section itself was not there at its beginning.
        later = LATER[order[:2]]
        if SECTIONS.index(later) > SECTIONS.index(section):
            answers[later] = ["550 later"]
    return answers


def message_of(home):
    queue = home.directory / "queue"
    return [(queue / name).read_text("latin-1") if (queue / name).exists()
            else "" for name in ("message", "envelope", "environ")]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("section", SECTIONS)
def test_order(tmp_path, plugin, section, order):
    home = dialogues.Home(tmp_path)
    shutil.copy(plugin, tmp_path / "plugin")
    home.write("orders", order + "\n")
    # A second plugin tells whether the rest of the section ran, a third
    # whether plugins still run in the next one.
    following = [*SECTIONS, "none"][SECTIONS.index(section) + 1]
    home.write("control/smtpplugins",
               f"[{section}]\nplugin\n:echo SAFTER=yes\n"
               f"[{following}]\n:echo SLATER=yes\n")
    client, process = home.start(["COLOUR=blue"])
    talk = dialogues.Talk(client)
    want = expected(section, order)
    try:
        for step in SECTIONS:
            if step != "connection":
                talk.send(STEPS[step].encode() + b"\r\n")
            for line in want[step]:
                if line is None:
                    talk.end()
                    return
                assert talk.line() == line, step
            if want[step][-1] != USUAL[step] and step != "connection" and \
                    step != "helo":
                return
        talk.send(b"x\r\n.\r\nQUIT\r\n")
        assert talk.line() == "250 ok"
        talk.line()
    finally:
        client.close()
        assert process.wait(dialogues.LIMIT) == 0
    message, envelope, environ = message_of(home)
    assert ("X-Y: z\n" in message) == order.startswith("H")
    assert ("NAME=value\n" in environ) == order.startswith("S")
    assert ("COLOUR=blue\n" in environ) != order.startswith("U")
    assert ("AFTER=yes\n" in environ) == (order[:1] not in tuple("ANOE"))
    assert ("LATER=yes\n" in environ) == (order != "A" and section != "data")
    new = order.startswith("C")
    assert ("Fnew@test.example" in envelope) == (new and section == "mail")
    assert ("Tnew@test.example" in envelope) == (new and section == "rcpt")


@pytest.mark.parametrize("order", ["E535 no", "R535 no", "D", "N", "SNAME=x"])
def test_order_in_auth(tmp_path, plugin, order):
    home = dialogues.Home(tmp_path)
    shutil.copy(plugin, tmp_path / "plugin")
    home.write("orders", order + "\n")
    home.write("control/smtpplugins", "[auth]\nplugin\n")
    client, process = home.start(["SMTPD_AUTH=1"], ["--auth-without-tls"])
    talk = dialogues.Talk(client)
    try:
        talk.line()
        talk.ask("EHLO x")
        talk.send(b"AUTH PLAIN AGJvYgBzZWNyZXQ=\r\n")
        if order != "D":
            assert talk.line() == ("535 no" if order[0] in "ER" else
                                   "235 ok (#2.0.0)")
        if order[0] in "RD":
            talk.end()
    finally:
        client.close()
        assert process.wait(dialogues.LIMIT) == 0
