import Anthropic from '@anthropic-ai/sdk';
import { GoogleGenAI } from '@google/genai';
import { Mistral } from '@mistralai/mistralai';
import * as ai7 from 'ai';
import * as ai5 from 'ai5';
import * as ai6 from 'ai6';
import OpenAI from 'openai';

/** A part of an answer as one provider's API has it: an event of a name, and its data. */
export interface Part {
  event?: string;
  data: unknown;
}

/** The SDK of a provider of language models. */
export interface ModelSdk {
  name: string;
  package: string;
  /** It fails at an event that has an id. Default: it ignores ids. */
  failsAtIds?: true;
  /** An answer of these words, from its first event to its last. */
  parts(words: readonly string[]): Part[];
  /** Asks a server, and calls `hear` with each word of its answer. */
  ask(origin: string, hear: (word: string) => void): Promise<void>;
}

const PROMPT = [{ role: 'user' as const, content: 'News?' }];

export const modelSdks: ModelSdk[] = [
  {
    name: 'Chat completions, openai',
    package: 'openai',
    parts: words => [
      ...words.map(content => ({
        data: { id: '1', object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content } }] },
      })),
      { data: '[DONE]' },
    ],
    async ask(origin, hear) {
      const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: 'none', maxRetries: 0 });
      const stream = await client.chat.completions.create({ model: 'any', messages: PROMPT, stream: true });
      for await (const { choices } of stream) hear(choices[0]?.delta.content ?? '');
    },
  },
  {
    name: 'Mistral',
    package: '@mistralai/mistralai',
    parts: words => [
      ...words.map(content => ({
        data: { id: '1', model: 'any', choices: [{ index: 0, delta: { content }, finish_reason: null }] },
      })),
      { data: '[DONE]' },
    ],
    async ask(origin, hear) {
      const client = new Mistral({ apiKey: 'none', serverURL: origin });
      const stream = await client.chat.stream({ model: 'any', messages: PROMPT });
      for await (const { data } of stream) hear(String(data.choices[0]?.delta.content));
    },
  },
  {
    name: 'Gemini, @google/genai',
    package: '@google/genai',
    failsAtIds: true,
    parts: words => words.map(text => ({ data: { candidates: [{ content: { parts: [{ text }] } }] } })),
    async ask(origin, hear) {
      const client = new GoogleGenAI({ apiKey: 'none', httpOptions: { baseUrl: origin } });
      const stream = await client.models.generateContentStream({ model: 'any', contents: 'News?' });
      for await (const { text } of stream) hear(text ?? '');
    },
  },
  {
    name: 'Claude, @anthropic-ai/sdk',
    package: '@anthropic-ai/sdk',
    parts: words => {
      const usage = { input_tokens: 1, output_tokens: 1 };
      const message = { id: '1', type: 'message', role: 'assistant', model: 'any', content: [], usage };
      const events = [
        { type: 'message_start', message },
        { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
        ...words.map(text => ({
          type: 'content_block_delta',
          index: 0,
          delta: { type: 'text_delta', text },
        })),
        { type: 'content_block_stop', index: 0 },
        { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage },
        { type: 'message_stop' },
      ];
      return events.map(data => ({ event: data.type, data }));
    },
    async ask(origin, hear) {
      const client = new Anthropic({ baseURL: origin, apiKey: 'none', maxRetries: 0 });
      const stream = client.messages.stream({ model: 'any', max_tokens: 100, messages: PROMPT });
      stream.on('text', hear);
      await stream.finalMessage();
    },
  },
  ...aiSdks(),
];

interface Chunk {
  type: string;
  delta?: string;
}

/** What the versions of the AI SDK's transport have in common. */
interface ChatTransport {
  sendMessages(options: object): Promise<ReadableStream<Chunk>>;
}

function aiSdks(): ModelSdk[] {
  const versions: [string, (options: { api: string }) => ChatTransport][] = [
    ['ai5', options => new ai5.DefaultChatTransport(options) as ChatTransport],
    ['ai6', options => new ai6.DefaultChatTransport(options) as ChatTransport],
    ['ai', options => new ai7.DefaultChatTransport(options) as ChatTransport],
  ];
  return versions.map(([packageName, createTransport]) => ({
    name: 'AI SDK, DefaultChatTransport',
    package: packageName,
    parts: words => [
      { data: { type: 'start' } },
      { data: { type: 'text-start', id: '1' } },
      ...words.map(delta => ({ data: { type: 'text-delta', id: '1', delta } })),
      { data: { type: 'text-end', id: '1' } },
      { data: { type: 'finish' } },
      { data: '[DONE]' },
    ],
    async ask(origin, hear) {
      const message = { id: '1', role: 'user', parts: [{ type: 'text', text: 'News?' }] };
      const request = { trigger: 'submit-message', chatId: 'a', messages: [message] };
      const chunks = await createTransport({ api: `${origin}/api/chat` }).sendMessages(request);
      for await (const { type, delta } of chunks) if (type === 'text-delta') hear(delta ?? '');
    },
  }));
}
