import { act, render } from '@testing-library/react';
import { Signal } from '@lumino/signaling';
import type { JSX } from 'react';

import { useChanges } from '../src/components/hooks';

class Source {
  readonly changed = new Signal<this, void>(this);
}

let rendered = 0;

function Counter(props: { source: Source; isActive: boolean }): JSX.Element {
  useChanges(props.source, props.isActive);
  return <p>{++rendered}</p>;
}

describe('views that follow a source', () => {
  let frames: FrameRequestCallback[];
  let source: Source;

  /** Let the frame of that moment come. */
  function frame(time: number): void {
    const due = frames;
    frames = [];
    act(() => {
      due.forEach(each => {
        each(time);
      });
    });
  }

  beforeEach(() => {
    frames = [];
    rendered = 0;
    source = new Source();
    jest.spyOn(window, 'requestAnimationFrame').mockImplementation(callback => {
      frames.push(callback);
      return frames.length;
    });
    jest.spyOn(window, 'cancelAnimationFrame').mockImplementation(() => {
      frames = [];
    });
  });

  afterEach(() => {
    jest.restoreAllMocks();
  });

  function show(isActive = true): ReturnType<typeof render> {
    const shown = render(<Counter source={source} isActive={isActive} />);
    rendered = 0;
    return shown;
  }

  it('render in the frame after a change', () => {
    show();
    source.changed.emit();
    expect(rendered).toBe(0);
    frame(1000);
    expect(rendered).toBe(1);
  });

  it('render once however many changes a frame brings', () => {
    show();
    for (let change = 0; change < 1000; change++) {
      source.changed.emit();
    }
    expect(frames).toHaveLength(1);
    frame(1000);
    expect(rendered).toBe(1);
  });

  it('render a few times a second while changes rain, and lose none', () => {
    show();
    for (let time = 1000; time < 2000; time += 10) {
      source.changed.emit();
      frame(time);
    }
    expect(rendered).toBe(10);
    source.changed.emit();
    frame(2000);
    expect(rendered).toBe(11);
  });

  it('render the last change of a rain when the pause is over', () => {
    show();
    source.changed.emit();
    frame(1000);
    source.changed.emit();
    frame(1050);
    expect(rendered).toBe(1);
    frame(1110);
    expect(rendered).toBe(2);
    expect(frames).toHaveLength(0);
  });

  it('render nothing while nobody looks, and once when somebody does', () => {
    const { rerender } = show(false);
    source.changed.emit();
    expect(frames).toHaveLength(0);
    rerender(<Counter source={source} isActive />);
    expect(rendered).toBe(2);
  });

  it('follow no more once they are gone', () => {
    const { unmount } = show();
    source.changed.emit();
    unmount();
    expect(frames).toHaveLength(0);
    source.changed.emit();
    expect(frames).toHaveLength(0);
  });
});
