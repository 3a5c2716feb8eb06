/** The order in which devices act. */
import { strict as assert } from 'node:assert';
import type { TimedDevice } from '../../../emulator/devices/device';
import { Timeline } from '../../../emulator/devices/timeline';

function device(name: string, log: string[], deadlines: number[], acted?: (now: number) => void): TimedDevice & { at: number[] } {
  return {
    name,
    at: deadlines,
    get deadline() {
      return this.at[0] ?? Infinity;
    },
    advance(now) {
      while (this.at.length > 0 && this.at[0] <= now) {
        log.push(`${name}@${this.at[0]}`);
        this.at.shift();
      }
      acted?.(now);
    },
    save: () => ({ version: 1 }),
    restore: () => undefined,
  };
}

describe('devices: timeline', () => {
  it('acts in the order of time, at one tick in the order of the devices', () => {
    const log: string[] = [];
    const timeline = new Timeline([device('a', log, [10, 20, 40]), device('b', log, [5, 20, 21])]);
    assert.equal(timeline.deadline, 5);
    timeline.advance(4);
    assert.deepEqual(log, []);
    timeline.advance(21);
    assert.deepEqual(log, ['b@5', 'a@10', 'a@20', 'b@20', 'b@21']);
    assert.equal(timeline.deadline, 40);
    timeline.advance(100);
    assert.equal(timeline.deadline, Infinity);
  });

  it('sees a deadline that another device has brought nearer', () => {
    const log: string[] = [];
    const late = device('late', log, [90]);
    const timeline = new Timeline([device('first', log, [10], (now) => (late.at = [now + 5])), late]);
    timeline.advance(20);
    assert.deepEqual(log, ['first@10', 'late@15']);
  });

  it('does not wait for ever for a device that does not act', () => {
    const broken = { ...device('broken', [], []), deadline: 7 };
    assert.throws(() => new Timeline([broken]).advance(7), /broken did not act at its deadline 7/);
  });
});
