"""Logs stay small, whoever writes them."""

import subprocess
import sys

from launcher import logs

TALKER = """
import sys
for number in range(2000):
    print(f"line {number}", flush=True)
    if number % 500 == 499:
        sys.stdin.readline()
"""


def test_a_long_log_is_cut_while_its_process_goes_on_writing(tmp_path, eventually):
    log, bounded, sizes = tmp_path / "talker.log", 4000, []
    with log.open("ab") as output:
        process = subprocess.Popen([sys.executable, "-c", TALKER], stdin=subprocess.PIPE, stdout=output, text=True)
    with process:
        for number in range(499, 2000, 500):
            eventually(lambda last=f"line {number}": last in log.read_text())
            logs.cut(log, bounded)
            sizes.append(log.stat().st_size)
            process.stdin.write("\n")
            process.stdin.flush()
    assert (process.returncode, sizes) == (0, [0] * 4)
    assert (tmp_path / "talker.log.1").read_text().splitlines() == [f"line {number}" for number in range(1500, 2000)]


def test_a_short_log_is_left_alone(tmp_path):
    log = tmp_path / "quiet.log"
    log.write_text("short")
    logs.cut(log, 100)
    logs.cut(tmp_path / "none.log", 100)
    assert (log.read_text(), (tmp_path / "quiet.log.1").exists()) == ("short", False)


def test_where_no_room_is_left_for_the_predecessor_the_log_still_gives_its_own_back(tmp_path):
    log = tmp_path / "flood.log"
    log.write_text("x" * 1000)
    (tmp_path / "flood.log.1").symlink_to("/dev/full")
    logs.cut(log, 100)
    assert (log.stat().st_size, (tmp_path / "flood.log.1").exists()) == (0, False)


def test_the_last_lines_are_those_that_say_something(tmp_path):
    log = tmp_path / "a.log"
    assert logs.read_last_lines(log, 2) == []
    log.write_text("one\n\ntwo\n" + "three " * 100 + "\n\n")
    assert logs.read_last_lines(log, 2, limit=5) == ["two", "three"]
