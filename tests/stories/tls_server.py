"""Receivers that speak TLS, well or badly, and the certificates for them,
made by the openssl program."""

import base64
import hashlib
import socket
import ssl
import subprocess
import threading
import warnings


def openssl(*argv, data=None):
    return subprocess.run(["openssl", *map(str, argv)], input=data, capture_output=True, timeout=30,
                          check=True).stdout


class Authority:
    """A certificate authority in a folder: `file` is its certificate, `issue` makes others."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.file, self.key = folder / f"{name}.pem", folder / f"{name}.key"
        openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-days", "2",
                "-subj", f"/CN={name} of this test", "-keyout", self.key, "-out", self.file)

    def issue(self, name, names="IP:127.0.0.1", expired=False):
        """(certificate, key) of files."""
        cert, key, request, config, index = (self.folder / f"{name}.{end}"
                                             for end in ("pem", "key", "csr", "cnf", "index"))
        openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        index.write_text("")
        # `openssl x509` of 3.0 cannot set the dates, that of 3.5 takes no negative -days;
        # `openssl ca` is the same in both.
        config.write_text(f"[ca]\ndefault_ca=this\n[this]\ndatabase={index}\n"
                          f"new_certs_dir={self.folder}\ndefault_md=sha256\nrand_serial=yes\n"
                          "policy=any\nx509_extensions=extra\n[any]\ncommonName=supplied\n"
                          f"[extra]\nsubjectAltName={names}\n")
        days = (["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] if expired
                else ["-days", "2"])
        openssl("ca", "-batch", "-notext", "-config", config, "-cert", self.file, "-keyfile",
                self.key, *days, "-in", request, "-out", cert)
        return cert, key


def pin_of(cert):
    """What pin_sha256 wants for this certificate's key."""
    public = openssl("pkey", "-pubin", "-outform", "der",
                     data=openssl("x509", "-in", cert, "-pubkey", "-noout"))
    return base64.b64encode(hashlib.sha256(public).digest()).decode()


class TlsServer:
    """Answers every request with 204, once the handshake has succeeded; `requests` counts them."""

    def __init__(self, cert, versions=(None, None), client_ca=None):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(*cert)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a version is old is the point
            if versions[0] is not None:
                self.context.set_ciphers("ALL:@SECLEVEL=0")
                self.context.minimum_version, self.context.maximum_version = versions
        if client_ca is not None:
            self.context.verify_mode = ssl.CERT_REQUIRED
            self.context.load_verify_locations(client_ca)
        self._listen()

    def _listen(self):
        self.requests = 0
        self.connections = 0  # whose handshake has succeeded
        self.resumed = 0  # of those
        self.spoken = []  # TLS version of each request
        self.clients = []  # common name of the client's certificate at each request
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        self.url = f"https://127.0.0.1:{self.port}/hook"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                peer, _ = self.server.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        peer.settimeout(10)
        try:
            with self.context.wrap_socket(peer, server_side=True,
                                          do_handshake_on_connect=False) as tls:
                try:
                    tls.do_handshake()
                except ssl.SSLError:
                    # Read to the end before the close, or the reset it causes overtakes
                    # the alert that tells why.
                    raw = socket.socket(fileno=tls.detach())
                    raw.shutdown(socket.SHUT_WR)
                    with raw:
                        while raw.recv(65536):
                            pass
                    return
                self.connections += 1
                self.resumed += tls.session_reused
                self._answer(tls)
        except OSError:
            return

    def _answer(self, tls):
        data = b""
        while chunk := tls.recv(65536):
            data += chunk
            head, end, body = data.partition(b"\r\n\r\n")
            length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n")
                           if line.lower().startswith(b"content-length:")), 0)
            if end and len(body) >= length:
                self.requests += 1
                self.spoken.append(tls.version())
                names = dict(pair for group in (tls.getpeercert() or {}).get("subject", ())
                             for pair in group)
                self.clients.append(names.get("commonName"))
                data = body[length:]
                tls.sendall(b"HTTP/1.1 204 Fine\r\n\r\n")

    def close(self):
        self.server.close()


class SilentServer(TlsServer):
    """Accepts, and says nothing."""

    def __init__(self):
        self.kept = []
        self._listen()

    def _serve(self, peer):
        self.kept.append(peer)
