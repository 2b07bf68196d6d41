/** The cheapest nodes that reach the objective, among those that can be had. */
import { StrataError } from "../foundation/errors.ts";
import { limits } from "../foundation/limits.ts";
import { type Fleet, mixCountOf, mixesOf } from "./fleet.ts";
import type { Method } from "./methods.ts";
import { planningOf, type Scenario, trialOf } from "./planning.ts";

/** One choice of nodes, planned for. */
export interface Mix {
  readonly fleet: Fleet;
  readonly attainment: number;
}

export interface CheapestOptions {
  readonly method: Method;
  readonly isOver: () => boolean;
  readonly onMix: (mix: Mix) => void;
}

/**
 * Halves the choices, taking them in order of price: one that reaches the objective rules out all
 * that cost as much, one that does not all that are contained in it. The last that reached it is
 * the cheapest; undefined if none does.
 */
export async function cheapest(
  scenario: Scenario,
  { method, isOver, onMix }: CheapestOptions,
): Promise<Mix | undefined> {
  checkPrices(scenario.fleet);
  let best: Mix | undefined;
  let open = mixesOf(scenario.fleet);
  while (open.length > 0) {
    const middle = Math.floor((open.length - 1) / 2);
    const fleet = open[middle] ?? scenario.fleet;
    const variant = { ...scenario, fleet };
    const attainment = await method.attain(planningOf(variant), trialOf(variant));
    if (isOver()) break;
    const mix = { fleet, attainment };
    onMix(mix);
    if (attainment >= scenario.attainment) {
      best = mix;
      open = open.slice(0, middle);
    } else open = open.filter((other) => !isWithin(other, fleet));
  }
  return best;
}

/** INVALID_ARGUMENT if a type has no price, TOO_LARGE if there are too many choices. */
export function checkPrices(fleet: Fleet): void {
  const { nodes } = fleet;
  const unpriced = nodes.find(({ pricePerHour }) => pricePerHour === undefined);
  if (unpriced !== undefined)
    throw new StrataError(
      "INVALID_ARGUMENT",
      `Cannot find the cheapest nodes: "${unpriced.type}" has no pricePerHour`,
      { field: "pricePerHour" },
    );
  if (mixCountOf(fleet) > limits.planMixCountMax)
    throw new StrataError(
      "TOO_LARGE",
      `Cannot find the cheapest nodes: expected at most ${limits.planMixCountMax} choices of ` +
        `nodes, got ${mixCountOf(fleet)}`,
      { field: "countMax" },
    );
}

function isWithin(small: Fleet, large: Fleet): boolean {
  return small.nodes.every(({ count }, index) => count <= (large.nodes[index]?.count ?? 0));
}

/** Names a fleet, such as `2 × g8 + 1 × g1`. */
export function nameOfFleet({ nodes }: Fleet): string {
  const used = nodes.filter(({ count }) => count > 0);
  return used.map(({ type, count }) => `${count} × ${type}`).join(" + ");
}
