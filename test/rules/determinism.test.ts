/** Two runs of one machine are the same (docs/ARCHITECTURE.md, "Laws", 2 and 7): no clock, no chance, no state that outlives a machine. */
import { strict as assert } from 'node:assert';
import ts from 'typescript';
import { parse, parseText, place, sourcesBelow } from './source-files';

/** Names that bring in time, chance or the host. */
const forbiddenNames = new Set([
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'crypto',
  'process',
  'SharedArrayBuffer',
  'WeakRef',
  'FinalizationRegistry',
]);
const mutators = new Set([
  'set',
  'add',
  'delete',
  'clear',
  'push',
  'pop',
  'shift',
  'unshift',
  'splice',
  'sort',
  'reverse',
  'fill',
  'copyWithin',
]);

function isName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) && parent.name === node) return false;
  if (
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent)) &&
    parent.name === node
  )
    return false;
  return !ts.isBindingElement(parent) || parent.propertyName !== node;
}

function hostUses(source: ts.SourceFile): string[] {
  const found: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isIdentifier(node) && forbiddenNames.has(node.text) && isName(node)) found.push(`${place(node)}: ${node.text}`);
    if (ts.isPropertyAccessExpression(node) && node.getText() === 'Math.random') found.push(`${place(node)}: Math.random`);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Names declared at the top level, `let` and `var` reported at once; constants whose contents a function changes reported after. */
function mutableModuleState(source: ts.SourceFile): string[] {
  const found: string[] = [];
  const constants = new Set<string>();
  for (const statement of source.statements) {
    if (!ts.isVariableStatement(statement)) continue;
    if (statement.modifiers?.some((modifier) => modifier.kind === ts.SyntaxKind.DeclareKeyword)) continue;
    const constant = (statement.declarationList.flags & ts.NodeFlags.Const) !== 0;
    for (const { name, initializer } of statement.declarationList.declarations) {
      if (!constant) found.push(`${place(statement)}: ${name.getText()} is not const`);
      if (constant && initializer && ts.isNewExpression(initializer) && /^Weak(Map|Set)$/.test(initializer.expression.getText()))
        found.push(`${place(statement)}: ${name.getText()} is a cache`);
      if (ts.isIdentifier(name)) constants.add(name.text);
    }
  }
  const check = (target: ts.Expression, node: ts.Node, shadows: ReadonlySet<string>): void => {
    let base = target;
    while (ts.isPropertyAccessExpression(base) || ts.isElementAccessExpression(base) || ts.isNonNullExpression(base))
      base = base.expression;
    if (ts.isIdentifier(base) && constants.has(base.text) && !shadows.has(base.text))
      found.push(`${place(node)}: a function changes ${base.text}`);
  };
  const visit = (node: ts.Node, shadows: ReadonlySet<string>, inFunction: boolean): void => {
    let names = shadows;
    let inside = inFunction;
    if (ts.isFunctionLike(node)) {
      inside = true;
      names = new Set([...shadows, ...localNames(node)]);
    }
    if (
      inside &&
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind >= ts.SyntaxKind.FirstAssignment &&
      node.operatorToken.kind <= ts.SyntaxKind.LastAssignment
    ) {
      if (!ts.isIdentifier(node.left)) check(node.left, node, names);
    }
    if (inside && ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) && mutators.has(node.expression.name.text))
      check(node.expression.expression, node, names);
    ts.forEachChild(node, (child) => visit(child, names, inside));
  };
  visit(source, new Set(), false);
  return found;
}

function localNames(scope: ts.SignatureDeclaration): string[] {
  const names: string[] = [];
  const visit = (node: ts.Node): void => {
    if ((ts.isVariableDeclaration(node) || ts.isParameter(node) || ts.isBindingElement(node)) && ts.isIdentifier(node.name))
      names.push(node.name.text);
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(scope, visit);
  return names;
}

describe('rule: a machine is the same every time', () => {
  it('sees a clock, chance and the host, and is not taken in by properties of those names', () => {
    const wrong = 'const a = Date.now(); const b = Math.random(); function f() { setTimeout(f, process.pid); }';
    assert.equal(hostUses(parseText('wrong.ts', wrong)).length, 4);
    assert.deepEqual(
      hostUses(parseText('right.ts', 'interface Rtc { Date: number } const f = (rtc: Rtc) => rtc.Date + Math.imul(1, 2);')),
      [],
    );
  });

  it('sees module-level state, and leaves tables and what belongs to a function alone', () => {
    const wrong = 'let n = 0; const m = new Map(); const o = { n: 0 }; const w = new WeakMap(); function f() { m.set(1, n); o.n = 1; }';
    assert.equal(mutableModuleState(parseText('wrong.ts', wrong)).length, 4);
    const right =
      'const table = [1]; for (const x of table) table.push(x); function f() { const table = []; table.push(1); let n = 0; n++; return n; }';
    assert.deepEqual(mutableModuleState(parseText('right.ts', right)), []);
  });

  it('no clock, chance or host under emulator/', () => {
    const found = sourcesBelow('emulator').flatMap((file) => hostUses(parse(file)));
    assert.equal(found.length, 0, `\n${found.join('\n')}`);
  });

  it('no module-level mutable state under emulator/ and debug-adapter/', () => {
    const found = sourcesBelow('emulator', 'debug-adapter').flatMap((file) => mutableModuleState(parse(file)));
    assert.equal(found.length, 0, `\n${found.join('\n')}`);
  });
});
