"""Makes an office wait for ever while it holds its main lock.

    deadlock.py PORT

It connects to the office itself, past the gate, and has it load a document from a stream that is
ours and never gives a byte. It prints a line when the office waits, and ends when its standard
input does, or with a line that says why the office does not wait.
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
    what = (
        converter.value("Hidden", True),
        converter.value("InputStream", Silence()),
        converter.value("FilterName", "writer8"),
    )
    try:
        document = desktop.loadComponentFromURL("private:stream", "_blank", 0, what)
        print(f"the office has loaded {document}", flush=True)
    except Exception as error:  # Whatever a UNO call throws is why.
        print(f"the office does not wait: {type(error).__name__}: {error}", flush=True)
    os._exit(1)


if __name__ == "__main__":
    desktop = converter.desktop_of(converter.connect(sys.argv[1]))
    threading.Thread(target=load, args=(desktop,), daemon=True).start()
    sys.stdin.read()
    os._exit(0)
