#!/usr/bin/env python3
"""A UNO client, as small as one can be: converts one document to PDF by way of the gate.

usage: convert.py HOST PORT INPUT OUTPUT

It needs the package python3-uno. Nothing in it knows of the gate: it speaks to the gate's address
as it would to an office's.
"""

import os
import sys

import uno
from com.sun.star.beans import PropertyValue


def option(name, value):
    return PropertyValue(Name=name, Value=value)


def connect(host, port):
    """The office's desktop, and the bridge that leads to it."""
    local = uno.getComponentContext()
    make = local.ServiceManager.createInstanceWithContext
    resolver = make("com.sun.star.bridge.UnoUrlResolver", local)
    remote = resolver.resolve(f"uno:socket,host={host},port={port};urp;StarOffice.ComponentContext")
    desktop = remote.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", remote)
    bridges = make("com.sun.star.bridge.BridgeFactory", local).getExistingBridges()
    return desktop, bridges


def convert(desktop, source, target):
    source_url, target_url = map(uno.systemPathToFileUrl, (source, target))
    document = desktop.loadComponentFromURL(source_url, "_blank", 0, (option("Hidden", True),))
    if document is None:
        sys.exit(f"the office cannot read {source}")
    try:
        document.storeToURL(target_url, (option("FilterName", "writer_pdf_Export"),))
    finally:
        document.close(True)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    host, port, source, target = sys.argv[1:]
    desktop, bridges = connect(host, port)
    convert(desktop, os.path.abspath(source), os.path.abspath(target))
    # Leaving lets the next client in: an idle client that stays holds the gate.
    for bridge in bridges:
        bridge.dispose()


if __name__ == "__main__":
    main()
