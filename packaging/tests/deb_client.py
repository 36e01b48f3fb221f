"""A UNO client inside the machine: converts one document, and leaves.

    deb_client.py PORT path INPUT OUTPUT FILTER      the office opens both by their names
    deb_client.py PORT stream INPUT OUTPUT FILTER    the client reads and writes, the office sees bytes
    deb_client.py PORT hold INPUT OUTPUT FILTER      says "inside", waits for a line on its standard
                                                     input, with a call a second, so that it is not
                                                     taken for idle, and then does as `stream`

By stream it does what the README shows. Exit status 0, or 1 with the exception's class and text on
standard output.
"""

import os
import select
import sys

import uno
import unohelper
from com.sun.star.beans import PropertyValue
from com.sun.star.io import XOutputStream


class Result(unohelper.Base, XOutputStream):
    def __init__(self):
        self.bytes = b""

    def writeBytes(self, sequence):
        self.bytes += sequence.value

    def flush(self):
        pass

    def closeOutput(self):
        pass


def option(name, value):
    return PropertyValue(Name=name, Value=value)


def local_service(name):
    return uno.getComponentContext().ServiceManager.createInstance(name)


class Office:
    """Inside as soon as this is made."""

    def __init__(self, port):
        resolver = local_service("com.sun.star.bridge.UnoUrlResolver")
        address = f"uno:socket,host=127.0.0.1,port={port};urp;StarOffice.ComponentContext"
        self.context = resolver.resolve(address)
        self.desktop = self.make("com.sun.star.frame.Desktop")

    def make(self, name):
        return self.context.ServiceManager.createInstanceWithContext(name, self.context)

    def leave(self):
        for bridge in local_service("com.sun.star.bridge.BridgeFactory").getExistingBridges():
            bridge.dispose()

    def convert_by_path(self, source, target, export_filter):
        document = self.load(uno.systemPathToFileUrl(source))
        store(document, uno.systemPathToFileUrl(target), option("FilterName", export_filter))

    def convert_by_stream(self, source, target, export_filter):
        content = self.make("com.sun.star.io.SequenceInputStream")
        with open(source, "rb") as file:
            content.initialize((uno.ByteSequence(file.read()),))
        document = self.load("private:stream", option("InputStream", content))
        result = Result()
        how = option("FilterName", export_filter), option("OutputStream", result)
        store(document, "private:stream", *how)
        with open(target, "wb") as file:
            file.write(result.bytes)

    def load(self, url, *more):
        document = self.desktop.loadComponentFromURL(url, "_blank", 0, (option("Hidden", True), *more))
        if document is None:
            raise RuntimeError(f"the office did not load {url}")
        return document


def store(document, url, *how):
    try:
        document.storeToURL(url, how)
    finally:
        document.close(True)


def main():
    port, verb, *arguments = sys.argv[1:]
    status = 0
    try:
        office = Office(port)
        if verb == "hold":
            office.desktop.getCurrentFrame()
            print("inside", flush=True)
            while not select.select([sys.stdin], [], [], 1.0)[0]:
                office.desktop.getCurrentFrame()
        if verb == "path":
            office.convert_by_path(*arguments)
        else:
            office.convert_by_stream(*arguments)
        office.leave()
    except Exception as error:  # Whatever a UNO call throws is the result.
        print(f"{type(error).__name__}: {error}".strip(), flush=True)
        status = 1
    # The bridge's threads do not always let an interpreter end whose bridge died under it.
    os._exit(status)


if __name__ == "__main__":
    main()
