/** Networks whose image is not float32: they get one that is, and convert it as they like. */
import { type DataType, type Graph, GraphBuilder, numberOfType } from '../ir/index.js';

/** Types that hold the levels of a pixel, 0 to 255. */
const levels: ReadonlySet<DataType | undefined> = new Set([
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'uint32',
  'int64',
  'uint64',
]);

/** Whether an image input of this type takes the levels of pixels as they are. */
export const takesLevels = (type: DataType | undefined): boolean => levels.has(type);

/** The network with a float32 image, rounded to the levels that it takes; as it is where it takes floats. */
export function floatInput(graph: Graph): Graph {
  const [input, ...others] = graph.inputs;
  if (!input || others.length > 0 || !takesLevels(input.type)) return graph;
  const b = GraphBuilder.rewriting({ ...graph, inputs: [] }, 'input');
  const image = b.input(`${input.name}.float`, 'float32', input.shape);
  b.node('Cast', [b.op('Round', [image])], [input.name], { to: numberOfType(input.type as DataType) });
  for (const node of graph.nodes) b.append(node);
  return b.build();
}
