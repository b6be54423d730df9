"""Sends one message about an order, signed as Standard Webhooks says. Python 3.9, nothing else.

    export URL=https://loyalty.example.com/v1/webhooks/orders/webshop
    export SECRET=whsec_...
    python3 send_order.py < message.json

Prints the answer; the exit status is 0 where the message was taken.
"""

import base64
import hashlib
import hmac
import http.client
import os
import sys
import time
import urllib.error
import urllib.request
import uuid

WAITS = (0.5, 1, 2, 4, 8)  # seconds, after each try but the last
ANSWERS_WITHIN = 30  # seconds
NOT_NOW = (409, 429)  # beside 5xx: the same message is good later


def send(url, secret, message_id, body):
    """One try: the status and the answer, or no status where there was no answer.

    Each try is signed anew, because a signature is good for five minutes.
    """
    key = base64.b64decode(secret.removeprefix("whsec_"))
    timestamp = str(int(time.time()))
    signed = f"{message_id}.{timestamp}.".encode() + body
    mark = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    headers = {
        "content-type": "application/json",
        "webhook-id": message_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{mark}",
    }
    request = urllib.request.Request(url, body, headers)
    try:
        with urllib.request.urlopen(request, timeout=ANSWERS_WITHIN) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()
    except (OSError, http.client.HTTPException) as error:
        return None, str(error)


def main():
    """Sends what is on standard input, again and again under the same id until it is answered."""
    message_id = f"msg_{uuid.uuid4().hex}"
    body = sys.stdin.buffer.read()
    for wait in (*WAITS, None):
        status, answer = send(os.environ["URL"], os.environ["SECRET"], message_id, body)
        passes = status is None or status >= 500 or status in NOT_NOW
        if not passes or wait is None:
            break
        time.sleep(wait)
    print(status or "no answer", answer)
    return 0 if status is not None and 200 <= status < 300 else 1


if __name__ == "__main__":
    sys.exit(main())
