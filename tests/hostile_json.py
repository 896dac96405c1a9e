"""Contents that may lie where a JSON file of the program should be."""

HOSTILE = {
    "empty": b"",
    "cut": b'{"a": [1, 2',
    "no JSON": b"hello",
    "no UTF-8": b'{"a": "\xe9"}',
    "zeros": bytes(500),
    "deep": b"[" * 9000,
    "deep and whole": b"[" * 9000 + b"]" * 9000,
    "very deep": b'{"a":' * 200_000,
    "many lists": b"[" + b"[]," * 100_000 + b"[]]",
    "long number": b'{"a": ' + b"9" * 5000 + b"}",
    "not a number": b'{"a": NaN}',
    "infinite": b"[-Infinity, 1]",
    "too large to be finite": b"[1e999]",
    "list": b"[]",
    "number": b"5",
    "null": b"null",
    "text": b'"a"',
    "two values": b"{} {}",
}
"""What may lie where a JSON file of the program should be; none of it has the form of any of them."""
