import { EngineApi, EngineError } from '../src/model/api';
import { fakeSettings } from './helpers/fakeServer';
import { workload } from './helpers/sample';

const BASE = 'http://localhost:8888/user/a%40b/jupyter-runai';

describe('EngineApi', () => {
  let asked: Request[];
  let answer: Response;
  let api: EngineApi;

  beforeEach(() => {
    asked = [];
    answer = Response.json({});
    api = new EngineApi({
      serverSettings: fakeSettings(request => {
        asked.push(request);
        return answer;
      })
    });
  });

  it.each<[string, string, (id: string) => Promise<unknown>]>([
    ['POST', 'workloads/w%2F1/stop', id => api.stop(id)],
    ['POST', 'workloads/w%2F1/suspend', id => api.suspend(id)],
    ['POST', 'workloads/w%2F1/resume', id => api.resume(id)],
    ['POST', 'workloads/w%2F1/restore', id => api.restore(id)],
    ['POST', 'workloads/w%2F1/resize', id => api.resize(id, { gpu: '0.5' })],
    ['POST', 'workloads/w%2F1/scale', id => api.scale(id, { tasks: 2 })],
    ['DELETE', 'workloads/w%2F1?purge=false', id => api.delete(id)],
    ['DELETE', 'workloads/w%2F1?purge=true', id => api.delete(id, true)],
    ['GET', 'workloads/w%2F1/explain?remedies=true', id => api.explain(id)],
    ['GET', 'workloads/w%2F1/specification', id => api.specification(id)],
    ['GET', 'workloads/w%2F1/tasks', id => api.tasks(id)],
    ['GET', 'workloads?deleted=true', () => api.deleted()],
    ['GET', 'submission-schema.json', () => api.submissionSchema()]
  ])('asks %s %s', async (method, path, call) => {
    await call('w/1');
    const [request] = asked;
    expect(request?.method).toBe(method);
    // Where nothing is cached, JupyterLab adds the time.
    expect(request?.url.replace(/[?&]\d+$/, '')).toBe(`${BASE}/${path}`);
  });

  it('sends what is submitted, and gives what became of it', async () => {
    answer = Response.json(workload({ id: 'w2' }), { status: 201 });
    const spec = { command: ['python', 'a.py'], cwd: '.' };
    expect((await api.submit(spec)).id).toBe('w2');
    expect(await asked[0]?.json()).toEqual(spec);
  });

  it('links to a whole log', () => {
    expect(api.logUrl('w/1', 2)).toBe(
      `${BASE}/workloads/w%2F1/logs?task=2&download=true`
    );
  });

  it('throws what the server says is wrong, or what a proxy answers', async () => {
    const problem = { code: 'conflict', message: 'It runs.', hint: 'Stop it.' };
    answer = Response.json(problem, { status: 409 });
    const refused = api.delete('w1');
    await expect(refused).rejects.toBeInstanceOf(EngineError);
    await expect(refused).rejects.toMatchObject(problem);
    answer = new Response('<html>', { status: 502, statusText: 'Bad Gateway' });
    await expect(api.stop('w1')).rejects.toMatchObject({
      code: '502',
      message: '502 Bad Gateway',
      hint: ''
    });
  });
});
