"""
The client's side of the SASL mechanism GSSAPI (RFC 4752), for the service named on the command line as service@host.

A line on stdin is what the broker answered, in base64; the first one is empty. Each is answered with one line:
"token <base64>", "end", or "error <text>".
"""
import base64
import sys

import gssapi

NO_SECURITY_LAYER = b"\x01\x00\x00\x00"


def tokens(context, challenge):
    while not context.complete:
        token = context.step(challenge)
        challenge = yield token or b""
    # What layers the broker offers is wrapped, and so is the choice. TLS protects what follows, if anything does.
    offer = context.unwrap(challenge).message
    if not offer[0] & NO_SECURITY_LAYER[0]:
        raise ValueError("the broker insists on a security layer")
    yield context.wrap(NO_SECURITY_LAYER, False).message


def main():
    service = gssapi.Name(sys.argv[1], gssapi.NameType.hostbased_service)
    exchange = None
    for line in sys.stdin:
        challenge = base64.b64decode(line)
        try:
            if exchange is None:
                context = gssapi.SecurityContext(name=service, usage="initiate", mech=gssapi.MechType.kerberos)
                exchange = tokens(context, None)
                token = next(exchange)
            else:
                token = exchange.send(challenge)
            print("token", base64.b64encode(token).decode(), flush=True)
        except StopIteration:
            print("end", flush=True)
        except Exception as error:
            print("error", " ".join(str(error).split()), flush=True)


main()
