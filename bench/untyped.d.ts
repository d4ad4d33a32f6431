declare module 'sse-channel';
