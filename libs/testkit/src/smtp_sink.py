"""An SMTP server for tests: takes every message, writes down what it got, and refuses when told to.

    python3 smtp_sink.py <directory> <port> <tls: none|starttls|tls> [<user> <password>]

All that is told goes through files in <directory>: `port` (written when it listens), `messages.jsonl` (one line per
message, written before it is answered), `hold` (no message is answered while it exists), `refusals/<n>` (each made to
be used once: "<stage> <code> <text>", where the stage is `rcpt`, `data`, or `drop`, which breaks the connection off
after the message was sent).
"""

import asyncio
import email
import email.policy
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult


def main(directory, port, tls, user=None, password=None):
    context = None
    if tls != "none":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(directory / "certificate.pem", directory / "key.pem")

    def authenticate(server, session, envelope, mechanism, data):
        given = (data.login.decode(), data.password.decode())
        return AuthResult(success=given == (user, password), handled=False, auth_data=given[0])

    def protocol():
        return SMTP(
            Sink(directory),
            hostname="sink.test",
            enable_SMTPUTF8=True,
            tls_context=context if tls == "starttls" else None,
            require_starttls=tls == "starttls",
            authenticator=authenticate if user else None,
            auth_required=user is not None,
            auth_require_tls=tls == "starttls",
        )

    async def serve():
        loop = asyncio.get_running_loop()
        server = await loop.create_server(protocol, "127.0.0.1", port, ssl=context if tls == "tls" else None)
        ready = directory / "port.new"
        ready.write_text(str(server.sockets[0].getsockname()[1]))
        ready.rename(directory / "port")
        await server.serve_forever()

    asyncio.run(serve())


class Sink:
    def __init__(self, directory):
        self.directory = directory

    def refusal(self, *stages):
        """The next refusal, used up, if it is for one of these stages."""
        for file in sorted((self.directory / "refusals").iterdir())[:1]:
            stage, answer = file.read_text().split(" ", 1)
            if stage in stages:
                file.unlink()
                return stage, answer
        return None, None

    async def handle_RCPT(self, server, session, envelope, address, options):
        _, refused = self.refusal("rcpt")
        if refused:
            self.write_down(server, session, envelope, [address], b"", refused)
            return refused
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient ok"

    async def handle_DATA(self, server, session, envelope):
        stage, refused = self.refusal("data", "drop")
        answer = refused or "250 2.0.0 taken"
        self.write_down(server, session, envelope, envelope.rcpt_tos, envelope.content, answer)
        while (self.directory / "hold").exists():
            await asyncio.sleep(0.01)
        if stage == "drop":
            server.transport.abort()
        return answer

    def write_down(self, server, session, envelope, recipients, content, answer):
        message = email.message_from_bytes(content, policy=email.policy.default)
        bodies = {kind: message.get_body((kind,)) for kind in ("plain", "html")}
        line = {
            "from": envelope.mail_from,
            "to": recipients,
            "answer": answer,
            "peer": "%s:%s" % session.peer[:2],
            "tls": server.transport.get_extra_info("sslcontext") is not None,
            "user": session.auth_data if session.authenticated else None,
            "headers": [[name, str(value)] for name, value in message.items()],
            "text": bodies["plain"].get_content() if bodies["plain"] else "",
            "html": bodies["html"].get_content() if bodies["html"] else "",
            "raw": content.decode("utf-8", "replace"),
        }
        with open(self.directory / "messages.jsonl", "a") as log:
            log.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
