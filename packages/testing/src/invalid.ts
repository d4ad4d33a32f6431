/** Creates the error for an invalid argument. Shows only the property names of an object: messages end up in logs. */
export function invalid(name: string, expected: string, value: unknown): TypeError {
  return new TypeError(`${name} must be ${expected}; got ${describe(value)}`);
}

function describe(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, 80));
  if (typeof value === 'function') return 'a function';
  if (typeof value !== 'object' || value === null) return String(value);
  const names = Object.keys(value).slice(0, 5);
  return names.length > 0 ? `an object with ${names.join(', ')}` : 'an object';
}
