"""What unoserver is without an office: its options, and the XML-RPC server it is made of.

It listens first and serves some seconds later, when the office would be there. `info` tells its
process id and options, `convert` says that it has begun and takes so many seconds.
"""

import argparse
import os
import time
import xmlrpc.server

UNTIL_SERVING = 4


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--interface", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=2003)
    parser.add_argument("--uno-port", default="2002")
    parser.add_argument("--user-installation")
    parser.add_argument("--conversion-timeout", type=int)
    options = parser.parse_args()

    def info():
        return {"pid": os.getpid(), **vars(options)}

    def convert(seconds):
        print("converting", flush=True)
        time.sleep(seconds)
        return f"converted by {os.getpid()}"

    address = (options.interface, options.port)
    with xmlrpc.server.SimpleXMLRPCServer(address, allow_none=True) as server:
        time.sleep(UNTIL_SERVING)
        server.register_introspection_functions()
        server.register_function(info)
        server.register_function(convert)
        server.serve_forever()


if __name__ == "__main__":
    main()
