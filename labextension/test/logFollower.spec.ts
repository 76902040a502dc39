import { LogFollower } from '../src/model/logFollower';
import type { ILogMessage } from '../src/wire';

function piece(offset: number, text: string): ILogMessage {
  const next = offset + new TextEncoder().encode(text).length;
  return { type: 'log', workload: 'w1', offset, next, text };
}

describe('LogFollower', () => {
  let follower: LogFollower;
  let released: number;

  beforeEach(() => {
    released = 0;
    follower = new LogFollower({ release: () => released++ });
  });

  it('goes on where it was', () => {
    follower.append(piece(0, 'é'));
    expect(follower.next).toBe(2);
    follower.append(piece(2, 'b'));
    expect(follower.text.toString()).toBe('éb');
  });

  it('leaves aside what it has, whole or in part', () => {
    follower.append(piece(0, 'abc'));
    follower.append(piece(0, 'abc'));
    follower.append(piece(1, 'bcd'));
    expect(follower.text.toString()).toBe('abcd');
    expect(follower.next).toBe(4);
  });

  it('says how much is missing', () => {
    follower.append(piece(1000, 'late'));
    expect(follower.text.cut).toBe(1000);
  });

  it('tells when there is more and when there is no more', () => {
    let changes = 0;
    follower.changed.connect(() => changes++);
    follower.append(piece(0, 'a'));
    follower.complete();
    expect(changes).toBe(2);
    expect(follower.isComplete).toBe(true);
    expect(follower.problem).toBeNull();
  });

  it('is released once', () => {
    follower.dispose();
    follower.dispose();
    expect(released).toBe(1);
    expect(follower.isDisposed).toBe(true);
  });
});
