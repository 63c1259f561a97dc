"""Loaded by every Python process that is started with this folder on its path: writes down what it unpickles, connects
to and starts."""

import os
import sys

_TOLD = {
    "pickle.find_class",
    "socket.bind",
    "socket.connect",
    "socket.getaddrinfo",
    "socket.gethostbyname",
    "socket.sendto",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "subprocess.Popen",
}


def _watch(log):
    def hook(event, arguments):
        if event in _TOLD:
            frame = sys._getframe(1)
            told = f"{event}\t{frame.f_code.co_filename}\t{arguments[:2]!r}"
            os.write(log, (told.replace("\n", " ") + "\n").encode("utf-8", "replace"))

    sys.addaudithook(hook)


if "HOSTILE_LOG" in os.environ:
    _watch(os.open(os.environ["HOSTILE_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT))
