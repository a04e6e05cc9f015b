import { Code, type ServiceImpl } from "@connectrpc/connect";
import {
  ANONYMOUS,
  bind,
  type Channel,
  client,
  type DialOptions,
  dial,
  type FinishedCall,
  type RpcServer,
  type ServeOptions,
  serve,
} from "../src/index.ts";
import { NoteService } from "./notes.ts";

/** A served NoteService and a client of it over a real socket. */
export interface Notebook extends AsyncDisposable {
  readonly server: RpcServer;
  readonly channel: Channel;
  readonly notes: ReturnType<typeof client<NoteService>>;
  /** The calls that have finished, in order; those of health and reflection too. */
  readonly finished: FinishedCall[];
  readonly lateErrors: unknown[];
}

/** What a test changes of the defaults. */
export type NotebookOptions = Partial<ServeOptions> & Partial<DialOptions>;

const DEFAULTS: ServiceImpl<NoteService> = {
  read: (note) => note,
  write: (note) => note,
  async *list({ count }) {
    for (let index = 0; index < count; index += 1) yield { count: index };
  },
  async sum(notes) {
    let count = 0;
    for await (const note of notes) count += note.count;
    return { count };
  },
  async *chat(notes) {
    for await (const note of notes) yield { text: note.text.toUpperCase() };
  },
};

/** Serves handlers on a free port and dials them; what is not given does the obvious. */
export async function openNotebook(
  handlers: Partial<ServiceImpl<NoteService>> = {},
  options: NotebookOptions = {},
): Promise<Notebook> {
  const finished: FinishedCall[] = [];
  const lateErrors: unknown[] = [];
  const server = await serve({
    listen: "127.0.0.1:0",
    domain: "bourse.notes",
    bindings: [bind(NoteService, { ...DEFAULTS, ...handlers })],
    codes: { NOTE_NOT_FOUND: Code.NotFound, NOTE_BUSY: Code.ResourceExhausted },
    guard: { authenticate: async () => ANONYMOUS, authorize: () => {} },
    onFinished: (call) => finished.push(call),
    onError: (error) => lateErrors.push(error),
    drainMs: 5_000,
    ...options,
  });
  const channel = dial({ address: server.address, ...options });
  return {
    server,
    channel,
    notes: client(NoteService, channel),
    finished,
    lateErrors,
    async [Symbol.asyncDispose]() {
      channel.close();
      await server.drain();
    },
  };
}
