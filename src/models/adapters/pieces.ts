/**
 * Products with served matrices in pieces of so many rows, because the order in which a matrix
 * product adds up depends on its width: with a width that follows the batch's highest rank, a
 * neighbour would change the last bits of an answer, and int8 rounding would make them visible.
 */
import { type Dimension, multiply } from "../../tensor/dimension.ts";
import { matmul } from "../../tensor/operators/matmul.ts";
import { reshape, transpose } from "../../tensor/operators/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";

/** How many pieces of `pieceRank` rows hold the rank; at least one, so that no product is empty. */
export function pieceCountOf(rank: number, pieceRank: number): number {
  return Math.max(1, Math.ceil(rank / pieceRank));
}

/**
 * The states `[batch*sequence, in]` of each sequence by the rows of its own `matrix [batch, pieces,
 * pieceRank, in]`: `[batch, sequence, pieces * pieceRank]`.
 */
export function productInPieces(state: Tensor, matrix: Tensor, sequence: Dimension): Tensor {
  const [batch = 1, pieces = 1, pieceRank = 1, width = 1] = matrix.shape;
  const rows = reshape(state, [batch, 1, sequence, width]);
  const products = matmul(rows, matrix, { transposeB: true });
  const joined = [batch, sequence, multiply(pieces, pieceRank)];
  return reshape(transpose(products, [0, 2, 1, 3]), joined);
}
