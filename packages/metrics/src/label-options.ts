/** Labels for channels and clients. Each value of a label is a separate time series in every process. */
export interface LabelOptions {
  /**
   * Returns the label of a channel, or undefined for none. Use one label for many channels, for example `room` for
   * `room:…`. Default: no metrics by channel.
   */
  channel?: ((name: string) => string | undefined) | undefined;
  /**
   * Returns the label of a client, or undefined for none. Use one label for many clients, for example the tenant.
   * Default: no metrics by client.
   */
  client?: ((client: string) => string | undefined) | undefined;
}
