import '@testing-library/jest-dom';
import { configure } from '@testing-library/react';

// The machines that run this may be busy.
configure({ asyncUtilTimeout: 5000 });

// The parts of the application's libraries that measure expect these.
class Observer {
  observe(): void {
    return;
  }
  unobserve(): void {
    return;
  }
  disconnect(): void {
    return;
  }
}
Object.assign(window, { ResizeObserver: Observer });
Object.assign(window, { requestIdleCallback: setTimeout });
// Drag events exist in browsers only, and Lumino extends them at import.
Object.assign(window, { DragEvent: MouseEvent });
const ignore = (): void => undefined;
Object.assign(window, {
  matchMedia: (media: string) => ({
    media,
    matches: false,
    addListener: ignore,
    addEventListener: ignore,
    removeListener: ignore,
    removeEventListener: ignore
  })
});

// Without it the application's clipboard warns, as it does where a site is not secure.
Object.assign(navigator, { clipboard: {} });
