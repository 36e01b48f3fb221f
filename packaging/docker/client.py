#!/usr/bin/env python3
"""A UNO client that shares no disk with the office: the document goes both ways over the connection.

usage: client.py HOST PORT INPUT OUTPUT

INPUT is what LibreOffice Writer reads, OUTPUT a PDF. It needs the package python3-uno.
"""

import sys

import uno
import unohelper
from com.sun.star.beans import PropertyValue
from com.sun.star.io import XOutputStream


class Target(unohelper.Base, XOutputStream):
    """The result's bytes, which the office brings."""

    def __init__(self):
        self.content = bytearray()

    def writeBytes(self, part):
        self.content += part.value

    def flush(self):
        pass

    def closeOutput(self):
        pass


def option(name, value):
    return PropertyValue(Name=name, Value=value)


def connect(host, port):
    """The office's own context, and the bridge that leads to it."""
    local = uno.getComponentContext()
    make = local.ServiceManager.createInstanceWithContext
    resolver = make("com.sun.star.bridge.UnoUrlResolver", local)
    remote = resolver.resolve(f"uno:socket,host={host},port={port};urp;StarOffice.ComponentContext")
    bridges = make("com.sun.star.bridge.BridgeFactory", local).getExistingBridges()
    return remote, bridges


def convert(remote, content):
    make = remote.ServiceManager.createInstanceWithContext
    # A stream of the office's own, filled in one call: one of ours it would ask for a few bytes at a
    # time, and LibreOffice 25.2 can die of that.
    source = make("com.sun.star.io.SequenceInputStream", remote)
    source.initialize((uno.ByteSequence(content),))
    target = Target()
    desktop = make("com.sun.star.frame.Desktop", remote)
    arguments = (option("Hidden", True), option("InputStream", source))
    document = desktop.loadComponentFromURL("private:stream", "_blank", 0, arguments)
    if document is None:
        sys.exit("the office cannot read this document")
    try:
        to_pdf = (option("FilterName", "writer_pdf_Export"), option("OutputStream", target))
        document.storeToURL("private:stream", to_pdf)
    finally:
        document.close(True)
    return target.content


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    host, port, source, target = sys.argv[1:]
    with open(source, "rb") as file:
        content = file.read()
    remote, bridges = connect(host, port)
    result = convert(remote, content)
    # Leaving lets the next client in: an idle client that stays holds the gate.
    for bridge in bridges:
        bridge.dispose()
    with open(target, "wb") as file:
        file.write(result)
    print(f"{target}: {len(result)} bytes, begins with {bytes(result[:8]).decode()}")


if __name__ == "__main__":
    main()
