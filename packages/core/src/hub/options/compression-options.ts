import { checkType, isObject, readCount } from '../../base/option-checks.ts';
import { checkNames, optionNames } from '../../base/option-names.ts';
import { type CompressionSettings, loadZlib } from '../../compression/zlib.ts';

/** The options of compression. */
export interface CompressionOptions {
  /**
   * Minimum number of streams that must receive an event for it to be compressed. For fewer streams, the CPU time costs
   * more than the bytes. Default: 4. 1: always.
   */
  minStreams?: number | undefined;
}

const COMPRESSION_OPTIONS = optionNames<CompressionOptions>({
  minStreams: true,
});

/**
 * @returns undefined if compression is off, or `node:zlib` is missing.
 * @throws {TidingsError} `invalid-option`, naming the option.
 */
export function readCompression(
  compression: boolean | CompressionOptions | undefined,
): CompressionSettings | undefined {
  const { minStreams } = isObject(compression) ? (compression as CompressionOptions) : {};
  if (isObject(compression)) checkNames(compression, COMPRESSION_OPTIONS, 'compression.');
  else checkType('compression', 'boolean', compression);
  const settings = { minStreams: readCount('compression.minStreams', minStreams, 4, 1) };
  const zlib = compression ? loadZlib() : undefined;
  return zlib && { zlib, ...settings };
}
