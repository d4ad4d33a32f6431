export const CHANNELS = ['a', 'b', 'c'] as const;
export const CLIENTS = ['ann', 'bob', 'cid'] as const;
export type ChannelName = (typeof CHANNELS)[number];
export type ClientName = (typeof CLIENTS)[number];
/** How many keys are published to a compacted channel, at most. */
export const KEYS = 4;
/** More events than any course publishes. */
export const PLENTY = 1e6;
/** ms */
export const HEARTBEAT = 3_200;
/** The age limit of some histories, in ms. */
export const AGE = 1_000;

/** How a channel is retained. What is absent has the default of `SETTING`. */
export interface Setting {
  history: false | { events?: number; bytes?: number; age?: number };
  compact: boolean;
  overflow: 'reset' | 'disconnect';
  /** Turns of the event loop that the snapshot takes; null: the channel has none. */
  snapshot: number | null;
  /** ms. Absent: 0. */
  flushInterval?: number;
}

export const SETTING: Setting = {
  history: { events: PLENTY, bytes: 1e9 },
  compact: false,
  overflow: 'reset',
  snapshot: null,
};

/** Calls of a broker. */
export type Call = 'start' | 'publish' | 'open' | 'read' | 'head';

/** How a virtual broker behaves, within its contract. Numbers are turns, unless they say otherwise. */
export interface Habits {
  /** Entries of a page. */
  page: number;
  /** From a call to its effect. */
  before: number;
  /** From the effect of a call to its answer. */
  after: number;
  /** The same for `publish`. */
  publishAfter: number;
  /** From the storing of an entry to its delivery. */
  deliver: number;
  /** A call that a new epoch overtakes is rejected, rather than made again. */
  rejectsOnRestart: boolean;
  /** `lost` is called before the head advances past what was lost. */
  lostFirst: boolean;
  /** `open` answers with a head of which the sink has not been told. */
  isSilent: boolean;
}

export const HABITS: Habits = {
  page: 3,
  before: 1,
  after: 1,
  publishAfter: 0,
  deliver: 0,
  rejectsOnRestart: false,
  lostFirst: false,
  isSilent: false,
};

/** What holds for a whole course. */
interface World {
  /** 0: one hub without a broker. */
  nodes: number;
  /** What is absent is retained by the default. */
  channels?: Partial<Record<ChannelName, Partial<Setting>>>;
  /** Each write takes longer than the delivery loop may hold the event loop. */
  slowWrites?: boolean;
  /** Bytes that a connection takes although its client does not read. Default: 0. */
  socketBuffer?: number;
  /** Responses are compressed. */
  isCompressed?: boolean;
  /** All clients are connections of one owner. */
  oneOwner?: boolean;
  /** Streams have no `client`: a new epoch and lost control messages do not close them. */
  anonymous?: boolean;
  /** `limits.perClient`. Default: none. */
  perClient?: number;
  /** `maxAge`, in ms. Default: none. */
  maxAge?: number;
  /** `publishTimeout`, in ms. Default: practically none. */
  publishTimeout?: number;
  broker?: Partial<Habits>;
  /** Where the nodes have their log. Default: in memory. */
  store?: 'sqlite';
}

/** An id: that of the event published so many events ago, or a special one. */
export type IdChoice = number | 'future' | 'broken' | 'foreign' | 'malformed' | 'long' | 'zero';

export type Beginning =
  | 'now'
  | 'start'
  | 'state'
  | { last: number }
  | { after: IdChoice }
  | { since: IdChoice };

export interface Publish {
  move: 'publish';
  channel: ChannelName;
  key?: number;
  /** Default: 1. Each has the key after that of the one before. */
  count?: number;
  /** The owner of this client does not get it. */
  except?: ClientName;
  /** It deletes its key. */
  gone?: boolean;
  /** Bytes of data, about. */
  size?: number;
  node?: number;
}

/** What the application, its users, and the network do. Moves between two turns happen in the same tick. */
export type Move =
  | Publish
  | { move: 'end' | 'begin'; channel: ChannelName; node?: number }
  /** The next snapshot of the channel rejects. */
  | { move: 'failSnapshot'; channel: ChannelName }
  /** So many turns of the event loop pass. */
  | { move: 'turn'; turns: number }
  /** The process stands still for so many ms, and then timers fire · time passes, with the turns that timers cause. */
  | { move: 'wait' | 'idle'; ms: number }
  /** The client connects with the last id that it has. `late`: the handler awaits something before it subscribes. */
  | { move: 'connect'; client: ClientName; node?: number; late?: boolean }
  /** The handler of a late connection subscribes to everything the client wants. */
  | { move: 'arrive'; client: ClientName }
  /** The client connects with another id. */
  | { move: 'connectWith'; client: ClientName; id: IdChoice; node?: number }
  /** The client asks for `hub.position()`, and connects with it. */
  | { move: 'ask'; client: ClientName; node?: number }
  | { move: 'subscribe'; client: ClientName; channel: ChannelName; from?: Beginning; picky?: boolean }
  | { move: 'unsubscribe'; client: ClientName; channel: ChannelName }
  /** stop reading · read half a write · read everything · the connection breaks */
  | { move: 'stall' | 'sip' | 'read' | 'cut'; client: ClientName }
  /** `stream.send()` · `stream.close()` · the next call of one of its filters throws */
  | { move: 'send' | 'close' | 'fault'; client: ClientName }
  | { move: 'disconnect'; client: ClientName; node?: number }
  /** The hub of a node closes, `within` so many ms. */
  | { move: 'closeHub'; node?: number; within: number }
  /** A process takes the place of another, whose connections break. */
  | { move: 'newHub'; node?: number }
  /** The move is made while the hub writes to the client, or runs one of its filters. */
  | { move: 'during'; client: ClientName; what: 'write' | 'filter'; action: Move }
  | Fault;

/** What happens to a broker. */
type Fault =
  /** No call is answered any more · calls are answered again · the store loses everything */
  | { move: 'away' | 'back' | 'wipe' }
  /** Positions are skipped: they may have been given to entries that the store has lost. */
  | { move: 'skip' }
  /** Entries for a node are kept back · the node gets them. */
  | { move: 'lag' | 'catchUp'; node: number }
  /** The node gets so many of the entries that were kept back. */
  | { move: 'trickle'; node: number; count: number }
  /** What was kept back is lost: of the channels it belongs to, of one channel, or of all. */
  | { move: 'lose'; node: number; of?: ChannelName | 'all' }
  /** The next call of a kind rejects. `stored`: it took effect nevertheless. */
  | { move: 'reject'; node: number; call: Call; stored?: boolean };

/** A run of the model, as data. It can be replayed for as long as these moves exist. */
export interface Course extends World {
  moves: Move[];
}
