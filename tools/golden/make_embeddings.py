"""Writes test/golden/minilm-embeddings.json with the original Python implementation.

Needs sentence-transformers (made with 2.7.0 on transformers 4.40.2, tokenizers 0.19.1 and
PyTorch 1.13.1) and the folder of all-MiniLM-L6-v2:

    python tools/golden/make_embeddings.py FOLDER test/golden/minilm-embeddings.json
"""
import base64
import hashlib
import json
import pathlib
import sys

import sentence_transformers
import torch
import transformers

from golden_texts import golden_texts


def main(folder: str, target: str) -> None:
    torch.manual_seed(0)
    model = sentence_transformers.SentenceTransformer(folder, device="cpu")
    rows = []
    for text in golden_texts():
        # One text at a time: no padding takes part.
        vector = model.encode([text], convert_to_numpy=True)[0]
        ids = model.tokenize([text])["input_ids"][0].tolist()
        packed = base64.b64encode(vector.astype("<f4").tobytes()).decode()
        rows.append(json.dumps({"text": text, "ids": ids, "embedding": packed}))
    weights = pathlib.Path(folder, "model.safetensors").read_bytes()
    head = {
        "model": "all-MiniLM-L6-v2",
        "weights": f"sha256:{hashlib.sha256(weights).hexdigest()}",
        "madeWith": {
            "sentence-transformers": sentence_transformers.__version__,
            "transformers": transformers.__version__,
            "torch": torch.__version__,
        },
        "embedding": "float32, little-endian, base64; mean over tokens, L2-normalised",
    }
    body = json.dumps(head)[:-1] + ',"rows":[\n' + ",\n".join(rows) + "\n]}\n"
    pathlib.Path(target).write_text(body, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
