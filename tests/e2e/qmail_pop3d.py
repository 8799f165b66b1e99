#!/usr/bin/python3
# SPDX-License-Identifier: ISC
"""qmail-popup, checkpassword and qmail-pop3d in one, for Debian has none of
them: the name it is called by says which. They start each other as
the real ones do: the name and the password go to descriptor 3 of a child,
which becomes that user and its next argument.

Knows the users of /etc/passwd with the password "secret". The mailbox is
empty; the file "report" in the user's home tells what qmail-pop3d was given."""

import os
import pwd
import sys


def say(text):
    os.write(1, text.encode() + b"\r\n")


def commands():
    for line in sys.stdin:
        verb, _, rest = line.strip().partition(" ")
        yield verb.upper(), rest


def start(name, password, argv):
    """As the real one does: waits for the server, and is its parent."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.dup2(reader, 3)
        os.set_inheritable(3, True)
        os.execvp(argv[0], argv)
    os.close(reader)
    os.write(writer, f"{name}\0{password}\0<stamp>\0".encode())
    os.close(writer)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def popup(argv):
    """qmail-popup HOST CHECKPASSWORD ARGUMENT..."""
    say(f"+OK <{os.getpid()}.1@{argv[0]}>")
    name = ""
    for verb, rest in commands():
        if verb == "USER":
            name = rest
            say("+OK")
        elif verb == "PASS":
            if start(name, rest, argv[1:]) == 1:
                say("-ERR authorization failed")
            return
        elif verb == "QUIT":
            say("+OK")
            return
        else:
            say("-ERR authorization first")


def checkpassword(argv):
    """checkpassword PROGRAM ARGUMENT..."""
    with os.fdopen(3, "rb") as pipe:
        name, password = pipe.read().split(b"\0")[:2]
    try:
        user = pwd.getpwnam(name.decode())
    except KeyError:
        sys.exit(1)
    if password != b"secret":
        sys.exit(1)
    os.setgroups([])
    os.setgid(user.pw_gid)
    os.setuid(user.pw_uid)
    os.chdir(user.pw_dir)
    os.environ.update(USER=user.pw_name, HOME=user.pw_dir, SHELL="/bin/sh")
    os.execvp(argv[0], argv)


def report():
    lines = [f"env {key}={value}" for key, value in os.environ.items()]
    for text in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{text}")
        except FileNotFoundError:
            continue  # it was listdir's own
        lines.append(f"fd {text}={target}")
    for task in os.listdir("/proc/self/task"):
        with open(f"/proc/self/task/{task}/children",
                  encoding="ascii") as file:
            lines += [f"child {pid}" for pid in file.read().split()]
    lines += [f"cwd {os.getcwd()}", f"uid {os.getuid()}",
              f"pid {os.getpid()}"]
    with open("report.new", "w", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")
    os.rename("report.new", "report")


def pop3d(_):
    """qmail-pop3d MAILDIR"""
    report()
    say("+OK")
    for verb, _ in commands():
        if verb == "STAT":
            say("+OK 0 0")
        elif verb == "QUIT":
            say("+OK")
            return
        else:
            say("-ERR")


if __name__ == "__main__":
    {"qmail-popup": popup, "checkpassword": checkpassword,
     "qmail-pop3d": pop3d, "pop3d": pop3d}[
         os.path.basename(sys.argv[0])](sys.argv[1:])
