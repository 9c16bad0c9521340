#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""One request with a signature (AWS version 4), for what a fixture needs before the program under test can act.

Usage: signed-call.py METHOD URL SERVICE [BODY], with ACCESS_KEY and SECRET_KEY in the environment, which unlike
arguments other users cannot see. Prints the status on the first line and then the body; exits 1 if there was no
answer.
"""

import datetime
import hashlib
import hmac
import http.client
import os
import sys

REGION = "us-east-1"


def hmac_sha256(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def signed_headers(method, host, path, service, body):
    """Paths are those of fixtures, which need no escaping; there is no query."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    day = now[:8]
    headers = {"host": host, "x-amz-content-sha256": hashlib.sha256(body).hexdigest(), "x-amz-date": now}
    if service != "s3":
        headers["content-type"] = "application/x-www-form-urlencoded"
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = "\n".join([method, path, "", lines, names, headers["x-amz-content-sha256"]])
    scope = f"{day}/{REGION}/{service}/aws4_request"
    to_sign = "\n".join(["AWS4-HMAC-SHA256", now, scope, hashlib.sha256(canonical.encode()).hexdigest()])
    key = f"AWS4{os.environ['SECRET_KEY']}".encode()
    for part in (day, REGION, service, "aws4_request"):
        key = hmac_sha256(key, part)
    signature = hmac_sha256(key, to_sign).hex()
    credential = f"{os.environ['ACCESS_KEY']}/{scope}"
    headers["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def main():
    method, url, service = sys.argv[1:4]
    body = sys.argv[4].encode() if len(sys.argv) > 4 else b""
    host, _, path = url.removeprefix("http://").partition("/")
    path = "/" + path
    connection = http.client.HTTPConnection(host, timeout=20)
    try:
        connection.request(method, path, body=body, headers=signed_headers(method, host, path, service, body))
        response = connection.getresponse()
        text = response.read().decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        print(f"{method} {url}: {error}", file=sys.stderr)
        return 1
    print(response.status)
    print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
