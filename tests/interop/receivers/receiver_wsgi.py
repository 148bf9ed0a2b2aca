"""A webhook receiver as a WSGI application, for gunicorn.
RECORD names the file it notes requests in.

/hook is read and answered with 204, /refuse is answered with 413 before the body is read."""
import os

record = os.open(os.environ["RECORD"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)


def note(environ, size):
    os.write(record, f"{environ.get('HTTP_WEBHOOK_ID')} {environ['PATH_INFO']} {size}\n".encode())


def application(environ, start_response):
    if environ["PATH_INFO"] == "/refuse":
        note(environ, 0)
        start_response("413 Request Entity Too Large", [("Content-Length", "0")])
        return [b""]
    body = environ["wsgi.input"]
    size = 0
    while True:
        piece = body.read(65536)
        if not piece:
            break
        size += len(piece)
    note(environ, size)
    start_response("204 No Content", [])
    return [b""]
