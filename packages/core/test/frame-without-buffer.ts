// Run by frame.test.ts as a process of its own, since frame.ts looks for Buffer when it is loaded.
delete (globalThis as { Buffer?: unknown }).Buffer;
const { createFrame, joinFrames, sliceFrame } = await import('../src/protocol/frame.ts');
if (globalThis.Buffer !== undefined) throw new Error('Buffer is back');

const texts: string[] = JSON.parse(process.argv[2] ?? '[]');
const frames = texts.map(text => createFrame(text));
const joined = joinFrames(frames);
const made = [...frames, joined, sliceFrame(joined, 1, joined.length)];
process.stdout.write(
  JSON.stringify(
    made.map(({ bytes, chunk, length }) => ({ bytes: Array.from(bytes), chunk: Array.from(chunk), length })),
  ),
);

export {};
