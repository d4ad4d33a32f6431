/** Labels of which there may be many. Each value of a label is a time series of its own, in every process. */
export interface LabelOptions {
  /**
   * Returns the label of a channel, or undefined for none. Return one label for many channels: `room` for `room:…`.
   * Default: no metrics by channel.
   */
  channel?: ((name: string) => string | undefined) | undefined;
  /** Returns the label of a client, or undefined for none: a tenant rather than a user. Default: no metrics by client. */
  client?: ((client: string) => string | undefined) | undefined;
}
