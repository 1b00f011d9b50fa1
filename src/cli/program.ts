/** The commands, and one command line from its arguments to its exit code. */
import { Command, CommanderError } from 'commander';
import { packageVersion } from '../base/index.js';
import { fail, printText, startOutput } from './output.js';

interface CommandEntry {
  /** Its line in the list of commands. */
  readonly summary: string;
  readonly load: () => Promise<(program: Command) => void>;
}

/** Commands load only when they are asked for, so that none pays for another's libraries. */
const commands: Readonly<Record<string, CommandEntry>> = {
  ask: {
    summary: 'what is this network worth on these images? The answer, without a config',
    load: async () => (await import('./ask.js')).registerAsk,
  },
  init: {
    summary: 'write the config of such a study, to edit and to run',
    load: async () => (await import('./ask.js')).registerInit,
  },
  taps: {
    summary: 'list the values of a network that can be read',
    load: async () => (await import('./taps.js')).registerTaps,
  },
  extract: {
    summary: 'run a network over images once and keep every tap, pooled',
    load: async () => (await import('./extract.js')).registerExtract,
  },
  features: {
    summary: 'write the features of a store as one matrix for other programs',
    load: async () => (await import('./features.js')).registerFeatures,
  },
  probe: {
    summary: 'fit probes on features and report what they selected',
    load: async () => (await import('./probe.js')).registerProbe,
  },
  score: {
    summary: 'score every tap of one or several feature stores without training',
    load: async () => (await import('./score.js')).registerScore,
  },
  train: {
    summary: 'fine-tune, train from scratch, copy layers and freeze them',
    load: async () => (await import('./train.js')).registerTrain,
  },
  run: {
    summary: 'run a whole study from a config',
    load: async () => (await import('./run.js')).registerRun,
  },
  plan: {
    summary: 'write a study as a plan for a workflow engine: plan.json, Snakefile',
    load: async () => (await import('./plan.js')).registerPlan,
  },
  unit: {
    summary: 'do some units of a study: what a job of a cluster does',
    load: async () => (await import('./unit.js')).registerUnit,
  },
  status: {
    summary: 'how a run stands, and why units failed',
    load: async () => (await import('./status.js')).registerStatus,
  },
  cancel: {
    summary: 'take the jobs of a run out of the queue',
    load: async () => (await import('./status.js')).registerCancel,
  },
  report: {
    summary: 'write the page, tables and figures of a run from its records',
    load: async () => (await import('./report.js')).registerReport,
  },
  export: {
    summary: 'write a probe as one ONNX file: image in, class probabilities out',
    load: async () => (await import('./export.js')).registerExport,
  },
  predict: {
    summary: 'classify images with an exported head',
    load: async () => (await import('./predict.js')).registerPredict,
  },
  convert: {
    summary: 'write a model of TensorFlow.js as an ONNX file',
    load: async () => (await import('./convert.js')).registerConvert,
  },
  demo: {
    summary: 'the whole story in two minutes, offline',
    load: async () => (await import('./demo.js')).registerDemo,
  },
  schema: {
    summary: 'print the JSON Schema of study configs',
    load: async () => (await import('./schema.js')).registerSchema,
  },
  verify: {
    summary: 'compare the files of a feature store with their hashes',
    load: async () => (await import('./verify.js')).registerVerify,
  },
  doctor: {
    summary: 'what works here, and how to get what is missing',
    load: async () => (await import('./doctor.js')).registerDoctor,
  },
  completion: {
    summary: 'print a script that completes toehold in your shell',
    load: async () => (await import('./completion.js')).registerCompletion,
  },
};

/** Names of the commands. */
export const commandNames: readonly string[] = Object.keys(commands);

/** A program with one command and no other. */
async function onlyCommand(name: string): Promise<Command | undefined> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!entry) return undefined;
  const program = new Command('toehold');
  (await entry.load())(program);
  return program.commands[0];
}

/** Does what the arguments say; errors are printed and set `process.exitCode`. */
export async function runCommandLine(argv: readonly string[]): Promise<void> {
  const flags = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv;
  startOutput(flags.includes('--json'));
  try {
    await parse(argv);
  } catch (error) {
    if (!(error instanceof CommanderError && error.exitCode === 0)) fail(error);
  }
}

async function parse(argv: readonly string[]): Promise<void> {
  const program = new Command('toehold')
    .description('Which layers of a pretrained network already know your task?')
    .version(packageVersion())
    .configureHelp({ subcommandTerm: (command) => command.name() })
    // The last word on errors is fail()'s.
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
    .showSuggestionAfterError();
  if (argv[0] === 'complete') {
    const { candidates } = await import('./completion.js');
    const words = argv[1] === '--' ? argv.slice(2) : argv.slice(1);
    const { topics } = await import('./topics.js');
    const found = await candidates(words, [...commandNames, 'help'], onlyCommand, [...Object.keys(topics), 'man']);
    if (found.length > 0) process.stdout.write(`${found.join('\n')}\n`);
    return;
  }
  const asked = argv[0] === 'help' ? argv[1] : argv[0];
  const help = asked === undefined || argv[0] === 'help' || argv.includes('--help') || argv.includes('-h');
  const { topics, examples, methodLines } = help ? await import('./topics.js') : {};
  if (argv[0] === 'help' && asked !== undefined && topics && Object.hasOwn(topics, asked)) {
    printText((await topics[asked]?.text()) ?? []);
    return;
  }
  if (argv[0] === 'help' && asked === 'man') {
    const { manual } = await import('./manual.js');
    const all = await Promise.all(commandNames.map(onlyCommand));
    process.stdout.write(
      manual(
        all.filter((command) => command !== undefined),
        examples ?? {},
      ),
    );
    return;
  }
  for (const [name, { summary, load }] of Object.entries(commands)) {
    if (name === asked) (await load())(program);
    else program.command(name).description(summary);
  }
  if (topics) {
    const lines = Object.entries(topics).map(([name, { summary }]) => `    ${name.padEnd(12)}${summary}`);
    program.addHelpText('after', `\nTopics (toehold help TOPIC):\n${lines.join('\n')}`);
    for (const command of program.commands) {
      const shown = examples?.[command.name()] ?? [];
      if (command.name() !== asked) continue;
      if (asked === 'probe' && methodLines) {
        command.addHelpText('after', `\nMethods:\n${(await methodLines(true)).map((line) => `  ${line}`).join('\n')}`);
      }
      if (shown.length > 0) command.addHelpText('after', `\nExamples:\n${shown.map((e) => `  ${e}`).join('\n')}`);
    }
  }
  // Commander answers `help nonsense` with the list of commands and not a word on the name.
  const known = asked === undefined || Object.hasOwn(commands, asked);
  await program.parseAsync(argv[0] === 'help' && !known ? argv.slice(1) : argv, { from: 'user' });
}
