/** exceptionInfo: the stop explained in words. */
import type { DebugProtocol } from '@vscode/debugprotocol';
import type { Debuggee } from './debuggee';
import { requestErrors } from './errors';
import { stopInWords } from './stops';

export function explain(debuggee: Debuggee): DebugProtocol.ExceptionInfoResponse['body'] {
  const words = stopInWords(debuggee.stop?.cause, debuggee.symbols);
  if (!words) throw requestErrors.noException();
  return {
    exceptionId: words.id,
    description: words.text,
    breakMode: 'always',
    details: { message: words.text, typeName: words.title, fullTypeName: words.title },
  };
}
