/** The debug session: one line per request. Each answer is made by the module that the line names; every request is answered. */
import { DebugSession, Event, InitializedEvent, Response, TerminatedEvent } from '@vscode/debugadapter';
import type { DebugProtocol } from '@vscode/debugprotocol';
import { RequestArguments } from './arguments';
import { CAPABILITIES } from './capabilities';
import { RequestError, requestErrors } from './errors';
import type { Host } from './host';
import { Conversation } from './conversation';

type Answer = object | undefined | void;
type Handler = (args: RequestArguments) => Answer | Promise<Answer>;

export class NestscopeSession extends DebugSession {
  private readonly conversation: Conversation;
  private readonly requests: Readonly<Record<string, Handler>>;
  private over = false;

  constructor(private readonly host: Host) {
    super();
    this.conversation = new Conversation(host, (event, body) => this.event(event, body));
    this.requests = this.table(this.conversation);
  }

  private table(c: Conversation): Record<string, Handler> {
    return {
      initialize: (args) => (c.setClient(args), CAPABILITIES),
      launch: (args) => c.launch(args, () => this.sendEvent(new InitializedEvent())),
      attach: () => Promise.reject(requestErrors.attach()),
      configurationDone: () => c.configurationDone(),
      restart: (args) => c.restart(args),
      terminate: () => c.terminate(),
      disconnect: () => c.end(),
      cancel: (args) => c.cancel(args),

      setBreakpoints: (args) => c.breakpoints.setSource(args),
      setFunctionBreakpoints: (args) => c.breakpoints.setFunctions(args),
      setInstructionBreakpoints: (args) => c.breakpoints.setInstructions(args),
      setExceptionBreakpoints: (args) => c.breakpoints.setExceptions(args),
      breakpointLocations: (args) => c.breakpoints.locations(args),
      setDataBreakpoints: (args) => c.breakpoints.setData(args),
      dataBreakpointInfo: (args) => c.looking.dataInformation(args),

      continue: (args) => c.continue(args),
      next: (args) => c.next(args),
      stepIn: (args) => c.stepIn(args),
      stepOut: (args) => c.stepOut(args),
      pause: (args) => c.pause(args),
      gotoTargets: (args) => c.gotoTargets(args),
      goto: (args) => c.goto(args),
      stepBack: () => Promise.reject(requestErrors.notYet('Stepping back')),
      reverseContinue: () => Promise.reject(requestErrors.notYet('Running backwards')),

      threads: () => c.looking.threads(),
      stackTrace: (args) => c.looking.stackTrace(args),
      scopes: (args) => c.looking.scopes(args),
      variables: (args) => c.looking.variables(args),
      setVariable: (args) => c.looking.setVariable(args),
      evaluate: (args) => c.looking.evaluate(args),
      setExpression: (args) => c.looking.setExpression(args),
      completions: (args) => c.looking.completions(args),
      exceptionInfo: (args) => c.looking.exceptionInfo(args),
      locations: (args) => c.looking.location(args),
      modules: (args) => c.looking.modules(args),

      readMemory: (args) => c.looking.readMemory(args),
      writeMemory: (args) => c.looking.writeMemory(args),
      disassemble: (args) => c.looking.disassemble(args),

      'nestscope/inspect': (args) => c.looking.inspect(args),
      'nestscope/resolve': (args) => c.looking.resolve(args),
      'nestscope/exits': (args) => c.looking.exits(args),
      'nestscope/position': () => c.looking.position(),
      'nestscope/serialInput': (args) => c.looking.serialInput(args),
    };
  }

  protected override dispatchRequest(request: DebugProtocol.Request): void {
    void this.answer(request);
  }

  private async answer(request: DebugProtocol.Request): Promise<void> {
    const command = String(request.command);
    const response = new Response(request);
    try {
      const handler = Object.hasOwn(this.requests, command) ? this.requests[command] : undefined;
      if (!handler) throw requestErrors.unknown(command);
      const body = await handler(new RequestArguments(command, request.arguments, request.seq));
      if (body) (response as { body?: object }).body = body;
      this.sendResponse(response);
      this.conversation.answered(command);
    } catch (error) {
      this.sendErrorResponse(response, errorMessage(command, error));
    }
    if (command === 'disconnect') this.finish();
  }

  private event(name: string, body: object): void {
    if (this.over) return;
    if (name === 'terminated') this.sendEvent(new TerminatedEvent());
    else this.sendEvent(new Event(name, body));
  }

  /** The client is gone, or has said goodbye. */
  private finish(): void {
    if (this.over) return;
    this.over = true;
    this.conversation.end();
    this.host.onEnd();
  }

  /** Called by the base class when the stream closes or breaks. */
  override shutdown(): void {
    this.finish();
  }

  override dispose(): void {
    this.finish();
  }
}

function errorMessage(command: string, error: unknown): DebugProtocol.Message {
  const known = error instanceof RequestError ? error : userError(error);
  const { id, message, show } = known ?? requestErrors.bug(command, error instanceof Error ? error.message : String(error));
  // The protocol replaces {names} in a format; the sentence is a variable so that its own braces stay. '_' marks it as free of private data.
  return { id, format: '{_sentence}', variables: { _sentence: message }, showUser: show };
}

/** A UserError of the emulator or of the launch configuration: known by its shape, since it may come from another bundle. */
function userError(error: unknown): RequestError | undefined {
  return error instanceof Error && error.name === 'UserError' ? new RequestError(USER_ERROR_ID, error.message, true) : undefined;
}
const USER_ERROR_ID = 1000;
