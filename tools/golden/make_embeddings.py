"""Writes test/golden/minilm-embeddings.json with the original Python implementation.

Needs sentence-transformers (made with 2.7.0 on transformers 4.40.2, tokenizers 0.19.1 and
PyTorch 1.13.1) and the folder of all-MiniLM-L6-v2:

    python tools/golden/make_embeddings.py FOLDER test/golden/minilm-embeddings.json
"""
import sys

import sentence_transformers
import torch
import transformers

import golden_file
from golden_texts import golden_texts


def main(folder: str, target: str) -> None:
    torch.manual_seed(0)
    model = sentence_transformers.SentenceTransformer(folder, device="cpu")
    rows = []
    for text in golden_texts():
        # One text at a time: no padding takes part.
        vector = model.encode([text], convert_to_numpy=True)[0]
        ids = model.tokenize([text])["input_ids"][0].tolist()
        rows.append(golden_file.row(text, ids, vector))
    versions = {
        "sentence-transformers": sentence_transformers.__version__,
        "transformers": transformers.__version__,
    }
    golden_file.write(target, folder, "all-MiniLM-L6-v2", versions, rows)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
