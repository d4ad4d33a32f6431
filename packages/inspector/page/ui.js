// @ts-check
import htm from 'htm';
import { h } from 'preact';

/** Preact without a build step. Everything that is put into a template is shown as text. */
export const html = htm.bind(h);

/**
 * @param {string} text
 * @returns {Promise<boolean>} whether it is in the clipboard
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/**
 * A stream without a client.
 *
 * @param {{ id: string | undefined }} props
 */
export function Anonymous({ id }) {
  return id === undefined ? html`<span class="quiet">anonymous</span>` : html`<code>${id.slice(0, 8)}</code>`;
}
