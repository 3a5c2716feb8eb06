/** docs/LAUNCH.md is what package.json says, and every attribute there is explained. */
import { strict as assert } from 'node:assert';
import { launchReference } from '../../scripts/launch-reference.mjs';
import { attributes } from '../../debug-adapter/launch/attributes';
import { read } from './source-files';

interface Property {
  readonly description?: string;
  readonly markdownDescription?: string;
  readonly enum?: readonly unknown[];
  readonly enumDescriptions?: readonly string[];
  readonly items?: Property;
  readonly properties?: Readonly<Record<string, Property>>;
}

describe('rule: the launch reference', () => {
  it('is current (npm run docs writes it)', () => assert.equal(read('docs/LAUNCH.md'), launchReference()));

  it('explains every attribute and every value', () => {
    const { contributes } = JSON.parse(read('package.json')) as {
      contributes: { debuggers: { configurationAttributes: { launch: Property } }[] };
    };
    const silent: string[] = [];
    const visit = (name: string, property: Property): void => {
      if (name && !property.description && !property.markdownDescription) silent.push(name);
      const values = property.enum ?? property.items?.enum;
      if (
        values?.some((value) => typeof value === 'string') &&
        (property.enumDescriptions ?? property.items?.enumDescriptions)?.length !== values.length
      )
        silent.push(`${name}'s values`);
      for (const [key, member] of Object.entries(property.properties ?? property.items?.properties ?? {})) visit(`${name}.${key}`, member);
    };
    visit('', contributes.debuggers[0]!.configurationAttributes.launch);
    assert.deepEqual(silent, []);
  });

  it('has the attributes that the adapter takes', () => {
    const { contributes } = JSON.parse(read('package.json')) as {
      contributes: { debuggers: { configurationAttributes: { launch: Property } }[] };
    };
    const built = Object.values(attributes).filter(({ expected }) => expected !== 'it to be left out');
    assert.deepEqual(
      Object.keys(contributes.debuggers[0]!.configurationAttributes.launch.properties!).sort(),
      built.map(({ name }) => name).sort(),
    );
  });
});
