"""Makes an office wait for ever while it holds its main lock.

    deadlock.py PORT

It connects to the office itself, past the gate, and has it load a document from a stream that is
ours and never gives a byte. It prints a line when the office waits, and ends when its standard
input does.
"""

import os
import sys
import threading

import uno
import unohelper
from com.sun.star.io import XInputStream, XSeekable

import converter


class Silence(unohelper.Base, XInputStream, XSeekable):
    def readBytes(self, data, count):
        print("the office waits", flush=True)
        threading.Event().wait()

    def readSomeBytes(self, data, count):
        return self.readBytes(data, count)

    def skipBytes(self, count):
        pass

    def available(self):
        return 1

    def closeInput(self):
        pass

    def seek(self, position):
        pass

    def getPosition(self):
        return 0

    def getLength(self):
        return 1 << 20


def load(desktop):
    desktop.loadComponentFromURL(
        "private:stream",
        "_blank",
        0,
        (
            converter.value("Hidden", True),
            converter.value("InputStream", Silence()),
            converter.value("FilterName", "writer8"),
        ),
    )


if __name__ == "__main__":
    desktop = converter.connect(int(sys.argv[1]))
    threading.Thread(target=load, args=(desktop,), daemon=True).start()
    sys.stdin.read()
    os._exit(0)
