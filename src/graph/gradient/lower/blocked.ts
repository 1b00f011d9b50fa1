/**
 * Lowering to onnxruntime's blocked layout on CPUs.
 *
 * The runtime's fast convolutions work on channels in blocks of the vector width, (N, C/b, H, W, b), and it uses them
 * only where weights are constants, which trained weights are not. Its operators of that layout can be written into a
 * graph directly (domain com.microsoft.nchwc: what its offline optimiser saves), with weights brought into blocked
 * order by a small Transpose in each step. The whole network then trains in that layout:
 * - convolutions and their input gradients are blocked convolutions, strided ones by phases of the stride;
 * - a weight gradient is one blocked convolution in which the batch plays the channels and dy the kernel;
 * - a per-channel sum of products (norms, depthwise weights) is a depthwise convolution with dy as its kernel;
 * - a per-channel affine map is a depthwise 1 x 1 convolution that adds a residual and rectifies in the same pass.
 * What has no blocked form is expanded in standard operators, with reorders in between.
 */
import type { Graph, Node } from '../../../ir/index.js';
import { compositeOf } from '../composites/index.js';
import type { Differentiated } from '../reverse.js';
import { blockedOperators } from './blocked-operators.js';
import { BlockedLayout } from './layout.js';

/** The graph in the layout of `block` channels. */
export function lowerBlocked({ graph, shapes }: Differentiated, block: number): Graph {
  const layout = new BlockedLayout(graph, shapes, block);
  for (const node of graph.nodes) if (!lower(layout, node)) inPlainLayout(layout, node);
  for (const { name } of graph.outputs) {
    const value = layout.plain(name);
    if (value !== name) layout.e.node('Identity', [value], [name]);
  }
  return layout.e.build();
}

function lower(layout: BlockedLayout, node: Node): boolean {
  const composite = compositeOf(node);
  if (composite) return composite.lower !== 'expand' && composite.lower(layout, node);
  return node.domain === '' && (blockedOperators.get(node.op)?.(layout, node) ?? false);
}

function inPlainLayout(layout: BlockedLayout, node: Node): void {
  const inputs = node.inputs.map((i) => i && layout.plain(i));
  const composite = compositeOf(node);
  if (composite) {
    const results = composite.expand(layout.e, { ...node, inputs });
    for (const [i, value] of results.entries()) layout.setPlain(node.outputs[i] as string, value);
    return;
  }
  layout.e.append({ ...node, inputs });
  for (const o of node.outputs) layout.setPlain(o, o);
}
