/**
 * What adapters of a kind add to the rows of a served batch that have one, each row by itself.
 *
 * Products with a row's first matrix run in pieces of so many of its rows, because the order in
 * which a matrix product adds up depends on its width: with a width that follows the batch's
 * highest rank, a neighbour would change the last bits of an answer, and int8 rounding would make
 * them visible.
 */
import { type Dimension, multiply } from "../../tensor/dimension.ts";
import { matmul } from "../../tensor/operators/matmul.ts";
import { gather, reshape, scatterAdd, transpose } from "../../tensor/operators/shape.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { PooledPlace } from "../adapter-kind.ts";

/** How many rows bring an adapter of the kind. */
export function rowCountOf({ rows }: PooledPlace): Dimension {
  return rows.shape[0] ?? 1;
}

/** The states `[batch*sequence, width]` of those rows: `[rows, sequence, width]`. */
export function ownRows(states: Tensor, { batch, sequence, rows }: PooledPlace): Tensor {
  const [, width = 1] = states.shape;
  return gather(reshape(states, [batch, sequence, width]), rows);
}

/** The states with `change [rows, sequence, width]` added to those rows. */
export function withChange(states: Tensor, change: Tensor, place: PooledPlace): Tensor {
  const { batch, sequence, rows } = place;
  const [, width = 1] = states.shape;
  const changed = scatterAdd(reshape(states, [batch, sequence, width]), rows, change);
  return reshape(changed, states.shape);
}

/** How many pieces of `pieceRank` rows hold the rank; at least one, so that no product is empty. */
export function pieceCountOf(rank: number, pieceRank: number): number {
  return Math.max(1, Math.ceil(rank / pieceRank));
}

/**
 * States `[rows, sequence, in]` by the rows of each one's `matrix [rows, pieces, pieceRank, in]`:
 * `[rows, sequence, pieces * pieceRank]`.
 */
export function productInPieces(states: Tensor, matrix: Tensor): Tensor {
  const [count = 1, sequence = 1, width = 1] = states.shape;
  const [, pieces = 1, pieceRank = 1] = matrix.shape;
  const alone = reshape(states, [count, 1, sequence, width]);
  const products = matmul(alone, matrix, { transposeB: true });
  const joined = [count, sequence, multiply(pieces, pieceRank)];
  return reshape(transpose(products, [0, 2, 1, 3]), joined);
}
