/**
 * What our search is compared with: placements by simple rules (AlpaServe, sections 6.1 and 6.6),
 * on a judge of the same requests.
 */
import { present } from "../../foundation/assert.ts";
import { assignDevices, sameShape } from "../devices.ts";
import type { Candidate, Judge, PlacedGroup } from "../judge.ts";
import { selectUnits } from "./selection.ts";

/** Rules that place once and for all; each is a start of the search as well. */
export const ruleNames = ["selective replication", "round robin", "uniform replication"] as const;

export type RuleName = (typeof ruleNames)[number];

export function placeByRule(rule: RuleName, judge: Judge): Candidate {
  switch (rule) {
    case "selective replication":
      return selectiveReplication(judge);
    case "round robin":
      return roundRobin(judge, pipelineStageCount(judge));
    case "uniform replication":
      return uniformReplication(judge);
  }
}

/** AlpaServe has four; this is four, or the next fewer that a model was measured with. */
function pipelineStageCount({ configurations }: Judge): number {
  const known = configurations.filter(
    ({ intraOp, stageCount }) => intraOp === 1 && stageCount <= 4,
  );
  return Math.max(1, ...known.map(({ stageCount }) => stageCount));
}

/** Selective replication (SR): a group is a device, and the selection is the fast greedy one. */
export function selectiveReplication(judge: Judge): Candidate {
  return greedyPipelines(judge, 1);
}

/** The same with pipelines of a fixed length. */
export function greedyPipelines(judge: Judge, stageCount: number): Candidate {
  return selectUnits(judge, pipelines(judge, stageCount));
}

/** Units dealt in turns to pipelines of a fixed length until a whole turn finds no room. */
export function roundRobin(judge: Judge, stageCount = 4): Candidate {
  const groups = [...pipelines(judge, stageCount)];
  const unitCount = judge.problem.units.length;
  let [turn, failedCount] = [0, 0];
  for (let unit = 0; failedCount < unitCount * groups.length; unit = (unit + 1) % unitCount) {
    const index = turn % groups.length;
    const group = present(groups[index], "a turn is one of a group");
    turn += 1;
    const units = [...group.units, unit];
    failedCount += 1;
    if (group.units.includes(unit) || !judge.fits(group, units)) continue;
    groups[index] = { ...group, units };
    failedCount = 0;
  }
  return judge.judge(groups);
}

/** Unit i on device i and the next ones, as many as have room (AlpaServe, section 3). */
export function uniformReplication(judge: Judge): Candidate {
  const unitCount = judge.problem.units.length;
  const groups = pipelines(judge, 1).map((group, device) => {
    const units: number[] = [];
    for (let turn = 0; turn < unitCount; turn++) {
      const unit = (device + turn) % unitCount;
      if (!judge.fits(group, [...units, unit])) break;
      units.push(unit);
    }
    return { ...group, units };
  });
  return judge.judge(groups);
}

/** All devices in pipelines of so many stages, the rest in shorter ones; no units. */
function pipelines(judge: Judge, stageCount: number): readonly PlacedGroup[] {
  const known = judge.configurations.filter(
    (configuration) => configuration.intraOp === 1 && configuration.stageCount <= stageCount,
  );
  const devices = Array.from({ length: judge.deviceCount }, (_, device) => device);
  const shape = sameShape({ intraOp: 1, stageCount }, judge.deviceCount, known);
  const groups = assignDevices(shape, devices, judge.problem.cluster) ?? [];
  return groups.map((group) => ({ ...group, units: [] }));
}
