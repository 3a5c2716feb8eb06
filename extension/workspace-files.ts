/** Files by path or by URI string, through the editor's own file system, so that disks, remote folders and browser folders are one. */
import * as vscode from 'vscode';

/** Two letters at least: `c:/` is a drive, not a scheme. */
const uriString = /^[a-z][a-z0-9+.-]+:\//i;

export function toUri(path: string): vscode.Uri {
  if (uriString.test(path)) return vscode.Uri.parse(path);
  const folder = vscode.workspace.workspaceFolders?.[0]?.uri;
  if (folder === undefined || folder.scheme === 'file') return vscode.Uri.file(path);
  return folder.with({ path: path.replaceAll('\\', '/') });
}

/** What the adapter gets as a path: a plain path on disks, a URI string anywhere else. */
export function toAdapterPath(uri: vscode.Uri): string {
  return uri.scheme === 'file' ? uri.fsPath : uri.toString();
}

export async function exists(uri: vscode.Uri): Promise<boolean> {
  try {
    return ((await vscode.workspace.fs.stat(uri)).type & vscode.FileType.File) !== 0;
  } catch {
    return false;
  }
}

export async function readFile(path: string): Promise<Uint8Array> {
  return vscode.workspace.fs.readFile(toUri(path));
}
