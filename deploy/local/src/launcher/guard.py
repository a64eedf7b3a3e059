"""Runs a command that ends when its parent does: ``python guard.py PARENT_PID SIGNAL USER COMMAND...``.

Executed as a file by a bare interpreter (about 10 ms), so it imports nothing of ours. Only Linux can tie a child to its
parent; elsewhere the launcher finds what a killed one left behind when it starts again.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1


def main(parent: int, death_signal: int, user: str, command: list[str]) -> None:
    """Becomes the command, as the user if one is named."""
    if user:
        _become(user)
    # After the change of user, which would undo it.
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, death_signal)
    # The parent may have died before the line above took effect.
    if os.getppid() != parent:
        sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 (no shell is wanted)


def _become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4:])
