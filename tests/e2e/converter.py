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
from com.sun.star.beans import PropertyValue

ENDLESS_MACRO = "Sub Main\n  Dim i As Long\n  Do\n    i = (i + 1) Mod 1000\n  Loop\nEnd Sub\n"


def value(name, content):
    return PropertyValue(Name=name, Value=content)


def create(context, service):
    return context.ServiceManager.createInstanceWithContext(f"com.sun.star.{service}", context)


def connect(port):
    """The office's component context, by way of the gate."""
    resolver = create(uno.getComponentContext(), "bridge.UnoUrlResolver")
    address = f"uno:socket,host=127.0.0.1,port={port},tcpNoDelay=1;urp;StarOffice.ComponentContext"
    return resolver.resolve(address)


def desktop_of(context):
    return create(context, "frame.Desktop")


def leave():
    """Close the bridge in order: the office sees the end of the stream."""
    factory = create(uno.getComponentContext(), "bridge.BridgeFactory")
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


def as_stream(context, path):
    """A file's bytes, which the office then has. Of one that the client would give them piece by
    piece LibreOffice 25.2 dies."""
    stream = create(context, "io.SequenceInputStream")
    with open(path, "rb") as file:
        stream.initialize((uno.ByteSequence(file.read()),))
    return (value("InputStream", stream),)


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
        context = connect(port)
        desktop = desktop_of(context)
        report["connected"] = round(time.monotonic() - begin, 3)
        if verb == "convert":
            convert(desktop, *arguments, loaded)
        elif verb == "convert_when_told":
            convert(desktop, *arguments, loaded=lambda: (tell_loaded(), sys.stdin.read()))
        elif verb == "stream":
            convert(desktop, *arguments, more=as_stream(context, arguments[0]))
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
