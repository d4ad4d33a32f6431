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
