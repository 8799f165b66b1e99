# SPDX-License-Identifier: ISC
"""A session on a database, driven line by line; see tests/sql/shell.c."""

import json
import os
import queue
import subprocess
import tempfile
import threading

import lab

PROGRAM = lab.BUILD / "tests" / "sql" / "sql-shell"


def module(kind):
    return lab.BUILD / "src" / "modules" / f"{kind}.so"


class Shell:
    """Answers are dicts; events are counted by name."""

    def __init__(self, kind, environment=None, prefix=(), **place):
        words = [f"{key}={value}" for key, value in place.items()]
        self.log = tempfile.TemporaryFile()
        self.popen = subprocess.Popen(
            [*prefix, str(PROGRAM), kind, *words], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=self.log, encoding="utf-8",
            env={**os.environ, **(environment or {}),
                 # Below a lock-down no leak can be looked for.
                 **({"ASAN_OPTIONS": "detect_leaks=0"} if "locked" in place
                    else {})})
        self.pid = self.popen.pid
        self.events = {}
        self.answers = queue.Queue()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.popen.stdout:
            answer = json.loads(line)
            if "event" in answer:
                name = answer["event"]
                self.events[name] = self.events.get(name, 0) + 1
            else:
                self.answers.put(answer)

    def send(self, statement, *params):
        command = {"run": statement, "params": list(params)}
        self.popen.stdin.write(json.dumps(command) + "\n")
        self.popen.stdin.flush()

    def answer(self, limit=lab.LIMIT):
        def there():
            return not self.answers.empty() or self.popen.poll() is not None

        lab.wait_for(there, "an answer", limit)
        try:
            return self.answers.get(timeout=1)
        except queue.Empty:
            raise AssertionError(f"it ended\n{self.output()}") from None

    def run(self, statement, *params):
        self.send(statement, *params)
        return self.answer()

    def rows(self, statement, *params):
        answer = self.run(statement, *params)
        assert answer["fault"] == "none", (answer, self.output())
        return answer["rows"]

    def fault(self, statement, *params):
        answer = self.run(statement, *params)
        assert (answer["fault"] == "none") == (not answer["text"]), answer
        return answer["fault"]

    def works(self):
        """Once the connection is back."""
        return self.fault("SELECT 1") == "none"

    def event(self, name):
        return self.events.get(name, 0)

    def output(self):
        self.log.seek(0)
        return self.log.read().decode("utf-8")

    def lines(self, word):
        return [line for line in self.output().splitlines() if word in line]

    def memory(self):
        """KiB."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            return int(next(line.split()[1] for line in status
                            if line.startswith("VmRSS:")))

    def end(self):
        """Closes it: its exit code. A leak that a sanitizer finds is one."""
        self.popen.stdin.close()
        code = self.popen.wait(lab.LIMIT)
        self.reader.join(lab.LIMIT)
        return code

    def __enter__(self):
        return self

    def __exit__(self, kind, *rest):
        if kind is not None:
            self.popen.kill()
        code = self.end()
        output = self.output()
        self.log.close()
        assert kind is not None or code == 0, output
