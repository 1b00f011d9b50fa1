import { describe, expect, test } from 'vitest';
import { slug } from '../../src/report/file-names.js';

describe('names of tasks in file names', () => {
  test.each(['signs', 'sign_digits', 'caltech-101', 'v1.2'])('%s is its own', (name) => {
    expect(slug(name)).toBe(name);
  });
  test.each(['../../x', '/etc/passwd', '..', '.', 'a/b', 'a\\b', 'A b', 'ä', '', 'x'.repeat(300), 'con:', 'a.'])(
    '%j stays in its folder',
    (name) => {
      expect(slug(name)).toMatch(/^[a-z0-9_-]{0,60}~[0-9a-f]{12}$/);
    },
  );
  test('different names are different files, also where case does not count', () => {
    const names = ['a b', 'a-b', 'a/b', 'A-b', 'a_b', 'a..b', 'ab', 'AB', 'Ab'];
    expect(new Set(names.map((n) => slug(n).toLowerCase())).size).toBe(names.length);
  });
});
