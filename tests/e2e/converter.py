"""One UNO client: connects through the gate, converts one document, leaves.

Run as a program, one process a conversion, so that leaving is what it is in real life:

    converter.py PORT convert INPUT OUTPUT FILTER    load, store, close the document
    converter.py PORT pool COUNT PAUSE INPUT OUTPUT FILTER    convert it so often, with pauses (s)
    converter.py PORT stream INPUT OUTPUT FILTER     the same, but the office is given the bytes
    converter.py PORT repeat COUNT INPUT OUTPUT FILTER    connect, convert and leave so often
    converter.py PORT compute                        run a Basic macro that never ends
    converter.py PORT hold                           one call, then stay until standard input ends
    converter.py PORT leave_open COUNT               open so many documents, and leave them open

It prints one line of JSON on standard output: ok, error (the exception's class and text) and the
seconds until it was connected and until it was done; `repeat` prints one for each time. `hold` and
`compute` print a first line when they are inside, `convert` when the document is loaded.
"""

import json
import os
import sys
import time

import uno
import unohelper
from com.sun.star.beans import PropertyValue
from com.sun.star.io import XInputStream, XSeekable

ENDLESS_MACRO = "Sub Main\n  Dim i As Long\n  Do\n    i = (i + 1) Mod 1000\n  Loop\nEnd Sub\n"


def value(name, content):
    return PropertyValue(Name=name, Value=content)


def connect(port):
    """The office's component context and service manager, by way of the gate."""
    local = uno.getComponentContext()
    resolver = local.ServiceManager.createInstanceWithContext(
        "com.sun.star.bridge.UnoUrlResolver", local
    )
    address = f"uno:socket,host=127.0.0.1,port={port},tcpNoDelay=1;urp;StarOffice.ComponentContext"
    context = resolver.resolve(address)
    return context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)


def leave():
    """Close the bridge in order: the office sees the end of the stream."""
    local = uno.getComponentContext()
    factory = local.ServiceManager.createInstanceWithContext(
        "com.sun.star.bridge.BridgeFactory", local
    )
    for bridge in factory.getExistingBridges():
        bridge.dispose()


def pool(desktop, count, pause, source, target, export_filter):
    for _ in range(int(count)):
        convert(desktop, source, target, export_filter)
        time.sleep(float(pause))


def repeat(count, port, source, target, export_filter):
    """Each time in a process of its own, made from this one, in which UNO has only been loaded: a
    bridge that was disposed of is not forgotten as long as its process lives. And each time under
    names of their own: an office that is killed leaves locks beside what it reads and writes."""
    for number in range(int(count)):
        own_source, own_target = (numbered(path, number) for path in (source, target))
        os.link(source, own_source)
        child = os.fork()
        if child == 0:
            run(port, "convert", (own_source, own_target, export_filter), loaded=lambda: None)
        os.waitpid(child, 0)
        if os.path.exists(own_target):
            os.replace(own_target, target)


def numbered(path, number):
    stem, extension = os.path.splitext(path)
    return f"{stem}-{number}{extension}"


class Stream(unohelper.Base, XInputStream, XSeekable):
    """A file's bytes, which the office asks us for."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.content = file.read()
        self.at = 0

    def readBytes(self, _, count):
        part = self.content[self.at : self.at + count]
        self.at += len(part)
        return len(part), uno.ByteSequence(part)

    readSomeBytes = readBytes

    def skipBytes(self, count):
        self.at = min(len(self.content), self.at + count)

    def available(self):
        return len(self.content) - self.at

    def closeInput(self):
        pass

    def seek(self, position):
        self.at = position

    def getPosition(self):
        return self.at

    def getLength(self):
        return len(self.content)


def convert(desktop, source, target, export_filter, loaded=lambda: None, more=()):
    url = "private:stream" if more else uno.systemPathToFileUrl(source)
    document = desktop.loadComponentFromURL(url, "_blank", 0, (value("Hidden", True), *more))
    if document is None:
        raise RuntimeError("the office did not load the document")
    loaded()
    try:
        document.storeToURL(uno.systemPathToFileUrl(target), (value("FilterName", export_filter),))
    finally:
        document.close(True)


def tell_loaded():
    print(json.dumps({"loaded": True}), flush=True)


def compute(desktop):
    always = 4  # com.sun.star.document.MacroExecMode.ALWAYS_EXECUTE_NO_WARN
    document = desktop.loadComponentFromURL(
        "private:factory/scalc",
        "_blank",
        0,
        (value("Hidden", True), value("MacroExecutionMode", always)),
    )
    libraries = document.BasicLibraries
    if not libraries.hasByName("Standard"):
        libraries.createLibrary("Standard")
    libraries.getByName("Standard").insertByName("Endless", ENDLESS_MACRO)
    script = document.getScriptProvider().getScript(
        "vnd.sun.star.script:Standard.Endless.Main?language=Basic&location=document"
    )
    print(json.dumps({"inside": True}), flush=True)
    script.invoke((), (), ())


def leave_open(desktop, count):
    for _ in range(int(count)):
        desktop.loadComponentFromURL("private:factory/swriter", "_blank", 0, (value("Hidden", True),))


def run(port, verb, arguments, loaded=tell_loaded):
    """Does it, reports, and ends the process."""
    begin = time.monotonic()
    report = {"ok": False}
    try:
        desktop = connect(port)
        report["connected"] = round(time.monotonic() - begin, 3)
        if verb == "convert":
            convert(desktop, *arguments, loaded)
        elif verb == "convert_when_told":
            convert(desktop, *arguments, loaded=lambda: (tell_loaded(), sys.stdin.read()))
        elif verb == "stream":
            stream = (value("InputStream", Stream(arguments[0])),)
            convert(desktop, *arguments, more=stream)
        elif verb == "pool":
            pool(desktop, *arguments)
        elif verb == "compute":
            compute(desktop)
        elif verb == "leave_open":
            leave_open(desktop, *arguments)
        else:
            print(json.dumps({"inside": True}), flush=True)
            sys.stdin.read()
            desktop.getCurrentFrame()
        leave()
        report["ok"] = True
    except Exception as error:  # Whatever a UNO call throws is the result.
        report["error"] = f"{type(error).__name__}: {error}".strip()
    report["done"] = round(time.monotonic() - begin, 3)
    print(json.dumps(report), flush=True)
    # The bridge's threads do not always let an interpreter end whose bridge died under it.
    os._exit(0 if report["ok"] else 1)


def main():
    port, verb, *arguments = sys.argv[1:]
    if verb == "repeat":
        repeat(arguments[0], port, *arguments[1:])
    else:
        run(port, verb, arguments)


if __name__ == "__main__":
    main()
