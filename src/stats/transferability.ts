/** Scores of how well a source model's answers go with labels. Labels are class numbers 0 ... C - 1. */

/**
 * LEEP (Nguyen et al., 2020): mean log likelihood of the labels, in nats, under the empirical P(label | source class), averaged
 * by what the source model says.
 * @param source probabilities of the source model's classes, (n, classes), row-major
 */
export function leep(source: ArrayLike<number>, classes: number, labels: ArrayLike<number>): number {
  const [n, Z] = [labels.length, classes];
  const C = Math.max(...Array.from(labels)) + 1;
  const joint = new Float64Array(C * Z);
  const marginal = new Float64Array(Z);
  for (let i = 0; i < n; i++) {
    for (let z = 0; z < Z; z++) {
      joint[labels[i] * Z + z] += source[i * Z + z];
      marginal[z] += source[i * Z + z];
    }
  }
  let sum = 0;
  for (let i = 0; i < n; i++) {
    let p = 0;
    for (let z = 0; z < Z; z++) if (marginal[z] > 0) p += (source[i * Z + z] * joint[labels[i] * Z + z]) / marginal[z];
    sum += Math.log(p);
  }
  return sum / n;
}

/** Negative conditional entropy -H(label | source class) (Tran et al., 2019), nats; never positive. */
export function negativeConditionalEntropy(source: ArrayLike<number>, labels: ArrayLike<number>): number {
  const n = labels.length;
  const [joint, marginal] = [new Map<string, number>(), new Map<number, number>()];
  for (let i = 0; i < n; i++) {
    const key = `${source[i]} ${labels[i]}`;
    joint.set(key, (joint.get(key) ?? 0) + 1);
    marginal.set(source[i], (marginal.get(source[i]) ?? 0) + 1);
  }
  let sum = 0;
  for (const [key, count] of joint)
    sum += (count / n) * Math.log(count / (marginal.get(Number(key.split(' ')[0])) ?? n));
  return sum;
}
