/** Names of tasks and backbones become parts of paths and ids: a config with any other kind of name is refused. */
import { describe, expect, test } from 'vitest';
import { ConfigSchema } from '../../src/study/index.js';

const config = (task: string, backbone: string) => ({
  protocol: 'head2toe',
  backbones: { [backbone]: { model: 'model.onnx' } },
  tasks: { [task]: { data: 'data' } },
});

describe('names in a config', () => {
  test.each(['gtsrb', 'sign_digits', 'aid-30', 'v1.2', 'Zürich', '数据'])('%j is one', (name) => {
    expect(ConfigSchema.safeParse(config(name, name)).success).toBe(true);
  });

  test.each(['../../x', '..', '.hidden', '/tmp/x', 'a/b', 'a\\b', '', '-x', 'a b', 'a\nb'])('%j is none', (name) => {
    expect(ConfigSchema.safeParse(config(name, 'small')).success).toBe(false);
    expect(ConfigSchema.safeParse(config('task', name)).success).toBe(false);
  });

  test('how a task is divided: a share below 1, and a split to test on', () => {
    const task = (more: object) => ({ ...config('t', 'b'), tasks: { t: { data: 'data', ...more } } });
    expect(ConfigSchema.parse(task({ holdout: 0.3, testSplit: 'val' })).tasks.t).toMatchObject({
      holdout: 0.3,
      testSplit: 'val',
    });
    for (const wrong of [{ holdout: 0 }, { holdout: 1 }, { holdout: '20 %' }, { testSplit: '' }]) {
      expect(ConfigSchema.safeParse(task(wrong)).success, JSON.stringify(wrong)).toBe(false);
    }
  });
});
