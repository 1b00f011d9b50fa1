/** onnxruntime's messages as sentences that name what is wrong, where, and what to do. */
import { messageOf, UserError, WorkError } from '../../base/index.js';
import type { Graph, Node } from '../../ir/index.js';
import { Refusal } from '../refusal.js';

/** The message without source locations and function signatures. */
function plain(error: unknown): string {
  const text = messageOf(error).replace(/\s+/g, ' ').trim();
  return text
    .replace(/\S*\/onnxruntime\S*:\d+ .*?\) (?=[A-Z])/, '')
    .replace(/\S+\.(?:h|cc):\d+ (?:\w+ )?/g, '')
    .replace(/^Fatal error: /, '');
}

/** What remains of a message that comes with the C++ function and condition where it arose. */
function withoutCode(fact: string): string {
  return fact
    .replace(/^(?:\w[\w ]*?)?\bonnxruntime::.*?\)(?: const)?(?: \[with [^\]]*\])? /, '')
    .replace(/^.* was false\.\s*/, '')
    .replace(/\.$/, '');
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

/** What is wrong with a graph, by the runtime's ways of saying it; `m` are the parts in brackets. */
const refusals: readonly (readonly [RegExp, Refusal['kind'], (m: readonly string[]) => string])[] = [
  [
    /Node \((.*?)\) Op \((\S+)\) \[(?:Shape|Type)InferenceError\] (.*)/,
    'shape',
    ([name, op, fact]) => `${op} '${name}' cannot run on what it is given: ${shapeFact(fact as string)}`,
  ],
  [
    /Type '(?:tensor\()?(.*?)\)?' of (input|output) parameter \((.*?)\) of operator \((\S+?)\) in node \((.*?)\) is invalid/,
    'graph',
    ([type, side, value, op, name]) => `${op} '${name}' has no form for ${side} '${value}' of type ${type}`,
  ],
  [
    /Type parameter \(\w+\) of Optype \((\S+?)\) bound to different types \((.*?) in node \((.*?)\)/,
    'graph',
    ([op, types, name]) =>
      `${op} '${name}' is given values of different types: ${types?.replace(/tensor\((\w+)\)/g, '$1')}`,
  ],
  [/Duplicate definition(?:-site)? (?:of name|for) \((.*?)\)/, 'graph', ([name]) => `two values are called '${name}'`],
  [
    /input '(.*?)' of node: name: (.*?) OpType: (\S+) is not output of any previous nodes/,
    'graph',
    ([value, name, op]) => `${op} '${name}' reads '${value}', which nothing before it computes`,
  ],
  [
    /Node input '(.*?)' is not a graph input, initializer, or output of a previous node/,
    'graph',
    ([value]) => `a node reads '${value}', which nothing before it computes`,
  ],
  [
    /In Node, \("(.*?)", (\w+), .*? , Error (.*)/,
    'graph',
    ([name, op, fact]) =>
      `${op} '${name}' is not written as its operator asks: ${fact?.replace(/^Node ?\(.*?\) with schema\(.*?\) |\.$/g, '')}`,
  ],
  [/Unsupported data type: (\d+)/, 'graph', ([type]) => `the engine does not hold elements of ONNX's type ${type}`],
  [
    /Exception during initialization: (.*)/,
    'graph',
    ([fact]) => `${/onnxruntime::(\w+)/.exec(fact as string)?.[1] ?? 'a node'}: ${withoutCode(fact as string)}`,
  ],
];

function shapeFact(fact: string): string {
  const merge = /Inferred: (\S+) Declared: (\S+) Dimension: (\d+)/i.exec(fact);
  if (merge) return `axis ${merge[3]} of its result has ${merge[1]} elements, the file declares ${merge[2]}`;
  return withoutCode(fact);
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
  for (const [pattern, kind, say] of refusals) {
    const found = pattern.exec(message);
    if (found) return new Refusal(kind, `the engine does not take the graph: ${say(found.slice(1))}`);
  }
  return new Refusal('graph', `the engine does not take the graph: ${withoutCode(message)}`);
}

/** Why a run failed. */
export function explainRun(error: unknown): Error {
  const message = plain(error);
  const node = /running (\S+) node\. Name:'(.*?)' Status Message: (.*)/.exec(message);
  if (node)
    return new Refusal('shape', `the engine failed at ${node[1]} '${node[2]}': ${withoutCode(node[3] as string)}`);
  const into = /Got invalid dimensions for output: (\S+)|Invalid rank for output: (\S+)/.exec(message);
  if (into) return new WorkError(`output '${into[1] ?? into[2]}' has other dims than the tensor to write it into`);
  return new WorkError(`the engine failed: ${withoutCode(message)}`);
}
