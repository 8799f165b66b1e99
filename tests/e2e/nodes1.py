# SPDX-License-Identifier: ISC
"""Several relaypassd on this machine that tell each other of logins, each in a
directory of its own (site1.py); for three machines see replicas.py. What carries
between them is the test's."""

import contextlib

import site1

KEYS = "k1 0123456789abcdef0123456789abcdef0123456789\n"


class Node(site1.Site):
    """`more`: of its configuration, what tells the others and hears them; the
    files nodes.keys and password are in its directory."""

    def __init__(self, where, more, password="", keys=KEYS, before=()):
        super().__init__(where, before)
        for name, text in (("password", password), ("nodes.keys", keys)):
            (where / name).write_text(text, encoding="ascii")
            (where / name).chmod(0o600)
        self.write(self.text(more=more))


@contextlib.contextmanager
def made(count, make):
    """make(DIRECTORY) gives each; the test starts them."""
    with contextlib.ExitStack() as stack:
        nodes = []
        for _ in range(count):
            node = make(stack.enter_context(site1.directory()))
            stack.callback(node.stop)
            nodes.append(node)
        yield nodes


def addresses(count, net=100):
    return [f"198.51.{net + i // 250}.{i % 250 + 1}" for i in range(count)]
