"""How golden files of embeddings are written, whatever has computed them."""
import base64
import hashlib
import json
import pathlib

import numpy
import torch


def row(text: str, ids: list[int], vector: numpy.ndarray) -> str:
    packed = base64.b64encode(vector.astype("<f4").tobytes()).decode()
    return json.dumps({"text": text, "ids": ids, "embedding": packed})


def write(target: str, folder: str, model: str, versions: dict[str, str], rows: list[str]) -> None:
    weights = pathlib.Path(folder, "model.safetensors").read_bytes()
    head = {
        "model": model,
        "weights": f"sha256:{hashlib.sha256(weights).hexdigest()}",
        "madeWith": {**versions, "torch": torch.__version__},
        "embedding": "float32, little-endian, base64; mean over tokens, L2-normalised",
    }
    body = json.dumps(head)[:-1] + ',"rows":[\n' + ",\n".join(rows) + "\n]}\n"
    pathlib.Path(target).write_text(body, encoding="utf-8")
