/**
 * How long a user waits, in a real editor with all views open: steps, hovers, pauses, and what the extension host's event loop has to bear.
 * Times are taken where the editor hands a request to the extension and gets the answer; the way to the editor's window and back is VS Code's,
 * and is measured for comparison by commands that do nothing. Other processes make times longer, never shorter: the best of some attempts counts.
 */
import * as vscode from 'vscode';
import { Editor } from './editor';
import { equal, ok, until } from './conversation';
import { EventLoopWatch, percentile } from './event-loop';

const ATTEMPTS = 4;
const SAMPLES = 60;
const STEP_MS = 10;
const HOVER_MS = 20;
const PAUSE_MS = 50;
const STALL_MS = 50;
const RUN_SECONDS = 30;
/** Less than the views wait for (extension/sessions.ts). */
const QUIET_MS = 80;

const views = ['nestscope.controlStructures', 'nestscope.exits', 'nestscope.interrupts', 'nestscope.pageTables', 'nestscope.devices'];

/** From the editor's request to the stop that answers it, as they pass through the extension host. */
class Stopwatch {
  readonly times: number[] = [];
  private asked: number | undefined;
  private readonly tracker: vscode.Disposable;

  constructor(command: string) {
    this.tracker = vscode.debug.registerDebugAdapterTrackerFactory('nestscope', {
      createDebugAdapterTracker: () => ({
        onWillReceiveMessage: (message: { command?: string }) => {
          if (message.command === command) this.asked = performance.now();
        },
        onDidSendMessage: (message: { event?: string }) => {
          if (message.event !== 'stopped' || this.asked === undefined) return;
          this.times.push(performance.now() - this.asked);
          this.asked = undefined;
        },
      }),
    });
  }
  dispose(): void {
    this.tracker.dispose();
  }
}

/** A command that does nothing, by way of the editor's window. */
async function throughTheWindow(): Promise<number> {
  const asked = performance.now();
  await vscode.commands.executeCommand('setContext', 'nestscope.nothing', asked);
  return performance.now() - asked;
}

const quiet = (milliseconds: number): Promise<void> => new Promise((settle) => setTimeout(settle, milliseconds));

/** `runDelay`: see EventLoopWatch; hosts that are no process of their own have none. */
export function responsiveness(runDelay?: () => number | undefined): void {
  describe(`Nestscope's answers in VS Code ${vscode.version}`, () => {
    const editor = new Editor();

    async function allViewsOpen(): Promise<void> {
      for (const id of views) await vscode.commands.executeCommand(`${id}.focus`);
      await until(() => views.every((id) => editor.api.views[id]!.visible), 'all views are open');
    }

    it(`a step takes less than ${STEP_MS} ms, a hover less than ${HOVER_MS} ms (95 of 100), with all views open`, async function () {
      this.timeout(120_000);
      const stopwatch = new Stopwatch('stepIn');
      const document = await editor.open('nested-hello', 'nested-hello.asm');
      const session = await editor.atEptViolation();
      await editor.breakOnExit(session, undefined);
      await allViewsOpen();
      const target = document.positionAt(document.getText().indexOf('guest_revision:') + 2);
      const attempts: { step: number; hover: number }[] = [];
      for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
        stopwatch.times.length = 0;
        const hovers: number[] = [];
        const whole: number[] = [];
        const control: number[] = [];
        for (let sample = 0; sample < SAMPLES; sample++) {
          const stops = editor.conversation.stops.length;
          const asked = performance.now();
          void session.customRequest('stepIn', { threadId: 1, granularity: 'instruction' });
          await until(() => editor.conversation.stops.length > stops, 'a stop', 5000, 1);
          whole.push(performance.now() - asked);
          // As fast as keys repeat: the editor and the views go after the stop meanwhile.
          await quiet(30);
          const pointed = performance.now();
          const hover = await editor.api.hover.provideHover(document, target);
          hovers.push(performance.now() - pointed);
          ok(hover, 'a hover');
          control.push(await throughTheWindow());
        }
        equal(stopwatch.times.length, SAMPLES);
        const [step, hover] = [percentile(stopwatch.times, 0.95), percentile(hovers, 0.95)];
        attempts.push({ step, hover });
        const both = (times: number[]): string => `${percentile(times, 0.5).toFixed(1)} / ${percentile(times, 0.95).toFixed(1)} ms`;
        console.log(
          `    step ${both(stopwatch.times)}, hover ${both(hovers)} (median / 95 of 100); with the way through the editor's window step ${both(whole)}, a command that does nothing ${both(control)}`,
        );
        if (step < STEP_MS && hover < HOVER_MS) break;
      }
      stopwatch.dispose();
      const best = (key: 'step' | 'hover'): number => Math.min(...attempts.map((attempt) => attempt[key]));
      ok(best('step') < STEP_MS, `95 of 100 steps took up to ${best('step').toFixed(1)} ms`);
      ok(best('hover') < HOVER_MS, `95 of 100 hovers took up to ${best('hover').toFixed(1)} ms`);
    });

    it('views wait until stepping is over, and those that nobody sees ask nothing', async () => {
      const session = await editor.atEptViolation();
      await editor.breakOnExit(session, undefined);
      await allViewsOpen();
      const fetches = (): number => views.reduce((sum, id) => sum + editor.api.views[id]!.fetches, 0);
      const settled = async (): Promise<number> => {
        let last = fetches();
        for (let same = 0; same < 10; same = last === fetches() ? same + 1 : 0) {
          last = fetches();
          await quiet(60);
        }
        return last;
      };
      const before = await settled();
      const steps = 40;
      // Between steps that are further apart the views may be drawn: each asks once for its roots.
      let pauses = 0;
      for (let step = 0; step < steps; step++) {
        const stops = editor.conversation.stops.length;
        const asked = performance.now();
        void session.customRequest('stepIn', { threadId: 1, granularity: 'instruction' });
        await until(() => editor.conversation.stops.length > stops, 'a stop', 5000, 1);
        if (performance.now() - asked > QUIET_MS) pauses++;
      }
      const during = fetches() - before;
      const afterwards = (await settled()) - before;
      console.log(
        `    ${during} questions of views during ${steps} steps (${pauses} of them slow), ${afterwards} with those after the last`,
      );
      ok(during <= views.length * pauses, `${during} questions of views during ${steps} steps, ${pauses} of them slow`);
      ok(afterwards >= views.length, `every view has been drawn again: ${afterwards} questions`);
      await vscode.commands.executeCommand('workbench.view.explorer');
      await until(() => views.every((id) => !editor.api.views[id]!.visible), 'no view is open');
      const hidden = await settled();
      const stops = editor.conversation.stops.length;
      void session.customRequest('stepIn', { threadId: 1, granularity: 'instruction' });
      await until(() => editor.conversation.stops.length > stops, 'a stop');
      equal(await settled(), hidden);
      await vscode.commands.executeCommand('workbench.view.debug');
    });

    if (runDelay === undefined) return;

    it(`the extension host is free while a guest runs for ${RUN_SECONDS} s, pause answers at once, and nothing is left running`, async function () {
      this.timeout(180_000);
      const workers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'MessagePort' || name === 'Worker').length;
      const before = workers();
      const extension = vscode.extensions.getExtension('nestscope.nestscope')!.extensionUri;
      const program = vscode.Uri.joinPath(extension, 'test/guests/kernels/kernels.elf').fsPath;
      const configuration = {
        type: 'nestscope',
        request: 'launch',
        name: 'kernels',
        program,
        cmdline: 'scale=1000000',
        stopOnEntry: false,
      };
      const stopwatch = new Stopwatch('pause');
      ok(await vscode.debug.startDebugging(editor.folder, configuration), 'startDebugging');
      const session = vscode.debug.activeDebugSession!;
      await allViewsOpen();
      // The same editor with its guest at rest: what the machine under the test does to the event loop of anybody.
      await session.customRequest('pause', { threadId: 1 });
      await until(() => vscode.debug.activeStackItem, 'the editor shows the pause');
      await quiet(1000);
      const idle = new EventLoopWatch(runDelay);
      await quiet(3000);
      const atRest = idle.end();
      await session.customRequest('continue', { threadId: 1 });

      const watch = new EventLoopWatch(runDelay);
      const pauses: number[] = [];
      stopwatch.times.length = 0;
      const position = async (): Promise<number> => ((await session.customRequest('nestscope/position')) as { steps: number }).steps;
      const first = await position();
      const end = performance.now() + RUN_SECONDS * 1000;
      while (performance.now() < end) {
        await quiet(1000);
        const stops = editor.conversation.stops.length;
        const asked = performance.now();
        void session.customRequest('pause', { threadId: 1 });
        await until(() => editor.conversation.stops.length > stops, 'pause', 5000, 1);
        pauses.push(performance.now() - asked);
        await session.customRequest('continue', { threadId: 1 });
      }
      const run = watch.end();
      const made = (await position()) - first;
      stopwatch.dispose();
      ok(workers() > before, 'the machine has a thread of its own');
      const pause = percentile(stopwatch.times, 0.95);
      console.log(
        `    ${(made / 1e9).toFixed(1)} G steps in ${RUN_SECONDS} s; longest stall ${run.longestStallMs.toFixed(0)} ms in ${run.ticks} ticks (with waiting for a processor ${run.longestGapMs.toFixed(0)} ms; guest at rest ${atRest.longestStallMs.toFixed(0)} and ${atRest.longestGapMs.toFixed(0)} ms)`,
      );
      console.log(
        `    ${pauses.length} pauses: ${percentile(stopwatch.times, 0.5).toFixed(1)} / ${pause.toFixed(1)} ms (median / 95 of 100), with the way through the editor's window ${percentile(pauses, 0.5).toFixed(1)} / ${percentile(pauses, 0.95).toFixed(1)} ms`,
      );
      ok(made > 100e6, `the guest ran: ${made} steps`);
      ok(pauses.length > 20, `${pauses.length} pauses`);
      ok(run.longestStallMs < STALL_MS, `the event loop was held up for ${run.longestStallMs.toFixed(0)} ms`);
      ok(pause < PAUSE_MS, `95 of 100 pauses took up to ${pause.toFixed(1)} ms`);
      ok(percentile(pauses, 0.5) < PAUSE_MS, `a pause takes ${percentile(pauses, 0.5).toFixed(1)} ms`);
      // The editor ends the session in the middle of the run.
      await vscode.debug.stopDebugging(session);
      await until(() => vscode.debug.activeDebugSession === undefined, 'the session has ended');
      await until(() => workers() <= before, `the worker has ended: ${workers()} instead of ${before}`);
    });
  });
}
