/** Those who follow something, by what they follow. */
export class Followers<F> {
  /** Who follows this. */
  of(key: string): readonly F[] {
    return [...(this._followers.get(key) ?? [])];
  }

  /** What is followed, each with those who follow it. */
  all(): readonly (readonly [string, readonly F[]])[] {
    return [...this._followers].map(([key, found]) => [key, [...found]]);
  }

  /** One more follows this. */
  add(key: string, follower: F): void {
    const others = this._followers.get(key) ?? new Set<F>();
    this._followers.set(key, others.add(follower));
  }

  /** One less follows this; whether nobody does any more. */
  remove(key: string, follower: F): boolean {
    const others = this._followers.get(key);
    others?.delete(follower);
    return others?.size === 0 && this._followers.delete(key);
  }

  /** Nobody follows anything. */
  clear(): void {
    this._followers.clear();
  }

  private readonly _followers = new Map<string, Set<F>>();
}
