/**
 * What a dispatcher foresees of a group: clocks that its own admissions move, and by how much the
 * last answer was behind them. An immutable value; whoever dispatches holds one per group. The real
 * dispatcher and the event simulator of `placement/` share it.
 */
import { admit, type Arrival } from "./dispatch.ts";

export interface Forecast {
  /** The time at which each stage is free, as admission predicted it; in seconds. */
  readonly clocks: readonly number[];
  /** How far what comes true is behind the clocks. */
  readonly lagSeconds: number;
}

export type ForecastAdmission =
  | {
      readonly kind: "admitted";
      readonly forecast: Forecast;
      /** The time at which the last stage is done with it, on the clocks. */
      readonly predictedSeconds: number;
    }
  | { readonly kind: "rejected" };

/** The forecast of a group that never ran. */
export function idleForecast(stageCount: number): Forecast {
  return { clocks: Array.from({ length: stageCount }, () => 0), lagSeconds: 0 };
}

/** The time at which the last stage is free: the load that `dispatch` compares. */
export function freeSeconds({ clocks, lagSeconds }: Forecast): number {
  return (clocks.at(-1) ?? 0) + lagSeconds;
}

/** Admits a request whose predicted finish, corrected by the lag, is in time. */
export function admitByForecast(arrival: Arrival, forecast: Forecast): ForecastAdmission {
  const { lagSeconds } = forecast;
  const nowSeconds = arrival.nowSeconds - lagSeconds;
  const deadlineSeconds = arrival.deadlineSeconds - lagSeconds;
  const admission = admit({ ...arrival, nowSeconds, deadlineSeconds }, forecast.clocks);
  if (admission.kind === "rejected") return admission;
  const { clocks } = admission;
  const predictedSeconds = clocks.at(-1) ?? nowSeconds;
  return { kind: "admitted", forecast: { clocks, lagSeconds }, predictedSeconds };
}

/** Corrects after the last stage was done at `finishSeconds` with what was predicted. */
export function correctForecast(
  { clocks }: Forecast,
  { predictedSeconds, finishSeconds }: Record<"predictedSeconds" | "finishSeconds", number>,
): Forecast {
  return { clocks, lagSeconds: finishSeconds - predictedSeconds };
}
