/** How many numbers a tensor of this shape has; one without dimensions has one. */
export function elementCount(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}
