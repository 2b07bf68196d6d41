"""Writes test/golden/mpnet-embeddings.json with the original Python implementation.

Needs transformers, tokenizers, safetensors and PyTorch, and the folder of all-mpnet-base-v2:

    python tools/golden/make_mpnet_embeddings.py FOLDER test/golden/mpnet-embeddings.json
"""
import base64
import hashlib
import json
import pathlib
import random
import sys

import tokenizers
import torch
import transformers

from golden_texts import WRITTEN, noise, passage

LONGEST = 384


def texts() -> list[str]:
    """Some of each kind: what is written by hand, then passages from short to longer than fits."""
    draw = random.Random(20261128)
    some = [text for index, text in enumerate(WRITTEN) if index % 5 == 0]
    longer = [passage(draw, count) for count in (1, 2, 4, 8, 12, 20, 33, 48, 90)]
    marks = ["<s> </s> <mask> <unk> are only words here", "[UNK] is one too"]
    return some + longer + [noise(draw, 200), "cat " * 381 + "dog", "cat " * 382 + "dog"] + marks


def main(folder: str, target: str) -> None:
    torch.manual_seed(0)
    model = transformers.MPNetModel.from_pretrained(folder, attn_implementation="eager").eval()
    tokenizer = tokenizers.Tokenizer.from_file(str(pathlib.Path(folder, "tokenizer.json")))
    tokenizer.no_padding()
    tokenizer.enable_truncation(LONGEST)
    rows = []
    for text in texts():
        ids = tokenizer.encode(text).ids
        # One text at a time: no padding takes part.
        with torch.no_grad():
            states = model(torch.tensor([ids])).last_hidden_state[0]
        vector = torch.nn.functional.normalize(states.mean(dim=0), dim=0).numpy()
        packed = base64.b64encode(vector.astype("<f4").tobytes()).decode()
        rows.append(json.dumps({"text": text, "ids": ids, "embedding": packed}))
    weights = pathlib.Path(folder, "model.safetensors").read_bytes()
    head = {
        "model": "all-mpnet-base-v2",
        "weights": f"sha256:{hashlib.sha256(weights).hexdigest()}",
        "madeWith": {
            "transformers": transformers.__version__,
            "tokenizers": tokenizers.__version__,
            "torch": torch.__version__,
        },
        "embedding": "float32, little-endian, base64; mean over tokens, L2-normalised",
    }
    body = json.dumps(head)[:-1] + ',"rows":[\n' + ",\n".join(rows) + "\n]}\n"
    pathlib.Path(target).write_text(body, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
