/** Devices as trees of views: 'devices' and what lies under it. Made from saved state, so that looking has no side effects. */
import type { InspectNode } from '../api';
import { type DeviceRow, textOf } from '../devices/description/device-row';
import type { DescribedDevice } from '../devices/description/devices';

/** The platform as far as views need it. */
export interface DeviceSource {
  readonly deviceNames: readonly string[];
  describe(name: string): DescribedDevice | undefined;
}

/** @param path names of device and rows. */
export function deviceNodes(source: DeviceSource, path: readonly string[]): InspectNode[] {
  const [name, ...names] = path;
  if (name === undefined) return source.deviceNames.flatMap((device) => deviceNode(source, device));
  let rows = source.describe(name)?.rows;
  for (const one of names) rows = rows?.find((row) => row.name === one)?.rows;
  return (rows ?? []).map((row) => rowNode(row, ['devices', ...path].join('/')));
}

/** The device itself; nothing where the machine has none of that name. */
export function deviceNode(source: DeviceSource, name: string): InspectNode[] {
  const device = source.describe(name);
  if (device === undefined) return [];
  const { title, where } = device;
  return [{ id: `devices/${name}`, label: title, description: where || undefined, expandable: true }];
}

function rowNode(row: DeviceRow, parent: string): InspectNode {
  return {
    id: `${parent}/${row.name}`,
    label: row.name,
    value: textOf(row),
    description: row.words || undefined,
    tooltip: row.tip,
    expandable: (row.rows?.length ?? 0) > 0,
  };
}
