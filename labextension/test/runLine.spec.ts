import { readRunLine, runLine, withRunLine } from '../src/cells/runLine';

const LINE = {
  verb: 'train',
  template: '',
  environment: '',
  gpu: '0.5',
  workers: '',
  outputs: '',
  detach: false,
  rest: ''
};

describe('the first line of a cell', () => {
  it('is written above code that has none', () => {
    expect(withRunLine('x = 1\ny = 2', LINE)).toBe(
      '%%runai train --gpu 0.5\nx = 1\ny = 2'
    );
  });

  it('takes the place of the one that is there', () => {
    const source = '\n%%runai train --gpu 1 --name old\nx = 1';
    expect(withRunLine(source, LINE)).toBe('%%runai train --gpu 0.5\nx = 1');
    expect(withRunLine('%%runai run', LINE)).toBe('%%runai train --gpu 0.5\n');
  });

  it('leaves other magics and comments alone', () => {
    expect(readRunLine('%%time\nx = 1')).toBeNull();
    expect(readRunLine('%%runaix\nx = 1')).toBeNull();
    expect(readRunLine('# %%runai train')).toBeNull();
  });

  it.each([
    ['%%runai train --gpu 0.5', LINE],
    [
      '%%runai run --gpu=auto --detach',
      { verb: 'run', gpu: 'auto', detach: true }
    ],
    ['%%runai train --devices 2 --workers 4', { gpu: '2', workers: '4' }],
    ['%%runai train --elastic 2:8', { gpu: '', workers: '2:8' }],
    [
      '%%runai run --environment torch --template small',
      { verb: 'run', gpu: '', template: 'small', environment: 'torch' }
    ],
    [
      "%%runai train -o model,score --name 'my run' -p vision",
      { gpu: '', outputs: 'model,score', rest: "--name 'my run' -p vision" }
    ]
  ])('%s is understood', (source, meant) => {
    expect(readRunLine(source)).toEqual({ ...LINE, ...meant });
  });

  it.each([
    [{}, '%%runai train --gpu 0.5'],
    [{ gpu: ' ', workers: '1' }, '%%runai train'],
    [
      { workers: '1', template: 'wide' },
      '%%runai train --template wide --gpu 0.5 --workers 1'
    ],
    [{ rest: '--gpu-memory 20G' }, '%%runai train --gpu-memory 20G'],
    [{ rest: '--gpu-memory=20G -p a' }, '%%runai train --gpu-memory=20G -p a'],
    [{ workers: '4' }, '%%runai train --gpu 0.5 --workers 4'],
    [{ workers: '2:8' }, '%%runai train --gpu 0.5 --elastic 2:8'],
    [
      { gpu: '', template: 'small', environment: 'torch' },
      '%%runai train --template small --environment torch'
    ],
    [
      { outputs: 'model, score', detach: true, rest: '--name a' },
      '%%runai train --gpu 0.5 -o model,score --detach --name a'
    ]
  ])('%j is typed as %s', (changes, typed) => {
    expect(runLine({ ...LINE, ...changes })).toBe(typed);
  });
});
