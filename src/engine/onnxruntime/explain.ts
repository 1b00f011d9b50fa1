/** onnxruntime's messages as sentences that name what is wrong, where, and what to do. */
import { messageOf, UserError, WorkError } from '../../base/index.js';
import type { Graph, Node } from '../../ir/index.js';

/** The message without source locations and function signatures. */
function plain(error: unknown): string {
  const text = messageOf(error).replace(/\s+/g, ' ').trim();
  return text
    .replace(/\S*\/onnxruntime\S*:\d+ .*?\) (?=[A-Z])/, '')
    .replace(/\S+\.(?:h|cc):\d+ (?:\w+ )?/g, '')
    .replace(/^Fatal error: /, '');
}

function allNodes(graph: Graph): Node[] {
  return graph.nodes.flatMap((node) => [
    node,
    ...Object.values(node.attributes).flatMap((a) => (a.kind === 'graph' ? allNodes(a.value) : [])),
  ]);
}

function nameOf(graph: Graph, op: string, domain: string): string {
  const node = allNodes(graph).find((n) => n.op === op && (domain === '' || n.domain === domain));
  return node?.name || node?.outputs.find((name) => name !== '') || '?';
}

/** Why a graph did not compile. */
export function explainCompile(error: unknown, graph: Graph): Error {
  const message = plain(error);
  const lacks = (op: string, node: string) =>
    new UserError(
      `the engine has no operator ${op}${node && ` (node '${node}')`}: export the model with standard ONNX operators`,
    );
  const kernel = /Could not find an implementation for (\S+?)\(\d+\) node with name '(.*?)'/.exec(message);
  if (kernel) return lacks(kernel[1] as string, kernel[2] as string);
  const standard = /No Op registered for (\S+)/.exec(message);
  if (standard) return lacks(standard[1] as string, nameOf(graph, standard[1] as string, ''));
  const other = /(\S+):(\w+)\(-?\d+\) is not a registered function\/op/.exec(message);
  if (other) return lacks(`${other[1]}:${other[2]}`, nameOf(graph, other[2] as string, other[1] as string));
  const newest = /Current official support for domain (\S+) is till opset (\d+)/.exec(message);
  if (newest) {
    const written = graph.opsets.get(newest[1] === 'ai.onnx' ? '' : (newest[1] as string));
    return new UserError(
      `the model is written for operator set ${written}, the engine reads up to ${newest[2]}: export it with an older set`,
    );
  }
  return new UserError(`the engine does not take the model: ${message}`);
}

/** Why a run failed. */
export function explainRun(error: unknown): Error {
  const message = plain(error);
  const node = /running (\S+) node\. Name:'(.*?)' Status Message: (.*)/.exec(message);
  if (node) return new WorkError(`the engine failed at ${node[1]} '${node[2]}': ${node[3]}`);
  const into = /Got invalid dimensions for output: (\S+)|Invalid rank for output: (\S+)/.exec(message);
  if (into) return new WorkError(`output '${into[1] ?? into[2]}' has other dims than the tensor to write it into`);
  return new WorkError(`the engine failed: ${message}`);
}
