import { bindContext } from '../../base/async-context.ts';
import type { FilterEvent } from './subscribe-options.ts';

type Filter = (event: FilterEvent) => boolean;

/**
 * The application's filter for one stream, in the async context of the call. An event for which it throws is not
 * delivered.
 */
export function guardFilter<Stream>(
  filter: (event: FilterEvent, stream: Stream) => boolean,
  stream: Stream,
  onError: (error: unknown) => void,
): Filter {
  const bound = bindContext(filter);
  return event => {
    try {
      return bound(event, stream);
    } catch (error) {
      onError(error);
      return false;
    }
  };
}
