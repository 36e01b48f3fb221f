"""A service that listens on a socket in the file system, and says back what it hears.

    socket_service.py PATH

As many do, it leaves the socket behind when it is killed, and does not start where one is.
"""

import socket
import sys
import threading


def say_back(connection):
    with connection:
        while heard := connection.recv(65536):
            connection.sendall(heard)


def main():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(sys.argv[1])
        listener.listen()
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=say_back, args=(connection,), daemon=True).start()


if __name__ == "__main__":
    main()
