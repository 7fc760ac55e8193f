"""Serve chats as vLLM does, in a process with one of its own: a program for tests.

    python small_server.py --model M --served-model-name N --host H --port P [--max-model-len L]

Its replies follow from prompt and seed.  It asks for the key in VLLM_API_KEY, and writes the
process of its child into the folder M.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Chat(BaseHTTPRequestHandler):
    """Answers of a server."""

    def do_GET(self) -> None:
        """Say which models there are."""
        self.answer({"data": [{"id": OPTIONS.served_model_name}]})

    def do_POST(self) -> None:
        """Answer a chat after a moment."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(0.05)
        words = json.dumps([asked["messages"], asked["seed"]]).encode()
        text = f"Answer: {int(hashlib.sha256(words).hexdigest(), 16) % 100}"
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        usage = {"prompt_tokens": 10, "completion_tokens": 3}
        self.answer({"model": asked["model"], "choices": [choice], "usage": usage})

    def answer(self, content: dict[str, object]) -> None:
        """Send JSON to whoever has the key."""
        known = self.headers["Authorization"] == f"Bearer {os.environ['VLLM_API_KEY']}"
        body = json.dumps(content if known else {"error": {"message": "no key"}}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in ("model", "served-model-name", "host", "max-model-len"):
        parser.add_argument(f"--{name}")
    parser.add_argument("--port", type=int)
    OPTIONS = parser.parse_args()
    if OPTIONS.max_model_len == "0":
        sys.exit("max_model_len is at least 1")
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pids = f"{os.getpid()} {child.pid}"
    (Path(OPTIONS.model) / f"{os.getpid()}.pids").write_text(pids)
    ThreadingHTTPServer((OPTIONS.host, OPTIONS.port), Chat).serve_forever()
