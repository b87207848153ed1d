"""One question to the cluster's name server."""

import secrets
import socket
import struct

from .settings import DNS_PORT, NODE_ADDRESS

TYPE_A, CLASS_IN = 1, 1


def address_of(name: str, timeout: float = 1) -> str | None:
    """The first IPv4 address of a name, or None when there is none (yet)."""
    identifier = secrets.randbelow(1 << 16)
    labels = b''.join(bytes([len(label)]) + label.encode() for label in name.split('.')) + b'\0'
    question = struct.pack('!6H', identifier, 0x0100, 1, 0, 0, 0) + labels + struct.pack('!2H', TYPE_A, CLASS_IN)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(timeout)
        try:
            asker.sendto(question, (NODE_ADDRESS, DNS_PORT))
            answer = asker.recv(512)
        except OSError:
            return None
    answered, flags, _, count = struct.unpack('!4H', answer[:8])
    if answered != identifier or flags & 0xf or count == 0:
        return None
    # One question with one answer: its four last bytes are the address.
    return socket.inet_ntoa(answer[-4:])
