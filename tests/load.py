"""A process that keeps a server busy, so that the one that measures has its interpreter alone.

python -m tests.load URL SECONDS CLIENTS < BODIES (a JSON list): prints how many were answered.
"""

import http.client
import json
import sys
import threading
import time
from urllib.parse import urlsplit


def main(url: str, seconds: float, clients: int) -> int:
    """The exit status is 1 if an answer was no good: an error, or a task without a prediction."""
    bodies = [body.encode() for body in json.load(sys.stdin)]
    until, good, bad = time.monotonic() + seconds, list[int](), list[bytes]()

    def ask(body: bytes) -> None:
        address = urlsplit(url)
        client = http.client.HTTPConnection(str(address.hostname), address.port, timeout=100)
        while time.monotonic() < until:
            client.request("POST", "/predict", body, {"Content-Type": "application/json"})
            answer = client.getresponse()
            text = answer.read()
            if answer.status != 200 or [] in json.loads(text)["results"]:
                bad.append(text)
                return
            good.append(1)

    threads = [
        threading.Thread(target=ask, args=(bodies[number % len(bodies)],))
        for number in range(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.stdout.write(f"{len(good)} {bad[:1]}\n")
    return 1 if bad or not good else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3])))
