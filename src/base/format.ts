/** Numbers as the terminal and the page print them. */

/** .8123 -> "81.2". */
export const percent = (share: number, digits = 1): string => trueMinus((100 * share).toFixed(digits));

/** .8123 -> "81 %", .0042 -> "0.42 %": two digits, however small the share is. */
export const roughPercent = (share: number): string => `${Number((100 * share).toPrecision(2))} %`;

/** A hyphen before a number as a minus sign; no sign before zero. */
export function trueMinus(text: string): string {
  return /^-0(\.0*)?$/.test(text) ? text.slice(1) : text.replace('-', '−');
}

/** Three digits and an SI prefix: 1234567 -> "1.23 M", with a unit "1.23 MB". Whole numbers below 1000 stay whole. */
export function quantity(value: number, unit = ''): string {
  const prefixes = ['', 'k', 'M', 'G', 'T', 'P', 'E'];
  let step = 0;
  let scaled = value;
  while (Math.abs(scaled) >= 999.5 && step < prefixes.length - 1) {
    scaled /= 1000;
    step++;
  }
  const text = step === 0 && Number.isInteger(scaled) ? String(scaled) : scaled.toPrecision(3);
  return `${text} ${prefixes[step]}${unit}`.trim();
}

/** Whole seconds as time spent or left: 12 s, 3 min 20 s, 2 h 5 min. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 2 * day) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return s < 2 * year ? `${Math.round(s / day)} days` : `${Math.round(s / year)} years`;
}

const day = 86_400;
const year = 365.25 * day;
