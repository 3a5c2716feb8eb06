/** Guest time under a wall clock of our own: it never runs ahead, and a guest that is slow loses what it is behind. */
import { strict as assert } from 'node:assert';
import { Pacer } from '../../../debug-adapter/pacing';

const MS = 1e6;

describe('pacing to the wall', () => {
  it('lets guest time reach the wall, not pass it', () => {
    let wall = 1000;
    const pacer = new Pacer(() => wall);
    pacer.start(5 * MS);
    assert.equal(pacer.limit(5 * MS), 5 * MS);
    wall += 3;
    assert.equal(pacer.limit(5 * MS), 8 * MS);
    assert.equal(pacer.sleep(8 * MS), 0);
    assert.equal(pacer.sleep(8 * MS + 1), 1);
  });

  it('sleeps as long as the guest is ahead, in pieces', () => {
    let wall = 0;
    const pacer = new Pacer(() => wall);
    pacer.start(0);
    assert.equal(pacer.sleep(5 * MS), 5);
    assert.equal(pacer.sleep(500 * MS), 8);
    wall += 499.5;
    assert.equal(pacer.sleep(500 * MS), 1, 'not less than a millisecond: timers are no finer');
    wall += 1;
    assert.equal(pacer.sleep(500 * MS), 0);
  });

  it('does not make up for what a slow guest has lost', () => {
    let wall = 0;
    const pacer = new Pacer(() => wall);
    pacer.start(0);
    wall = 60;
    assert.equal(pacer.limit(0), 60 * MS, 'a little is made up for');
    wall = 5000;
    assert.equal(pacer.limit(10 * MS), 10 * MS, 'five seconds are lost');
    wall += 2;
    assert.equal(pacer.limit(10 * MS), 12 * MS);
  });
});
