"""Makes an office refuse to end when it is asked.

    veto.py PORT

It connects to the office itself, past the gate, and objects to each request to end. It prints a
line when it does so from now on, another for each request, and ends when its standard input does.
"""

import os
import sys

import unohelper
from com.sun.star.frame import TerminationVetoException, XTerminateListener

import converter


class Veto(unohelper.Base, XTerminateListener):
    def queryTermination(self, event):
        print("objected", flush=True)
        raise TerminationVetoException("not now", None)

    def notifyTermination(self, event):
        pass

    def disposing(self, event):
        pass


def main():
    desktop = converter.desktop_of(converter.connect(sys.argv[1]))
    desktop.addTerminateListener(Veto())
    print("objects", flush=True)
    sys.stdin.read()
    os._exit(0)


if __name__ == "__main__":
    main()
