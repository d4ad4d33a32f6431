import { it } from 'vitest';
import { FaultyBroker, MemoryLog } from '../support/memory-broker.ts';
import { contract } from './contract.ts';

contract('a stream that is sent more than maxBufferedBytes before it begins', ({ serve }) => {
  it('keeps the events that were sent while the broker was called', async () => {
    const faulty = new FaultyBroker(new MemoryLog().broker());
    faulty.hold();
    const { get } = await serve(
      context =>
        context.stream(stream => {
          stream.subscribe('a');
          for (let i = 0; i < 3_000; i++) stream.send(`${i} ${'x'.repeat(500)}`);
        }),
      { broker: faulty.broker },
    );
    const responding = get();
    await faulty.holding();
    // The headers are sent after a second, and the client has read them long before there is anything more to read.
    setTimeout(() => faulty.release(), 2_500);
    const client = await responding;
    await client.until(({ events }) => events.filter(({ event }) => event !== 'tidings').length >= 3_000);
    client.reset();
  });
});
