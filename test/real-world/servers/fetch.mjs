import { streamResponse } from '@tidings/core/fetch';
import { answer, behaviourOf, hub } from './behaviours.mjs';

export default {
  async fetch(request) {
    const { pathname } = new URL(request.url);
    const text = await answer(pathname);
    if (text !== undefined) return new Response(text);
    try {
      return await streamResponse(request, behaviourOf(pathname), { hub });
    } catch {
      return new Response('failed', { status: 500 });
    }
  },
};
