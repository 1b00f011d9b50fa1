/** A plan as a workflow of Snakemake: a rule for each kind of unit, over the units in plan.json. */
import type { PlanFile } from './plan-file.js';

/** Seconds from which on a kind of unit is worth a job of a cluster. */
const worthAJob = 1;

/** The Snakefile that belongs beside the plan's file, in the run folder. */
export function snakefile({ units }: Pick<PlanFile, 'units'>, file = 'plan.json'): string {
  const kinds = [...new Set(units.map(({ kind }) => kind))];
  const local = kinds.filter((kind) => units.every((unit) => unit.kind !== kind || unit.seconds < worthAJob));
  return `# Written by toehold plan: a rule for each kind of unit. Run it with: snakemake -s THIS_FILE --cores N
import json, os

FOLDER = os.path.dirname(os.path.abspath(workflow.snakefile))
workdir: FOLDER

with open(os.path.join(FOLDER, ${JSON.stringify(file)}), encoding="utf-8") as plan_file:
    PLAN = json.load(plan_file)
UNITS = {unit["id"]: unit for unit in PLAN["units"]}


def record(unit):
    return f"units/{unit}/record.json"


def needed(wildcards):
    return [record(unit) for unit in UNITS[wildcards.unit]["needs"]]


def of(field):
    return lambda wildcards: UNITS[wildcards.unit][field]


localrules: ${['all', 'assemble', ...local.map(ruleOf)].join(', ')}


rule all:
    input: "report.html"


rule assemble:
    input: [record(unit) for unit in UNITS]
    output: "report.html"
    # A function: braces in a string of params are wildcards to Snakemake.
    params: command=lambda wildcards: PLAN["assemble"]
    shell: "{params.command}"

${kinds.map(rule).join('\n')}`;
}

const ruleOf = (kind: string): string => kind.replaceAll('-', '_');

const rule = (kind: string): string => `
rule ${ruleOf(kind)}:
    input: needed
    output: "units/{unit}/record.json"
    wildcard_constraints: unit=r"${kind}-[0-9a-f]{16}"
    threads: of("threads")
    resources:
        mem_mb=of("megabytes"),
        runtime=lambda wildcards: max(10, int(5 + 3 * UNITS[wildcards.unit]["seconds"] / 60)),
    params: command=of("command")
    shell: "{params.command}"
`;
