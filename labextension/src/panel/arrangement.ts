import type { PartialJSONObject } from '@lumino/coreutils';

/** The parts of the panel, as they are arranged at first. */
export const SECTIONS = [
  'devices',
  'queues',
  'workloads',
  'workspaces'
] as const;

/** One of them. */
export type SectionId = (typeof SECTIONS)[number];

/** How the user has arranged the panel. */
export interface IArrangement {
  /** From top to bottom. */
  readonly order: readonly SectionId[];
  readonly collapsed: readonly SectionId[];

  /** In pixels; what is not named is as high as what it shows. */
  readonly heights: Readonly<Partial<Record<SectionId, number>>>;
}

/** How it is until somebody arranges it. */
export const USUAL: IArrangement = {
  order: SECTIONS,
  collapsed: [],
  heights: {}
};

/** How low a section can be made, in pixels. */
export const LOWEST = 60;

/** With a section one place up (-1) or down (1) among those that are shown. */
export function moved(
  arrangement: IArrangement,
  id: SectionId,
  by: -1 | 1,
  shown: readonly SectionId[]
): IArrangement {
  const order = arrangement.order.filter(each => shown.includes(each));
  const other = order[order.indexOf(id) + by];
  if (other === undefined) {
    return arrangement;
  }
  const exchanged = arrangement.order.map(each =>
    each === id ? other : each === other ? id : each
  );
  return { ...arrangement, order: exchanged };
}

/** With a section opened where it is closed, and the other way round. */
export function toggled(
  arrangement: IArrangement,
  id: SectionId
): IArrangement {
  const { collapsed } = arrangement;
  return {
    ...arrangement,
    collapsed: collapsed.includes(id)
      ? collapsed.filter(each => each !== id)
      : [...collapsed, id]
  };
}

/** With a section of that height; null is as high as what it shows. */
export function sized(
  arrangement: IArrangement,
  id: SectionId,
  height: number | null
): IArrangement {
  const others = Object.entries(arrangement.heights).filter(
    ([other]) => other !== id
  );
  const own =
    height === null ? [] : [[id, Math.max(LOWEST, Math.round(height))]];
  const heights = Object.fromEntries([...others, ...own]) as Partial<
    Record<SectionId, number>
  >;
  return { ...arrangement, heights };
}

/** What of a remembered arrangement can be understood. */
export function restoreArrangement(
  saved: PartialJSONObject | undefined
): IArrangement {
  const order = known(saved?.order);
  const heights = (saved?.heights ?? {}) as PartialJSONObject;
  return {
    order: [...order, ...SECTIONS.filter(id => !order.includes(id))],
    collapsed: known(saved?.collapsed),
    heights: Object.fromEntries(
      SECTIONS.flatMap(id => {
        const height = heights[id];
        return typeof height === 'number' && height >= LOWEST
          ? [[id, height] as const]
          : [];
      })
    )
  };
}

function known(saved: unknown): SectionId[] {
  const named: readonly unknown[] = Array.isArray(saved) ? saved : [];
  return SECTIONS.filter(id => named.includes(id)).sort(
    (one, other) => named.indexOf(one) - named.indexOf(other)
  );
}
