import type { PartialJSONObject } from '@lumino/coreutils';

/** A plain value as the JSON that commands and the state database take. */
export function toJson(value: object): PartialJSONObject {
  return JSON.parse(JSON.stringify(value)) as PartialJSONObject;
}
