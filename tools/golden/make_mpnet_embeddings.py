"""Writes test/golden/mpnet-embeddings.json with the original Python implementation.

Needs transformers, tokenizers, safetensors and PyTorch, and the folder of all-mpnet-base-v2:

    python tools/golden/make_mpnet_embeddings.py FOLDER test/golden/mpnet-embeddings.json
"""
import pathlib
import random
import sys

import tokenizers
import torch
import transformers

import golden_file
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
        rows.append(golden_file.row(text, ids, vector))
    versions = {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__}
    golden_file.write(target, folder, "all-mpnet-base-v2", versions, rows)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
