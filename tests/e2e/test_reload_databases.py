# SPDX-License-Identifier: ISC
"""A reload while a database hangs: the supervisor goes on with its work, starts
who died, and takes the new configuration when the database's time is over."""

import json
import os
import signal

import lab
from databases import make_redis  # noqa: F401 (fixture)
from site1 import make_place  # noqa: F401 (fixture)
from test_doctor_databases import KEY, secret
from test_status import relaypass, status

CONFIG = """
relaypass {{ directory = "{dir}/ledger" run-directory = "{dir}"
             pattern-directory = "" answerers = 1 }}
lease    {{ never = {{"{never}"}} }}
listener ask   {{ kind = "ask" listen = "unix:{dir}/ask" }}
export   nodes {{ kind = "redis" servers = {{"{redis}"}}
                  keys = "{dir}/nodes.keys" }}
"""


def keeper(daemon):
    """Its pid; None while there is none."""
    text = relaypass(daemon, "status", "--json", codes=(0, 111))
    if not text.startswith("{"):
        return None
    return next((int(row["pid"]) for row in json.loads(text)["processes"]
                 if row["role"] == "keeper"), None)


def grant(daemon, address, codes=(0,)):
    relaypass(daemon, "grant", address, codes=codes)


def test_a_reload_does_not_wait_for_a_database(place, redis):
    config = CONFIG.format(dir=place, redis=redis.address,
                           never="203.0.113.9")
    secret(place / "nodes.keys", KEY)
    (place / "relaypass.conf").write_text(config, encoding="ascii")
    daemon = lab.Relaypassd(lab.Here(), place, config, place / "ask",
                            str(place / "relaypass.conf"))
    daemon.where = place
    daemon.start()
    try:
        lab.wait_for(lambda: status(daemon)["nodes"]["state"] == "good",
                     "the export is in step")
        before = keeper(daemon)
        redis.pause()
        try:
            daemon.write(config.replace("203.0.113.9", "203.0.113.8"))
            # A second one begins anew.
            daemon.process.signal(signal.SIGHUP)
            daemon.process.signal(signal.SIGHUP)
            os.kill(before, signal.SIGKILL)
            daemon.wait(lambda: keeper(daemon) not in (None, before),
                        "another keeper")
            # The reload is still under way.
            assert "answerers=" not in daemon.process.output()
            grant(daemon, "203.0.113.8")
            daemon.wait_log("answerers=kept")
        finally:
            redis.resume()
        lab.wait_for(lambda: keeper(daemon), "the new keeper")
        grant(daemon, "203.0.113.8", codes=(1,))
        grant(daemon, "203.0.113.9")
    finally:
        daemon.stop()
