/** The expression language, hit conditions, log messages and memory references. */
import { strict as assert } from 'node:assert';
import { parseHitCondition } from '../../../debug-adapter/breakpoints/hit-condition';
import { parseLogMessage, renderLogMessage } from '../../../debug-adapter/breakpoints/log-message';
import { RequestError } from '../../../debug-adapter/errors';
import { evaluateExpression, formatValue, type Names, type Value } from '../../../debug-adapter/evaluate/evaluate';
import { mostSimilar } from '../../../debug-adapter/evaluate/similar';
import { parseExpression } from '../../../debug-adapter/evaluate/syntax';
import { formatPlace, offsetPlace, parsePlace } from '../../../debug-adapter/memory-reference';

const known: Record<string, Value> = {
  rax: { value: 0x1000n, origin: { kind: 'register', name: 'rax' } },
  rbx: { value: 0xffff_ffff_ffff_ffffn, origin: { kind: 'register', name: 'rbx' } },
  main: { value: 0x100000n, place: { space: 'gva', level: 1, address: 0x100000n }, origin: { kind: 'symbol', name: 'main' } },
  'main.loop': { value: 0x100010n, place: { space: 'gva', level: 1, address: 0x100010n }, origin: { kind: 'symbol', name: 'main.loop' } },
  reason: { value: 48n, label: 'EPT_VIOLATION', origin: { kind: 'event', name: 'reason' } },
  EPT_VIOLATION: { value: 48n, label: 'EPT_VIOLATION', origin: { kind: 'constant', name: 'EPT_VIOLATION' } },
  CPUID: { value: 10n, label: 'CPUID', origin: { kind: 'constant', name: 'CPUID' } },
};
const names: Names = {
  level: 2,
  pointerBytes: 8,
  lookup: (name) => (Object.hasOwn(known, name) ? known[name] : undefined),
  similar: (name) => mostSimilar(name, Object.keys(known)),
  read: (place, bytes) =>
    place.address < 0x200000n ? Uint8Array.from({ length: bytes }, (_, i) => (Number(place.address) + i) & 0xff) : new Uint8Array(),
  translate: (place, space) => ({ space, level: place.level, address: place.address + (space === 'hpa' ? 0xa00000n : 0x10000n) }),
};
const value = (text: string): bigint | boolean => evaluateExpression(parseExpression(text), names).value;
const shown = (text: string): string => formatValue(evaluateExpression(parseExpression(text), names));
const refusal = (text: string): string => {
  try {
    value(text);
  } catch (error) {
    assert.ok(error instanceof RequestError, `${text}: ${String(error)}`);
    return error.message;
  }
  return assert.fail(`${text} was not refused`);
};

describe('expressions', () => {
  const rows: [string, bigint | boolean][] = [
    ['0x1f', 31n],
    ['0FFh', 255n],
    ['0b1010', 10n],
    ['1_000', 1000n],
    ['2 + 3 * 4', 14n],
    ['(2 + 3) * 4', 20n],
    ['10 - 2 - 3', 5n],
    ['7 / 2', 3n],
    ['7 % 4', 3n],
    ['1 << 4 | 1', 17n],
    ['0xf0 & 0x3c ^ 1', 0x31n],
    ['-1', 0xffff_ffff_ffff_ffffn],
    ['rbx + 1', 0n],
    ['~0 == rbx', true],
    ['rax & 0x1000 == 0x1000', true],
    ['!(rax == 0)', true],
    ['reason == EPT_VIOLATION', true],
    ['reason == 48', true],
    ['reason == CPUID || reason != CPUID && rax > 0xfff', true],
    ['$rax == %rax', true],
    ['rax %rax', 0n],
    ['[main]', 0x0706050403020100n],
    ['word [main + 2]', 0x0302n],
    ['byte ptr [main.loop]', 0x10n],
    ['dword[rax]', 0x03020100n],
    ['gpa(rax)', 0x11000n],
    ['hpa(main) + 4', 0xb00004n],
    ['l1:gpa:rax', 0x1000n],
    ['0 && nothing_here', false],
    ['1 || nothing_here', true],
  ];
  for (const [text, expected] of rows) it(`${text} is ${expected}`, () => assert.equal(value(text), expected));

  it('shows values as a user reads them', () => {
    assert.equal(shown('rax'), '0x1000 (4096)');
    assert.equal(shown('reason'), 'EPT_VIOLATION (48)');
    assert.equal(shown('hpa(main) + 4'), 'hpa:0xb00004');
    assert.equal(shown('gpa(rax)'), 'l2:gpa:0x11000');
    assert.equal(shown('7'), '0x7');
  });

  it('refuses what it does not understand with a sentence that names the place', () => {
    assert.equal(refusal('nain'), "'nain' is no register, symbol, VMCS field, event variable or exit reason; did you mean main?");
    assert.equal(refusal('rax +'), 'The expression ends where a value was expected.');
    assert.equal(refusal('(rax'), "The expression lacks a ')' at its end.");
    assert.equal(refusal('rax rbx'), "Unexpected 'rbx' at character 5 of the expression.");
    assert.equal(refusal('rax # 1'), "Unexpected '#' at character 5 of the expression.");
    assert.equal(refusal('1 / 0'), 'The expression divides by zero.');
    assert.equal(refusal('[0x300000]'), 'Memory at l2:gva:0x300000 cannot be read.');
    assert.equal(refusal('vmx(1)'), "There is no function 'vmx': the functions are gpa(address) and hpa(address).");
    assert.equal(refusal('rax = 1'), 'An assignment is not allowed here.');
    assert.equal(refusal(''), 'The expression is empty.');
    assert.equal(refusal('('.repeat(3000)), 'The expression is nested too deeply.');
    assert.equal(refusal('1'.repeat(5000)), 'The expression is longer than 4000 characters.');
  });

  it('never fails otherwise, whatever the text (seeded)', () => {
    let state = 12345;
    const random = (n: number): number => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state % n;
    };
    const pieces = [
      'rax',
      '0x1',
      '[',
      ']',
      '(',
      ')',
      '+',
      '-',
      '%',
      '&&',
      '||',
      '==',
      '!',
      '~',
      'l2:gpa:',
      'hpa(',
      'word',
      'ptr',
      '=',
      ' ',
      '9',
      'é',
      '\u0000',
      '<<',
      '$',
      'h',
    ];
    for (let i = 0; i < 20_000; i++) {
      const text = Array.from({ length: random(12) }, () => pieces[random(pieces.length)]).join('');
      try {
        value(text);
      } catch (error) {
        assert.ok(error instanceof RequestError, `${JSON.stringify(text)}: ${String(error)}`);
      }
    }
  });
});

describe('hit conditions', () => {
  const hits = (text: string): number[] => {
    const condition = parseHitCondition(text);
    assert.equal(typeof condition, 'function', `${text}: ${String(condition)}`);
    return [1, 2, 3, 4, 5, 6].filter((n) => typeof condition === 'function' && condition(n));
  };
  it('counts as written', () => {
    assert.deepEqual(hits('3'), [3, 4, 5, 6]);
    assert.deepEqual(hits('>= 3'), [3, 4, 5, 6]);
    assert.deepEqual(hits('> 3'), [4, 5, 6]);
    assert.deepEqual(hits('== 3'), [3]);
    assert.deepEqual(hits('=3'), [3]);
    assert.deepEqual(hits('< 3'), [1, 2]);
    assert.deepEqual(hits('<= 3'), [1, 2, 3]);
    assert.deepEqual(hits('% 2'), [2, 4, 6]);
  });
  it('refuses the rest', () => {
    for (const text of ['often', '% 0', '3 times', '']) assert.equal(typeof parseHitCondition(text), 'string', text);
  });
});

describe('log messages', () => {
  const logged = (text: string): string => {
    const message = parseLogMessage(text);
    return typeof message === 'string' ? message : renderLogMessage(message, names);
  };
  it('puts values in place of expressions', () => {
    assert.equal(logged('rax={rax}, {reason}'), 'rax=0x1000 (4096), EPT_VIOLATION (48)');
    assert.equal(logged('\\{rax\\} \\n'), '{rax} \\n');
    assert.equal(logged('open { end'), 'open { end');
    assert.match(logged('{nothing}'), /^<'nothing' is no register/);
    assert.match(logged('{rax +}'), /^The log message is not understood/);
  });
});

describe('memory references', () => {
  it('come back as they went', () => {
    for (const text of ['l1:gva:0x0', 'l2:gpa:0xfee00000', 'hpa:0x1000', 'l2:gva:0xffffffffffffffff']) {
      assert.equal(formatPlace(parsePlace(text, 1)!), text);
    }
    assert.deepEqual(parsePlace('0x10', 2), { space: 'gva', level: 2, address: 16n });
    assert.deepEqual(offsetPlace({ space: 'gva', level: 1, address: 1n }, -2).address, 0xffff_ffff_ffff_ffffn);
  });
  it('are refused when they are none', () => {
    for (const text of ['', 'rax', 'l3:gva:0x1', 'l1:hva:0x1', '0x1ffffffffffffffff', 'hpa:', '-1'])
      assert.equal(parsePlace(text, 1), undefined, text);
  });
});
