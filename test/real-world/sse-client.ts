import type { Subject } from './subject.ts';

/** Called with each event that is for the application. */
export type See = (type: string, data: string) => void;

export interface SseClient extends Subject {
  /** What a user has to know. */
  note?: string;
  /** What becomes of data that has line breaks and spaces at its ends; absent: nothing. */
  reads?: (data: string) => string;
  /** It does not come back after a connection that broke. */
  isLostWhenCut?: boolean;
  /** A line of an event may have at most so many bytes. Absent: any number. */
  longestLine?: number;
  /** Follows a URL until it is left. */
  follow(url: string, see: See): Leave | Promise<Leave>;
}

type Leave = () => unknown;

/** What the tests send; an EventSource is asked for each by its name. */
export const TYPES = ['message', 'tick', 'reset'];

/** The events that say where a stream is, which a client that is asked for no names shows, too. */
export const exceptMarkers =
  (see: See): See =>
  (type, data) => {
    if (type !== 'tidings') see(type, data);
  };
