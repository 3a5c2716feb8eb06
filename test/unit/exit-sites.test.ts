/** Exits counted by reason and RIP, against a map of them; what finds no room is counted together, and a snapshot keeps all of it. */
import { strict as assert } from 'node:assert';
import { ExitSites } from '../../emulator/exit-sites';
import { randomSource } from '../random-source';

describe('VM exits by site', () => {
  it('counts as a map does, and after save and restore', () => {
    const random = randomSource(7);
    const addresses = Array.from({ length: 500 }, () => (BigInt(random() >>> 0) << 32n) | BigInt(random() >>> 0));
    let sites = new ExitSites();
    const expected = new Map<string, number>();
    for (let n = 0; n < 20_000; n++) {
      const reason = [10, 18, 48][random() % 3]!;
      const rip = addresses[random() % addresses.length]!;
      sites.note(reason, rip);
      const key = `${reason} ${rip}`;
      expected.set(key, (expected.get(key) ?? 0) + 1);
      if (n !== 10_000) continue;
      const again = new ExitSites();
      again.restore(structuredClone(sites.save()));
      sites = again;
    }
    const found = [10, 18, 48].flatMap((reason) => sites.of(reason).sites);
    assert.equal(found.length, expected.size);
    for (const { reason, rip, exits } of found) assert.equal(exits, expected.get(`${reason} ${rip}`));
    const counts = sites.of(10).sites.map(({ exits }) => exits);
    assert.deepEqual(
      counts,
      [...counts].sort((a, b) => b - a),
      'most exits first',
    );
  });

  it('loses none when there are more sites than places', () => {
    const sites = new ExitSites();
    for (let n = 0; n < 10_000; n++) sites.note(10, BigInt(n) * 16n);
    for (let n = 0; n < 10_000; n++) sites.note(10, BigInt(n) * 16n);
    const { sites: known, others } = sites.of(10);
    assert.ok(known.length < 10_000 && others > 0);
    assert.equal(
      known.reduce((sum, { exits }) => sum + exits, others),
      20_000,
    );
    const again = new ExitSites();
    again.restore(sites.save());
    assert.deepEqual(again.of(10), sites.of(10));
  });
});
