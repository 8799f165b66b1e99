# SPDX-License-Identifier: ISC
"""Dovecot's configuration file. The tests write it in the words of Dovecot
2.3; where 2.4 is installed, the same is said in its words."""

import functools
import hashlib
import re
import subprocess

import lab

HEAD = "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"

# pattern of 2.3, what 2.4 has instead; in this order
WORDS = (
    (r"disable_plaintext_auth = no", "auth_allow_cleartext = yes"),
    (r"mail_location = maildir:(.*)",
     r"mail_driver = maildir\nmail_path = \1"),
    (r"ssl_(cert|key) = <", r"ssl_server_\1_file = "),
    # They have names now; two of one name would be one.
    (r"(passdb|userdb) {", lambda found: f"{found[1]} {found.start()} {{"),
    (r"  args = (.*)", lambda found: args(found[1])),
    (r"(?ms)^plugin {\n(.*?)^}", r"\1"),
    (r"default_vsz_limit = 0", "default_vsz_limit = unlimited"),
    (r"= \$default_", "= $SET:default_"),
    (r"%{sha256:user}", "%{user | sha256}"),
    (r"%([a-z])", lambda found: f"%{{{VARIABLES[found[1]]}}}"),
)
# A word of `args` that is a setting now. The others are fields.
SETTINGS = {
    "password": "passdb_static_password",
    "allow_all_users": "userdb_static_allow_all_users",
    "scheme": "passdb_default_password_scheme",
    "username_format": "auth_username_format",
}
VARIABLES = {"u": "user", "m": "mechanism", "r": "remote_ip", "l": "local_ip",
             "c": "secured"}


@functools.cache
def version():
    """(2, 3), (2, 4)"""
    said = subprocess.run(["dovecot", "--version"], check=True,
                          stdout=subprocess.PIPE, encoding="ascii").stdout
    return tuple(int(part) for part in said.split(".")[:2])


def args(words):
    """The lines for an `args` of passdb or userdb."""
    settings, fields = [], []
    for word in words.split():
        name, is_pair, value = word.partition("=")
        if not is_pair:
            settings.append(f"passwd_file_path = {word}")
        elif name in SETTINGS:
            settings.append(f"{SETTINGS[name]} = {value}")
        else:
            fields.append(f"  {name} = {value}")
    if fields:
        settings += ["fields {", *fields, "}"]
    return "\n".join("  " + line for line in settings)


def in_its_words(text):
    """What stands there, as the installed Dovecot has it."""
    if version() < (2, 4):
        return text
    for pattern, instead in WORDS:
        text = re.sub(pattern, instead, text)
    return HEAD + text


def example(name):
    """The path of the example for the installed Dovecot."""
    if version() >= (2, 4):
        name = name.replace("dovecot-", "dovecot-2.4-")
    return lab.EXAMPLES / name


def write(host, text, example_text=""):
    """An example stands there as it is."""
    host.write("/etc/dovecot/dovecot.conf",
               in_its_words(text) + example_text)


def sha256_of(name):
    """%{sha256:user}. Before 2.4, quotes are escaped before that."""
    if version() < (2, 4):
        name = re.sub(r"""(["'\\])""", r"\\\1", name)
    return hashlib.sha256(
        name.encode("utf-8", "surrogateescape")).hexdigest()
