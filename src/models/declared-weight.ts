/** The weights of an encoder as its graphs declare them: no name has to tell what one is. */
import type { Tensor } from "../tensor/tensor.ts";

/**
 * - `matrix`: of a linear layer.
 * - `table`: rows that are looked up.
 * - `gain`: of a normalisation, which starts with ones.
 * - `bias`: what is added.
 */
export type WeightRole = "matrix" | "table" | "gain" | "bias";

export interface DeclaredWeight {
  readonly tensor: Tensor;
  readonly role: WeightRole;
  /** Its name without the prefix of its encoder. */
  readonly ownName: string;
  /** The linear layer whose weight it is: inputs of its other forms are named `<linear>.<form>`. */
  readonly linear?: string;
}
