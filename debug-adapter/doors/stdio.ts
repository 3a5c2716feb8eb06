/** dist/debug-adapter.js: the protocol on standard input and output, or with --port N on a loopback TCP socket, a session for each connection. */
import { readFile } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { createMachine } from '../../emulator';
import { doorSentences } from '../errors';
import type { Host } from '../host';
import { NestscopeSession } from '../session';
import { threadScheduler } from './scheduler';

const USAGE_ERROR = 64;

function host(onEnd: () => void): Host {
  return {
    readFile: (path) => readFile(path.startsWith('file:') ? fileURLToPath(path) : path),
    createMachine,
    scheduler: threadScheduler(),
    onEnd,
  };
}

function serveStandardStreams(): void {
  // The answer to disconnect must have left before the process ends.
  const leave = (): void => {
    process.stdin.pause();
    if (process.stdout.writableLength === 0) process.exit(0);
    process.stdout.once('drain', () => process.exit(0));
    process.stdout.once('error', () => process.exit(0));
  };
  const session = new NestscopeSession(host(leave));
  // A client that is gone takes its pipe with it: nothing is left to say, and nobody to say it to.
  process.stdout.on('error', () => process.exit(0));
  process.stdin.on('end', () => session.dispose());
  session.start(process.stdin, process.stdout);
}

function serveSocket(port: number): void {
  const server = createServer((socket: Socket) => {
    const session = new NestscopeSession(host(() => socket.end()));
    socket.on('error', () => session.dispose());
    socket.on('end', () => session.dispose());
    session.start(socket, socket);
  });
  server.on('error', (error) => fail(doorSentences.cannotListen(port, error.message)));
  server.listen(port, '127.0.0.1', () => {
    const address = server.address();
    // With port 0 the system chose one: whoever started us reads it here.
    console.error(doorSentences.listening(typeof address === 'object' && address ? address.port : port));
  });
}

function fail(sentence: string): void {
  console.error(sentence);
  process.exitCode = USAGE_ERROR;
}

const [option, value, ...rest] = process.argv.slice(2);
if (option === undefined) serveStandardStreams();
else if (option !== '--port' || rest.length > 0) fail(doorSentences.unknownOption(option === '--port' ? rest[0]! : option));
else if (!/^[0-9]{1,5}$/.test(value ?? '') || Number(value) > 65535) fail(doorSentences.badPort(value ?? 'nothing'));
else serveSocket(Number(value));
