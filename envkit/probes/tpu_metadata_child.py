"""Run as a program: asks a metadata server, host[:port], for attributes of this machine, a record (RFC 7464) for each.

{"attribute": name, "text": text} or {"attribute": name, "error": words}. No proxy is asked, and an answer counts only
with the header that Google's server sends: in other networks the same address is somebody else's.
"""

from __future__ import annotations

import http.client
import json
import sys

FLAVOR = ("Metadata-Flavor", "Google")
SECONDS = 0.7
LIMIT_BYTES = 1 << 16


def ask(server: str, attribute: str) -> dict[str, str]:
    connection = http.client.HTTPConnection(server, timeout=SECONDS)
    try:
        connection.request(
            "GET", f"/computeMetadata/v1/instance/attributes/{attribute}", headers={FLAVOR[0]: FLAVOR[1]}
        )
        answer = connection.getresponse()
        body = answer.read(LIMIT_BYTES)
    except (OSError, http.client.HTTPException) as error:
        return {"attribute": attribute, "error": str(error) or type(error).__name__}
    finally:
        connection.close()
    if answer.getheader(FLAVOR[0]) != FLAVOR[1]:
        return {"attribute": attribute, "error": "the answer is not from Google's metadata server"}
    if answer.status != http.client.OK:
        return {"attribute": attribute, "error": f"HTTP status {answer.status}"}
    return {"attribute": attribute, "text": body.decode("utf-8", "replace")}


def main(server: str, *attributes: str) -> None:
    for attribute in attributes:
        sys.stdout.write("\x1e" + json.dumps(ask(server, attribute)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
