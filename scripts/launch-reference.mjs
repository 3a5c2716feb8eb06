// npm run docs: writes docs/LAUNCH.md, the reference of launch configurations, from package.json. A rule test keeps it current.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { root } from './bundles.mjs';

const text = (property) => property.markdownDescription ?? property.description ?? '';
const code = (value) => `\`${typeof value === 'string' ? JSON.stringify(value) : JSON.stringify(value ?? null)}\``;

function typeOf(property) {
  if (property.type === 'array') return `list of ${typeOf(property.items ?? {})}`;
  return [property.type ?? 'any'].flat().join(' or ');
}

function describe(name, property, required, depth) {
  const lines = [`${'#'.repeat(depth)} \`${name}\``, ''];
  const facts = [typeOf(property), required ? 'required' : undefined];
  // Defaults with placeholders are for the editor's snippets.
  if (property.default !== undefined && !JSON.stringify(property.default).includes('${')) facts.push(`default ${code(property.default)}`);
  lines.push(`*${facts.filter(Boolean).join(', ')}*`, '', text(property), '');
  const inner = property.type === 'array' ? property.items : property;
  for (const [index, value] of (inner.enum ?? []).entries()) {
    const meaning = inner.enumDescriptions?.[index];
    lines.push(`- ${code(value)}${meaning ? `: ${meaning}` : ''}`);
  }
  if (inner.enum) lines.push('');
  for (const [key, member] of Object.entries(inner?.properties ?? {})) {
    lines.push(...describe(`${name}${property.type === 'array' ? '[]' : ''}.${key}`, member, inner.required?.includes(key), depth + 1));
  }
  return lines;
}

/** The whole document. */
export function launchReference() {
  const { contributes } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const [{ type, configurationAttributes, configurationSnippets }] = contributes.debuggers;
  const { properties, required } = configurationAttributes.launch;
  const lines = [
    '# Launch configurations',
    '',
    '<!-- Written by `npm run docs` from package.json: change it there. -->',
    '',
    `What a \`launch.json\` with \`"type": "${type}"\` and \`"request": "launch"\` may say. Without a \`launch.json\`, F5 boots the image that is`,
    'open, or the `.elf` beside the source that is open.',
    '',
    ...Object.entries(properties).flatMap(([name, property]) => describe(name, property, required.includes(name), 2)),
    '## Snippets',
    '',
    'In a `launch.json`, *Add Configuration…* offers these:',
    '',
    ...configurationSnippets.flatMap(({ label, description, body }) => [
      `### ${label}`,
      '',
      `${description}.`,
      '',
      '```json',
      JSON.stringify(body, null, 2)
        .replace(/\^\\"(.*?)\\"/g, '$1')
        .replaceAll('\\\\${', '${')
        .replace(/\$\{\d+:([^}]*)\}/g, '$1')
        .replace(/\$\{\d+\}/g, ''),
      '```',
      '',
    ]),
  ];
  return (
    lines
      .join('\n')
      .replace(/\n{3,}/g, '\n\n')
      .trimEnd() + '\n'
  );
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  writeFileSync(join(root, 'docs/LAUNCH.md'), launchReference());
