import { columns } from '../src/table/columns';
import { leaseWords } from '../src/format/lease';
import { originWords, policyWords } from '../src/format/origin';
import { formatAsked, formatRequest } from '../src/format/share';
import { timeline } from '../src/format/timeline';
import {
  detailLine,
  endLine,
  enforcementWords,
  factWord,
  idleWords,
  kindWord,
  levelWord,
  ordinal,
  placeLine,
  priorityWord,
  stateSentence,
  stateWord,
  strengthWord,
  waitingLine,
  waitingWords,
  yesOrNo
} from '../src/format/words';
import { newsWords, summaryWords } from '../src/news/words';
import type { NewsKind } from '../src/news/news';
import type { IEnforcement, IWorkload } from '../src/wire';
import { mainFields, moreFields } from '../src/components/submit/fields';
import { catalogFields } from '../src/components/submit/catalogFields';
import { shareFields } from '../src/kernels/shareFields';
import { liveModel } from './helpers/fakeModel';
import { pseudo, untranslated } from './helpers/pseudo';
import {
  CODES,
  STATES,
  allocation,
  clause,
  environment,
  template,
  verdict,
  warning,
  workload
} from './helpers/sample';

/** Workloads of every state, waiting and held in every way. */
const ALL: readonly IWorkload[] = [
  ...STATES.map(state => workload({ state, name: '7' })),
  ...CODES.map(code =>
    workload({ state: 'pending', verdict: verdict({ code }) })
  ),
  ...[25, 40, 65, 80, 90, 125, 150].map(priority => workload({ priority })),
  workload({ allocation: allocation() }),
  workload({ allocation: allocation(), simulated: true }),
  workload({ stop_requested: 1 }),
  workload({ state: 'failed', ended: 1, exit_code: 3 }),
  workload({ tasks: 4, gang: false, restarts: 2, started: 5 }),
  workload({ kind: 'workspace', request: { gpu: 1 } }),
  workload({ kind: 'interactive', request: {} }),
  workload({
    kind: 'inference',
    request: { gpu: '0.25', gpu_limit: 1 }
  })
].map(each => ({ ...each, name: '7', owner: '8', queue: '9' }));

const LEVELS: readonly IEnforcement['level'][] = [
  'device',
  'framework',
  'mig',
  'mps-v2',
  'mps-v3',
  'none'
];

const NEWS: readonly NewsKind[] = [
  'started',
  'stuck',
  'preempted',
  'warned',
  'ended',
  'failed'
];

/** Each way in which a workload is put into words. */
const WORDS: Readonly<Record<string, (of: IWorkload) => string>> = {
  stateWord: of => stateWord(of, pseudo),
  stateSentence: of => stateSentence(of, pseudo),
  kindWord: of => kindWord(of, pseudo),
  priorityWord: of => priorityWord(of.priority, pseudo),
  detailLine: of => detailLine(of, pseudo),
  waitingLine: of => waitingLine(of, pseudo),
  placeLine: of => placeLine(of, pseudo),
  endLine: of => endLine(of, pseudo),
  idleWords: of => idleWords(of, 9000, pseudo),
  leaseWords: of => leaseWords(of, pseudo),
  formatRequest: of => formatRequest(of.request, pseudo),
  formatAsked: of => formatAsked(of, pseudo)
};

/** What engines, drivers and people say in their own words. */
const SAID = /^(?:here|digits|GPU|A100|80GB|MiB|MB|GB)$/;

function missed(text: string): string[] {
  return untranslated(text).filter(word => !SAID.test(word));
}

describe('what people read', () => {
  it.each(Object.entries(WORDS))(
    'is translated by %s, whatever becomes of a workload',
    (_, words) => {
      for (const each of ALL) {
        expect(missed(words(each))).toEqual([]);
      }
    }
  );

  it.each(NEWS)('is translated in the news that one has %s', kind => {
    for (const each of ALL) {
      const warned = { ...each, notice: warning() };
      expect(missed(newsWords({ kind, workload: warned }, pseudo))).toEqual([]);
      expect(missed(summaryWords(kind, 12, pseudo))).toEqual([]);
    }
  });

  it('is translated in the timeline', () => {
    for (const each of ALL) {
      for (const { label, detail } of timeline(each, 9000, pseudo)) {
        expect(missed(label)).toEqual([]);
        expect(missed(detail)).toEqual([]);
      }
    }
  });

  it('is translated where a limit is told of', () => {
    for (const level of LEVELS) {
      expect(missed(levelWord(level, pseudo))).toEqual([]);
      for (const memory of ['hard', 'soft', 'none'] as const) {
        expect(missed(strengthWord(memory, pseudo))).toEqual([]);
        const enforcement = { level, memory, compute: memory };
        expect(missed(enforcementWords(enforcement, 1, pseudo))).toEqual([]);
      }
    }
  });

  it('is translated in titles of columns, and in their texts', () => {
    for (const column of columns(pseudo)) {
      expect(missed(column.title)).toEqual([]);
      expect(column.title).toMatch(/^⟦/);
      for (const each of ALL.filter(() => column.id !== 'id')) {
        expect(missed(column.text(each, 9000))).toEqual([]);
      }
    }
  });

  it('is translated in single words', () => {
    for (const code of CODES) {
      expect(waitingWords(code, pseudo)).toMatch(/^⟦.*⟧$/);
    }
    for (let place = 1; place < 25; place++) {
      expect(ordinal(place, pseudo)).toMatch(/^⟦.*⟧$/);
    }
    expect(missed(yesOrNo(true, pseudo) + yesOrNo(false, pseudo))).toEqual([]);
    for (const fact of ['requested', 'quota', 'limit', 'pool', 'allocated']) {
      expect(factWord(fact, pseudo)).toMatch(/^⟦/);
    }
  });

  it('is translated in forms', () => {
    const catalog = {
      templates: [template({ name: '1' })],
      environments: [environment({ name: '2' })]
    };
    const fields = [
      ...mainFields(pseudo),
      ...moreFields(pseudo),
      ...catalogFields(catalog, null, pseudo),
      ...shareFields(liveModel(), pseudo)
    ];
    expect(fields.length).toBeGreaterThan(20);
    for (const { label, help, names = {} } of fields) {
      expect(label).toMatch(/^⟦.*⟧$/);
      expect(missed(help)).toEqual([]);
      expect(missed(Object.values(names).join(' '))).toEqual([]);
    }
  });

  it('is translated where a value comes from, and what holds for it', () => {
    const by = { name: '1', before: '' };
    expect(missed(originWords({ ...by, by: 'template' }, pseudo))).toEqual([]);
    expect(missed(originWords({ ...by, by: 'environment' }, pseudo))).toEqual(
      []
    );
    for (const rule of ['default', 'min', 'max', 'options', 'required']) {
      for (const field of ['gpu', 'devices', 'workers']) {
        const clauses = [clause({ field, rule })];
        const shown = [
          ...policyWords('gpu', clauses, pseudo),
          ...policyWords('tasks', clauses, pseudo)
        ];
        expect(shown).toHaveLength(1);
        expect(shown.flatMap(missed)).toEqual([]);
      }
    }
  });
});
