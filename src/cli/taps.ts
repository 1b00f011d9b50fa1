/** toehold taps MODEL: every tap of a network. */
import type { Command } from 'commander';
import { given, quantity, textTable } from '../base/index.js';
import { loadBackbone, parsePool, poolTaps, tapsOf } from '../features/index.js';
import { type Graph, type Layout, learnedLayers, selectTaps, sizeOf, type Tap } from '../graph/index.js';
import { addBackboneFlags, type BackboneFlags, backboneOptions, modelHelp } from './backbone-flags.js';
import { addEngineFlags, createEngine, type EngineFlags } from './flags.js';
import { note, printJson, printText } from './output.js';

interface TapsFlags extends EngineFlags, BackboneFlags {
  taps: string;
  pool: string;
  layers?: boolean;
  json?: boolean;
}

export function registerTaps(program: Command): void {
  const command = program
    .command('taps')
    .description('list the values of a network that can be read: name, kind, shape, depth, parameters, multiply-adds')
    .argument('<model>', modelHelp)
    .option('--taps <globs>', 'which: aliases, names, globs, default, modules (of attention blocks), all', 'default')
    .option('--pool <spec>', 'pooling whose number of features is shown', 'gap')
    .option('--layers', 'list the learned layers instead, as train --layers counts them')
    .option('--json', 'print one JSON document');
  addBackboneFlags(addEngineFlags(command)).action(async (model: string, flags: TapsFlags) => {
    const engine = await createEngine(flags);
    const backbone = await loadBackbone(model, engine, backboneOptions(flags));
    const { network, taps } = await tapsOf(backbone, engine);
    if (flags.layers) {
      printLayers(layerRows(network.graph, taps), flags.json ?? false);
      return;
    }
    const chosen = poolTaps(selectTaps(taps, flags.taps), parsePool(flags.pool));
    const total = { params: Math.max(...taps.map((t) => t.params)), macs: Math.max(...taps.map((t) => t.macs)) };
    if (flags.json) {
      printJson({
        model: {
          sha256: backbone.sha256,
          inputs: backbone.graph.inputs.map(({ name, type, shape }) => ({ name, type, shape: shape ?? null })),
          ...total,
          ...given({ preprocessing: backbone.preprocessing, origin: backbone.origin, classes: backbone.classes }),
        },
        preprocess: backbone.preprocess,
        pool: flags.pool,
        taps: chosen.map(({ name, alias, kind, layout, op, shape, depth, params, macs, features }) => ({
          name,
          alias,
          kind,
          layout: { ...layout, grid: layout.grid ?? null },
          op,
          shape,
          depth,
          params,
          macs,
          features,
        })),
      });
      return;
    }
    const header = ['alias', 'kind', 'layout', 'shape', 'depth', 'params', 'MACs', 'features', 'op', 'name'];
    const rows = chosen.map((t) => [
      t.alias,
      t.kind,
      layoutText(t.layout),
      t.shape.join('×'),
      t.depth.toFixed(2),
      quantity(t.params),
      quantity(t.macs),
      String(t.features),
      t.op,
      t.name,
    ]);
    const features = chosen.reduce((sum, t) => sum + t.features, 0);
    printText([
      ...textTable(header, rows),
      '',
      `${chosen.length} taps of ${taps.length} values, ${features} features with --pool ${flags.pool}; the whole network: ${quantity(total.params)} parameters, ${quantity(total.macs)} multiply-adds per image`,
    ]);
    for (const line of backbone.notes) note(`note: ${line}`);
  });
}

/** Axes as letters; of tokens also how many no patch made, before and after the grid of those that patches made. */
function layoutText({ kind, axes, prefix, suffix, grid }: Layout): string {
  if (!axes.includes('T') || kind === 'unknown') return axes;
  const parts = [
    prefix > 0 ? `${prefix}` : '',
    grid ? grid.join('×') : 'in no known order',
    suffix > 0 ? `${suffix}` : '',
  ];
  return `${axes}: ${parts.filter((part) => part !== '').join(' + ')}`;
}

interface LayerRow {
  /** Layers up to and with this one: what --layers of train copies or freezes. */
  readonly layer: number;
  readonly name: string;
  readonly op: string;
  /** Learned numbers of the layer. */
  readonly params: number;
  /** Aliases of the default taps within it. */
  readonly taps: readonly string[];
}

function layerRows(graph: Graph, taps: readonly Tap[]): LayerRow[] {
  return learnedLayers(graph).map(({ index, name, node, nodes, parameters }) => {
    const values = new Set(nodes.flatMap((n) => n.outputs));
    const learned = parameters.filter((p) => p.role !== 'mean' && p.role !== 'variance');
    return {
      layer: index + 1,
      name,
      op: node.op,
      params: learned.reduce((sum, p) => sum + sizeOf(graph.constants.get(p.name)?.dims ?? []), 0),
      taps: taps.filter((t) => t.standard && values.has(t.name)).map((t) => t.alias),
    };
  });
}

function printLayers(rows: readonly LayerRow[], json: boolean): void {
  if (json) {
    printJson({ layers: rows });
    return;
  }
  const header = ['layer', 'op', 'params', 'taps', 'name'];
  printText(
    textTable(
      header,
      rows.map((r) => [String(r.layer), r.op, quantity(r.params), r.taps.join(' '), r.name]),
    ),
  );
}
