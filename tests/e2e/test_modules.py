# SPDX-License-Identifier: ISC
"""What needs a database's library lies in modules: the programs are linked with
none of them, `meson install` puts the modules in place, and an installed
relaypassd finds them there."""

import json
import os
import shutil
import subprocess

import pytest

import lab

LIBRARIES = ("libpq", "libmariadb", "libmysqlclient", "libsqlite3",
             "libhiredis")
KINDS = ("postgresql", "mariadb", "sqlite", "redis")


def built():
    found = [kind for kind in KINDS
             if (lab.BUILD / "src" / "modules" / f"{kind}.so").exists()]
    if not found:
        pytest.skip("no module is built")
    return found


def libraries(path):
    return subprocess.run(["ldd", str(path)], check=True, encoding="utf-8",
                          stdout=subprocess.PIPE, timeout=lab.LIMIT).stdout


@pytest.mark.parametrize("name", ["relaypassd", "relaypass"])
def test_programs_are_linked_with_no_database(name):
    found = libraries(lab.program(name))
    assert "liblmdb" in found
    assert not [name for name in LIBRARIES if name in found], found


def test_modules_are_linked_with_their_own():
    own = {"postgresql": "libpq", "mariadb": "libmariadb",
           "sqlite": "libsqlite3", "redis": "libhiredis"}
    for kind in built():
        found = libraries(lab.BUILD / "src" / "modules" / f"{kind}.so")
        assert [name for name in LIBRARIES if name in found] == [own[kind]]


@pytest.fixture(name="installed", scope="module")
def make_installed(tmp_path_factory):
    """What meson would install, without building or copying anything else."""
    done = subprocess.run(
        ["meson", "introspect", "--install-plan", str(lab.BUILD)], check=True,
        stdout=subprocess.PIPE, encoding="utf-8", timeout=lab.LIMIT)
    plan = json.loads(done.stdout)
    tags = {row["tag"] for rows in plan.values() for row in rows.values()
            if "/relaypass/" in row["destination"] and
            row["destination"].endswith(".so")}
    assert tags == {"runtime"}
    target = tmp_path_factory.mktemp("install")
    subprocess.run(
        ["meson", "install", "-C", str(lab.BUILD), "--no-rebuild", "--quiet",
         "--tags", "runtime", "--destdir", str(target)], check=True,
        timeout=3 * lab.LIMIT, env={**os.environ, "LC_ALL": "C.UTF-8"})
    return target


def test_install_puts_modules_in_place(installed):
    for kind in built():
        module = installed / lab.MODULES[1:] / f"{kind}.so"
        assert module.is_file()
        assert module.stat().st_mode & 0o022 == 0


CONFIG = """
relaypass { pattern-directory = "" answerers = 1 }
listener ask { kind = "ask" listen = "unix:/run/relaypass/ask" }
export table {
  kind = "sql"
  engine = "sqlite"
  database = "/var/lib/relaypass-out/leases.sqlite"
  create-table = yes
}
"""


@pytest.mark.namespaces
def test_an_installed_program_finds_them(host, installed):
    if "sqlite" not in built():
        pytest.skip("sqlite.so is not built")
    shutil.copytree(installed / "usr/local", host.path("/usr/local"),
                    dirs_exist_ok=True)
    host.install_users()
    host.run("install", "-d", "-o", "relaypass-out", "-m", "0750",
             "/var/lib/relaypass-out")
    host.write("/etc/relaypass/relaypass.conf", CONFIG)
    daemon = ["/usr/local/sbin/relaypassd", "-t", "-c",
              "/etc/relaypass/relaypass.conf"]
    done = host.run(*daemon, check=False)
    assert done.returncode == 0, done.stdout
    # One that is missing is named, with what to do.
    module = host.path(f"{lab.MODULES}/sqlite.so")
    module.rename(module.with_suffix(".away"))
    try:
        done = host.run(*daemon, check=False)
    finally:
        module.with_suffix(".away").rename(module)
    assert done.returncode == 100, done.stdout
    assert f"{lab.MODULES}/sqlite.so" in done.stdout
    assert "INSTALL" in done.stdout
