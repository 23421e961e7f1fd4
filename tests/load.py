"""Keeps a server busy from a process of its own, so that the measuring one is not slowed down.

python -m tests.load URL SECONDS CLIENTS < BODIES (a JSON list): prints how many were answered.
"""

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit


def main(url: str, seconds: float, clients: int) -> int:
    """Return 1, the exit status, if a response is an error or a task has no prediction."""
    bodies = [body.encode() for body in json.load(sys.stdin)]
    end, count, bad = time.monotonic() + seconds, list[int](), list[bytes]()

    def send_requests(body: bytes) -> None:
        address = urlsplit(url)
        client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=100)
        while time.monotonic() < end:
            client.request("POST", "/predict", body, {"Content-Type": "application/json"})
            response = client.getresponse()
            text = response.read()
            if response.status != 200 or [] in json.loads(text)["results"]:
                bad.append(text)
                return
            count.append(1)

    threads = [
        threading.Thread(target=send_requests, args=(bodies[number % len(bodies)],))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"{len(count)} {bad[:1]}\n")
    return 1 if bad or not count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
