/** toehold plan CONFIG -o RUN: a study as a list of units, or as a workflow, for programs that run such. */
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { claimFolder, writeFileAtomic } from '../base/index.js';
import { planFile, quoted, snakefile } from '../study/cluster/index.js';
import { prepareStudy, writeRunFile } from '../study/index.js';
import { addOutput, assertOneDevice, createEngine, type OutputFlags } from './flags.js';
import { printJson, printText } from './output.js';
import { addConfigFlags, type ConfigFlags, engineOf, studyOf, threadsOf, wordsOf } from './study-flags.js';

interface PlanFlags extends ConfigFlags, OutputFlags {
  format: 'json' | 'snakemake';
  json?: boolean;
}

export function registerPlan(program: Command): void {
  const command = program
    .command('plan')
    .description('write a study as a list of units with their commands, or as a workflow of Snakemake')
    .argument('<config>', 'the study')
    .addOption(
      new Option('--format <name>', 'json: plan.json; snakemake: a Snakefile too')
        .choices(['json', 'snakemake'])
        .default('json'),
    )
    .option('--json', 'one JSON document on stdout: the plan');
  addOutput(command, { kind: 'dir', text: 'run folder', required: true });
  addConfigFlags(command).action(async (config: string, flags: PlanFlags) => {
    const study = await studyOf(config, flags);
    await claimFolder(flags.output, 'a study', { force: flags.force, inputs: [config] });
    const threads = await threadsOf(flags, study);
    const wanted = { ...flags, ...engineOf(study.config, command), threads };
    assertOneDevice(wanted.device, 'a unit by itself');
    const prepared = await prepareStudy(study, await createEngine(wanted), { keep: flags.output });
    const folder = resolve(flags.output);
    await writeRunFile(prepared, { folder: flags.output, command: `toehold plan ${config} -o ${flags.output}` });
    const words = (name: string) => wordsOf(name, config, flags, wanted);
    const plan = planFile(prepared.plan, {
      folder,
      threads,
      unitCommand: [...words('unit'), '--quiet'],
      assembleCommand: [...words('run'), '--assemble'],
    });
    const root = flags.output;
    await writeFileAtomic({ root, file: 'plan.json' }, `${JSON.stringify(plan, null, 1)}\n`);
    if (flags.format === 'snakemake') await writeFileAtomic({ root, file: 'Snakefile' }, snakefile(plan));
    if (flags.json) {
      printJson(plan);
      return;
    }
    const file = join(flags.output, flags.format === 'json' ? 'plan.json' : 'Snakefile');
    const next =
      flags.format === 'json' ? [] : [`run it: snakemake -s ${quoted(file)} --cores ${Math.max(threads, 2)}`];
    printText([`${plan.units.length} units: ${file}`, ...next]);
  });
}
