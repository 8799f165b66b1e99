# SPDX-License-Identifier: ISC
"""docs/filters.md with the real tcpserver and rblsmtpd: RBLSMTPD="" from
relaypass-run and from the export "tcprules". qmail-smtpd is ours: Debian has
none. Debian's tcpserver knows IPv4 only."""

import pytest

import exports
import filters
import lab
import test_qmail

pytestmark = [pytest.mark.namespaces, pytest.mark.needs("tcpserver")]

CDB = f"{exports.OUT}/tcp.smtp.cdb"


@pytest.fixture(scope="module", name="chain")
def make_chain(host):
    """Port 25: examples/qmail-rblsmtpd-run. Port 2525: rules of the export
    and no relaypass-run."""
    if lab.Here().run("which", "rblsmtpd", check=False).returncode:
        pytest.skip("needs ucspi-tcp: tools/install-deps test")
    test_qmail.install_qmail(host)
    filters.prepare(host)
    run = exports.example("qmail-rblsmtpd-run")
    cdb = run.replace("relaypass-run --env RBLSMTPD -- ", "").replace(
        "0 25", "0 2525").replace("/etc/tcp.smtp.cdb", CDB)
    assert "relaypass-run --env" not in cdb
    for name, text, port in (("run", run, 25), ("cdb", cdb, 2525)):
        host.write(f"/var/qmail/{name}", text, 0o755)
        host.start([f"/var/qmail/{name}"], host.directory / f"{name}.log")
        lab.wait_for(lambda port=port: host.listens(port), "tcpserver listens")
    return host


def blocked(client, port, recipient=test_qmail.FOREIGN):
    answer = filters.send(client, "ipv4", recipient, port)
    if answer["code"] == 250:
        return False
    assert answer["code"] == 451 and "listed" in answer["text"], answer
    return True


@pytest.mark.parametrize("port, conf", [
    (25, "relaypass-qmail.conf"), (2525, "relaypass-filters.conf")])
def test_a_lease_passes_rblsmtpd(
        chain, relaypassd, customer, stranger, port, conf):
    chain.write(exports.MAIL_LOG, "")
    chain.path(CDB).unlink(missing_ok=True)
    daemon = relaypassd(chain, exports.example(conf))
    if port == 2525:
        lab.wait_for(chain.path(CDB).exists, "the rules")
    assert blocked(customer, port)
    exports.lease(chain, daemon, customer.v4)
    lab.wait_for(lambda: not blocked(customer, port), "the lease there")
    assert blocked(stranger, port, test_qmail.LOCAL)
    daemon.clock.advance(exports.TTL_MS + 1000)
    lab.wait_for(lambda: blocked(customer, port), "the end there")
