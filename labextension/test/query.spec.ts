import { FIELDS, matches, parseQuery } from '../src/table/query';
import type { ITerm } from '../src/table/query';
import type { IWorkload, WorkloadState } from '../src/wire';
import { ME, STATES, allocation, workload } from './helpers/sample';

function terms(text: string): readonly ITerm[] {
  return parseQuery(text).terms;
}

function passes(text: string, changes: Partial<IWorkload> = {}): boolean {
  return matches(workload(changes), parseQuery(text), ME);
}

describe('a filter is read', () => {
  it.each<[string, ITerm['field'], readonly string[], boolean]>([
    ['digits', null, ['digits'], false],
    ['-digits', null, ['digits'], true],
    ['"two words"', null, ['two words'], false],
    ['-"two words"', null, ['two words'], true],
    ['"left open', null, ['left open'], false],
    ['a,b', null, ['a,b'], false],
    ['name:a', 'name', ['a'], false],
    ['NAME:A', 'name', ['a'], false],
    ['-name:a,b', 'name', ['a', 'b'], true],
    ['name:a,,b,', 'name', ['a', 'b'], false],
    ['name:"two words"', 'name', ['two words'], false],
    ['name:a,"two words",c', 'name', ['a', 'two words', 'c'], false],
    ['device:"A100 #3"', 'device', ['a100 #3'], false],
    ['state:pending,running', 'state', ['pending', 'running'], false],
    ['-', null, ['-'], false],
    ['x:y', null, [], false]
  ])('%j', (text, field, values, isNegated) => {
    const expected = values.length > 0 ? [{ field, values, isNegated }] : [];
    expect(terms(text)).toEqual(expected);
  });

  it.each(['', '   ', '\t\n', 'name:', 'name:,', '""', '-""', 'state:""'])(
    'as nothing in %j',
    text => {
      expect(terms(text)).toEqual([]);
      expect(passes(text)).toBe(true);
    }
  );

  it('term by term, whatever stands between them', () => {
    const read = terms('  state:running\tdigits   -owner:me ');
    expect(read.map(({ field }) => field)).toEqual(['state', null, 'owner']);
  });

  it('and says which fields there are not, each time', () => {
    const { unknown, terms: known } = parseQuery('foo:1 state:x Bar:2 foo:3');
    expect(unknown).toEqual(['foo', 'Bar', 'foo']);
    expect(known).toHaveLength(1);
  });

  it.each(FIELDS)('with the field %s', field => {
    expect(parseQuery(`${field}:x`)).toEqual({
      terms: [{ field, values: ['x'], isNegated: false }],
      unknown: []
    });
  });
});

describe('a filter by state', () => {
  const WORDS: Readonly<Record<string, readonly WorkloadState[]>> = {
    waiting: ['creating', 'pending'],
    starting: ['initializing'],
    active: ['resuming', 'initializing', 'running', 'degraded', 'suspending'],
    ended: ['completed', 'failed', 'stopped'],
    suspend: ['suspending', 'suspended'],
    pend: ['pending'],
    s: ['suspending', 'suspended', 'stopped'],
    idle: []
  };

  it.each(Object.entries(WORDS))('%s means %j', (word, states) => {
    const found = STATES.filter(state => passes(`state:${word}`, { state }));
    expect(found).toEqual(states);
    const others = STATES.filter(state => passes(`-state:${word}`, { state }));
    expect(others).toEqual(STATES.filter(state => !states.includes(state)));
  });

  it.each(STATES)('%s finds itself', state => {
    expect(passes(`state:${state}`, { state })).toBe(true);
    const other = state === 'running' ? 'failed' : 'running';
    expect(passes(`state:${state}`, { state: other })).toBe(false);
  });
});

describe('a filter finds', () => {
  const held: Partial<IWorkload> = {
    id: 'abc-1',
    name: 'Big-Run',
    owner: 'mel',
    queue: 'Vision',
    kind: 'training',
    allocation: allocation({ node: 'gpu-7' })
  };

  it.each([
    ['big', true],
    ['MEL', true],
    ['vision', true],
    ['abc', true],
    ['gpu-7', false],
    ['training', false],
    ['name:run', true],
    ['name:vision', false],
    ['owner:me', false],
    ['owner:mel', true],
    ['owner:me,mel', true],
    ['project:vis', true],
    ['queue:vis', true],
    ['type:train', true],
    ['type:work', false],
    ['id:abc-1', true],
    ['node:GPU', true],
    ['device:#1', true],
    ['device:"#1 "', false],
    ['big vision mel', true],
    ['big -vision', false],
    ['big -speech', true],
    ['name:nothing,big project:vision', true]
  ])('%s: %s', (text, expected) => {
    expect(passes(text, held)).toBe(expected);
  });

  it('nothing by node or device of what holds none', () => {
    expect(passes('node:here')).toBe(false);
    expect(passes('device:a100')).toBe(false);
    expect(passes('-node:here')).toBe(true);
  });

  it('mine by the name of whoever looks', () => {
    const query = parseQuery('owner:me');
    expect(matches(workload({ owner: 'me' }), query, 'you')).toBe(false);
    expect(matches(workload({ owner: 'you' }), query, 'you')).toBe(true);
  });
});
