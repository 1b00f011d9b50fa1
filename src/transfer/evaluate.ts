/** Accuracy on images that were not trained on. */
import type { Program } from '../engine/index.js';
import type { Tensor } from '../graph/index.js';
import { type Interval, wilsonInterval } from '../stats/index.js';
import type { ImageSource } from './images.js';

export interface Prediction {
  readonly file: string;
  readonly label: number;
  readonly predicted: number;
  /** Softmax probability of the predicted class. */
  readonly probability: number;
}

export interface Evaluation {
  readonly accuracy: number;
  /** 95 % Wilson interval. */
  readonly interval: Interval;
  /** Mean cross-entropy in nats. */
  readonly loss: number;
  readonly predictions: readonly Prediction[];
}

/** A network compiled for a fixed batch of uint8 images (batch, height, width, 3). */
export interface Classifier {
  readonly program: Program;
  readonly input: string;
  readonly logits: string;
  readonly batch: number;
}

/** Runs every image once; the last batch is filled up with repeats that are not counted. */
export async function evaluate(classifier: Classifier, images: ImageSource): Promise<Evaluation> {
  const { program, input, logits, batch } = classifier;
  const [height, width] = images.size;
  const pixels = new Uint8Array(batch * height * width * 3);
  const feed: Tensor = { type: 'uint8', dims: [batch, height, width, 3], data: pixels };
  const predictions: Prediction[] = [];
  let loss = 0;
  for (let start = 0; start < images.labels.length; start += batch) {
    const indices = Array.from({ length: batch }, (_, i) => Math.min(start + i, images.labels.length - 1));
    await images.read(indices, pixels);
    const values = (await program.run({ [input]: feed }, [logits]))[logits] as Tensor;
    const data = values.data as Float32Array;
    const classes = data.length / batch;
    for (let i = 0; i < batch && start + i < images.labels.length; i++) {
      const label = images.labels[start + i] as number;
      const { predicted, normaliser } = softmax(data.subarray(i * classes, (i + 1) * classes));
      loss += normaliser - (data[i * classes + label] as number);
      predictions.push({
        file: images.files[start + i] as string,
        label,
        predicted,
        probability: Math.exp((data[i * classes + predicted] as number) - normaliser),
      });
    }
  }
  const correct = predictions.filter((p) => p.predicted === p.label).length;
  const n = predictions.length;
  return { accuracy: correct / n, interval: wilsonInterval(correct, n), loss: loss / n, predictions };
}

/** Arg max and log-sum-exp of one row of logits. */
export function softmax(row: Float32Array): { predicted: number; normaliser: number } {
  let predicted = 0;
  for (let k = 1; k < row.length; k++) if ((row[k] as number) > (row[predicted] as number)) predicted = k;
  const top = row[predicted] as number;
  let sum = 0;
  for (const v of row) sum += Math.exp(v - top);
  return { predicted, normaliser: top + Math.log(sum) };
}

/** predictions.csv: file,label,class,predicted,predicted_class,probability,correct. */
export function predictionsCsv(predictions: readonly Prediction[], classes: readonly string[]): string {
  const rows = predictions.map(({ file, label, predicted, probability }) =>
    [
      quote(file),
      label,
      quote(classes[label] ?? String(label)),
      predicted,
      quote(classes[predicted] ?? String(predicted)),
      probability.toPrecision(6),
      label === predicted ? 1 : 0,
    ].join(','),
  );
  return `file,label,class,predicted,predicted_class,probability,correct\n${rows.join('\n')}\n`;
}

/** A field of RFC 4180. */
function quote(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
