/** Launch configurations: F5 on an open file without launch.json, the configurations found in a workspace, and paths that every host can read. */
import * as vscode from 'vscode';
import { exists, toAdapterPath } from './workspace-files';

const imageName = /\.(elf|bin|img)$/i;
const sourceName = /\.(asm|nasm|s|c)$/i;

/** The file in front of the user: a text editor, or a tab that shows a binary file. */
function openFile(): vscode.Uri | undefined {
  const input = vscode.window.tabGroups.activeTabGroup.activeTab?.input;
  if (input instanceof vscode.TabInputText || input instanceof vscode.TabInputCustom) return input.uri;
  return vscode.window.activeTextEditor?.document.uri;
}

function baseName(uri: vscode.Uri): string {
  return uri.path.slice(uri.path.lastIndexOf('/') + 1);
}

function launchOf(image: vscode.Uri): vscode.DebugConfiguration {
  return { type: 'nestscope', request: 'launch', name: baseName(image), program: toAdapterPath(image), stopOnEntry: true };
}

/** The image to boot for the file in front, or a sentence that says why there is none. */
async function imageForOpenFile(): Promise<vscode.Uri | string> {
  const file = openFile();
  if (file === undefined) return 'Nothing to debug: open a guest image (.elf, .bin) or its source (.asm, .s), or write a launch.json.';
  if (imageName.test(file.path)) return file;
  if (!sourceName.test(file.path))
    return `Nestscope boots guest images (.elf, .bin), and ${baseName(file)} is none: open one, or write a launch.json.`;
  const image = file.with({ path: file.path.replace(sourceName, '.elf') });
  if (await exists(image)) return image;
  return `There is no ${baseName(image)} beside ${baseName(file)}: build it first, or name the image as "program" in launch.json.`;
}

export class ConfigurationProvider implements vscode.DebugConfigurationProvider {
  async resolveDebugConfiguration(
    _folder: vscode.WorkspaceFolder | undefined,
    config: vscode.DebugConfiguration,
  ): Promise<vscode.DebugConfiguration | undefined | null> {
    const nothingGiven = !config.type && !config.request && !config.name;
    if (!nothingGiven) return config;
    const image = await imageForOpenFile();
    if (typeof image !== 'string') return launchOf(image);
    void vscode.window.showErrorMessage(image);
    return undefined;
  }

  resolveDebugConfigurationWithSubstitutedVariables(
    folder: vscode.WorkspaceFolder | undefined,
    config: vscode.DebugConfiguration,
  ): vscode.DebugConfiguration {
    const base = folder?.uri ?? vscode.workspace.workspaceFolders?.[0]?.uri;
    if (base === undefined) return config;
    const locate = (path: unknown): unknown => (typeof path === 'string' ? locatePath(base, path) : path);
    const locateFiles = (list: unknown): unknown =>
      Array.isArray(list)
        ? list.map((entry: unknown) => (isRecord(entry) && 'file' in entry ? { ...entry, file: locate(entry.file) } : entry))
        : list;
    const located: vscode.DebugConfiguration = { ...config, program: locate(config.program) };
    for (const key of ['modules', 'symbols']) if (key in config) located[key] = locateFiles(config[key]);
    return located;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** Relative paths are the workspace folder's; in a folder that is no disk the adapter gets URI strings. */
function locatePath(base: vscode.Uri, path: string): string {
  if (path === '' || /^[a-z][a-z0-9+.-]+:\//i.test(path)) return path;
  const absolute = path.startsWith('/') || /^[a-z]:[\\/]/i.test(path);
  if (!absolute) return toAdapterPath(vscode.Uri.joinPath(base, path));
  return base.scheme === 'file' ? path : base.with({ path }).toString();
}

/** Offered in the list of configurations without a launch.json: every image of the workspace. */
export class FoundConfigurations implements vscode.DebugConfigurationProvider {
  async provideDebugConfigurations(): Promise<vscode.DebugConfiguration[]> {
    const images = await vscode.workspace.findFiles('**/*.elf', '**/node_modules/**', 50);
    return images.map(launchOf).sort((a, b) => a.name.localeCompare(b.name));
  }
}
