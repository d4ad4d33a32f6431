/** Joins several values of the header `Vary` into one. Removes duplicate fields. */
export function joinVary(...values: (string | number | readonly string[] | undefined)[]): string {
  const fields = values.flatMap(value => (value === undefined ? [] : String(value).split(/[\s,]+/)));
  const isNew = (field: string, index: number) =>
    field !== '' && fields.findIndex(each => each.toLowerCase() === field.toLowerCase()) === index;
  return fields.filter(isNew).join(', ');
}
